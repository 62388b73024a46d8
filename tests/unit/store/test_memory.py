"""What the server remembers of itself."""

import asyncio
from pathlib import Path

from vmstead.store.db import open_database
from vmstead.store.memory import MemoryStore


async def test_the_last_value_is_there_after_opening_anew(tmp_path: Path) -> None:
    database = open_database(tmp_path / "db")
    memory = MemoryStore(database)
    assert memory.get("boot_id") is None
    for value in ("a", "b"):
        await memory.set("boot_id", value)
    await memory.set("other", "c")
    database.close()
    database = open_database(tmp_path / "db")
    assert MemoryStore(database).get("boot_id") == "b"
    database.close()


async def test_what_is_changed_twice_at_once_is_changed_twice(tmp_path: Path) -> None:
    database = open_database(tmp_path / "db")
    memory = MemoryStore(database)
    await asyncio.gather(*(memory.change("count", lambda old: str(int(old or 0) + 1)) for _ in range(5)))
    assert memory.get("count") == "5"
    database.close()
