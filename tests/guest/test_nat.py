"""A guest on a NAT network: it gets an address there, and the host reaches it."""

import sys

from tests.e2e.test_network_nat import needs_nat
from tests.guest.guests import Host
from tests.guest.test_matrix import image, make
from tests.hostnet import REACH, host_net, needs_namespaces

pytestmark = [needs_namespaces, *needs_nat]


async def test_a_guest_gets_an_address_and_is_reached() -> None:
    async with host_net("rw") as net:
        here = Host(net.state)
        async with here.serving(net.within):
            # The libvirtd of a server that runs is used as it is.
            await net.done("create-nat", "lab0", "--engine", "private", "--accel", "auto")
            nic = {"dtype": "NIC", "type": "VIRTIO", "nic_attach": "lab0", "mac": "00:a0:98:00:00:07"}
            vm = await make(here, image("boot", type="VIRTIO", boot=True), nic, bootloader="UEFI_CSM")
            await here.fill("boot.raw")
            await here.call("vm.start", vm)
            with here.console(vm) as console:
                console.log_in()
                console.type('until ip address | grep 192.168.100; do sleep 1; done; echo ADD""RESS')
                console.until("ADDRESS")
                (found,) = console.inventory().nics
            address = found.ipv4.partition("/")[0]
            assert address.startswith("192.168.100.")
            assert await net.sh(f"{sys.executable} -c '{REACH}' {address}") == "reached\n"
            said = await net.refused("delete", "lab0", "--engine", "private")
            assert "lab0 is what NICs of guest are attached to" in said
            await here.call("vm.poweroff", vm)
            await here.call("vm.delete", vm)
            assert await net.done("delete", "lab0", "--engine", "private") == "Deleted lab0.\n"
