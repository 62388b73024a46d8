"""VMs and devices in the database."""

import json
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from vmstead.store.db import Database, IntegrityError, open_database
from vmstead.store.seal import Seal
from vmstead.store.vms import COLUMNS, VmStore

#: A VM with a value of its own in every column.
VM: dict[str, Any] = {
    "name": "web01",
    "description": "\u00fc",
    "vcpus": 2,
    "cores": 3,
    "threads": 4,
    "memory": 512,
    "min_memory": 256,
    "autostart": True,
    "time": "LOCAL",
    "bootloader": "UEFI",
    "bootloader_ovmf": "OVMF_CODE.fd",
    "cpu_mode": "CUSTOM",
    "cpu_model": "EPYC",
    "cpuset": "0-3",
    "nodeset": "0",
    "hugepages": "2M",
    "enable_cpu_topology_extension": False,
    "pin_vcpus": True,
    "hyperv_enlightenments": False,
    "shutdown_timeout": 90,
    "hide_from_msr": True,
    "ensure_display_device": False,
    "suspend_on_snapshot": True,
    "trusted_platform_module": False,
    "enable_secure_boot": True,
    "arch_type": "x86_64",
    "machine_type": "q35",
    "uuid": "11111111-0000-4000-8000-000000000000",
    "command_line_args": "-x",
}
OTHER = {**VM, "name": "web02", "uuid": "22222222-0000-4000-8000-000000000000"}
DISK = {"dtype": "DISK", "path": "/dev/zvol/a", "boot": None}


@dataclass
class Store:
    """The store, and the database that it is in."""

    database: Database
    vms: VmStore

    async def add(self, vm: Mapping[str, object] = VM) -> int:
        id = await self.vms.write(self.vms.insert(vm))
        assert isinstance(id, int)
        return id

    async def add_device(
        self, vm: int, order: int | None = None, attributes: Mapping[str, object] = DISK, **more: Any
    ) -> int:
        id = await self.vms.write(self.vms.insert_device(vm, order, attributes, **more))
        assert isinstance(id, int)
        return id


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_database(tmp_path / "test.db")) as database:
        yield Store(database, VmStore(database, Seal(tmp_path / "secret.key")))


def test_the_example_has_every_column() -> None:
    assert {"id", *VM} == {*COLUMNS}


# --- VMs ------------------------------------------------------------------------------------------


async def test_a_vm_comes_back_as_it_was_in_the_contracts_order(store: Store) -> None:
    id = await store.add()
    row = store.vms.by_id(id)
    assert row == {"id": id, **VM}
    assert list(row) == list(COLUMNS)
    kinds = {name: type(value) for name, value in VM.items()}
    assert {name: type(value) for name, value in row.items() if name != "id"} == kinds


async def test_what_may_be_unknown_may_be_null(store: Store) -> None:
    unknown = dict.fromkeys(("min_memory", "cpu_model", "cpuset", "nodeset", "arch_type", "machine_type"))
    id = await store.add({**VM, **unknown})
    assert store.vms.by_id(id) == {"id": id, **VM, **unknown}


async def test_a_vm_is_found_by_id_uuid_and_name(store: Store) -> None:
    first, second = await store.add(), await store.add(OTHER)
    assert [row["id"] for row in store.vms.all()] == [first, second]
    assert store.vms.id_of_uuid(OTHER["uuid"]) == second
    assert (store.vms.id_of_name("web01"), store.vms.id_of_name("web02")) == (first, second)
    assert (store.vms.id_of_name("WEB01"), store.vms.id_of_uuid("x"), store.vms.by_id(99)) == (
        None,
        None,
        None,
    )


@pytest.mark.parametrize("id", [0, -1, 2**63 - 1, 2**63, -(2**63) - 1, 10**30, -(10**30)])
async def test_an_id_may_be_any_number(store: Store, id: int) -> None:
    await store.add()
    assert store.vms.by_id(id) is None
    assert store.vms.device(id) is None


@pytest.mark.parametrize("same", ["name", "uuid"])
async def test_names_and_uuids_are_taken_once(store: Store, same: str) -> None:
    await store.add()
    with pytest.raises(IntegrityError, match=rf"vm\.{same}"):
        await store.add({**OTHER, same: VM[same]})
    assert len(store.vms.all()) == 1


async def test_a_vm_without_a_value_it_needs_is_no_vm(store: Store) -> None:
    with pytest.raises(IntegrityError, match=r"vm\.memory"):
        await store.add({name: value for name, value in VM.items() if name != "memory"})


async def test_an_update_changes_what_it_names_of_one_vm(store: Store) -> None:
    first, second = await store.add(), await store.add(OTHER)
    await store.vms.write(store.vms.update(first, {"memory": 1024, "autostart": False, "unknown": 1}))
    assert store.vms.by_id(first) == {"id": first, **VM, "memory": 1024, "autostart": False}
    assert store.vms.by_id(second) == {"id": second, **OTHER}


async def test_an_update_of_nothing_changes_nothing(store: Store) -> None:
    id = await store.add()
    await store.vms.write(store.vms.update(id, {}))
    assert store.vms.by_id(id) == {"id": id, **VM}


async def test_a_vm_goes_with_its_devices_and_its_id_is_never_given_again(store: Store) -> None:
    first, second = await store.add(), await store.add(OTHER)
    devices = [await store.add_device(vm) for vm in (first, second, second)]
    await store.vms.write(store.vms.delete(second))
    assert [row["id"] for row in store.vms.all()] == [first]
    assert [row["id"] for row in store.vms.all_devices()] == devices[:1]
    assert await store.add(OTHER) == second + 1
    assert await store.add_device(first) == devices[-1] + 1


# --- devices --------------------------------------------------------------------------------------


async def test_a_device_comes_back_as_it_was(store: Store) -> None:
    vm = await store.add()
    id = await store.add_device(vm, 1001, DISK)
    row = {"id": id, "attributes": DISK, "vm": vm, "order": 1001}
    assert store.vms.device(id) == row
    assert list(store.vms.device(id) or ()) == list(row)
    assert store.vms.device(id + 1) is None


async def test_devices_are_told_apart_by_vm_and_come_by_id(store: Store) -> None:
    first, second = await store.add(), await store.add(OTHER)
    ids = [await store.add_device(vm, order) for vm, order in ((first, 9), (second, 1), (first, None))]
    assert [row["id"] for row in store.vms.devices_of(first)] == [ids[0], ids[2]]
    assert [row["order"] for row in store.vms.devices_of(first)] == [9, None]
    assert [row["id"] for row in store.vms.all_devices()] == ids


async def test_a_device_of_no_vm_is_refused(store: Store) -> None:
    with pytest.raises(IntegrityError, match="FOREIGN KEY"):
        await store.add_device(99)


async def test_siblings_get_their_new_orders_in_the_same_transaction(store: Store) -> None:
    vm = await store.add()
    first, second = await store.add_device(vm, 1), await store.add_device(vm, 2)
    third = await store.add_device(vm, 1, orders={first: 2, second: 3})
    orders = {row["id"]: row["order"] for row in store.vms.devices_of(vm)}
    assert orders == {first: 2, second: 3, third: 1}
    await store.vms.write(store.vms.update_device(third, vm, 3, {**DISK, "path": "b"}, {first: 1, second: 2}))
    rows = {row["id"]: row for row in store.vms.devices_of(vm)}
    assert {id: row["order"] for id, row in rows.items()} == {first: 1, second: 2, third: 3}
    assert [row["attributes"]["path"] for row in rows.values()] == ["/dev/zvol/a", "/dev/zvol/a", "b"]


async def test_a_device_can_move_to_another_vm_and_can_be_removed(store: Store) -> None:
    first, second = await store.add(), await store.add(OTHER)
    moved, removed = await store.add_device(first, 1), await store.add_device(first, 2)
    await store.vms.write(
        store.vms.update_device(moved, second, None, DISK), store.vms.delete_device(removed)
    )
    assert store.vms.devices_of(first) == []
    assert store.vms.devices_of(second) == [{"id": moved, "attributes": DISK, "vm": second, "order": None}]


async def test_a_device_that_was_removed_can_be_put_back(store: Store) -> None:
    vm = await store.add()
    first, second = [await store.add_device(vm, 7, DISK) for _ in range(2)]
    row = store.vms.device(first)
    await store.vms.write(store.vms.delete_device(first))
    await store.vms.write(store.vms.restore_device(first, vm, 7, DISK))
    assert store.vms.device(first) == row
    assert [each["id"] for each in store.vms.all_devices()] == [first, second]


async def test_secrets_of_devices_are_sealed_in_the_database_only(store: Store) -> None:
    vm = await store.add()
    display = {"dtype": "DISPLAY", "password": "hunter2", "port": 5900}
    id = await store.add_device(vm, None, display)

    def stored() -> Any:
        [(text,)] = store.database.read("SELECT attributes FROM vm_device WHERE id = ?", (id,))
        assert "hunter" not in str(text)
        return json.loads(str(text))

    assert stored().keys() == display.keys()
    assert [row["attributes"] for row in store.vms.all_devices()] == [display]
    changed = {**display, "password": "hunter3"}
    await store.vms.write(store.vms.update_device(id, vm, None, changed))
    assert stored()["port"] == 5900
    assert store.vms.device(id) == {"id": id, "attributes": changed, "vm": vm, "order": None}


# --- several at once ------------------------------------------------------------------------------


async def test_writes_together_happen_all_or_none_and_the_first_has_the_say(store: Store) -> None:
    id = await store.vms.write(store.vms.insert(VM), store.vms.insert(OTHER))
    assert id == 1
    with pytest.raises(IntegrityError):
        await store.vms.write(store.vms.update(1, {"memory": 1}), store.vms.insert(OTHER))
    assert store.vms.by_id(1) == {"id": 1, **VM}
