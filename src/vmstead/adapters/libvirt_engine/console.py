"""A domain's serial console as an asynchronous stream, over libvirt's.

Each console has a connection of its own: a stream has no other end that does not wait for a guest that takes
nothing, and what such a guest leaves behind with libvirtd goes with the connection.
"""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import libvirt

from vmstead.adapters.libvirt_engine import binding
from vmstead.ports.engine import EngineError, EngineErrorKind

#: Bytes taken from libvirt at a time.
_CHUNK = 64 * 1024
#: Chunks that may wait for the reader before libvirt is told to hold back.
_QUEUE = 64
#: Seconds between two signs of life, and how many may be missing.
_KEEPALIVE = (5, 4)
_ENDED = libvirt.VIR_STREAM_EVENT_ERROR | libvirt.VIR_STREAM_EVENT_HANGUP

#: How libvirt names the lock of a terminal that somebody else has, where it was built to use locks.
_LOCK = re.compile(r"lock file '(/(?:var|run)/lock/LCK\.\.[\w.-]+)'")


def _open(domain: Any, stream: Any) -> None:
    """Open a domain's first console, whatever has been left of others at the terminal that it has now."""
    try:
        domain.openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
    except libvirt.libvirtError as error:
        lock = _LOCK.search(error.get_error_message() or "")
        if lock is None:
            raise
        # A daemon that was killed leaves its locks, which count for as long as any process has its number. The
        # terminal is this domain's, and its daemon takes it from its own clients: nobody holds the lock.
        try:
            Path(lock[1]).unlink(missing_ok=True)
        except OSError:
            raise error from None
        domain.openConsole(None, stream, libvirt.VIR_DOMAIN_CONSOLE_FORCE)


def _release(connection: Any, stream: Any, *, is_remote: bool) -> None:
    """Give up a stream, or None, with the connection that was made for it.

    Ending the stream would wait until the guest has taken what was sent; the end of its connection does not. A
    driver in this process ends none by itself: it would keep the terminal, and its lock, for good.
    """
    if stream is not None and not is_remote:
        with contextlib.suppress(libvirt.libvirtError):
            stream.abort()
    with contextlib.suppress(libvirt.libvirtError):
        connection.close()


class LibvirtConsole:
    """An open console. ``open`` makes one; its callbacks run on libvirt's event thread."""

    def __init__(
        self, connection: Any, stream: Any, loop: asyncio.AbstractEventLoop, *, is_remote: bool
    ) -> None:
        self._connection = connection
        self._stream = stream
        #: There is a daemon, which ends streams with their connection.
        self._is_remote = is_remote
        self._loop = loop
        self._chunks: asyncio.Queue[bytes] = asyncio.Queue()
        self._writable = asyncio.Event()
        self._closed = False
        self._paused = False
        #: Nothing is told of it any more.
        self._is_over = False

    @classmethod
    async def open(cls, uri: str, uuid: str) -> "LibvirtConsole":
        """Open a domain's first serial console, taking it from whoever holds it. Raises EngineError."""
        loop = asyncio.get_running_loop()

        def connect() -> LibvirtConsole:
            connection = libvirt.open(uri)
            stream, is_remote = None, True
            try:
                is_remote = binding.keep_alive(connection, *_KEEPALIVE)
                domain = connection.lookupByUUIDString(uuid)
                stream = connection.newStream(libvirt.VIR_STREAM_NONBLOCK)
                _open(domain, stream)
                console = cls(connection, stream, loop, is_remote=is_remote)
                stream.eventAddCallback(libvirt.VIR_STREAM_EVENT_READABLE | _ENDED, console._on_event, None)
            except BaseException:
                _release(connection, stream, is_remote=is_remote)
                raise
            return console

        return await binding.call(connect)

    def _on_event(self, stream: Any, events: int, _: object) -> None:
        """Libvirt has something for us. An exception here would be lost, so none may leave."""
        try:
            if events & libvirt.VIR_STREAM_EVENT_READABLE:
                data = stream.recv(_CHUNK)
                if data == b"":
                    events |= libvirt.VIR_STREAM_EVENT_HANGUP
                elif data != -2:
                    self._tell(self._received, data)
            if events & libvirt.VIR_STREAM_EVENT_WRITABLE:
                self._update_events()
                self._tell(self._writable.set)
            if events & _ENDED or self._loop.is_closed():
                self._end(stream)
        except libvirt.libvirtError:
            self._end(stream)

    def _end(self, stream: Any) -> None:
        self._listen_no_more(stream)
        self._tell(self._ended)

    def _ended(self) -> None:
        self._chunks.put_nowait(b"")
        # Whoever waits to write finds out by trying.
        self._writable.set()

    def _listen_no_more(self, stream: Any) -> None:
        """Leave the stream alone: of one that has ended, libvirt tells again and again, as fast as it can."""
        self._is_over = True
        with contextlib.suppress(libvirt.libvirtError):
            stream.eventRemoveCallback()

    def _tell(self, function: Any, *arguments: object) -> None:
        # The server's loop may end before libvirt's does.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)

    def _update_events(self, *, writable: bool = False) -> None:
        if self._is_over:
            return
        events = _ENDED | (0 if self._paused else libvirt.VIR_STREAM_EVENT_READABLE)
        self._stream.eventUpdateCallback(events | (libvirt.VIR_STREAM_EVENT_WRITABLE if writable else 0))

    def _received(self, data: bytes) -> None:
        self._chunks.put_nowait(data)
        if data and not self._paused and self._chunks.qsize() >= _QUEUE:
            self._paused = True
            with contextlib.suppress(libvirt.libvirtError):
                self._update_events()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while not self._closed:
            data = await self._chunks.get()
            if not data:
                return
            if self._paused and self._chunks.empty():
                self._paused = False
                await binding.call(self._update_events)
            yield data

    async def write(self, data: bytes) -> None:
        while data:
            if self._closed:
                raise EngineError(EngineErrorKind.WRONG_STATE, "the console is closed")
            self._writable.clear()
            sent = await binding.call(self._stream.send, data)
            if sent == -2:
                await binding.call(lambda: self._update_events(writable=True))
                await self._writable.wait()
            else:
                data = data[sent:]

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._chunks.put_nowait(b"")
        self._writable.set()

        def end() -> None:
            with contextlib.suppress(libvirt.libvirtError):
                self._stream.eventRemoveCallback()
            # It holds its connection open.
            stream, self._stream = self._stream, None
            _release(self._connection, stream, is_remote=self._is_remote)

        await binding.call(end)
