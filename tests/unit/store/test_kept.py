"""What is kept of VMs is what the database says at this moment, whoever has written it."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.store.test_vms import VM
from vmstead.store.db import open_database
from vmstead.store.kept import Kept, Stored
from vmstead.store.seal import Seal
from vmstead.store.vms import VmStore

NAMES = st.sampled_from("abcde")
IDS = st.integers(1, 6)
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("add"), NAMES),
        st.tuples(st.just("rename"), IDS, NAMES),
        st.tuples(st.just("remove"), IDS),
        st.tuples(st.just("add device"), IDS, NAMES),
        st.tuples(st.just("move device"), IDS, IDS, NAMES),
        st.tuples(st.just("remove device"), IDS),
        st.tuples(st.just("renumber device"), IDS, IDS),
        st.tuples(st.just("fail"), IDS),
    ),
    max_size=12,
)


class Stores:
    """A store that is used all the time, and a way to ask one that has kept nothing."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "test.db"
        self.seal = Seal(folder / "secret.key")
        self.database = open_database(self.path)
        self.used = VmStore(self.database, self.seal)

    def carry_out(self, operation: tuple[Any, ...]) -> None:
        """A write as the server does it; what the database does not allow does not happen."""
        vms = self.used
        match operation:
            case ("add", name):
                change: Callable[[sqlite3.Connection], object] = vms.insert(
                    {**VM, "name": name, "uuid": name}
                )
            case ("rename", id, name):
                change = vms.update(id, {"name": name})
            case ("remove", id):
                change = vms.delete(id)
            case ("add device", vm, name):
                change = vms.insert_device(vm, None, device(name), {1: 7})
            case ("move device", id, vm, name):
                change = vms.update_device(id, vm, 5, device(name))
            case ("remove device", id):
                change = vms.delete_device(id)
            case ("renumber device", old, new):

                def change(connection: sqlite3.Connection) -> None:
                    connection.execute("UPDATE vm_device SET id = ? WHERE id = ?", (new, old))
            case ("fail", id):

                def change(connection: sqlite3.Connection) -> None:
                    vms.delete(id)(connection)
                    raise sqlite3.IntegrityError("not this time")

        with suppressed():
            self.database.write_now(change)

    def answers(self) -> Any:
        return everything(self.used)

    def right_answers(self) -> Any:
        with closing(open_database(self.path)) as database:
            return everything(VmStore(database, self.seal))


@contextmanager
def suppressed() -> Iterator[None]:
    try:
        yield
    except sqlite3.IntegrityError:
        return


def device(name: str) -> dict[str, object]:
    return {"dtype": "DISPLAY", "port": ord(name), "password": name}


def everything(vms: VmStore) -> Any:
    """All that can be asked, the single ones before the whole."""
    ids = range(1, 8)
    single = [(vms.by_id(id), vms.devices_of(id)) for id in ids]
    stored = [(each.row, each.devices) for each in vms.all_stored()]
    return single, stored, vms.all(), vms.all_devices(), [vms.id_of_uuid(name) for name in "abcde"]


@settings(deadline=None, max_examples=60)
@given(OPERATIONS, st.booleans())
def test_after_any_writes_the_answers_are_those_of_a_store_that_has_kept_nothing(
    operations: list[tuple[Any, ...]], asks_between: bool
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        stores = Stores(Path(folder))
        with closing(stores.database):
            for operation in operations:
                stores.carry_out(operation)
                if asks_between:
                    assert stores.answers() == stores.right_answers()
            assert stores.answers() == stores.right_answers()


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    made = Stores(tmp_path)
    with closing(made.database):
        yield made


def filled(stores: Stores, names: str = "abc") -> None:
    for number, name in enumerate(names, 1):
        stores.carry_out(("add", name))
        stores.carry_out(("add device", number, name))


def test_what_another_process_writes_counts_at_once(stores: Stores) -> None:
    filled(stores)
    before = stores.answers()
    with closing(sqlite3.connect(stores.path)) as other:
        with other:
            other.execute("UPDATE vm SET description = 'by hand' WHERE id = 2")
        assert stores.used.by_id(2) != before[0][1][0]
        assert stores.answers() == stores.right_answers()
        with other:
            other.execute("DELETE FROM vm_device WHERE vm = 3")
            other.execute("DELETE FROM vm WHERE id = 3")
        assert stores.answers() == stores.right_answers()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE OR IGNORE vm SET description = 'by hand'",
        'UPDATE OR FAIL vm_device SET attributes = \'{"dtype": "NIC"}\'',
        "UPDATE OR IGNORE vm_device SET vm = 2 WHERE vm = 1",
        'INSERT OR IGNORE INTO vm_device (vm, attributes) VALUES (1, \'{"dtype": "NIC"}\')',
        'INSERT OR REPLACE INTO vm_device (id, vm, attributes) VALUES (1, 1, \'{"dtype": "NIC"}\')',
        "UPDATE vm SET id = 9 WHERE id = 3",
    ],
)
def test_however_it_is_written_it_counts(stores: Stores, statement: str) -> None:
    filled(stores)
    before = stores.answers()
    with closing(sqlite3.connect(stores.path)) as other:
        # Twice, so that revisions are given which are the highest already.
        for _ in range(2):
            with other:
                other.execute(statement)
            assert stores.answers() == stores.right_answers() != before


def test_what_did_not_change_is_not_read_again(stores: Stores) -> None:
    filled(stores)
    one, two = stores.used.stored(1), stores.used.stored(2)
    stores.carry_out(("rename", 1, "e"))
    assert stores.used.stored(2) is two
    assert stores.used.stored(1) is not one
    assert stores.used.all_stored()[1] is two


def test_a_form_is_made_once_of_what_is_stored(stores: Stores) -> None:
    filled(stores)
    made = []

    def make(vm: Stored) -> str:
        made.append(vm.row["name"])
        return f"form of {vm.row['name']}"

    for _ in range(2):
        assert [vm.once("form", make) for vm in stores.used.all_stored()] == [
            "form of a",
            "form of b",
            "form of c",
        ]
    assert made == ["a", "b", "c"]
    stores.carry_out(("rename", 2, "e"))
    assert [vm.once("form", make) for vm in stores.used.all_stored()][1] == "form of e"


@pytest.mark.parametrize("most", [1, 2, 4])
def test_more_than_are_kept_are_answered_all_the_same(stores: Stores, most: int) -> None:
    stores.used = VmStore(stores.database, stores.seal, most_kept=most)
    filled(stores, "abcde")
    for _ in range(2):
        assert stores.answers() == stores.right_answers()
    stores.carry_out(("remove", 4))
    assert stores.answers() == stores.right_answers()


def test_a_vm_is_read_as_of_one_moment(stores: Stores) -> None:
    filled(stores)
    database = stores.database

    def name_and_port() -> tuple[object, object]:
        port = "SELECT json_extract(attributes, '$.port') FROM vm_device WHERE vm = 1"
        return database.read("SELECT name FROM vm WHERE id = 1")[0][0], database.read(port)[0][0]

    def change(connection: sqlite3.Connection) -> None:
        stores.used.update(1, {"name": "e"})(connection)
        stores.used.update_device(1, 1, None, device("e"))(connection)

    def read(id: int | None) -> Iterator[Stored]:
        name, _ = name_and_port()
        # Somebody writes in between, in one transaction.
        database.write_now(change)
        _, port = name_and_port()
        yield Stored({"id": 1, "name": name}, [{"port": port}])

    kept = Kept(database, read, most=10)
    for expected in ("a", "e"):
        found = kept.get(1)
        assert found is not None
        assert (found.row["name"], found.devices) == (expected, [{"port": ord(expected)}])
