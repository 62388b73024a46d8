"""What a server does and holds while nobody asks anything of it."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pairs import Line
from benchmarks.servers import folder, memory_of, vmstead
from benchmarks.wire import Wire

MEBIBYTES = 90
#: Seconds until what a start leaves to be done is done, and seconds that are watched.
SETTLING, WATCHED = 5, 20


def wakes(pid: int) -> tuple[int, int]:
    """How often the event loop's thread has gone to sleep, and how often all threads have."""
    counts = {}
    for thread in os.listdir(f"/proc/{pid}/task"):
        text = Path(f"/proc/{pid}/task/{thread}/status").read_text()
        counts[int(thread)] = int(text.partition("\nvoluntary_ctxt_switches:")[2].split()[0])
    return counts[pid], sum(counts.values())


def lines() -> Iterator[Line]:
    """Of a server with libvirt and no VMs, after some calls."""
    with folder() as place, vmstead(place / "state", "private") as server:
        with Wire(server.socket) as wire:
            wire.call("vm.query")
        time.sleep(SETTLING)  # noqa: TID251 - nothing is to happen, so there is nothing to wait for
        before = wakes(server.pid)
        time.sleep(WATCHED)  # noqa: TID251
        own, every = ((then - now) / WATCHED for then, now in zip(wakes(server.pid), before, strict=True))
        memory = memory_of(server.pid)
    yield Line(
        "idle: wake-ups a second of the event loop",
        "-",
        "0",
        f"{own:.2f}; {every:.2f} with libvirt's threads",
        own == 0,
    )
    yield Line("idle: memory", "-", f"under {MEBIBYTES} MiB", f"{memory:.0f} MiB", memory < MEBIBYTES)


if __name__ == "__main__":
    print(*lines(), sep="\n")
