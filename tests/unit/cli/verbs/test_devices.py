"""Devices from the command line."""

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.verbs.desk import desk
from vmstead.cli.verbs.devices import summary, volume_of


def device(**attributes: object) -> dict[str, Any]:
    return {"id": 1, "attributes": attributes, "vm": 1, "order": 1000}


@pytest.mark.parametrize(
    ("attributes", "line"),
    [
        (
            {"dtype": "DISK", "type": "AHCI", "path": "/dev/zvol/a/b", "serial": "x", "iotype": "THREADS"},
            "DISK AHCI /dev/zvol/a/b serial x",
        ),
        (
            {"dtype": "RAW", "type": "VIRTIO", "path": "/mnt/a", "size": 3 * 1024**3, "serial": None},
            "RAW VIRTIO /mnt/a 3 GiB",
        ),
        ({"dtype": "CDROM", "path": "/mnt/a.iso"}, "CDROM /mnt/a.iso"),
        ({"dtype": "NIC", "type": "E1000", "nic_attach": "br0", "mac": "00:a0"}, "NIC E1000 on br0 00:a0"),
        (
            {"dtype": "DISPLAY", "type": "VNC", "bind": "::", "port": 5900, "resolution": "1x1"},
            "DISPLAY VNC at :: port 5900 1x1",
        ),
        ({"dtype": "PCI", "pptdev": "0000:01:00.0"}, "PCI 0000:01:00.0"),
        (
            {"dtype": "USB", "usb": {"vendor_id": "0x1"}, "device": None, "controller_type": "ehci"},
            'USB {"vendor_id": "0x1"} on ehci',
        ),
        # From a server that knows more.
        ({"dtype": "HOLOGRAM", "depth": 3, "loud": True}, "HOLOGRAM depth=3 loud=yes"),
    ],
)
def test_a_device_on_one_line(attributes: dict[str, object], line: str) -> None:
    assert summary(device(**attributes)) == line


def test_which_disks_are_volumes() -> None:
    assert volume_of(device(dtype="DISK", path="/dev/zvol/tank/vms/a")) == "tank/vms/a"
    assert volume_of(device(dtype="DISK", path="/dev/sda")) is None
    assert volume_of(device(dtype="RAW", path="/mnt/a")) is None
    assert volume_of(device(dtype="NIC")) is None


async def test_devices_are_added_listed_changed_and_removed(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        state = at.host.config.state / "pools/default"
        for name in ("a.iso", "b.iso"):
            (state / name).write_bytes(b"an ISO image")
        await at.vm()
        assert await at.done("vm", "devices", "list", "web01") == "ID  ORDER  TYPE  DEVICE\n"
        added = await at.done("vm", "devices", "add", "web01", "disk", "size=2M", "type=VIRTIO", "serial=abc")
        assert added == "Added device 1: DISK VIRTIO /dev/zvol/default/web01 serial abc.\n"
        second = await at.json("vm", "devices", "add", "web01", "disk", "size=1M")
        assert second["attributes"]["path"] == "/dev/zvol/default/web01-1"
        third = await at.json(
            "vm", "devices", "add", "web01", "DISK", "zvol_name=default/x", "zvol_volsize=1M"
        )
        assert third["attributes"]["path"] == "/dev/zvol/default/x"
        await at.done("vm", "devices", "add", "web01", "raw", "path=/mnt/default/a.img", "size=1M")
        await at.done("vm", "devices", "add", "web01", "cdrom", "path=/mnt/default/a.iso", "--order", "5")
        rows = (await at.run("vm", "devices", "list", "web01")).rows
        assert [row[:4] for row in rows[1:]] == [
            ["5", "5", "CDROM", "/mnt/default/a.iso"],
            ["1", "1001", "DISK", "VIRTIO"],
            ["2", "1001", "DISK", "AHCI"],
            ["3", "1001", "DISK", "AHCI"],
            ["4", "1001", "RAW", "AHCI"],
        ]
        changed = await at.done("vm", "devices", "set", "web01", "cdrom", "path=/mnt/default/b.iso")
        assert changed == "Changed device 5: CDROM /mnt/default/b.iso.\n"
        assert (await at.json("vm", "devices", "set", "web01", "1", "--order", "1"))["order"] == 1
        assert (await at.done("vm", "devices", "set", "web01", "raw", "size=2M")).startswith(
            "Changed device 4: RAW AHCI /mnt/default/a.img 2 MiB serial"
        )
        assert await at.done("vm", "devices", "remove", "web01", "CDROM") == (
            "Removed device 5: CDROM /mnt/default/b.iso.\n"
        )
        assert (state / "b.iso").exists()


async def test_what_is_behind_a_disk_goes_only_when_somebody_agrees(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        volumes = at.host.config.state / "pools/default/.volumes"
        await at.vm()
        for name in ("kept", "lost"):
            await at.done("vm", "devices", "add", "web01", "disk", f"zvol_name=default/{name}", "size=1M")
        await at.done("vm", "devices", "remove", "web01", "1")
        assert (volumes / "kept").exists()
        status, text = await at.refused("vm", "devices", "remove", "web01", "disk", "--storage")
        assert (status, "--yes" in text) == (1, True)
        assert (volumes / "lost").exists()
        assert await at.json("vm", "devices", "remove", "web01", "disk", "--storage", "--yes") is True
        assert not (volumes / "lost").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["set", "web01", "nic", "mac=1"], 4, "web01 has no device nic; there is 1 (CDROM), 2 (CDROM)"),
        (["remove", "web01", "cdrom"], 4, "web01 has several devices of that type; say which: 1, 2"),
        (["add", "web01", "floppy"], 2, "is not one of"),
        (["add", "web01", "disk", "size=huge"], 2, "size: 'huge' is no size"),
        (["add", "web01", "nic", "colour=red"], 1, ".colour: Extra inputs are not permitted"),
        (["add", "nope", "nic"], 4, "there is no VM nope; there is web01"),
    ],
)
async def test_refusals(tmp_path: Path, arguments: list[str], status: int, text: str) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        for name in ("a.iso", "b.iso"):
            (at.host.config.state / "pools/default" / name).write_bytes(b"an ISO image")
            await at.done("vm", "devices", "add", "web01", "cdrom", f"path=/mnt/default/{name}")
        found = await at.refused("vm", "devices", *arguments)
        assert (found[0], text in found[1]) == (status, True), found
