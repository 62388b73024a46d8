"""Measures everything, and prints the table that stands in README.md beside this file.

    .venv/bin/python -m benchmarks [NAME ...]

As root, on a machine that runs guests; takes some minutes. With names, such as ``ping``, only those scripts.
"""

import os
import platform
import sys
from datetime import UTC, datetime
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import libvirt

SCRIPTS = ("ping", "listing", "among", "start", "events", "creation", "clone", "midclt", "restart", "idle")


def machine() -> str:
    """What the figures are of."""
    text = Path("/proc/cpuinfo").read_text()
    model = next(
        (line.partition(": ")[2] for line in text.splitlines() if line.startswith("model name")), "?"
    )
    number = libvirt.getVersion()
    load = ", ".join(f"{each:.1f}" for each in os.getloadavg())
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, {os.cpu_count()} processors ({model}), Linux {platform.release()}, "
        f"Python {platform.python_version()}, aiohttp {version('aiohttp')}, "
        f"libvirt {number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}; load {load} at the beginning."
    )


def main() -> None:
    """Measure and print."""
    if any(name not in SCRIPTS for name in sys.argv[1:]):
        raise SystemExit(f"{__doc__}\nScripts: {', '.join(SCRIPTS)}")
    print(f"{machine()}\n")
    print("| what | against | target | median (quartiles) | met |")
    print("| --- | --- | --- | --- | --- |")
    for name in sys.argv[1:] or SCRIPTS:
        for line in import_module(f"benchmarks.{name}").lines():
            print(line, flush=True)


if __name__ == "__main__":
    main()
