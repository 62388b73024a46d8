"""Storage that was begun for a VM that is not stored yet.

It is noted before it is made. The note goes in the same transaction that stores the device or the VM, so at any
moment storage belongs to somebody or is noted. What is noted when a server starts was left by one that was
killed.
"""

from enum import StrEnum
from typing import NamedTuple

from vmstead.store.db import Connection, Database


class Kind(StrEnum):
    """What was begun: a volume or a file, by the path that the API has for it, or firmware state, by uuid."""

    VOLUME = "VOLUME"
    FILE = "FILE"
    FIRMWARE = "FIRMWARE"


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

    async def note(self, kind: Kind, name: str) -> None:
        """Note something before it is made; on the disk when this returns."""

        def change(connection: Connection) -> None:
            connection.execute("INSERT OR IGNORE INTO unfinished (kind, name) VALUES (?, ?)", (kind, name))

        await self._database.write(change)

    async def forget(self, kind: Kind, name: str) -> None:
        """Drop a note, when what it is about is gone again."""
        await self._database.write(lambda connection: drop(connection, name, kind))


def drop(connection: Connection, name: object, *kinds: Kind) -> None:
    """Drop the notes about something, of these kinds, as part of a transaction."""
    connection.executemany(
        "DELETE FROM unfinished WHERE kind = ? AND name = ?", [(kind, name) for kind in kinds]
    )
