"""A database that entries are appended to, where the caller stands: a file of its own, so that nobody else writes.

An append is a few microseconds' write into the system's file cache. It survives the end of this process, however
sudden, from then on; a thread brings it to the disk within milliseconds.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import structlog

from vmstead.store.db import Connection, connect, made, mark, migrate, migrations, transaction

log = structlog.get_logger()
T = TypeVar("T")


class Journal:
    """An open journal. ``open_journal`` makes one."""

    def __init__(self, path: Path, connection: Connection) -> None:
        self.path = path
        self._connection = connection
        self._syncing: asyncio.Task[None] | None = None
        self._is_dirty = False

    def read(self, sql: str, parameters: tuple[object, ...] = ()) -> list[tuple[object, ...]]:
        """Rows as of the last append."""
        return self._connection.execute(sql, parameters).fetchall()

    def append(self, change: Callable[[Connection], T]) -> T:
        """Run ``change`` in one transaction.

        Raises:
            Busy: something else is writing at this moment.
            DatabaseError: the disk does not take it.
        """
        result = transaction(self._connection, change)
        self._is_dirty = True
        if self._syncing is None:
            self._syncing = asyncio.get_running_loop().create_task(self._sync(), name="syncing a journal")
        return result

    async def aside(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a thread, in a transaction of a connection of its own, which waits for others."""
        return await asyncio.to_thread(self.aside_now, work)

    def aside_now(self, work: Callable[[Connection], T]) -> T:
        """The same without an event loop. What it has written is on the disk when it returns."""
        with closing(connect(self.path)) as connection:
            return transaction(connection, work)

    async def read_aside(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` in a thread, on a connection of its own that cannot write: for what reads many rows."""
        return await asyncio.to_thread(self._read_aside, work)

    def _read_aside(self, work: Callable[[Connection], T]) -> T:
        with closing(connect(self.path)) as connection:
            connection.execute("PRAGMA query_only=ON")
            return work(connection)

    async def tidy(self) -> None:
        """Move what was appended from the log into the file, so that the log does not grow."""
        await asyncio.to_thread(self._tidy)

    def _tidy(self) -> None:
        with closing(connect(self.path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    async def settled(self) -> None:
        """Wait until everything that was appended is on the disk."""
        while self._syncing is not None:
            await asyncio.wait([self._syncing])

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    async def _sync(self) -> None:
        try:
            while self._is_dirty:
                self._is_dirty = False
                await asyncio.to_thread(self._sync_log)
        except OSError as error:
            log.error("a journal could not be synced", path=str(self.path), reason=error.strerror)  # noqa: TRY400
        finally:
            self._syncing = None

    def _sync_log(self) -> None:
        with self.path.with_name(f"{self.path.name}-wal").open("rb") as file:
            os.fdatasync(file.fileno())


def open_journal(path: Path, folder: str, application: int = 0) -> Journal:
    """Open a journal, creating it or bringing it up to date first, by the migrations of that folder.

    Raises:
        DatabaseTooNew: a later version of the program wrote it.
        OSError, DatabaseError: it cannot be opened.
    """
    connection = connect(made(path))
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        migrate(connection, path, migrations(folder))
        mark(connection, application)
        # Here nobody waits for the disk, nor for others: what takes longer happens in threads.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA wal_autocheckpoint=0")
        connection.execute("PRAGMA busy_timeout=0")
    except BaseException:
        connection.close()
        raise
    return Journal(path, connection)
