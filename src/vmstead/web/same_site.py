"""Pages of other servers are kept out: browsers let any page connect to any address, and say whose page it is."""

import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

_DEFAULT_PORTS = {"http": 80, "https": 443}


def same_site(allowed: Iterable[str]) -> Middleware:
    """Refuses requests that a page of another server makes, but for the ``allowed`` origins.

    Programs other than browsers send no ``Origin``, or that of the address they connect to. On a unix socket there
    are no browsers, and clients make up a host.
    """
    welcome = {place for place in map(_place, allowed) if place is not None}

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        origins = request.headers.getall("Origin", ())
        places = [_place(each) for each in origins]
        if all(place in welcome or _is_own(request, place) for place in places) or _is_local(request):
            return await handler(request)
        return web.Response(status=403, text=_REFUSAL)

    return check


_REFUSAL = (
    "Pages of other servers cannot connect here. Behind a proxy, pass on the Host header, or allow the origin with "
    "the setting origins.\n"
)


def _place(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an origin; None of what is none, such as ``null``."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname or parts.path.rstrip("/") or parts.query:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]


def _is_own(request: web.Request, place: tuple[str, str, int] | None) -> bool:
    if place is None:
        return False
    scheme = place[0]
    # A page that came unencrypted may be anybody's. The other way round there is a proxy in front.
    if request.secure and scheme == "http":
        return False
    return _place(f"{scheme}://{request.headers.get('Host', '')}") == place


def _is_local(request: web.Request) -> bool:
    assert request.transport is not None
    connection: socket.socket = request.transport.get_extra_info("socket")
    return connection.family == socket.AF_UNIX
