"""What the server remembers of itself from one start to the next."""

from collections.abc import Callable

from vmstead.store.db import Connection, Database

#: Name under which the start of the host is kept whose guests were last started with it.
LAST_BOOT = "boot_id"


class MemoryStore:
    """Names and values, in a database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @property
    def failure(self) -> str | None:
        """Why the last change of anything that is stored was not taken by the disk; None when it was."""
        return self._database.failure

    def get(self, name: str) -> str | None:
        """What was remembered under a name."""
        rows = self._database.read("SELECT value FROM memory WHERE name = ?", (name,))
        return str(rows[0][0]) if rows else None

    async def set(self, name: str, value: str) -> None:
        """Remember something, in place of what was there."""
        await self.change(name, lambda _: value)

    async def change(self, name: str, change: Callable[[str | None], str]) -> None:
        """Remember what ``change`` makes of what was there; what two callers change at once, both have changed."""

        def write(connection: Connection) -> None:
            row = connection.execute("SELECT value FROM memory WHERE name = ?", (name,)).fetchone()
            value = change(str(row[0]) if row else None)
            connection.execute("INSERT OR REPLACE INTO memory (name, value) VALUES (?, ?)", (name, value))

        await self._database.write(write)
