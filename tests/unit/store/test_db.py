"""The database file: opened, migrated, written as a whole or not at all."""

import asyncio
import errno
import os
import sqlite3
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.harness import settle
from vmstead.errors import CallError
from vmstead.kernel.run import run
from vmstead.store.db import (
    Connection,
    Database,
    DatabaseError,
    DatabaseTooNew,
    IntegrityError,
    migrations,
    open_database,
)

FIRST = {1: "CREATE TABLE note (text TEXT NOT NULL UNIQUE) STRICT;\n"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


@pytest.fixture
def database(path: Path) -> Iterator[Database]:
    with closing(open_database(path, FIRST)) as database:
        yield database


def insert(connection: Connection, *texts: str) -> int:
    connection.executemany("INSERT INTO note VALUES (?)", [(text,) for text in texts])
    return len(texts)


def notes(database: Database) -> list[object]:
    return [text for (text,) in database.read("SELECT text FROM note ORDER BY rowid")]


def version_of(path: Path) -> object:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("PRAGMA user_version").fetchone()[0]


@contextmanager
def everything_allowed() -> Iterator[None]:
    """Files are made with all the rights that they are asked for with."""
    before = os.umask(0)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- reading and writing --------------------------------------------------------------------------


async def test_what_was_written_is_there_to_read_and_after_opening_again(
    path: Path, database: Database
) -> None:
    assert await database.write(lambda connection: insert(connection, "a")) == 1
    assert notes(database) == ["a"]
    database.write_now(lambda connection: insert(connection, "b"))
    assert notes(database) == ["a", "b"]
    with closing(open_database(path, FIRST)) as again:
        assert notes(again) == ["a", "b"]


async def test_a_write_that_fails_leaves_nothing(database: Database) -> None:
    def fail(connection: Connection) -> None:
        insert(connection, "a")
        raise LookupError("half-way")

    with pytest.raises(LookupError, match="half-way"):
        await database.write(fail)
    with pytest.raises(LookupError):
        database.write_now(fail)
    assert notes(database) == []
    await database.write(lambda connection: insert(connection, "b"))
    assert notes(database) == ["b"]


async def test_a_number_that_is_too_large_is_found_nowhere_and_not_stored(database: Database) -> None:
    await database.write(lambda connection: insert(connection, "a"))
    assert database.read("SELECT 1 WHERE 1 = ?", (2**64,)) == []
    with pytest.raises(CallError, match="too large") as raised:
        await database.write(lambda connection: connection.execute("SELECT ?", (2**64,)))
    assert raised.value.errno == errno.ERANGE


async def test_a_constraint_is_the_callers_business(database: Database) -> None:
    with pytest.raises(IntegrityError):
        await database.write(lambda connection: insert(connection, "a", "a"))
    assert notes(database) == []


async def test_a_reader_sees_only_finished_writes_and_does_not_wait_for_others(database: Database) -> None:
    written, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        insert(connection, "a")
        written.set()
        go_on.wait(10)

    task = asyncio.ensure_future(database.write(slow))
    await asyncio.to_thread(written.wait, 10)
    assert notes(database) == []
    go_on.set()
    await task
    assert notes(database) == ["a"]


async def test_writes_happen_one_after_the_other_in_order(database: Database) -> None:
    await asyncio.gather(
        *(
            database.write(lambda connection, text=str(number): insert(connection, text))  # type: ignore[misc]
            for number in range(50)
        )
    )
    assert notes(database) == [str(number) for number in range(50)]


async def test_a_write_is_finished_even_when_nobody_waits_for_it_any_more(database: Database) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        begun.set()
        go_on.wait(10)
        insert(connection, "a")

    running = asyncio.ensure_future(database.write(slow))
    queued = asyncio.ensure_future(database.write(lambda connection: insert(connection, "b")))
    await asyncio.to_thread(begun.wait, 10)
    for task in (running, queued):
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    go_on.set()
    await database.write(lambda connection: insert(connection, "c"))
    assert notes(database) == ["a", "b", "c"]


async def test_closing_finishes_what_is_being_written(path: Path) -> None:
    database = open_database(path, FIRST)
    task = asyncio.ensure_future(database.write(lambda connection: insert(connection, "a")))
    await settle()
    database.close()
    await task
    with closing(open_database(path, FIRST)) as again:
        assert notes(again) == ["a"]


@pytest.mark.parametrize("sql", ["DELETE FROM note", "INSERT INTO note VALUES ('x')", "DROP TABLE note"])
def test_reading_cannot_write(database: Database, sql: str) -> None:
    with pytest.raises(DatabaseError):
        database.read(sql)


async def test_a_full_disk_is_told_as_such_and_nothing_of_the_write_is_kept(
    path: Path, database: Database
) -> None:
    await database.write(lambda connection: insert(connection, "before"))
    [(pages,)] = database.read("PRAGMA page_count")
    database.write_now(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}"))
    with pytest.raises(CallError) as raised:
        await database.write(lambda connection: insert(connection, "small", "x" * 1_000_000))
    assert raised.value.errno == errno.ENOSPC
    assert str(path) in str(raised.value)
    assert notes(database) == ["before"]
    database.write_now(lambda connection: connection.execute("PRAGMA max_page_count = 100000"))
    await database.write(lambda connection: insert(connection, "x" * 1_000_000))
    assert len(notes(database)) == 2


async def test_a_database_that_cannot_be_written_is_an_error_of_input_and_output(
    path: Path, database: Database
) -> None:
    database.write_now(lambda connection: connection.execute("PRAGMA busy_timeout = 0"))
    with closing(sqlite3.connect(path, isolation_level=None)) as somebody:
        somebody.execute("BEGIN IMMEDIATE")
        with pytest.raises(CallError) as raised:
            await database.write(lambda connection: insert(connection, "a"))
    assert raised.value.errno == errno.EIO
    await database.write(lambda connection: insert(connection, "b"))
    assert notes(database) == ["b"]


def test_what_was_answered_survives_a_power_cut(database: Database) -> None:
    def settings(connection: Connection) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in names]

    assert database.write_now(settings) == ["wal", 2, 1]


# --- opening and migrating ------------------------------------------------------------------------


def test_only_the_owner_can_read_any_of_its_files(path: Path) -> None:
    with everything_allowed(), closing(open_database(path, FIRST)) as database:
        database.write_now(lambda connection: insert(connection, "secret"))
        files = sorted(path.parent.iterdir())
        assert [file.name for file in files] == ["test.db", "test.db-shm", "test.db-wal"]
        assert [mode(file) for file in files] == [0o600] * 3


SECOND = {
    **FIRST,
    2: """
-- Notes get a number; a comment may hold a semicolon;
CREATE TABLE copy (id INTEGER PRIMARY KEY, text TEXT NOT NULL) STRICT;
INSERT INTO copy (text)
    SELECT text FROM note;
INSERT INTO copy (text) VALUES ('; -- not a comment');
DROP TABLE note;
CREATE VIEW note AS SELECT text FROM copy;
-- The end""",
}


def test_an_old_file_is_brought_up_to_date(path: Path) -> None:
    with closing(open_database(path, FIRST)) as database:
        database.write_now(lambda connection: insert(connection, "a", "b"))
    with closing(open_database(path, SECOND)) as database:
        assert database.read("SELECT id, text FROM copy") == [(1, "a"), (2, "b"), (3, "; -- not a comment")]
    assert version_of(path) == 2


def test_before_migrating_a_copy_is_put_beside_the_file(path: Path) -> None:
    with closing(open_database(path, FIRST)) as database:
        database.write_now(lambda connection: insert(connection, "a"))
        # It is in the journal still: the copy must have it all the same.
        with everything_allowed():
            open_database(path, SECOND).close()
    backup = path.with_name("test.db.v1")
    assert mode(backup) == 0o600
    assert version_of(backup) == 1
    with closing(open_database(backup, FIRST)) as old:
        assert notes(old) == ["a"]


def test_no_copy_is_made_of_a_new_file_or_one_that_is_up_to_date(path: Path) -> None:
    for _ in range(2):
        open_database(path, SECOND).close()
    assert [file.name for file in path.parent.iterdir()] == ["test.db"]


BROKEN = {**FIRST, 2: "INSERT INTO note VALUES ('half');\nDROP TABLE note;\nSELECT nonsense;\n"}


def test_a_migration_that_fails_half_way_leaves_the_file_as_it_was(path: Path) -> None:
    with closing(open_database(path, FIRST)) as database:
        database.write_now(lambda connection: insert(connection, "a"))
    for _ in range(2):
        with pytest.raises(DatabaseError):
            open_database(path, BROKEN)
        assert version_of(path) == 1
        with closing(open_database(path, FIRST)) as database:
            assert notes(database) == ["a"]


def test_steps_before_one_that_fails_are_kept(path: Path) -> None:
    with pytest.raises(DatabaseError):
        open_database(path, {**SECOND, 3: "nonsense;"})
    assert version_of(path) == 2


def test_a_file_of_a_later_version_is_not_touched(path: Path) -> None:
    open_database(path, SECOND).close()
    before = path.read_bytes()
    with pytest.raises(DatabaseTooNew, match=r"test\.db has version 2, this program knows up to 1"):
        open_database(path, FIRST)
    assert path.read_bytes() == before


def test_two_that_open_a_new_file_at_once_do_not_migrate_it_twice(path: Path) -> None:
    # The switch of the journal does not wait for others, so let that have happened.
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        failures: list[BaseException] = []
        connection.execute("BEGIN IMMEDIATE")

        def open_it() -> None:
            try:
                open_database(path, SECOND).close()
            except BaseException as error:  # noqa: BLE001 - whatever it is, the test wants to know
                failures.append(error)

        threads = [threading.Thread(target=open_it) for _ in range(4)]
        for thread in threads:
            thread.start()
        connection.execute("ROLLBACK")
        for thread in threads:
            thread.join(20)
    assert failures == []
    assert version_of(path) == 2


@pytest.mark.parametrize("content", [b"this is no database, but long enough to be one" * 100])
def test_what_is_no_database_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(DatabaseError):
        open_database(path, FIRST)
    assert path.read_bytes() == content


def test_a_file_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        open_database(tmp_path / "nowhere" / "test.db")


# --- the program's own schema ---------------------------------------------------------------------


def test_migrations_are_numbered_without_gaps() -> None:
    assert list(migrations()) == list(range(1, len(migrations()) + 1))


def test_a_new_file_has_todays_schema(path: Path) -> None:
    with closing(open_database(path)) as database:
        tables = database.read(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
        )
        accounts = ["account", "api_key", "membership", "onetime_password", "privilege", "privilege_group"]
        rest = ["memory", "second_factor", "unfinished", "user_group", "vm", "vm_device", "vm_revision"]
        assert [str(name) for (name,) in tables] == sorted([*accounts, *rest])
        assert database.read("PRAGMA user_version") == [(max(migrations()),)]
        assert database.read("PRAGMA integrity_check") == [("ok",)]


async def test_the_version_changes_with_every_write_of_this_process_or_another_and_with_nothing_else(
    path: Path, database: Database
) -> None:
    seen = [database.version]
    await database.write(lambda connection: insert(connection, "a"))
    seen.append(database.version)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute("INSERT INTO note VALUES ('b')")
    seen.append(database.version)
    with closing(sqlite3.connect(path)) as other:
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    await database.write(lambda connection: insert(connection, "c"))
    seen.append(database.version)
    assert len(set(seen)) == 4
    with pytest.raises(IntegrityError):
        await database.write(lambda connection: insert(connection, "c"))
    assert notes(database) == ["a", "b", "c"]
    assert database.version == seen[-1]


_TRY = """
import fcntl, sys
with open(sys.argv[1], "r+b") as index:
    try:
        fcntl.lockf(index, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 128)
    except BlockingIOError:
        print("locked")
"""


async def test_others_can_tell_that_somebody_has_it_open(database: Database, path: Path) -> None:
    """SQLite takes an index on which nobody has this lock for a dead one's, and cuts it off."""

    async def tried() -> str:
        index = str(path.with_name(f"{path.name}-shm"))
        return (await run([sys.executable, "-c", _TRY, index])).decode().strip()

    assert await tried() == "locked"
    await database.write(lambda connection: insert(connection, "one"))
    assert database.version
    assert await tried() == "locked"
