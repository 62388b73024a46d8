"""Entries are there at once, on the disk soon, and wait for nobody."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from vmstead.store.db import Busy, DatabaseTooNew, connect
from vmstead.store.journal import Journal, open_journal

INSERT = (
    "INSERT INTO audit (audit_id, at, address, username, service_data, event, event_data)"
    " VALUES ('u', 0, '', '', '{}', 'LOGOUT', '{}')"
)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(open_journal(tmp_path / "audit.db", "audit_migrations")) as journal:
        yield journal


def append(journal: Journal) -> None:
    journal.append(lambda connection: connection.execute(INSERT))


def count(journal: Journal) -> object:
    return journal.read("SELECT count(*) FROM audit")[0][0]


async def test_what_was_appended_is_seen_at_once_by_everybody(journal: Journal) -> None:
    append(journal)
    assert count(journal) == 1
    with closing(connect(journal.path)) as other:
        assert other.execute("SELECT count(*) FROM audit").fetchone() == (1,)
    await journal.settled()
    await journal.settled()


async def test_what_fails_half_way_leaves_nothing(journal: Journal) -> None:
    def fail(connection: sqlite3.Connection) -> None:
        connection.execute(INSERT)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        journal.append(fail)
    assert count(journal) == 0
    append(journal)
    await journal.settled()


async def test_it_does_not_wait_for_others_but_a_thread_does(journal: Journal) -> None:
    with closing(connect(journal.path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy):
            append(journal)
        other.execute("ROLLBACK")
    await journal.aside(lambda connection: connection.execute(INSERT))
    journal.aside_now(lambda connection: connection.execute(INSERT))
    assert count(journal) == 2


async def test_reading_aside_cannot_write(journal: Journal) -> None:
    append(journal)
    rows = await journal.read_aside(lambda connection: connection.execute("SELECT id FROM audit").fetchall())
    assert rows == [(1,)]
    with pytest.raises(sqlite3.OperationalError):
        await journal.read_aside(lambda connection: connection.execute(INSERT))
    await journal.settled()


async def test_the_log_is_moved_into_the_file(journal: Journal) -> None:
    for _ in range(300):
        append(journal)
    await journal.settled()
    before = journal.path.stat().st_size
    await journal.tidy()
    assert journal.path.stat().st_size > before


async def test_a_log_that_cannot_be_synced_is_told_of_and_nothing_else(journal: Journal) -> None:
    append(journal)
    journal.path.with_name("audit.db-wal").rename(journal.path.with_name("elsewhere"))
    await journal.settled()
    append(journal)
    await journal.settled()


async def test_it_is_kept_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    for expected in (1, 2):
        with closing(open_journal(path, "audit_migrations")) as journal:
            append(journal)
            await journal.settled()
            assert count(journal) == expected
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_of_a_later_version_is_not_touched(tmp_path: Path) -> None:
    path = tmp_path / "audit.db"
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(DatabaseTooNew):
        open_journal(path, "audit_migrations")
