"""How long a call from the command line takes: ``midclt call core.ping``, as scripts run it in loops.

    .venv/bin/python -m benchmarks.midclt [--runs 40]

Milliseconds from the start of the process to its end, and those of the processor among them, next to a Python that
does nothing: the difference is what midclt costs (target: at most 60 ms). The same for ``vmstead vm list``, which
is for people. The server is a real one on an engine without guests. Runs of all kinds take turns, so that a busy
machine slows all alike; on one, look at the processor's.
"""

import argparse
import json
import os
import statistics
import subprocess  # noqa: TID251 - measures programs
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pairs import Line, Pairs

BIN = Path(sys.executable).parent
TARGET = 60


def milliseconds(argv: list[str], environment: dict[str, str]) -> tuple[float, float]:
    """One run: how long it took, and how much of that the processor worked for it."""
    begin = time.perf_counter()
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    elapsed = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, argv
    return 1000 * elapsed, 1000 * (used.ru_utime + used.ru_stime)


def measure(count: int) -> list[dict[str, tuple[float, float]]]:
    """Runs of every kind, by turns."""
    with tempfile.TemporaryDirectory(prefix="vmstead-bench-") as folder:
        path = f"{folder}/s"
        environment = {**os.environ, "VMSTEAD_SOCKET": path}
        kinds = {
            "python": [sys.executable, "-c", "pass"],
            "midclt": [str(BIN / "midclt"), "call", "core.ping"],
            "query": [str(BIN / "midclt"), "call", "vm.query"],
            "list": [str(BIN / "vmstead"), "vm", "list"],
        }
        serve = [str(BIN / "vmstead"), "serve", "--state", f"{folder}/state", "--socket", path]
        with subprocess.Popen(
            [*serve, "--listen", "none", "--engine", "memory"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as server:
            try:
                assert server.stdout is not None
                server.stdout.readline()
                for argv in kinds.values():
                    milliseconds(argv, environment)  # what has to be compiled and read is
                runs = [
                    {kind: milliseconds(argv, environment) for kind, argv in kinds.items()}
                    for _ in range(count)
                ]
            finally:
                server.terminate()
    return runs


def lines(runs: int = 20) -> Iterator[Line]:
    """The line of the table."""
    found = measure(runs)
    pairs = Pairs([run["midclt"][0] for run in found], [run["python"][0] for run in found])
    mine, other = pairs.middle
    yield Line(
        "`midclt call core.ping`, whole process",
        "`python -c pass`",
        f"at most {TARGET} ms more",
        f"{pairs.more.shown(' ms', 0)}; {mine:.0f} and {other:.0f} ms",
        pairs.more.middle <= TARGET,
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    runs = measure(parser.parse_args().runs)
    kinds = list(runs[0])
    for what, index in (("elapsed", 0), ("processor", 1)):
        middle = {kind: statistics.median(run[kind][index] for run in runs) for kind in kinds}
        print(json.dumps({"what": what, **{kind: round(value, 1) for kind, value in middle.items()}}))
        cost = {kind: middle[kind] - middle["python"] for kind in kinds if kind != "python"}
        print(
            f"  midclt call core.ping costs {cost['midclt']:.0f} ms over an empty Python (target {TARGET}), "
            f"vm.query {cost['query']:.0f} ms, vmstead vm list {cost['list']:.0f} ms"
        )


if __name__ == "__main__":
    main()
