"""How long a call from the command line takes: ``midclt call core.ping``, as scripts run it in loops.

    .venv/bin/python benchmarks/midclt.py [--runs 40]

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
from pathlib import Path

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


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=40)
    options = parser.parse_args()
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
                    for _ in range(options.runs)
                ]
            finally:
                server.terminate()
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
