"""The database: one SQLite file, read where the caller stands, written by one thread.

Reading a row takes microseconds, so reads happen on the event loop, through a connection that cannot write.
Writes go one after the other through a thread, because each waits for the disk: the journal is synced before
a write counts as done (``synchronous=FULL``), so that what was answered survives a power cut.
"""

import asyncio
import contextlib
import errno
import mmap
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote

from vmstead.errors import CallError

T = TypeVar("T")
Connection = sqlite3.Connection
Row = tuple[object, ...]
DatabaseError = sqlite3.Error
IntegrityError = sqlite3.IntegrityError


#: Bytes of the header of the log's index.
_INDEX_HEADER = 48


class Busy(sqlite3.OperationalError):
    """Somebody else is writing."""


class DatabaseTooNew(DatabaseError):
    """The file was written by a later version of the program."""


class Database:
    """An open database. ``open_database`` makes one."""

    def __init__(self, path: Path, reader: Connection, writer: Connection) -> None:
        self.path = path
        self._reader = reader
        self._writer = writer
        self._index = _Index(path, reader)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="database")
        #: Why the last change was not taken by the disk; None when it was.
        self.failure: str | None = None

    def read(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        """Rows as of the last finished write. A number that SQLite cannot hold is in none of them."""
        try:
            return self._reader.execute(sql, parameters).fetchall()
        except OverflowError:
            return []

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything that is read during the block is of one moment."""
        self._reader.execute("BEGIN")
        try:
            yield
        finally:
            self._reader.execute("COMMIT")

    @property
    def version(self) -> bytes:
        """Something that differs from an earlier one when anything was written in between, by any process.

        It is read before every message of every client, so SQLite itself is not asked, which would take two locks
        of the file for it.
        """
        return self._index.header

    async def write(self, change: Callable[[Connection], T]) -> T:
        """Run ``change`` in one transaction: all of it is kept, or, when it raises, nothing.

        The transaction is finished even when the waiting task is cancelled.

        Raises:
            CallError: ENOSPC or EIO, when the disk does not take it; ERANGE, when a number has more than 64 bits.
        """
        return await asyncio.shield(
            asyncio.get_running_loop().run_in_executor(self._thread, self._transact, change)
        )

    def write_now(self, change: Callable[[Connection], T]) -> T:
        """The same without an event loop, for commands that do nothing else."""
        return self._transact(change)

    def _transact(self, change: Callable[[Connection], T]) -> T:
        try:
            result = transaction(self._writer, change)
        except OverflowError:
            raise CallError("A number is too large to be stored", errno.ERANGE) from None
        except sqlite3.OperationalError as error:
            self.failure = str(error)
            number = errno.ENOSPC if "full" in str(error) else errno.EIO
            raise CallError(f"The database {self.path} could not be written: {error}", number) from error
        self.failure = None
        return result

    def close(self) -> None:
        """Finish what is being written and close the file."""
        self._thread.shutdown()
        self._reader.close()
        self._writer.close()
        self._index.close()


def open_database(path: Path, steps: Mapping[int, str] | None = None, application: int = 0) -> Database:
    """Open the database, creating it or bringing it up to date first, by the program's own ``migrations``.

    Before an existing file is migrated, a copy of it is put beside it, named after its version. ``application`` is
    what the file says that it is from now on. Whether it is sound is looked at before (``store/soundness.py``).

    Raises:
        DatabaseTooNew: a later version of the program wrote it.
        OSError, sqlite3.Error: it cannot be opened.
    """
    writer = connect(made(path))
    try:
        # Ten seconds of patience: `vmstead user add` and the server may write at the same time.
        writer.execute("PRAGMA journal_mode=WAL")
        writer.execute("PRAGMA synchronous=FULL")
        writer.execute("PRAGMA foreign_keys=ON")
        migrate(writer, path, migrations() if steps is None else steps)
        mark(writer, application)
        reader = connect(path)
        reader.execute("PRAGMA query_only=ON")
    except BaseException:
        writer.close()
        raise
    return Database(path, reader, writer)


class _Index:
    """The beginning of the index of the log, which is memory that all processes share.

    See https://www.sqlite.org/walformat.html#the_wal_index_header: a counter of transactions is in it, the length
    of the log and its checksums. A commit changes it at the moment from which others can read what was committed.

    Whoever closes any descriptor of a file gives up all locks of the process on it (fcntl(2)), SQLite's too,
    without which another process would take the index for a dead one's and cut it off. So it is closed last.
    """

    def __init__(self, path: Path, reader: Connection) -> None:
        # SQLite makes the file at the first read, and it stays for as long as anybody has the database open.
        reader.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        self._file = os.open(path.with_name(f"{path.name}-shm"), os.O_RDONLY | os.O_CLOEXEC)
        self._memory = mmap.mmap(self._file, _INDEX_HEADER, prot=mmap.PROT_READ)

    @property
    def header(self) -> bytes:
        """As it is now."""
        return self._memory[:_INDEX_HEADER]

    def close(self) -> None:
        """Give it up, when no connection needs its locks any more."""
        self._memory.close()
        os.close(self._file)


def transaction(connection: Connection, change: Callable[[Connection], T]) -> T:
    """Run ``change`` in one transaction of a connection: all of it is kept, or, when it raises, nothing.

    Raises:
        Busy: somebody else was writing for longer than the connection waits.
        DatabaseError: the disk does not take it.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname == "SQLITE_BUSY":
            raise Busy(str(error)) from None
        raise
    try:
        result = change(connection)
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors, such as a full disk.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return result


def connect(path: Path) -> Connection:
    """A connection that waits ten seconds for others, and begins transactions only when told to."""
    return sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)


def connect_to_read(path: Path) -> Connection:
    """A connection that cannot write to the file, nor move the log into it when it is closed."""
    return sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=10, isolation_level=None)


def copy_of(path: Path, target: Path) -> None:
    """Copy a database as of one moment, also while others write to it; the copy is one file, its owner's alone.

    See https://www.sqlite.org/backup.html.
    """
    target.touch(mode=0o600)
    with contextlib.closing(connect_to_read(path)) as source, contextlib.closing(connect(target)) as copy:
        # In one piece: what is written meanwhile is not in it, rather than making it begin anew.
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")


def made(path: Path) -> Path:
    """The file, readable by its owner alone; made if it is not there, and never seen empty."""
    if not path.exists():
        part = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
        try:
            part.touch(mode=0o600)
            with contextlib.closing(connect(part)) as connection:
                # Writes the first page.
                connection.execute("VACUUM")
            # Whoever was quicker, perhaps another process, has made the one that counts.
            with contextlib.suppress(FileExistsError):
                _put(part, path)
        finally:
            part.unlink(missing_ok=True)
    return path


def _put(part: Path, path: Path) -> None:
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:
        # A file system without such links.
        if not path.exists():
            part.rename(path)


def mark(connection: Connection, application: int) -> None:
    """Let a file say whose it is."""
    if application and connection.execute("PRAGMA application_id").fetchone()[0] == 0:
        connection.execute(f"PRAGMA application_id = {application}")


def migrations(folder_name: str = "migrations") -> dict[int, str]:
    """The steps from an empty file to today's schema, by the version each leads to."""
    folder = resources.files("vmstead.store") / folder_name
    scripts = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    steps = {int(name.partition("_")[0]): (folder / name).read_text() for name in scripts}
    assert len(steps) == len(scripts), f"two steps lead to one version: {', '.join(scripts)}"
    return steps


def migrate(connection: Connection, path: Path, steps: Mapping[int, str]) -> None:
    """Bring the schema up to date, each step in a transaction of its own."""
    version = _version(connection)
    if version > max(steps):
        raise DatabaseTooNew(
            f"{path} has version {version}, this program knows up to {max(steps)}: "
            "it was written by a later version of Vmstead"
        )
    if 0 < version < max(steps):
        _back_up(connection, path.with_name(f"{path.name}.v{version}"))
    for step in sorted(step for step in steps if step > version):
        _take(step, steps[step], connection)


def _version(connection: Connection) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    return version


def _back_up(connection: Connection, target: Path) -> None:
    target.touch(mode=0o600)
    with contextlib.closing(sqlite3.connect(target)) as copy:
        connection.backup(copy)


def _take(step: int, script: str, connection: Connection) -> None:
    """Take one step, unless it has been taken, perhaps by another process at this moment."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        if _version(connection) < step:
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {step}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _statements(script: str) -> Iterator[str]:
    """The statements of a script, of which each ends a line. ``executescript`` cannot run in a transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement
