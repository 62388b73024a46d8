"""Storage that belongs to nothing: begun for what is not stored yet, or left by what is stored no more.

What is made is noted before it is made, and the note goes in the transaction that stores the device or the VM.
What is removed is noted in the transaction that removes the device or the VM, and the note goes when it is gone.
So at any moment storage belongs to somebody or is noted. What is noted when a server starts was left by one that
was killed, and is removed.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import NamedTuple

from vmstead.store.db import Connection, Database


class Kind(StrEnum):
    """What is noted.

    A volume or a file goes by the path that the API has for it, a file system by its name, a snapshot as
    ``<dataset>@<name>``, a domain with its UEFI variables and TPM state by its uuid, and its log by its name.
    """

    VOLUME = "VOLUME"
    FILE = "FILE"
    FIRMWARE = "FIRMWARE"
    LOG = "LOG"
    SNAPSHOT = "SNAPSHOT"
    FILESYSTEM = "FILESYSTEM"
    #: One that was made just now: what somebody has put into it meanwhile keeps it.
    EMPTY_FILESYSTEM = "EMPTY_FILESYSTEM"


class Unfinished(NamedTuple):
    """One note."""

    kind: Kind
    name: str


class UnfinishedStore:
    """The notes, in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Unfinished]:
        """Everything that is noted."""
        rows = self._database.read("SELECT kind, name FROM unfinished ORDER BY rowid")
        return [Unfinished(Kind(str(kind)), str(name)) for kind, name in rows]

    async def note(self, *notes: Unfinished) -> None:
        """Note something before it is made or removed; on the disk when this returns."""
        await self._database.write(noting(notes))

    async def forget(self, *notes: Unfinished) -> None:
        """Drop notes, when what they are about is gone again, or complete."""

        def change(connection: Connection) -> None:
            for each in notes:
                drop(connection, each.name, each.kind)

        await self._database.write(change)


def noting(notes: Sequence[Unfinished]) -> Callable[[Connection], None]:
    """A write that notes something, to be part of the transaction that takes away what it belonged to."""

    def change(connection: Connection) -> None:
        connection.executemany("INSERT OR IGNORE INTO unfinished (kind, name) VALUES (?, ?)", notes)

    return change


def drop(connection: Connection, name: object, *kinds: Kind) -> None:
    """Drop the notes about something, of these kinds, as part of a transaction."""
    connection.executemany(
        "DELETE FROM unfinished WHERE kind = ? AND name = ?", [(kind, name) for kind in kinds]
    )
