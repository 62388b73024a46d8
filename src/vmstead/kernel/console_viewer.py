"""One viewer of a serial console, and the output that waits for it."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable

#: Bytes that may wait for a viewer. Of more, the oldest are skipped, and a mark says how many.
BACKLOG = 256 * 1024
#: Bytes that are handed out at a time.
_PIECE = 16 * 1024


class Viewer:
    """Iterate over it for the output, from the scrollback on; the iteration ends when ``end`` was called.

    Attributes:
        id: what ``core.resize_shell`` knows it by.
        size: columns and rows of its terminal, once they were told. A serial line cannot tell the guest.
        reason: why there is no more output; empty as long as there may be.
    """

    def __init__(
        self,
        scrollback: bytes,
        write: Callable[[bytes], Awaitable[None]],
        on_close: Callable[["Viewer"], None],
    ) -> None:
        self.id = str(uuid.uuid4())
        self.size: tuple[int, int] | None = None
        self.reason = ""
        self._write = write
        self._on_close = on_close
        self._pending = bytearray(scrollback)
        self._skipped = 0
        self._wake = asyncio.Event()
        if scrollback:
            self._wake.set()

    def feed(self, data: bytes) -> None:
        """Take note of output. Never waits: what a slow viewer does not take is skipped."""
        if self.reason:
            return
        self._pending += data
        excess = len(self._pending) - BACKLOG
        if excess > 0:
            del self._pending[:excess]
            self._skipped += excess
        self._wake.set()

    def end(self, reason: str) -> None:
        """Take note that no more will come; what waits is still handed out."""
        self.reason = self.reason or reason
        self._wake.set()

    def __aiter__(self) -> "Viewer":
        return self

    async def __anext__(self) -> bytes:
        while not self._pending:
            if self.reason:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        mark = b""
        if self._skipped:
            mark, self._skipped = _mark(self._skipped), 0
        data = bytes(self._pending[:_PIECE])
        del self._pending[:_PIECE]
        return mark + data

    async def write(self, data: bytes) -> None:
        """Type into the console; waits while the guest takes nothing. Raises EngineError when it is gone."""
        await self._write(data)

    def close(self) -> None:
        """Stop viewing."""
        self._on_close(self)


def _mark(count: int) -> bytes:
    return f"\r\n[... {count} bytes skipped: this viewer was too slow ...]\r\n".encode()
