"""Notes about storage that is being made: they go when what it is for is stored, and not before."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.unit.vm.support import make_vm
from vmstead.store.db import Database, DatabaseError, open_database
from vmstead.store.seal import Seal
from vmstead.store.unfinished import Kind, Unfinished, UnfinishedStore
from vmstead.store.vms import VmStore


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(tmp_path / "db")
    yield database
    database.close()


@pytest.fixture
def vms(database: Database, tmp_path: Path) -> VmStore:
    return VmStore(database, Seal(tmp_path / "key"))


def row(uuid: str = "7b5c2a10-93d1-4c2b-8a57-5d9d3c0c1f42") -> dict[str, Any]:
    values = dict(vars(make_vm(uuid=uuid)))
    del values["id"]
    return values


async def test_notes_are_kept_in_order_and_once(database: Database) -> None:
    notes = UnfinishedStore(database)
    for kind, name in (
        (Kind.FILE, "/mnt/tank/b"),
        (Kind.VOLUME, "/dev/zvol/tank/a"),
        (Kind.FILE, "/mnt/tank/b"),
    ):
        await notes.note(Unfinished(kind, name))
    assert notes.all() == [
        Unfinished(Kind.FILE, "/mnt/tank/b"),
        Unfinished(Kind.VOLUME, "/dev/zvol/tank/a"),
    ]
    await notes.forget(Unfinished(Kind.FILE, "/mnt/tank/b"))
    assert notes.all() == [Unfinished(Kind.VOLUME, "/dev/zvol/tank/a")]


async def test_a_stored_device_takes_the_note_about_its_storage(database: Database, vms: VmStore) -> None:
    notes = UnfinishedStore(database)
    await notes.note(Unfinished(Kind.FILE, "/mnt/tank/a"))
    await notes.note(Unfinished(Kind.FILE, "/mnt/tank/b"))
    await notes.note(Unfinished(Kind.FILE, "/mnt/tank/c"))
    vm = await vms.write(vms.insert(row()))
    assert isinstance(vm, int)
    device = await vms.write(vms.insert_device(vm, None, {"dtype": "RAW", "path": "/mnt/tank/a"}))
    assert isinstance(device, int)
    assert [note.name for note in notes.all()] == ["/mnt/tank/b", "/mnt/tank/c"]
    await vms.write(vms.update_device(device, vm, None, {"dtype": "RAW", "path": "/mnt/tank/b"}))
    assert [note.name for note in notes.all()] == ["/mnt/tank/c"]


async def test_a_stored_vm_takes_the_note_about_its_firmware(database: Database, vms: VmStore) -> None:
    notes = UnfinishedStore(database)
    values = row()
    await notes.note(Unfinished(Kind.FIRMWARE, values["uuid"]))
    await notes.note(Unfinished(Kind.FIRMWARE, "another"))
    await vms.write(vms.insert_with_devices(values, [(None, {"dtype": "NIC"})]))
    assert [note.name for note in notes.all()] == ["another"]


async def test_a_transaction_that_fails_keeps_the_note(database: Database, vms: VmStore) -> None:
    notes = UnfinishedStore(database)
    await vms.write(vms.insert(row()))
    await notes.note(Unfinished(Kind.FILE, "/mnt/tank/a"))
    again = vms.insert_with_devices(row(), [(None, {"dtype": "RAW", "path": "/mnt/tank/a"})])
    with pytest.raises(DatabaseError):
        await vms.write(again)
    with pytest.raises(DatabaseError):
        await vms.write(
            vms.insert_device(1, None, {"dtype": "RAW", "path": "/mnt/tank/a"}), vms.insert(row())
        )
    assert [note.name for note in notes.all()] == ["/mnt/tank/a"]
