"""The change of the network that is on trial: a file, and a lock that goes with its holder."""

import asyncio
import contextlib
import fcntl
import os
import signal
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from vmstead.ports.host_network import Change, NetworkError

#: What is here is of this start of the host.
FOLDER = Path("/run/vmstead/network")


class FileTrials:
    """They are kept in a folder, which only root may look into."""

    def __init__(self, folder: Path = FOLDER) -> None:
        self._folder = folder

    def now(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    @asynccontextmanager
    async def turn(self, patience: float = 20.0, *, by_force: bool = False) -> AsyncIterator[None]:
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        # No program that is started meanwhile gets it: the lock would go on with that.
        lock = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            await _locked(lock, patience, by_force=by_force)
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            yield
        finally:
            os.close(lock)

    async def read(self) -> Change | None:
        try:
            text = await asyncio.to_thread(self._file.read_bytes)
        except FileNotFoundError:
            return None
        return msgspec.json.decode(text, type=Change)

    async def write(self, change: Change | None) -> None:
        if change is None:
            await asyncio.to_thread(self._file.unlink, missing_ok=True)
        else:
            await asyncio.to_thread(self._put, msgspec.json.encode(change))
        self._ring()

    @asynccontextmanager
    async def bell(self) -> AsyncIterator[asyncio.Event]:
        rung, loop = asyncio.Event(), asyncio.get_running_loop()
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(FileExistsError):
            os.mkfifo(self._bell, 0o600)
        # Also to be written to: so it does not come to an end with those who ring.
        cord = os.open(self._bell, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

        def ring() -> None:
            with contextlib.suppress(BlockingIOError):
                os.read(cord, 4096)
            rung.set()

        loop.add_reader(cord, ring)
        try:
            yield rung
        finally:
            loop.remove_reader(cord)
            os.close(cord)

    def _ring(self) -> None:
        # Nobody may listen, or not come to it.
        with contextlib.suppress(OSError):
            cord = os.open(self._bell, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            try:
                os.write(cord, b"!")
            finally:
                os.close(cord)

    @property
    def _bell(self) -> Path:
        return self._folder / "bell"

    @property
    def _file(self) -> Path:
        return self._folder / "change.json"

    def _put(self, text: bytes) -> None:
        new = self._folder / "change.new"
        new.write_bytes(text)
        new.replace(self._file)


async def _locked(lock: int, patience: float, *, by_force: bool) -> None:
    """Get the lock: at once, or when whoever has it lets it go or dies."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        waiting = _wait(lock)
        done, _ = await asyncio.wait({waiting}, timeout=patience)
        if not done and not by_force:
            raise NetworkError(
                "somebody else works on the host's network at this moment; try again"
            ) from None
        if not done:
            _end(os.pread(lock, 20, 0))
            await waiting


def _wait(lock: int) -> "asyncio.Future[None]":
    """Wait on a thread that keeps no process from ending."""
    loop = asyncio.get_running_loop()
    got: asyncio.Future[None] = loop.create_future()
    # Of its own: the caller may close the other one before this comes to its end.
    own = os.dup(lock)

    def settle() -> None:
        if not got.done():
            got.set_result(None)

    def wait() -> None:
        try:
            fcntl.flock(own, fcntl.LOCK_EX)
        finally:
            os.close(own)
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=wait, daemon=True, name="network turn").start()
    return got


def _end(holder: bytes) -> None:
    """End a process that works on the network for longer than it may: it is held up, or stopped."""
    with contextlib.suppress(ValueError, ProcessLookupError):
        descriptor = os.pidfd_open(int(holder))
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        finally:
            os.close(descriptor)
