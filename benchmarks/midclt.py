"""How long a call from the command line takes: ``midclt call core.ping``, as scripts run it in loops.

    .venv/bin/python benchmarks/midclt.py [--runs 40]

Milliseconds from the start of the process to its end, next to a Python that does nothing, the difference being
what midclt costs (target: at most 60 ms); and the same for ``vmstead vm list``, which is for people. The server
is a real one on an engine without guests. Runs of all kinds take turns, so that a busy machine slows all alike.
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


def milliseconds(argv: list[str], environment: dict[str, str]) -> float:
    """One run."""
    begin = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env=environment)
    return 1000 * (time.perf_counter() - begin)


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
    middle = {kind: statistics.median(run[kind] for run in runs) for kind in kinds}
    print(json.dumps({kind: round(value, 1) for kind, value in middle.items()}))
    cost = {kind: middle[kind] - middle["python"] for kind in kinds if kind != "python"}
    print(
        f"  midclt call core.ping costs {cost['midclt']:.0f} ms over an empty Python (target {TARGET}), "
        f"vm.query {cost['query']:.0f} ms, vmstead vm list {cost['list']:.0f} ms"
    )


if __name__ == "__main__":
    main()
