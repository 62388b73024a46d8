"""What is remembered of alerts."""

from pathlib import Path

import pytest

from vmstead.store.alerts import AlertStore, Note
from vmstead.store.db import DatabaseError, open_database
from vmstead.store.memory import MemoryStore

LOW, HIGH = ("Full", "default"), ("Full", "tank")


async def test_notes_outlive_the_server(tmp_path: Path) -> None:
    database = open_database(tmp_path / "db")
    alerts = AlertStore(MemoryStore(database))
    assert alerts.all() == {}
    await alerts.keep({LOW: Note(1.0, 1.0), HIGH: Note(2.0, 2.0)})
    await alerts.dismiss(*LOW, dismissed=True)
    again = AlertStore(MemoryStore(database))
    assert again.all() == {LOW: Note(1.0, 1.0, dismissed=True), HIGH: Note(2.0, 2.0)}
    await again.dismiss(*LOW, dismissed=False)
    await again.keep({LOW: again.all()[LOW]})
    assert AlertStore(MemoryStore(database)).all() == {LOW: Note(1.0, 1.0)}
    database.close()


async def test_the_disk_is_left_alone_while_nothing_but_time_changes(tmp_path: Path) -> None:
    database = open_database(tmp_path / "db")
    memory = MemoryStore(database)
    alerts = AlertStore(memory)
    await alerts.keep({LOW: Note(1.0, 1.0)})
    written = memory.get("alerts")
    await alerts.keep({LOW: Note(1.0, 61.0)})
    assert alerts.all() == {LOW: Note(1.0, 61.0)}
    assert memory.get("alerts") == written
    database.close()


async def test_what_happens_again_is_told_again(tmp_path: Path) -> None:
    database = open_database(tmp_path / "db")
    alerts = AlertStore(MemoryStore(database))
    await alerts.happened("Failed", "7", {"reason": "a"}, 1.0)
    await alerts.dismiss("Failed", "7", dismissed=True)
    await alerts.happened("Failed", "7", {"reason": "b"}, 9.0)
    assert alerts.all() == {("Failed", "7"): Note(1.0, 9.0, event={"reason": "b"})}
    database.close()


async def test_what_is_given_out_is_a_copy(tmp_path: Path) -> None:
    database = open_database(tmp_path / "db")
    alerts = AlertStore(MemoryStore(database))
    alerts.all()[LOW] = Note(1.0, 1.0)
    assert alerts.all() == {}
    database.close()


async def test_what_the_disk_did_not_take_is_known_and_stored_with_the_next(tmp_path: Path) -> None:
    database = open_database(tmp_path / "db")
    alerts = AlertStore(MemoryStore(database))
    await database.write(
        lambda connection: connection.execute(
            "CREATE TEMP TRIGGER full BEFORE INSERT ON memory BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
        )
    )
    with pytest.raises(DatabaseError):
        await alerts.keep({LOW: Note(1.0, 1.0)})
    assert alerts.all() == {LOW: Note(1.0, 1.0)}
    await database.write(lambda connection: connection.execute("DROP TRIGGER full"))
    await alerts.keep({LOW: Note(1.0, 1.0)})
    assert AlertStore(MemoryStore(database)).all() == {LOW: Note(1.0, 1.0)}
    database.close()
