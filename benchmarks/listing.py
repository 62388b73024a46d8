"""``vm.query`` of 1,000 VMs until its answer is there, next to libvirt's own listing and the same bytes encoded."""

from collections.abc import Iterator

import libvirt
import msgspec

from benchmarks.pairs import Line, by_turns, seconds
from benchmarks.servers import fill, folder, vmstead
from benchmarks.wire import Wire, request

TARGET = 1.5
COUNT = 1000
DOMAIN = "<domain type='qemu'><name>vm{0}</name><memory>65536</memory><os><type>hvm</type></os></domain>"


def lines(runs: int = 15) -> Iterator[Line]:
    """Four devices each; libvirt has as many domains, and is asked in one call for all states."""
    with folder() as place:
        fill(place / "state", COUNT, devices=4)
        with vmstead(place / "state", "private") as server, Wire(server.socket) as wire:
            whole = msgspec.json.decode(wire.exchange(request("vm.query")))
            assert len(whole["result"]) == COUNT
            host = server.libvirt()
            for number in range(COUNT):
                host.defineXML(DOMAIN.format(number))
            query, size = request("vm.query"), len(msgspec.json.encode(whole))

            def ours():
                assert len(wire.exchange(query)) >= size

            def theirs():
                states = host.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE)
                assert len(states) == COUNT
                msgspec.json.encode(whole)

            pairs = by_turns(lambda: seconds(ours), lambda: seconds(theirs), runs)
            host.close()
        mine, other = (1000 * value for value in pairs.middle)
        yield Line(
            f"`vm.query` of {COUNT:,} VMs with 4 devices",
            "one bulk libvirt call, and encoding the same bytes",
            f"at most {TARGET} times",
            f"{pairs.ratio.shown()}; {mine:.0f} and {other:.0f} ms",
            pairs.ratio.middle <= TARGET,
        )


if __name__ == "__main__":
    print(*lines(), sep="\n")
