"""Who may still come in: connections are refused before they take the descriptors that the server itself needs."""

import asyncio
import resource
from collections.abc import Callable
from typing import cast

import structlog
from aiohttp import web

log = structlog.get_logger()

#: Descriptors that are kept for files, programs and the engine: so many, and of large limits this part.
_KEPT, _PART = 64, 8
#: Connections that are taken however low the limit is.
_FEWEST = 8
_ANSWER = (
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain\r\nRetry-After: 5\r\n\r\n"
    b"The server has as many connections as it may. Try again later.\n"
)


def most_connections() -> int:
    """How many connections the limit on open files (``ulimit -n``) leaves room for."""
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit == resource.RLIM_INFINITY:
        limit = 2**20
    return max(_FEWEST, limit - max(_KEPT, limit // _PART))


class Door:
    """Makes the protocol of each new connection: the HTTP server's, or one that refuses.

    Args:
        server: who serves those that are let in.
        most: how many there may be at a time.
    """

    def __init__(self, server: web.Server, most: int | None = None) -> None:
        self._server = server
        self._most = most_connections() if most is None else most
        self._is_full = False

    def __call__(self) -> asyncio.BaseProtocol:
        is_full = len(self._server.connections) >= self._most
        if is_full and not self._is_full:
            log.warning("connections are refused: there are as many as there may be", connections=self._most)
        self._is_full = is_full
        return _Refusal() if is_full else self._server()


class _Refusal(asyncio.Protocol):
    """Says no and hangs up."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        connection = cast("asyncio.Transport", transport)
        connection.write(_ANSWER)
        connection.close()


#: What listens asks for the protocol of each connection.
Factory = Callable[[], asyncio.BaseProtocol]
