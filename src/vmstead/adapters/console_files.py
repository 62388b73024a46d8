"""The console logs as files: a folder for each VM, which nobody but the server may enter."""

import asyncio
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import structlog

from vmstead.adapters._bounded import bound

T = TypeVar("T")

log = structlog.get_logger()

#: The file that is written now, and that of the run before.
_CURRENT, _PREVIOUS = "serial.log", "previous.log"


class ConsoleFiles:
    """The logs below a folder, which is made when the first is.

    A log daemon of libvirt's may move a file that has become large aside, to ``serial.log.0`` and so on, and begin
    a new one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def begin(self, uuid: str) -> Path | None:
        return await _quietly(uuid, None, self._begin, uuid)

    def _begin(self, uuid: str) -> Path:
        folder = self._folder / uuid
        self._folder.mkdir(mode=0o700, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        current = folder / _CURRENT
        # A start that failed has written nothing, and takes nobody's place.
        if current.exists() and current.stat().st_size > 0:
            current.replace(folder / _PREVIOUS)
        for older in folder.glob(f"{_CURRENT}.*"):
            older.unlink(missing_ok=True)
        # Made here and not by the engine, so that it is the server's own whoever the engine runs as.
        os.close(os.open(current, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        return current

    async def length(self, uuid: str) -> int:
        return await _quietly(uuid, 0, _length, self._folder / uuid / _CURRENT)

    async def tail(self, uuid: str, limit: int, end: int) -> bytes:
        return await _quietly(uuid, b"", self._tail, uuid, limit, end)

    def _tail(self, uuid: str, limit: int, end: int) -> bytes:
        current = self._folder / uuid / _CURRENT
        data = _last(current, limit, end)
        if len(data) == min(limit, end):
            older = current.with_name(f"{_CURRENT}.0")
            if len(data) < limit and older.exists():
                data = _last(older, limit - len(data), older.stat().st_size) + data
        return data

    async def previous(self, uuid: str, limit: int) -> bytes:
        return await _quietly(uuid, b"", self._read_previous, uuid, limit)

    def _read_previous(self, uuid: str, limit: int) -> bytes:
        path = self._folder / uuid / _PREVIOUS
        return _last(path, limit, path.stat().st_size) if path.exists() else b""

    async def trim(self, uuid: str) -> None:
        await _quietly(uuid, None, bound, self._folder / uuid / _CURRENT)

    async def remove(self, uuid: str) -> None:
        def remove() -> None:
            folder = self._folder / uuid
            if folder.exists():
                shutil.rmtree(folder)

        await _quietly(uuid, None, remove)


def _length(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _last(path: Path, limit: int, end: int) -> bytes:
    with path.open("rb") as file:
        begin = max(0, end - limit)
        file.seek(begin)
        return file.read(end - begin)


async def _quietly(uuid: str, otherwise: T, function: Callable[..., T], *arguments: object) -> T:
    """Run on a thread; what the file system refuses is logged, and is the console's loss alone."""
    try:
        return await asyncio.to_thread(function, *arguments)
    except OSError as error:
        log.warning("a console log cannot be used", uuid=uuid, file=error.filename, reason=error.strerror)
        return otherwise
