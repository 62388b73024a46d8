"""``vm.update`` with ``devices``: the whole list at once, or nothing of it."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness import Host, server
from vmstead.store.db import DatabaseError

NIC = {"dtype": "NIC", "type": "VIRTIO", "nic_attach": "user"}


async def make(host: Host, *devices: dict[str, Any], name: str = "a") -> dict[str, Any]:
    """A VM with these devices."""
    vm = await host.api.call("vm.create", {"name": name, "memory": 64})
    for attributes in devices:
        await host.api.call("vm.device.create", {"vm": vm["id"], "attributes": attributes})
    entry: dict[str, Any] = await host.api.call("vm.get_instance", vm["id"])
    return entry


async def update(host: Host, vm: dict[str, Any], *devices: dict[str, Any], **fields: Any) -> dict[str, Any]:
    entry: dict[str, Any] = await host.api.call("vm.update", vm["id"], {"devices": [*devices], **fields})
    return entry


async def refused(host: Host, vm: dict[str, Any], *devices: dict[str, Any]) -> list[list[Any]]:
    """What is wrong; nothing may have changed."""
    before = await host.api.call("vm.query")
    failure = await host.api.failure("vm.update", vm["id"], {"devices": [*devices], "description": "new"})
    assert await host.api.call("vm.query") == before
    extra: list[list[Any]] = failure.data["extra"]
    return extra


def display(port: int, **attributes: Any) -> dict[str, Any]:
    return {"dtype": "DISPLAY", "type": "VNC", "port": port, "web_port": port + 1, **attributes}


def raw(name: str) -> dict[str, Any]:
    return {"dtype": "RAW", "path": f"/mnt/default/{name}", "size": 4096}


async def test_missing_devices_go_those_with_an_id_change_and_the_others_are_made(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host, raw("gone.img"), NIC)
        _, nic = vm["devices"]
        await host.api.call("core.subscribe", "vm.device.query")
        entry = await update(
            host,
            vm,
            {"id": nic["id"], "attributes": {"type": "E1000"}},
            {"attributes": display(5950), "order": 1500},
            description="new",
        )
        assert entry["description"] == "new"
        changed, made = entry["devices"]
        assert changed == {**nic, "attributes": {**nic["attributes"], "type": "E1000"}}
        assert (made["vm"], made["order"], made["attributes"]["port"]) == (vm["id"], 1500, 5950)
        assert (tmp_path / "state/pools/default/gone.img").exists()
        await host.api.event(lambda event: event["msg"] == "added" and event["id"] == made["id"])
        told = [(event["msg"], event["id"]) for event in host.api.events]
        assert told == [("removed", 1), ("changed", nic["id"]), ("added", made["id"])]


async def test_what_was_read_can_be_sent_back_and_changes_nothing(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host, raw("a.img"), NIC, display(5950, password="secret"))
        await host.api.call("core.subscribe", "vm.device.query")
        entry = await update(host, vm, *vm["devices"])
        assert entry == vm
        assert [event for event in host.api.events if event["collection"] == "vm.device.query"] == []


async def test_without_a_list_devices_stay_and_with_an_empty_one_all_go(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host, NIC)
        for unchanged in ({}, {"devices": None}):
            entry = await host.api.call("vm.update", vm["id"], unchanged)
            assert entry["devices"] == vm["devices"]
        assert (await update(host, vm))["devices"] == []


async def test_devices_can_swap_what_each_may_have_once(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host, raw("a.img"), raw("b.img"))
        first, second = vm["devices"]
        entry = await update(
            host,
            vm,
            {"id": first["id"], "attributes": {"path": "/mnt/default/b.img", "exists": True}},
            {"id": second["id"], "attributes": {"path": "/mnt/default/a.img", "exists": True}},
        )
        assert [each["attributes"]["path"] for each in entry["devices"]] == [
            "/mnt/default/b.img",
            "/mnt/default/a.img",
        ]


async def test_chosen_ports_and_addresses_differ_among_new_devices(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host)
        spice = {"dtype": "DISPLAY", "type": "SPICE"}
        entry = await update(
            host,
            vm,
            {"attributes": spice},
            {"attributes": {**spice, "type": "VNC"}},
            {"attributes": NIC},
            {"attributes": NIC},
        )
        attributes = [each["attributes"] for each in entry["devices"]]
        ports = [each[name] for each in attributes[:2] for name in ("port", "web_port")]
        assert len(set(ports)) == 4
        assert attributes[2]["mac"] != attributes[3]["mac"]


@pytest.mark.parametrize(
    ("devices", "attribute", "errno"),
    [
        ([{"id": 99, "attributes": {}}], "vm_update.devices.0.id", 2),
        ([{"id": 1}, {"id": 1}], "vm_update.devices.1.id", 22),
        ([{"id": 1, "vm": 2}], "vm_update.devices.0.vm", 22),
        ([{"id": 2}], "vm_update.devices.0.id", 2),
        ([{"attributes": {}}], "vm_update.devices.0.attributes.dtype", 22),
        ([{"id": 1}, {"attributes": {"dtype": "TAPE"}}], "vm_update.devices.1.attributes.dtype", 22),
        ([{"id": 1, "attributes": {"dtype": "RAW"}}], "vm_update.devices.0.attributes.dtype", 22),
        ([{"id": 1, "attributes": {"type": "?"}}], "vm_update.devices.0.attributes.type", 22),
        ([{"id": 1, "attributes": {"mac": "?"}}], "vm_update.devices.0.attributes.mac", 22),
        (
            [{"attributes": raw("a.img")}, {"attributes": raw("a.img")}],
            "vm_update.devices.0.attributes.path",
            22,
        ),
        (["?"], "vm_update.devices.0", 22),
    ],
)
async def test_what_is_wrong_is_told_with_its_place_in_the_list(
    tmp_path: Path, devices: list[dict[str, Any]], attribute: str, errno: int
) -> None:
    async with server(tmp_path) as host:
        vm = await make(host, NIC)
        await make(host, NIC, name="b")
        extra = await refused(host, vm, *devices)
        assert (extra[0][0], extra[0][2]) == (attribute, errno)


async def test_of_an_active_vm_devices_change_but_none_is_removed(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host, NIC, display(5950))
        await host.api.call("vm.start", vm["id"])
        ((attribute, text, errno),) = await refused(host, vm, {"id": 1})
        assert (attribute, errno) == ("vm_update.devices", 16)
        assert "device 2" in text
        entry = await update(host, vm, {"id": 1, "attributes": {"type": "E1000"}}, {"id": 2})
        assert entry["devices"][0]["attributes"]["type"] == "E1000"


async def test_storage_that_was_made_goes_when_a_later_step_fails(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host)
        folder = tmp_path / "state/pools/default"
        disk = {"dtype": "DISK", "create_zvol": True, "zvol_name": "default/d0", "zvol_volsize": 512}
        blocked = {**raw("x.img"), "path": "/mnt/default/missing/x.img"}
        await refused(host, vm, {"attributes": disk}, {"attributes": raw("a.img")}, {"attributes": blocked})
        assert [path for path in folder.rglob("*") if path.is_file()] == []

        async def full(*_: object) -> list[object]:
            raise DatabaseError("database or disk is full")

        store = host.server.services.vms
        store.write_all = full  # type: ignore[method-assign, assignment]
        devices = [{"attributes": disk}, {"attributes": raw("a.img")}]
        await host.api.failure("vm.update", vm["id"], {"devices": devices})
        del store.write_all
        assert [path for path in folder.rglob("*") if path.is_file()] == []
        assert len((await update(host, vm, *devices))["devices"]) == 2


async def test_a_new_display_does_not_get_the_port_that_another_one_keeps(tmp_path: Path) -> None:
    """The client leaves both to the server; the one that is there keeps what it has."""
    async with server(tmp_path) as host:
        vm = await make(host, {"dtype": "DISPLAY", "type": "SPICE"})
        (old,) = vm["devices"]
        entry = await update(
            host,
            vm,
            {"attributes": {"dtype": "DISPLAY", "type": "SPICE"}},
            {"id": old["id"], "attributes": {"type": "VNC", "port": None, "web_port": None}},
        )
        kept, new = (each["attributes"] for each in entry["devices"])
        assert (kept["port"], kept["web_port"]) == (old["attributes"]["port"], old["attributes"]["web_port"])
        assert {new["port"], new["web_port"]} & {kept["port"], kept["web_port"]} == set()
