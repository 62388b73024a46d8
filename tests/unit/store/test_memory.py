"""What the server remembers of itself."""

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
