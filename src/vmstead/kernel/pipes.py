"""Bytes on their way between a job and an HTTP request: what it uploads to the job, or downloads from it.

Each end is used by one party. The writer waits while the reader is behind, unless the pipe is spooled: then what
is written goes to a file that has no name, and the job can end before anybody reads.
"""

import asyncio
import os
import tempfile
import weakref
from collections import deque
from collections.abc import AsyncIterator, Awaitable
from typing import IO

#: Bytes that may wait for the reader, and that are read from a spool at a time.
_CAPACITY = 1024 * 1024
#: Bytes that are kept of what is spooled.
SPOOL = 64 * 1024 * 1024


class PipeBroken(Exception):
    """The other end is gone. The text says why."""


class Pipe:
    """Passes bytes on in memory."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._waiting = 0
        self._changed = asyncio.Event()
        self._ended = False
        self._broken: str | None = None
        self._taken = False

    def take(self) -> bool:
        """Become the reader from outside. False when there was one before, or when it is too late."""
        if self._taken or self._broken is not None:
            return False
        self._taken = True
        return True

    def expire(self) -> None:
        """Break, if nobody has become the reader yet."""
        if not self._taken:
            self.fail("nobody came to fetch it in time")

    def end(self) -> None:
        """All has been written."""
        self._ended = True
        self._changed.set()

    def fail(self, reason: str) -> None:
        """Break: the other end is told at its next step. After ``end``, nothing is left to break for a writer."""
        if self._broken is None:
            self._broken = reason
        self._changed.set()

    async def write(self, data: bytes) -> None:
        """Pass bytes on. Raises PipeBroken."""
        while self._waiting >= _CAPACITY and self._broken is None:
            await self._change()
        self._raise_if_broken()
        self._pieces.append(data)
        self._waiting += len(data)
        self._changed.set()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Yields what is written, until its end. Raises PipeBroken."""
        while True:
            while self._pieces:
                piece = self._pieces.popleft()
                self._waiting -= len(piece)
                self._changed.set()
                yield piece
            if self._ended:
                return
            self._raise_if_broken()
            await self._change()

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    def _raise_if_broken(self) -> None:
        if self._broken is not None:
            raise PipeBroken(self._broken)


class SpooledPipe(Pipe):
    """Passes bytes on through a file, so that a writer of no more than that holds never waits for the reader.

    One that writes more waits for the rest: a file with terabytes of holes must not fill the host's disk.
    """

    def __init__(self) -> None:
        super().__init__()
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed on the next line
        # Nobody knows who is the last to need it.
        weakref.finalize(self, self._file.close)
        #: Bytes that were written, and those of them that were read; each lies at its number modulo SPOOL.
        self._written = self._read = 0

    async def write(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            while self._written - self._read >= SPOOL and self._broken is None:
                await self._change()
            self._raise_if_broken()
            piece = left[: self._room(self._written, SPOOL - (self._written - self._read))]
            await asyncio.to_thread(os.pwrite, self._file.fileno(), piece, self._written % SPOOL)
            self._written += len(piece)
            left = left[len(piece) :]
            self._changed.set()
        if self._broken is not None:
            # It may have been given back while the last piece was on its way.
            self._give_back()
        self._raise_if_broken()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            while self._read < self._written and self._broken is None:
                count = self._room(self._read, self._written - self._read)
                piece = await asyncio.to_thread(os.pread, self._file.fileno(), count, self._read % SPOOL)
                self._read += len(piece)
                self._changed.set()
                yield piece
            if self._ended and self._read == self._written:
                self._give_back()
                return
            self._raise_if_broken()
            await self._change()

    def fail(self, reason: str) -> None:
        """As of any pipe; what was written takes no more room."""
        super().fail(reason)
        self._give_back()

    def _room(self, at: int, most: int) -> int:
        return min(most, SPOOL - at % SPOOL, _CAPACITY)

    def _give_back(self) -> None:
        if not self._file.closed:
            os.truncate(self._file.fileno(), 0)


async def send_file(opened: Awaitable[IO[bytes]], pipe: Pipe) -> None:
    """Write a file into a pipe, as long as it is at the beginning, and close it. Raises PipeBroken and OSError."""
    opening = asyncio.ensure_future(opened)
    try:
        file = await asyncio.shield(opening)
    except asyncio.CancelledError:
        (await opening).close()
        raise
    with file:
        left = os.fstat(file.fileno()).st_size
        while left and (piece := await asyncio.to_thread(file.read, min(left, _CAPACITY))):
            await pipe.write(piece)
            left -= len(piece)
