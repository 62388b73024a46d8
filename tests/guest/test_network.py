"""Guests on a bridge of the host: they get addresses there, and start over the network without a disk."""

from pathlib import Path

import pytest

from tests.guest.guests import host
from tests.guest.networks import BRIDGE, boot_files, network
from tests.guest.test_matrix import make


@pytest.mark.parametrize(
    ("bootloader", "firmware", "card", "boot_file"),
    [
        ("UEFI", "uefi", "VIRTIO", "BOOTX64.EFI"),
        ("UEFI_CSM", "bios", "E1000", "boot.ipxe"),
    ],
)
async def test_a_vm_without_a_disk_starts_over_the_network(
    tmp_path: Path, bootloader: str, firmware: str, card: str, boot_file: str
) -> None:
    served = tmp_path / "tftp"
    await boot_files(served)
    with host() as here:
        async with network(served, boot_file) as lan, here.serving(lan.within):
            assert list(await here.call("vm.device.nic_attach_choices")) == [BRIDGE, "user"]
            nic = {"dtype": "NIC", "type": card, "nic_attach": BRIDGE, "mac": "00:a0:98:00:00:07"}
            vm = await make(here, nic, bootloader=bootloader, memory=512)
            await here.call("vm.start", vm)
            with here.console(vm) as console:
                console.log_in()
                # The guest asks for its address while it starts, and does not wait for the answer.
                console.type('until ip address | grep 10.77.0; do sleep 1; done; echo ADD""RESS')
                console.until("ADDRESS")
                found = console.inventory()
            await here.call("vm.poweroff", vm)
            assert (found.system.firmware, found.disks) == (firmware, ())
            (found_nic,) = found.nics
            assert found_nic.mac == "00:a0:98:00:00:07"
            assert found_nic.ipv4.startswith("10.77.0.")
