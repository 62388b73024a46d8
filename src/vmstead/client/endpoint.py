"""Where a server is: from what a person writes to what a connection needs."""

import os
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from vmstead.client.errors import ConnectError

_UNIX = "ws+unix://"
_API = "/api/current"
_LEGACY = "/websocket"

#: The two names under which generations of TrueNAS clients know the system's socket.
SYSTEM_SOCKETS = ("/var/run/middleware/middlewared.sock", "/run/middleware/middlewared.sock")


class Endpoint(NamedTuple):
    """One address to connect to.

    Attributes:
        server: what to call it in messages: `ws://host:port` or `ws+unix:///path`; holds no credentials.
        url: what the WebSocket upgrade asks for, `ws://...` or `wss://...` with its path.
        socket: path of the unix socket to connect to, or None for TCP to the host in `url`.
    """

    server: str
    url: str
    socket: str | None

    def shell(self) -> "Endpoint":
        """The serial console of the same server.

        Web proxies in front of a TrueNAS publish it as `/websocket/shell`; a unix socket leads behind any
        proxy, where every server knows it as `/_shell`.
        """
        if self.socket is not None:
            return self._replace(url="ws://localhost/_shell")
        return self._replace(url=self.server + "/websocket/shell")


def default_socket(system: Sequence[str] = SYSTEM_SOCKETS) -> str:
    """The unix socket to use when no address was given.

    `VMSTEAD_SOCKET` decides when it is set. Otherwise it is the first that exists of the system's two and the
    user's own below `XDG_RUNTIME_DIR`; when there is none, the system's, so that connecting fails with its
    name.

    Args:
        system: the system's sockets, in the order of preference.
    """
    chosen = os.environ.get("VMSTEAD_SOCKET")
    if chosen:
        return chosen.removeprefix(_UNIX)
    candidates = list(system)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        candidates.append(os.path.join(runtime, "vmstead", "middlewared.sock"))
    return next((path for path in candidates if os.path.exists(path)), system[0])


def resolve(uri: str | None) -> Endpoint:
    """The address that a URI means.

    Args:
        uri: `ws://host[:port][/path]`, `wss://...`, `ws+unix:///path/of/socket`, or None for
            `default_socket`. Without a path it is `/api/current`. The path `/websocket`, where older servers
            speak an older protocol, is taken as `/api/current` of the same server.

    Raises:
        ConnectError: the URI has another form, or holds a user name or password (they belong into a login).
    """
    if uri is None or uri.startswith(_UNIX):
        path = default_socket() if uri is None else uri.removeprefix(_UNIX)
        if not path.startswith("/"):
            raise ConnectError("The path of a unix socket must be absolute: ws+unix:///path/of/socket")
        return Endpoint(_UNIX + path, "ws://localhost" + _API, path)
    try:
        parts = urlsplit(uri)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ConnectError(f"Not a valid server address: {error}") from None
    if "@" in parts.netloc:
        raise ConnectError("A server address must not contain a user name or password; log in instead")
    if parts.scheme not in ("ws", "wss") or not host:
        raise ConnectError(
            f"Not a valid server address: {uri!r}; "
            "it looks like ws://host:port, wss://host or ws+unix:///path/of/socket"
        )
    server = f"{parts.scheme}://{parts.netloc}"
    path = _API if parts.path.rstrip("/") in ("", _LEGACY) else parts.path
    return Endpoint(server, server + path, None)
