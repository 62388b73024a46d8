"""``vm.start`` until it answers, next to libvirt alone starting the same document on the same daemon."""

import time
from collections.abc import Iterator

from benchmarks.pairs import Line, by_turns, seconds
from benchmarks.servers import folder, vmstead
from benchmarks.wire import Wire

TARGET = 1.1


def lines(runs: int = 8) -> Iterator[Line]:
    """A guest with two network cards and a display, that has nothing to boot from."""
    with folder() as place, vmstead(place / "state", "private") as server, Wire(server.socket) as wire:
        wire.socket.settimeout(300)
        made = wire.call("vm.create", {"name": "guest", "memory": 64})
        for attributes in (
            {"dtype": "NIC", "type": "VIRTIO", "nic_attach": "user"},
            {"dtype": "NIC", "type": "E1000", "nic_attach": "user"},
        ):
            wire.call("vm.device.create", {"vm": made["id"], "attributes": attributes})
        host = server.libvirt()

        def power_off():
            wire.call("vm.poweroff", made["id"])

        def ours():
            taken = seconds(lambda: wire.call("vm.start", made["id"], {"overcommit": True}))
            power_off()
            return taken

        def theirs():
            domain = host.lookupByUUIDString(made["uuid"])
            taken = seconds(domain.create)
            until = time.monotonic() + 10
            while wire.call("vm.status", made["id"])["state"] != "RUNNING":
                assert time.monotonic() < until
            power_off()
            return taken

        try:
            pairs = by_turns(ours, theirs, runs)
        finally:
            host.close()
        mine, other = (1000 * value for value in pairs.middle)
        yield Line(
            "`vm.start`",
            "libvirt starting the same XML",
            f"at most {TARGET} times",
            f"{pairs.ratio.shown()}; {mine:.0f} and {other:.0f} ms",
            pairs.ratio.middle <= TARGET,
        )


if __name__ == "__main__":
    print(*lines(), sep="\n")
