"""Starting the server: without VMs, and on 1,000 of which 30 run, next to libvirt's own listing of them."""

import statistics
import subprocess  # noqa: TID251 - measures programs
import sys
import time
from collections.abc import Iterator

from benchmarks.pairs import Line, by_turns, seconds
from benchmarks.servers import fill, folder, memory_of, vmstead
from benchmarks.wire import Wire

TARGET, EMPTY, MEBIBYTES = 1.5, 0.7, 120
LIBRARIES = "import aiohttp.web, pydantic, msgspec, structlog, libvirt, sqlite3"
COUNT, RUNNING = 1000, 30
DOMAIN = (
    "<domain type='qemu'><name>vm{0}</name><uuid>00000000-0000-4000-8000-{0:012}</uuid><memory>16384</memory>"
    "<os><type>hvm</type></os></domain>"
)


def lines(runs: int = 7) -> Iterator[Line]:
    """From starting the process to its answer."""
    yield empty(runs)
    yield from full(runs)


def empty(runs: int) -> Line:
    """A server that has nothing yet, with a libvirtd of its own."""
    with folder() as place:

        def ours():
            begin = time.perf_counter()
            with vmstead(place / "state", "private") as server, Wire(server.socket) as wire:
                wire.call("core.ping")
                return time.perf_counter() - begin

        libraries = [sys.executable, "-c", LIBRARIES]
        pairs = by_turns(ours, lambda: seconds(lambda: subprocess.run(libraries, check=True)), runs)
    mine, other = pairs.middle
    return Line(
        "server start without VMs",
        "importing its libraries",
        f"at most {EMPTY} s",
        f"{pairs.ratio.shown()}; {mine:.2f} and {other:.2f} s",
        mine <= EMPTY,
    )


def full(runs: int) -> Iterator[Line]:
    """One that asks how many run, and then for all of them."""
    held = []
    with folder() as place:
        fill(place / "state", COUNT)
        with vmstead(place / "state", "private") as server, Wire(server.socket) as wire:
            wire.call("vm.query", [], {"count": True})
            host = server.libvirt()
            for number in range(1, COUNT + 1):
                domain = host.defineXML(DOMAIN.format(number))
                if number <= RUNNING:
                    domain.create()

        def ours():
            begin = time.perf_counter()
            with vmstead(place / "state", "private") as server, Wire(server.socket) as wire:
                running = wire.call("vm.query", [["status.state", "=", "RUNNING"]], {"count": True})
                taken = time.perf_counter() - begin
                wire.call("vm.query")
                held.append(memory_of(server.pid))
            assert running == RUNNING, running
            return taken

        def theirs():
            def listing():
                for domain in host.listAllDomains():
                    domain.state()

            return seconds(listing)

        try:
            pairs = by_turns(ours, theirs, runs)
        finally:
            for domain in host.listAllDomains():
                if domain.isActive():
                    domain.destroy()
            host.close()
            with vmstead(place / "state", "private") as server, Wire(server.socket) as wire:
                # The last server takes the daemon with it, when no guest runs.
                wire.call("vm.query", [], {"count": True})
        mine, other = pairs.middle
        yield Line(
            f"server start with {COUNT:,} VMs, {RUNNING} running",
            "libvirt's own listing of them",
            f"at most {TARGET} s more",
            f"{pairs.more.shown(' s')}; {mine:.2f} and {other:.2f} s",
            pairs.more.middle <= TARGET,
        )
        memory = statistics.median(held)
        yield Line(
            f"memory with {COUNT:,} VMs, after an answer with all of them",
            "-",
            f"under {MEBIBYTES} MiB",
            f"{memory:.0f} MiB",
            memory < MEBIBYTES,
        )


if __name__ == "__main__":
    print(*lines(), sep="\n")
