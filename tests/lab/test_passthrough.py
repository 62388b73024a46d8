"""A network card, an NVMe drive and a USB stick of a real host, given to a guest and taken back."""

import json

from tests.guest.test_matrix import image, make, volume
from tests.lab.host import SOCKET, TOP, LabHost
from vmstead.demo.guest import Inventory, parse_inventory

POOL = "/var/lib/vmstead/pools/default"
CARD = "pci_0000_01_00_0"
DRIVE = "pci_0000_02_00_0"
STICK = "usb_46f4_0001_STICK1"
#: What all sticks are.
KIND = {"vendor_id": "0x46f4", "product_id": "0x0001"}
PREPARE = """
ip link add name lan1 type bridge stp_state 0
ip address add 192.168.91.1/24 dev lan1
ip link set lan1 up
"""
#: A disc that starts the guest, and how somebody brings it to a server.
_DISC = (
    "import asyncio, pathlib, tempfile; from tests.guest.test_matrix import bootable_cd as make; "
    'asyncio.run(make(pathlib.Path(tempfile.mkdtemp()), pathlib.Path("/root/guest.iso")))'
)
_UPLOAD = f"""
curl --silent --show-error --fail-with-body --unix-socket {SOCKET} http://localhost/_upload \\
    -F 'data={{"method": "filesystem.put", "params": ["/mnt/default/guest.iso"]}}' -F file=@/root/guest.iso
"""


async def drivers(lab: LabHost) -> list[str]:
    """The drivers that the card and the drive have on the host."""
    links = " ".join(f"/sys/bus/pci/devices/{slot}/driver" for slot in ("0000:01:00.0", "0000:02:00.0"))
    return [line.rpartition("/")[2] for line in (await lab.sh(f"readlink -f {links}")).splitlines()]


async def test_choices_are_what_the_host_has(lab: LabHost) -> None:
    await lab.machine.add_nvme()
    await lab.machine.plug_stick(1)
    await lab.sh("udevadm wait --timeout=120 /dev/nvme0n1 /dev/sda")
    choices = await lab.call("vm.device.passthrough_device_choices")
    listed = (await lab.sh("lspci -D -n | cut -d' ' -f1")).splitlines()
    assert sorted(choices) == sorted(f"pci_{slot.replace(':', '_').replace('.', '_')}" for slot in listed)
    assert await lab.call("vm.device.pptdev_choices") == choices
    card = choices[CARD]
    assert "82574L" in card["capability"]["product"]
    # As TrueNAS means it: no driver of the host works with it at the moment.
    assert (card["drivers"], card["available"], card["error"]) == (["e1000e"], False, None)
    assert card["iommu_group"]["number"] is not None
    bridge = choices["pci_0000_00_01_0"]
    assert not bridge["available"]
    assert "the host needs it itself (PCI bridge)" in bridge["error"]
    assert choices["pci_0000_00_1f_0"]["critical"]
    assert await lab.sh("ls /sys/kernel/iommu_groups | wc -l") != "0"
    sticks = await lab.call("vm.device.usb_passthrough_choices")
    names = [each["capability"]["product"] for each in sticks.values() if each["available"]]
    assert sorted(names) == ["QEMU USB HARDDRIVE", "QEMU USB Tablet"]
    # But for the hubs that are controllers.
    plugged = await lab.sh("lsusb | grep -v 'root hub' | awk '{print $6}'")
    found = [each["capability"] for each in sticks.values()]
    ids = [f"{each['vendor_id']}:{each['product_id']}".replace("0x", "") for each in found]
    assert sorted(ids) == sorted(plugged.split())


def has_all_three(guest: Inventory) -> bool:
    """The card works in the guest, and it has the drive and the stick beside the disk of its own."""
    disks = {disk.serial: disk.bus for disk in guest.disks if not disk.cdrom}
    return guest.nic("52:54:00:00:00:03").driver == "e1000e" and disks == {
        "PASSED": "virtio",
        "SPARE-NVME": "nvme",
        "STICK1": "usb",
    }


async def test_a_guest_from_a_disc_has_all_three_and_the_host_has_them_back_afterwards(lab: LabHost) -> None:
    assert await drivers(lab) == ["e1000e", "nvme"]
    await lab.sh(f"cd {TOP} && .venv/bin/python -c '{_DISC}'")
    upload = json.loads(await lab.sh(_UPLOAD))
    await lab.call("core.job_wait", upload["job_id"], job=True)
    vm = await make(
        lab,
        {"dtype": "CDROM", "path": "/mnt/default/guest.iso"},
        {**volume("x"), "zvol_name": "tank/passed", "type": "VIRTIO", "serial": "PASSED"},
        {"dtype": "NIC", "type": "VIRTIO", "nic_attach": "lan1", "mac": "00:a0:98:00:00:21"},
        {"dtype": "PCI", "pptdev": CARD},
        {"dtype": "PCI", "pptdev": "0000:02:00.0"},
        {"dtype": "USB", "usb": KIND, "controller_type": "qemu-xhci"},
        name="passed",
        machine_type="q35",
        arch_type="x86_64",
    )
    await lab.call("vm.start", vm)
    with lab.console(vm) as console:
        console.log_in()
        found = console.inventory()
        (bridged,) = (nic.name for nic in found.nics if nic.mac == "00:a0:98:00:00:21")
        console.type(
            f"ip address flush dev {bridged}; ip address add 192.168.91.7/24 dev {bridged}; echo se''t"
        )
        console.until("set")
    assert "1 received" in await lab.sh("ping -c 1 -W 20 192.168.91.7")
    assert [disk.name for disk in found.disks if disk.cdrom] == ["sr0"]
    assert await drivers(lab) == ["vfio-pci", "vfio-pci"]
    assert has_all_three(found)
    other = await make(lab, name="other")
    taken = {"vm": other, "attributes": {"dtype": "PCI", "pptdev": CARD}}
    assert "attributes.pptdev" in await lab.failure("vm.device.create", taken)

    pid = (await lab.status(vm))["pid"]
    units = "vmstead.service libvirtd.service"
    await lab.sh(f"systemctl kill --signal=KILL {units}; systemctl start libvirtd.service")
    await lab.sh("systemctl restart vmstead.service")  # waits until it answers
    assert (await lab.status(vm))["pid"] == pid
    assert await drivers(lab) == ["vfio-pci", "vfio-pci"]
    with lab.console(vm) as console:
        # What it said before may be told again.
        console.type('echo AG""AIN; inventory; echo OV""ER')
        assert has_all_three(parse_inventory(console.until("OVER").rpartition("AGAIN")[2]))
    await lab.call("vm.poweroff", vm)
    await lab.sh("udevadm settle")
    assert await drivers(lab) == ["e1000e", "nvme"]
    assert "sda" in await lab.sh("ls /sys/block")
    for each in (vm, other):
        await lab.call("vm.delete", each, {"zvols": True, "force": True})


async def test_a_stick_is_found_again_in_another_place_and_missed_in_words(lab: LabHost) -> None:
    vm = await make(
        lab,
        image("found", type="VIRTIO", boot=True),
        {"dtype": "USB", "device": STICK, "controller_type": "qemu-xhci"},
        name="found",
        bootloader="UEFI_CSM",
    )
    await lab.fill(f"{POOL}/found.raw")
    await lab.machine.unplug_stick(1)
    await lab.sh("udevadm wait --removed --timeout=120 /dev/sda")
    assert f"the USB device {STICK} is not plugged in" in await lab.failure("vm.start", vm)
    await lab.machine.plug_stick(2)  # takes the place that the first one had
    await lab.sh("udevadm wait --timeout=120 /dev/sda")
    await lab.machine.plug_stick(1)
    await lab.sh("udevadm wait --timeout=120 /dev/sdb && udevadm settle")
    await lab.call("vm.start", vm)
    with lab.console(vm) as console:
        console.log_in()
        sticks = [disk.serial for disk in console.inventory().disks if disk.bus == "usb"]
    assert sticks == ["STICK1"]
    await lab.call("vm.poweroff", vm)
