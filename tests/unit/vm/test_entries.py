"""VMs and devices as clients read them."""

import asyncio
import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.harness import settle
from tests.unit.devices.support import Bench, workbench
from tests.unit.vm.support import vm_values
from vmstead.devices import TYPES, Placed
from vmstead.devices.cdrom import Cdrom
from vmstead.devices.disk import Disk
from vmstead.devices.display import Display
from vmstead.devices.nic import Nic
from vmstead.errors import NotFound
from vmstead.kernel.clock import ManualClock
from vmstead.ports.engine import INACTIVE, DomainState, PowerState
from vmstead.rpc.caller import Caller
from vmstead.rpc.session import InternalSession
from vmstead.vm import entries

DISPLAY = {"dtype": "DISPLAY", "password": "hush"}
NIC = {"dtype": "NIC", "mac": "00:a0:98:12:34:56"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with workbench(tmp_path) as made:
        yield made


async def stored(bench: Bench, name: str, *devices: Mapping[str, object], **fields: Any) -> int:
    """The id of a new VM; its uuid is its name."""
    values = {**vm_values(**fields), "name": name, "uuid": name}
    vms = bench.ctx.vms
    ids: Any = await vms.write(vms.insert_with_devices(values, [(None, device) for device in devices]))
    return int(ids[0])


# --- states -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("power", "active", "name"),
    [
        ("SHUTOFF", False, "STOPPED"),
        ("CRASHED", False, "STOPPED"),
        ("NOSTATE", False, "STOPPED"),
        ("PAUSED", False, "STOPPED"),
        ("RUNNING", True, "RUNNING"),
        ("BLOCKED", True, "RUNNING"),
        ("SHUTDOWN", True, "RUNNING"),
        ("PMSUSPENDED", True, "RUNNING"),
        ("CRASHED", True, "RUNNING"),
        ("NOSTATE", True, "RUNNING"),
        ("PAUSED", True, "SUSPENDED"),
    ],
)
def test_a_guest_is_one_of_three_things_and_libvirts_word_stands_beside(
    power: str, active: bool, name: str
) -> None:
    pid = 4711 if active else None
    assert entries.status(DomainState(PowerState(power), active, pid)) == {
        "state": name,
        "pid": pid,
        "domain_state": power,
    }


# --- devices ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dtype", "order"), [("DISK", 1001), ("CDROM", 1000), ("RAW", 1001), ("NIC", 1002), ("DISPLAY", 1002)]
)
def test_a_device_without_an_order_is_read_with_that_of_its_type(dtype: str, order: int) -> None:
    row = {"id": 3, "vm": 1, "order": None, "attributes": {"dtype": dtype}}
    assert entries.device_entry(row)["order"] == order
    assert entries.device_entry({**row, "order": 5})["order"] == 5


def test_attributes_that_came_after_the_row_are_read_with_their_defaults() -> None:
    row = {"id": 3, "vm": 1, "order": 5, "attributes": {"dtype": "NIC", "type": "VIRTIO", "later": 1}}
    entry = entries.device_entry(row)
    assert (entry["id"], entry["vm"]) == (3, 1)
    assert entry["attributes"] == {**Nic(type="VIRTIO").entry(), "later": 1}
    # What is read does not become part of what is stored.
    assert row["attributes"] == {"dtype": "NIC", "type": "VIRTIO", "later": 1}


@pytest.mark.parametrize("dtype", TYPES)
def test_every_type_can_be_read_from_a_row_of_its_earliest_days(dtype: str) -> None:
    entry = entries.device_entry({"id": 1, "vm": 1, "order": None, "attributes": {"dtype": dtype}})
    required = {name for name, field in TYPES[dtype].model_fields.items() if field.is_required()}
    assert set(entry["attributes"]) == set(TYPES[dtype].model_fields) - required


def test_the_guest_meets_its_devices_by_order_and_then_by_age() -> None:
    devices = [
        Placed(9, 1, None, Cdrom(path="/mnt/tank/a.iso")),
        Placed(4, 1, None, Nic()),
        Placed(3, 1, None, Display()),
        Placed(8, 1, 1001, Nic()),
        Placed(2, 1, None, Disk(path="/dev/zvol/tank/a")),
        Placed(7, 1, 1, Nic()),
    ]
    assert [device.id for device in entries.in_boot_order(devices)] == [7, 9, 2, 8, 3, 4]


def test_rows_become_devices_where_they_stand() -> None:
    (device,) = entries.placed([{"id": 5, "vm": 2, "order": 7, "attributes": NIC}])
    assert (device.id, device.vm, device.order) == (5, 2, 7)
    assert isinstance(device.device, Nic)
    assert device.device.mac == NIC["mac"]


# --- VMs --------------------------------------------------------------------------------------------


async def test_a_vm_is_read_with_its_state_and_its_own_devices(bench: Bench) -> None:
    first = await stored(bench, "first", NIC, DISPLAY)
    second = await stored(bench, "second", NIC)
    await stored(bench, "third")
    bench.ctx.states.connected({"second": DomainState(PowerState.PAUSED, active=True, pid=7)})
    listed = await entries.vm_entries(bench.ctx)
    assert [
        (
            vm["id"],
            vm["status"]["state"],
            vm["status"]["pid"],
            [device["attributes"]["dtype"] for device in vm["devices"]],
            vm["display_available"],
        )
        for vm in listed
    ] == [
        (1, "STOPPED", None, ["NIC", "DISPLAY"], True),
        (2, "SUSPENDED", 7, ["NIC"], False),
        (3, "STOPPED", None, [], False),
    ]
    # Alone it reads as in the list.
    assert [await entries.read_vm(bench.ctx, id) for id in (first, second)] == listed[:2]


async def test_devices_are_listed_by_age_and_not_by_order(bench: Bench) -> None:
    vms = bench.ctx.vms
    id = await stored(bench, "a")
    for order in (9, 1, 5):
        await vms.write(vms.insert_device(id, order, NIC))
    bench.ctx.states.connected({})
    vm = await entries.read_vm(bench.ctx, id)
    assert [device["order"] for device in vm["devices"]] == [9, 1, 5]


async def test_what_does_not_exist_is_told_by_its_kind_and_number(bench: Bench) -> None:
    bench.ctx.states.connected({})
    for action in (entries.read_vm, entries.settled):
        with pytest.raises(NotFound, match=r"^\[ENOENT\] None: VM 7 does not exist$"):
            await action(bench.ctx, 7)
    with pytest.raises(NotFound, match=r"^\[ENOENT\] None: VM 7 does not exist$"):
        entries.find(bench.ctx, 7)
    with pytest.raises(NotFound, match=r"^\[ENOENT\] None: VMDevice 7 does not exist$"):
        entries.read_device(bench.ctx, 7)


async def test_one_vm_and_one_device_are_found_by_their_numbers(bench: Bench) -> None:
    await stored(bench, "a", NIC)
    second = await stored(bench, "b", DISPLAY)
    bench.ctx.states.connected({})
    assert entries.find(bench.ctx, second).name == "b"
    assert (await entries.settled(bench.ctx, second)).name == "b"
    device = entries.read_device(bench.ctx, 2)
    assert (device["vm"], device["attributes"]["password"]) == (second, "hush")


# --- waiting ----------------------------------------------------------------------------------------


def clock(bench: Bench) -> ManualClock:
    assert isinstance(bench.ctx.clock, ManualClock)
    return bench.ctx.clock


async def readers(bench: Bench) -> "list[asyncio.Task[Any]]":
    """Everything that reads states, under way while the engine has not been heard of."""
    loop = asyncio.get_running_loop()
    tasks = [
        loop.create_task(entries.vm_entries(bench.ctx)),
        loop.create_task(entries.read_vm(bench.ctx, 1)),
        loop.create_task(entries.settled(bench.ctx, 1)),
    ]
    await settle()
    assert not any(task.done() for task in tasks)
    return tasks


async def test_after_a_start_readers_wait_for_the_first_listing(bench: Bench) -> None:
    await stored(bench, "a")
    listing, reading, finding = await readers(bench)
    bench.ctx.states.connected({"a": DomainState(PowerState.RUNNING, active=True, pid=7)})
    assert (await listing)[0]["status"]["pid"] == 7
    assert (await reading)["status"]["pid"] == 7
    assert (await finding).id == 1


async def test_an_engine_that_cannot_be_reached_keeps_nobody_waiting(bench: Bench) -> None:
    await stored(bench, "a")
    tasks = await readers(bench)
    bench.ctx.states.disconnected("libvirtd is not there")
    listing, *_ = await asyncio.gather(*tasks)
    assert listing[0]["status"] == entries.status(INACTIVE)


async def test_an_engine_that_says_nothing_is_waited_for_ten_seconds(bench: Bench) -> None:
    await stored(bench, "a")
    tasks = await readers(bench)
    clock(bench).advance(9.9)
    await settle()
    assert not any(task.done() for task in tasks)
    clock(bench).advance(0.2)
    listing, *_ = await asyncio.gather(*tasks)
    assert listing[0]["status"]["state"] == "STOPPED"


# --- secrets ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("roles", "password"),
    [({"VM_READ"}, "********"), ({"VM_READ", "VM_WRITE"}, "hush"), ({"FULL_ADMIN"}, "hush")],
)
async def test_secrets_are_for_those_who_could_change_them(
    bench: Bench, roles: set[str], password: str
) -> None:
    caller = Caller("alice", frozenset(roles), "LOGIN_PASSWORD", {})
    ctx = dataclasses.replace(bench.ctx, session=InternalSession(caller=caller))
    await stored(bench, "a", DISPLAY)
    bench.ctx.states.connected({})
    vm = await entries.read_vm(ctx, 1)
    assert entries.shown(ctx, vm, "VM_WRITE")["devices"][0]["attributes"]["password"] == password
    # The entry itself stays as it is: others read it too.
    assert vm["devices"][0]["attributes"]["password"] == "hush"
