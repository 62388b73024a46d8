"""What is known of the datasets of pools that are folders: one file of JSON in each pool."""

import json
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vmstead.adapters._sparse import make_folders
from vmstead.adapters.places import VOLUMES, real
from vmstead.adapters.real_paths import is_folder, open_at, replace_at
from vmstead.ports.pools import DatasetKind

_FILE = ".datasets.json"
#: Held while a file is read and written again; a process has one pool only once.
_writing = threading.Lock()


class DatasetNotes:
    """Properties by dataset. All methods block."""

    def __init__(self, pools: Mapping[str, Path]) -> None:
        self._pools = dict(pools)

    def of(self, name: str) -> dict[str, Any]:
        """The properties of a dataset. Raises OSError."""
        return dict(self._read(name.partition("/")[0]).get(name, {}))

    def names(self, pool: str) -> list[str]:
        """Every dataset of a pool that something is known of."""
        return [*self._read(pool)]

    def is_filesystem(self, name: str) -> bool:
        """Whether it was made as a file system, and is there. Raises OSError."""
        return self.of(name).get("kind") == DatasetKind.FILESYSTEM and is_folder(self.folder(name))

    def folder(self, name: str) -> Path:
        """Where a file system lies. The name has been checked; below the pool's folder no link leads there."""
        pool, _, rest = name.partition("/")
        return real(self._pools[pool], may_be_missing=True).joinpath(*rest.split("/"))

    def set(self, name: str, properties: Mapping[str, object]) -> None:
        """Change properties; None takes one away, those left out stay. Raises OSError."""
        pool = name.partition("/")[0]
        with _writing:
            known = self._read(pool)
            merged = {**known.get(name, {}), **properties}
            known[name] = {key: value for key, value in merged.items() if value is not None}
            self._write(pool, known)

    def forget(self, name: str) -> None:
        """Forget a dataset. Raises OSError."""
        pool = name.partition("/")[0]
        with _writing:
            known = self._read(pool)
            if known.pop(name, None) is not None:
                self._write(pool, known)

    def _read(self, pool: str) -> dict[str, dict[str, Any]]:
        try:
            known: dict[str, dict[str, Any]] = json.loads(self._file(pool).read_text())
        except FileNotFoundError:
            return {}
        return known

    def _write(self, pool: str, known: Mapping[str, object]) -> None:
        """All at once, and on the disk when this returns."""
        file = self._file(pool)
        make_folders(file.parent)
        new = file.with_suffix(".new")
        with open(open_at(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), "w") as stream:
            json.dump(known, stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        replace_at(new, file)

    def _file(self, pool: str) -> Path:
        return real(self._pools[pool], may_be_missing=True) / VOLUMES / _FILE
