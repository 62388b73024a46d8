"""``vm.device.*``."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Host, server
from vmstead.adapters.fake_host import FakeHost
from vmstead.ports.host import Interface
from vmstead.store.db import DatabaseError


async def make_vm(host: Host, name: str = "a") -> int:
    vm = await host.api.call("vm.create", {"name": name, "memory": 64})
    return int(vm["id"])


async def add(host: Host, vm: int = 1, order: int | None = None, **attributes: Any) -> dict[str, Any]:
    device: dict[str, Any] = await host.api.call(
        "vm.device.create", {"vm": vm, "attributes": attributes, "order": order}
    )
    return device


async def refused(host: Host, vm: int = 1, **attributes: Any) -> list[list[Any]]:
    failure = await host.api.failure("vm.device.create", {"vm": vm, "attributes": attributes})
    extra: list[list[Any]] = failure.data["extra"]
    return extra


def pool(tmp_path: Path) -> Path:
    return tmp_path / "state/pools/default"


async def test_a_disk_is_made_with_its_volume(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        disk = await add(
            host, dtype="DISK", create_zvol=True, zvol_name="default/d0", zvol_volsize=1 << 20, type="VIRTIO"
        )
        serial = disk["attributes"].pop("serial")
        assert len(serial) == 8
        assert disk == {
            "id": 1,
            "vm": 1,
            "order": 1001,
            "attributes": {
                "dtype": "DISK",
                "path": "/dev/zvol/default/d0",
                "type": "VIRTIO",
                "create_zvol": False,
                "zvol_name": None,
                "zvol_volsize": None,
                "logical_sectorsize": None,
                "physical_sectorsize": None,
                "iotype": "THREADS",
            },
        }
        volume = await host.server.services.volumes.find("default/d0")
        assert volume.size == 1 << 20


async def test_a_disk_can_use_a_volume_that_exists(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        await host.server.services.volumes.create("default/d0", 512)
        disk = await add(host, dtype="DISK", path="/dev/zvol/default/d0", serial="MYSERIAL")
        assert disk["attributes"]["serial"] == "MYSERIAL"


@pytest.mark.parametrize(
    ("attributes", "field", "errno"),
    [
        ({}, "vm_device_create.attributes.DISK", 22),
        ({"path": "/dev/zvol/default/x", "create_zvol": True}, "vm_device_create.attributes.DISK", 22),
        ({"path": "/dev/zvol/default/x"}, "attributes.path", 2),
        ({"path": "/dev/zvol/nopool/x"}, "attributes.path", 2),
        ({"path": "/dev/zvol/default/../../x"}, "attributes.path", 22),
        ({"path": "/dev/sda"}, "attributes.path", 22),
        ({"create_zvol": True, "zvol_volsize": 512}, "attributes.zvol_name", 22),
        ({"create_zvol": True, "zvol_name": "default/x"}, "attributes.zvol_volsize", 22),
        ({"create_zvol": True, "zvol_name": "default/x", "zvol_volsize": 100}, "attributes.zvol_volsize", 22),
        (
            {"create_zvol": True, "zvol_name": "default/x", "zvol_volsize": -512},
            "attributes.zvol_volsize",
            22,
        ),
        ({"create_zvol": True, "zvol_name": "x", "zvol_volsize": 512}, "attributes.zvol_name", 22),
        ({"create_zvol": True, "zvol_name": "../x", "zvol_volsize": 512}, "attributes.zvol_name", 22),
        ({"create_zvol": True, "zvol_name": "default/no/x", "zvol_volsize": 512}, "attributes.zvol_name", 2),
        (
            {"create_zvol": True, "zvol_name": "default/taken", "zvol_volsize": 512},
            "attributes.zvol_name",
            17,
        ),
        ({"path": "/dev/zvol/default/taken", "zvol_name": "default/x"}, "attributes.zvol_name", 22),
        (
            {"path": "/dev/zvol/default/taken", "physical_sectorsize": 4096},
            "attributes.logical_sectorsize",
            22,
        ),
        (
            {"path": "/dev/zvol/default/taken", "physical_sectorsize": 512, "logical_sectorsize": 4096},
            "attributes.physical_sectorsize",
            22,
        ),
        ({"path": "/dev/zvol/default/taken", "type": "SCSI"}, "vm_device_create.attributes.DISK.type", 22),
        (
            {"path": "/dev/zvol/default/taken", "logical_sectorsize": 1024},
            "vm_device_create.attributes.DISK.logical_sectorsize",
            22,
        ),
        (
            {"path": "/dev/zvol/default/taken", "serial": "x" * 21},
            "vm_device_create.attributes.DISK.serial",
            22,
        ),
        ({"path": "/dev/zvol/default/taken", "colour": "red"}, "vm_device_create.attributes.DISK.colour", 22),
    ],
)
async def test_bad_disks_are_refused_and_nothing_is_made(
    tmp_path: Path, attributes: dict[str, Any], field: str, errno: int
) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        await host.server.services.volumes.create("default/taken", 512)
        problems = await refused(host, dtype="DISK", **attributes)
        assert [(name, number) for name, _, number in problems] == [(field, errno)]
        assert [volume.name for volume in await host.server.services.volumes.list()] == ["default/taken"]
        assert await host.api.call("vm.device.query") == []


@pytest.mark.parametrize(
    ("attributes", "path"),
    [
        ({}, "vm_device_create.attributes.dtype"),
        ({"dtype": "TAPE"}, "vm_device_create.attributes"),
        ({"dtype": 7}, "vm_device_create.attributes"),
        ("text", "vm_device_create.attributes"),
        (None, "vm_device_create.attributes"),
    ],
)
async def test_the_type_must_be_one_there_is(tmp_path: Path, attributes: Any, path: str) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        failure = await host.api.failure("vm.device.create", {"vm": 1, "attributes": attributes})
        assert failure.attributes == [path]


async def test_a_device_needs_a_vm(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        assert await refused(host, vm=9, dtype="NIC") == [[None, "VM 9 does not exist", 2]]
        failure = await host.api.failure("vm.device.create", {"attributes": {"dtype": "NIC"}})
        assert failure.attributes == ["vm_device_create.vm"]


async def test_a_raw_disk_is_made_grown_and_never_shrunk(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        file = pool(tmp_path) / "a.img"
        raw = await add(host, dtype="RAW", path="/mnt/default/a.img", size=1 << 20)
        assert raw["attributes"]["exists"] is True
        assert file.stat().st_size == 1 << 20
        assert file.stat().st_blocks == 0
        assert file.stat().st_mode & 0o777 == 0o600
        await host.api.call("vm.device.update", 1, {"attributes": {"size": 2 << 20}})
        assert file.stat().st_size == 2 << 20
        failure = await host.api.failure("vm.device.update", 1, {"attributes": {"size": 1 << 20}})
        assert failure.attributes == ["attributes.size"]
        assert file.stat().st_size == 2 << 20
        # Sending the device back as it was read changes nothing.
        row = await host.api.call("vm.device.get_instance", 1)
        assert await host.api.call("vm.device.update", 1, {"attributes": row["attributes"]}) == row


@pytest.mark.parametrize(
    ("attributes", "field", "errno"),
    [
        ({"path": "/mnt/default/new.img"}, "attributes.size", 22),
        ({"path": "/mnt/default/new.img", "size": 100}, "attributes.size", 22),
        ({"path": "/mnt/default/new.img", "size": 512, "logical_sectorsize": 4096}, "attributes.size", 22),
        ({"path": "/mnt/default/new.img", "exists": True}, "attributes.path", 2),
        ({"path": "/mnt/default/old.img", "size": 512}, "attributes.path", 17),
        ({"path": "/mnt/default/no/new.img", "size": 512}, "attributes.path", 22),
        ({"path": "/mnt/default", "size": 512}, "attributes.path", 22),
        ({"path": "/mnt/default/folder", "exists": True}, "attributes.path", 22),
        ({"path": "/mnt/default/../../vmstead.db", "exists": True}, "attributes.path", 22),
        ({"path": "/etc/passwd", "exists": True}, "attributes.path", 22),
        ({"path": "/mnt/default/escape", "exists": True}, "attributes.path", 22),
        ({"path": "/mnt/default/.volumes/d0", "exists": True}, "attributes.path", 22),
        ({"path": "relative.img", "size": 512}, "vm_device_create.attributes.RAW.path", 22),
        ({"path": "/mnt/default/{a}.img", "size": 512}, "vm_device_create.attributes.RAW.path", 22),
        ({"path": "/mnt/default/a\n.img", "size": 512}, "vm_device_create.attributes.RAW.path", 22),
    ],
)
async def test_bad_raw_disks_are_refused_and_nothing_is_made(
    tmp_path: Path, attributes: dict[str, Any], field: str, errno: int
) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        await host.server.services.volumes.create("default/d0", 512)
        (pool(tmp_path) / "old.img").write_bytes(b"precious")
        (pool(tmp_path) / "folder").mkdir()
        (pool(tmp_path) / "escape").symlink_to("/etc/passwd")
        problems = await refused(host, dtype="RAW", **attributes)
        assert [(name, number) for name, _, number in problems] == [(field, errno)]
        assert not (pool(tmp_path) / "new.img").exists()
        assert (pool(tmp_path) / "old.img").read_bytes() == b"precious"


async def test_a_cdrom_needs_its_image(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        problems = await refused(host, dtype="CDROM", path="/mnt/default/a.iso")
        assert problems == [["attributes.path", "/mnt/default/a.iso does not exist", 2]]
        (pool(tmp_path) / "a.iso").touch()
        cdrom = await add(host, dtype="CDROM", path="/mnt/default/a.iso")
        assert cdrom["order"] == 1000
        assert cdrom["attributes"] == {"dtype": "CDROM", "path": "/mnt/default/a.iso"}
        problems = await refused(host, dtype="CDROM", path="/mnt/default/a.iso")
        assert [problem[0] for problem in problems] == ["attributes.path"]
        problems = await refused(host, dtype="RAW", path="/mnt/default/a.iso", exists=True)
        assert [problem[0] for problem in problems] == ["attributes.path"]


NETWORK = {
    "br0": Interface("br0", is_bridge=True, is_virtual=True, description="bridge"),
    "eth0": Interface("eth0"),
    "eth1": Interface("eth1", bridge="br0"),
    "wlan0": Interface("wlan0", is_wireless=True),
    "tap3": Interface("tap3", is_virtual=True),
}


async def test_a_nic_gets_an_address_that_stays(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        nic = await add(host, dtype="NIC")
        mac = nic["attributes"]["mac"]
        assert nic["attributes"] == {
            "dtype": "NIC",
            "type": "E1000",
            "nic_attach": None,
            "mac": mac,
            "trust_guest_rx_filters": False,
        }
        assert mac.startswith("00:a0:98:")
        updated = await host.api.call("vm.device.update", 1, {"attributes": {"type": "VIRTIO"}})
        assert updated["attributes"]["mac"] == mac


async def test_nics_can_always_be_attached_to_nat(tmp_path: Path) -> None:
    async with server(tmp_path, machine=FakeHost()) as host:
        await make_vm(host)
        assert list(await host.api.call("vm.device.nic_attach_choices")) == ["user"]
        nic = await add(host, dtype="NIC", nic_attach="user")
        assert nic["attributes"]["nic_attach"] == "user"


async def test_nics_are_attached_to_what_can_carry_them(tmp_path: Path) -> None:
    async with server(tmp_path, machine=FakeHost(network=dict(NETWORK))) as host:
        await make_vm(host)
        choices = await host.api.call("vm.device.nic_attach_choices")
        assert list(choices) == ["br0", "eth0", "user"]
        for number, name in enumerate(choices):
            nic = await add(host, dtype="NIC", nic_attach=name, mac=f"02:00:00:00:00:0{number}")
            assert nic["attributes"]["nic_attach"] == name
        for name in ("eth1", "wlan0", "tap3", "nope"):
            problems = await refused(host, dtype="NIC", nic_attach=name)
            assert [problem[0] for problem in problems] == ["attributes.nic_attach"]


async def test_an_interface_that_goes_does_not_block_other_changes(tmp_path: Path) -> None:
    machine = FakeHost(network=dict(NETWORK))
    async with server(tmp_path, machine=machine) as host:
        await make_vm(host)
        await add(host, dtype="NIC", nic_attach="br0")
        del machine.network["br0"]
        updated = await host.api.call("vm.device.update", 1, {"attributes": {"type": "VIRTIO"}})
        assert updated["attributes"]["type"] == "VIRTIO"
        failure = await host.api.failure("vm.start", 1)
        assert "the interface br0 is not there" in failure.reason


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"mac": "nonsense"}, "vm_device_create.attributes.NIC.mac"),
        ({"mac": "00:a0:98:00:00"}, "vm_device_create.attributes.NIC.mac"),
        ({"mac": "ff:ff:ff:ff:ff:ff"}, "attributes.mac"),
        ({"mac": "01:00:5e:00:00:01"}, "attributes.mac"),
        ({"mac": "00-A0-98-00-00-01"}, "attributes.mac"),
        (
            {"type": "VIRTIO", "trust_guest_rx_filters": True, "nic_attach": "br0"},
            "attributes.trust_guest_rx_filters",
        ),
        (
            {"type": "E1000", "trust_guest_rx_filters": True, "nic_attach": "eth0"},
            "attributes.trust_guest_rx_filters",
        ),
    ],
)
async def test_bad_nics_are_refused(tmp_path: Path, attributes: dict[str, Any], field: str) -> None:
    async with server(tmp_path, machine=FakeHost(network=dict(NETWORK))) as host:
        await make_vm(host)
        await add(host, dtype="NIC", mac="00:a0:98:00:00:01")
        assert [problem[0] for problem in await refused(host, dtype="NIC", **attributes)] == [field]


async def test_a_display_gets_free_ports(tmp_path: Path) -> None:
    machine = FakeHost(ports={5900, 5902})
    async with server(tmp_path, machine=machine) as host:
        for name in ("a", "b"):
            await make_vm(host, name)
        display = await add(host, dtype="DISPLAY", port=0, web_port=None)
        assert display["attributes"] == {
            "dtype": "DISPLAY",
            "type": "SPICE",
            "resolution": "1024x768",
            "port": 5901,
            "web_port": 5903,
            "bind": "127.0.0.1",
            "wait": False,
            "password": None,
            "web": True,
        }
        assert (await host.api.call("vm.get_instance", 1))["display_available"] is True
        other = await add(host, vm=2, dtype="DISPLAY", bind="0.0.0.0", password="")
        assert (other["attributes"]["port"], other["attributes"]["web_port"]) == (5904, 5905)
        problems = await refused(host, vm=2, dtype="DISPLAY", type="VNC", port=5901)
        assert [problem[0] for problem in problems] == ["attributes.port"]


async def test_ports_are_given_out_once_however_many_ask(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vms = [await make_vm(host, f"vm{number}") for number in range(8)]
        calls = [
            host.api.begin("vm.device.create", {"vm": vm, "attributes": {"dtype": "DISPLAY"}}) for vm in vms
        ]
        devices = await asyncio.gather(*calls)
        ports = [device["attributes"][name] for device in devices for name in ("port", "web_port")]
        assert sorted(ports) == list(range(5900, 5916))


@pytest.mark.parametrize(
    ("attributes", "field"),
    [
        ({"port": 5899}, "vm_device_create.attributes.DISPLAY.port"),
        ({"port": 65536}, "vm_device_create.attributes.DISPLAY.port"),
        ({"web_port": 80}, "vm_device_create.attributes.DISPLAY.web_port"),
        ({"port": False}, "vm_device_create.attributes.DISPLAY.port"),
        ({"resolution": "1x1"}, "vm_device_create.attributes.DISPLAY.resolution"),
        ({"bind": "everywhere"}, "vm_device_create.attributes.DISPLAY.bind"),
        ({"type": "RDP"}, "vm_device_create.attributes.DISPLAY.type"),
        ({"port": 6000}, "attributes.port"),
        ({"port": 5950, "web_port": 5950}, "attributes.port"),
        ({"type": "VNC", "password": "123456789"}, "attributes.password"),
    ],
)
async def test_bad_displays_are_refused(tmp_path: Path, attributes: dict[str, Any], field: str) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        assert [problem[0] for problem in await refused(host, dtype="DISPLAY", **attributes)] == [field]


async def test_one_display_of_each_kind(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        await add(host, dtype="DISPLAY", type="SPICE")
        await add(host, dtype="DISPLAY", type="VNC")
        for kind in ("SPICE", "VNC"):
            assert [problem[0] for problem in await refused(host, dtype="DISPLAY", type=kind)] == [
                "attributes.type"
            ]


async def test_an_update_changes_what_it_names(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        before = await add(host, dtype="DISPLAY", password="hush-hush")
        after = await host.api.call("vm.device.update", 1, {"attributes": {"resolution": "800x600"}})
        assert after == {**before, "attributes": {**before["attributes"], "resolution": "800x600"}}
        again = await host.api.call(
            "vm.device.update", 1, {"attributes": {"dtype": "DISPLAY", "password": "********"}}
        )
        assert again["attributes"]["password"] == "hush-hush"
        cleared = await host.api.call("vm.device.update", 1, {"attributes": {"password": None}})
        assert cleared["attributes"]["password"] is None


async def test_an_update_cannot_change_the_type(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        await add(host, dtype="NIC")
        failure = await host.api.failure("vm.device.update", 1, {"attributes": {"dtype": "DISPLAY"}})
        assert failure.attributes == ["attributes.dtype"]
        failure = await host.api.failure("vm.device.update", 1, {"attributes": {"mac": 5, "colour": 1}})
        assert failure.attributes == ["vm_device_update.attributes.mac", "vm_device_update.attributes.colour"]


async def test_orders_make_room(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        await add(host, dtype="NIC", order=1)
        await add(host, dtype="NIC", order=2)
        await add(host, dtype="NIC", order=1)
        orders = {device["id"]: device["order"] for device in await host.api.call("vm.device.query")}
        assert orders == {1: 3, 2: 2, 3: 1}
        assert (await host.api.call("vm.device.update", 2, {"order": None}))["order"] == 1002


async def test_a_device_moves_between_stopped_vms(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for name in ("a", "b"):
            await make_vm(host, name)
        await add(host, dtype="NIC")
        moved = await host.api.call("vm.device.update", 1, {"vm": 2})
        assert moved["vm"] == 2
        assert (await host.api.call("vm.get_instance", 1))["devices"] == []
        await host.api.call("vm.start", 2)
        failure = await host.api.failure("vm.device.update", 1, {"vm": 1})
        assert failure.attributes == ["vm_device_update.vm"]
        assert (await host.api.failure("vm.device.update", 1, {"vm": 9})).data["extra"][0][2] == 2


async def test_deleting_takes_the_storage_that_was_named(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        for number in range(2):
            await add(host, dtype="DISK", create_zvol=True, zvol_name=f"default/d{number}", zvol_volsize=512)
            await add(host, dtype="RAW", path=f"/mnt/default/r{number}", size=512)
        for device, options in (
            (1, {}),
            (2, {}),
            (3, {"zvol": True, "raw_file": True}),
            (4, {"zvol": True, "raw_file": True}),
        ):
            assert await host.api.call("vm.device.delete", device, options) is True
        assert [volume.name for volume in await host.server.services.volumes.list()] == ["default/d0"]
        assert sorted(path.name for path in pool(tmp_path).glob("r*")) == ["r0"]
        assert await host.api.call("vm.device.query") == []


async def test_storage_that_is_gone_already_does_not_keep_a_device(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        await add(host, dtype="RAW", path="/mnt/default/r", size=512)
        (pool(tmp_path) / "r").unlink()
        assert await host.api.call("vm.device.delete", 1, {"raw_file": True}) is True


async def test_devices_of_an_active_vm_stay(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)
        await add(host, dtype="NIC")
        await host.api.call("vm.start", 1)
        failure = await host.api.failure("vm.device.delete", 1, {"force": True})
        assert "cannot be deleted while VM 1 (a) is active" in failure.reason
        # Adding and changing waits for the next start.
        await add(host, dtype="NIC")
        await host.api.call("vm.device.update", 1, {"attributes": {"type": "VIRTIO"}})


async def test_storage_is_taken_back_when_the_row_cannot_be_written(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_vm(host)

        async def full(*_: object) -> object:
            raise DatabaseError("database or disk is full")

        store = host.server.services.vms
        store.write = full  # type: ignore[method-assign]
        failure = await host.api.failure(
            "vm.device.create",
            {
                "vm": 1,
                "attributes": {
                    "dtype": "DISK",
                    "create_zvol": True,
                    "zvol_name": "default/d",
                    "zvol_volsize": 512,
                },
            },
        )
        assert failure.code == -32001
        await host.api.failure(
            "vm.device.create",
            {"vm": 1, "attributes": {"dtype": "RAW", "path": "/mnt/default/r", "size": 512}},
        )
        del store.write
        assert await host.server.services.volumes.list() == []
        assert list(pool(tmp_path).glob("r")) == []
        assert await host.api.call("vm.device.query") == []


async def test_devices_are_queried_by_vm_and_type(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for name in ("a", "b"):
            await make_vm(host, name)
        await add(host, dtype="NIC")
        await add(host, vm=2, dtype="NIC")
        await add(host, vm=2, dtype="DISPLAY")
        assert len(await host.api.call("vm.device.query", [["vm", "=", 2]])) == 2
        (display,) = await host.api.call("vm.device.query", [["attributes.dtype", "=", "DISPLAY"]])
        assert display == await host.api.call("vm.device.get_instance", 3)
        assert [device["id"] for device in (await host.api.call("vm.get_instance", 2))["devices"]] == [2, 3]
