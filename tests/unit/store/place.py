"""A state folder with everything that a backup holds, for tests of saving it and putting it back."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmstead.store.backup import back_up
from vmstead.store.db import migrations
from vmstead.store.files import open_settings
from vmstead.store.restore import Restored, restore

UUID, GONE = "3f0c2f4e-5b1d-4a55-9b6e-000000000001", "3f0c2f4e-5b1d-4a55-9b6e-000000000002"


@dataclass
class Place:
    """A state folder and what belongs to it elsewhere."""

    root: Path

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def settings(self) -> Path:
        return self.root / "etc/vmstead.toml"

    @property
    def tpms(self) -> dict[str, Path]:
        return {"system": self.root / "swtpm"}

    @property
    def file(self) -> Path:
        return self.root.parent / "saved.vmstead"

    def fill(self, word: str) -> "Place":
        """Everything that is saved, with a word in each."""
        for folder in (self.state / "nvram", self.settings.parent, self.tpms["system"] / UUID / "tpm2"):
            folder.mkdir(parents=True, exist_ok=True)
        with closing(open_settings(self.state)) as database:
            database.write_now(lambda connection: store(connection, word))
        (self.state / "secret.key").write_text(f"key {word}")
        (self.state / "nvram" / f"{UUID}_VARS.fd").write_text(f"variables {word}")
        (self.tpms["system"] / UUID / "tpm2/tpm2-00.permall").write_text(f"tpm {word}")
        self.settings.write_text(f'login_banner = "{word}"\n')
        return self

    def words(self) -> dict[str, str]:
        """What is in each; without those that are beside it from before."""
        with closing(open_settings(self.state)) as database:
            [(stored,)] = database.read("SELECT value FROM memory WHERE name = 'word'")
        return {
            "database": str(stored),
            "key": (self.state / "secret.key").read_text().removeprefix("key "),
            "nvram": (self.state / "nvram" / f"{UUID}_VARS.fd").read_text().removeprefix("variables "),
            "tpm": (self.tpms["system"] / UUID / "tpm2/tpm2-00.permall").read_text().removeprefix("tpm "),
        }

    def tree(self) -> dict[str, bytes]:
        """All files, but for the lock."""
        return {
            str(each.relative_to(self.root)): each.read_bytes()
            for each in sorted(self.root.rglob("*"))
            if each.is_file() and each.name != "lock"
        }

    def save(self, **options: Any) -> Path:
        back_up(self.state, self.file, settings=self.settings, tpms=self.tpms, **options)
        return self.file

    def restore(self, stamp: str = "now", **options: Any) -> Restored:
        return restore(self.state, self.file, settings=self.settings, tpms=self.tpms, stamp=stamp, **options)


def store(connection: Any, word: str) -> None:
    connection.execute("INSERT OR REPLACE INTO memory VALUES ('word', ?)", (word,))
    text = (Path(__file__).parent / f"schemas/v{max(migrations())}.sql").read_text()
    [row] = [line for line in text.splitlines() if line.startswith('INSERT INTO "vm" ')]
    connection.execute(row.replace("INSERT", "INSERT OR IGNORE"))


def all_are(word: str) -> dict[str, str]:
    return dict.fromkeys(("database", "key", "nvram", "tpm"), word)
