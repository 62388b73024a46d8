"""Starting the server on 1,000 VMs of which 30 run, next to libvirt's own listing of them."""

import time
from collections.abc import Iterator

from benchmarks.pairs import Line, by_turns, seconds
from benchmarks.servers import folder, vmstead
from benchmarks.startup import fill
from benchmarks.wire import Wire

TARGET = 1.5
COUNT, RUNNING = 1000, 30
DOMAIN = (
    "<domain type='qemu'><name>vm{0}</name><uuid>00000000-0000-4000-8000-{0:012}</uuid><memory>16384</memory>"
    "<os><type>hvm</type></os></domain>"
)


def lines(runs: int = 7) -> Iterator[Line]:
    """From starting the process to its answer of how many run."""
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


if __name__ == "__main__":
    print(*lines(), sep="\n")
