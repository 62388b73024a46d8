"""TLS on a TCP port. Who speaks plain HTTP to it is told where to go instead of being cut off."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Coroutine

import structlog
from aiohttp import web

from vmstead.addresses import Address
from vmstead.kernel.clock import Clock, within
from vmstead.web.door import Factory

log = structlog.get_logger()

#: The first byte of a TLS connection: a handshake record.
_HANDSHAKE = b"\x16"
#: Seconds for the first byte, and for the handshake.
_PATIENCE = 15.0
#: Seconds to wait when no more connections can be taken.
_PAUSE = 1.0


class TlsListener:
    """Accepts connections for an HTTP server.

    Args:
        server: makes what serves each of them once it is encrypted.
        tls: with what.
        backlog: connections that may wait to be accepted.
    """

    def __init__(self, server: Factory, tls: ssl.SSLContext, clock: Clock, backlog: int) -> None:
        self._server = server
        self._tls = tls
        self._clock = clock
        self._backlog = backlog
        self._plain = web.Server(_answer_plain, access_log=None)
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self, address: Address) -> int:
        """Listen at every address that the host's name stands for; returns the port.

        Raises:
            OSError: it is taken, or not this machine's.
        """
        port = address.port
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(
            address.host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        try:
            for family, kind, proto, _, (host, _, *rest) in dict.fromkeys(found):
                listener = socket.socket(family, kind, proto)
                self._sockets.append(listener)
                listener.setblocking(False)
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    # IPv4 has a socket of its own.
                    listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                listener.bind((host, port, *rest))
                port = port or listener.getsockname()[1]
                listener.listen(self._backlog)
        except OSError:
            self._close_sockets()
            raise
        for listener in self._sockets:
            self._start(self._accept(listener))
        return port

    async def close(self) -> None:
        """Accept nothing more. Connections that are served go on."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        self._close_sockets()
        await self._plain.shutdown(0)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, _ = await loop.sock_accept(listener)
            except OSError as error:
                # Usually there are no file descriptors left, which passes.
                log.warning("a connection was not accepted", reason=error.strerror)
                await self._pause()
                continue
            self._start(self._greet(connection))

    async def _pause(self) -> None:
        over = asyncio.get_running_loop().create_future()
        timer = self._clock.call_later(_PAUSE, lambda: over.set_result(None))
        try:
            await over
        finally:
            timer.cancel()

    async def _greet(self, connection: socket.socket) -> None:
        """Look at the first byte, and hand the connection on to who speaks that."""
        loop = asyncio.get_running_loop()
        first = await self._first_byte(connection)
        # It has gone, says nothing, or wants a TLS that is not offered: the client's own matter.
        with contextlib.suppress(OSError):
            if first == _HANDSHAKE:
                await loop.connect_accepted_socket(
                    self._server, connection, ssl=self._tls, ssl_handshake_timeout=_PATIENCE
                )
            elif first:
                await loop.connect_accepted_socket(self._plain, connection)

    async def _first_byte(self, connection: socket.socket) -> bytes:
        """What the client begins with, which stays to be read. Without that, the connection is closed."""
        first = b""
        try:
            connection.setblocking(False)
            first = await within(self._clock, _PATIENCE, asyncio.ensure_future(_peek(connection)))
        except (OSError, TimeoutError):
            return b""
        else:
            return first
        finally:
            if not first:
                connection.close()

    def _start(self, coroutine: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _close_sockets(self) -> None:
        for listener in self._sockets:
            listener.close()
        self._sockets.clear()


async def _peek(connection: socket.socket) -> bytes:
    """The first byte that comes, which stays to be read; nothing when the connection ends."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)
    return connection.recv(1, socket.MSG_PEEK)


async def _answer_plain(request: web.BaseRequest) -> web.StreamResponse:
    """Send a browser to the same address with TLS, and tell everybody else."""
    host = request.headers.get("Host", "")
    if request.method in ("GET", "HEAD") and host and "Upgrade" not in request.headers:
        return web.Response(status=308, headers={"Location": f"https://{host}{request.raw_path}"})
    return web.Response(status=400, text="This port speaks TLS: connect with https:// or wss://.\n")
