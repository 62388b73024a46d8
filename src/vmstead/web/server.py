"""The routes, and the sockets they are served on."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from functools import cached_property, partial
from pathlib import Path

import msgspec
from aiohttp import web

from vmstead import __version__
from vmstead.addresses import Address
from vmstead.rpc.caller import Origin
from vmstead.rpc.codec import Codec, JsonRpc
from vmstead.rpc.legacy import Legacy
from vmstead.system.accounts import by_unix_peer
from vmstead.web.application import Api, Application
from vmstead.web.console import serve_console
from vmstead.web.display import serve_display
from vmstead.web.door import Door
from vmstead.web.health import serve_health
from vmstead.web.metrics import serve_metrics
from vmstead.web.page import Page
from vmstead.web.peer import origin_of
from vmstead.web.same_site import same_site
from vmstead.web.session import WebSession
from vmstead.web.tls_listener import TlsListener
from vmstead.web.transfer import serve_download, serve_upload
from vmstead.web.unix_socket import link_other_name, remove_stale

#: Bytes of a message beyond which the connection is closed before the message is complete. What the API takes
#: is less; the difference lets a too long message be answered with a reason.
_MESSAGE_LIMIT = 4 * 1024 * 1024
_BODY_LIMIT = 1024 * 1024
#: Seconds that a client has for the request line and headers, and an idle HTTP connection stays open.
_KEEPALIVE = 75.0
#: Connections that may wait to be accepted: as many as may come at once when a server comes back.
_BACKLOG = 4096


class WebServer:
    """Serves an application on any number of sockets."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._runner: web.AppRunner | None = None
        self._unix: list[Path] = []
        self._listeners: list[TlsListener] = []
        self._servers: list[asyncio.Server] = []
        self._door: Door | None = None

    async def open(self) -> None:
        """Prepare the routes."""
        # What is uploaded is passed on as it comes; nothing else that is posted may be large.
        # Doubled slashes are one, and a missing one at the end is added where that leads somewhere.
        tidy = web.normalize_path_middleware(redirect_class=web.HTTPPermanentRedirect)
        strangers = same_site(self._application.services.config.origins)
        app = web.Application(client_max_size=_BODY_LIMIT, middlewares=[strangers, tidy])
        for api in self._application.apis.values():
            app.router.add_get(f"/api/{api.edition.name}", partial(self._api, api, _json_rpc))
        legacy = self._application.apis[self._application.legacy.name]
        app.router.add_get("/websocket", partial(self._api, legacy, Legacy))
        app.router.add_get("/api/versions", self._versions)
        app.router.add_get("/api/boot_id", self._boot_id)
        app.router.add_get("/api/docs", self._docs)
        app.router.add_get("/api/docs/openrpc.json", self._openrpc)
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/_download/{job}", self._download)
        app.router.add_post("/_upload", self._upload)
        app.router.add_post("/_upload/", self._upload)
        app.router.add_get("/_shell", self._shell)
        app.router.add_get("/websocket/shell", self._shell)
        app.router.add_get(r"/vm/display/{device:\d+}/", self._display)
        Page().add_routes(app.router)
        # Signals are the business of who runs the server, and one log line a request is nobody's.
        self._runner = web.AppRunner(
            app, handle_signals=False, access_log=None, keepalive_timeout=_KEEPALIVE, shutdown_timeout=5
        )
        await self._runner.setup()
        assert self._runner.server is not None
        self._door = Door(self._runner.server)

    async def listen_unix(self, path: Path, mode: int = 0o666) -> None:
        """Accept connections on a unix socket; who connects is told by the kernel, so anybody may.

        Raises:
            OSError: another server is listening there, or the path cannot be made.
        """
        assert self._door is not None
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        remove_stale(path)
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_unix_server(self._door, str(path), backlog=_BACKLOG))
        self._unix.append(path)
        await asyncio.to_thread(path.chmod, mode)
        link_other_name(path)

    async def listen_tcp(self, address: Address, tls: ssl.SSLContext | None = None) -> Address:
        """Accept connections on a TCP port; port 0 takes a free one. Returns the address with the port."""
        assert self._door is not None
        if tls is None:
            loop = asyncio.get_running_loop()
            server = await loop.create_server(self._door, address.host, address.port, backlog=_BACKLOG)
            self._servers.append(server)
            return Address(address.host, server.sockets[0].getsockname()[1])
        listener = TlsListener(self._door, tls, self._application.services.clock, _BACKLOG)
        port = await listener.open(address)
        self._listeners.append(listener)
        return Address(address.host, port)

    async def close(self) -> None:
        """Stop accepting, and end every connection."""
        reason = "the server is stopping"
        self._application.services.consoles.send_away(reason)
        for server in self._servers:
            server.close()
        for listener in self._listeners:
            await listener.close()
        for session in tuple(self._application.sessions):
            await session.close(1001, reason)
        for path in self._unix:
            # Nobody else has put one there: that takes a server that does not answer.
            path.unlink(missing_ok=True)
        if self._runner is not None:
            await self._runner.cleanup()

    # --- routes -----------------------------------------------------------------------------------

    async def _api(
        self, api: Api, speaks: Callable[[str], Codec], request: web.Request
    ) -> web.StreamResponse:
        async def serve(ws: web.WebSocketResponse, origin: Origin) -> None:
            session = WebSession(self._application, ws, origin, api, speaks)
            if origin.is_unix:
                caller = by_unix_peer(self._application.services, origin, self._application.server_uid)
                if caller is not None:
                    session.login(caller)
            self._application.sessions.add(session)
            self._application.services.counts.connections["unix" if origin.is_unix else "tcp"] += 1
            try:
                await session.run(lambda: _abort(request))
            finally:
                self._application.sessions.discard(session)

        return await self._upgrade(request, serve)

    async def _shell(self, request: web.Request) -> web.StreamResponse:
        async def serve(ws: web.WebSocketResponse, origin: Origin) -> None:
            await serve_console(self._application, ws, origin, lambda: _abort(request))

        return await self._upgrade(request, serve)

    async def _display(self, request: web.Request) -> web.StreamResponse:
        return await serve_display(self._application, request)

    async def _download(self, request: web.Request) -> web.StreamResponse:
        return await serve_download(self._application, request)

    async def _upload(self, request: web.Request) -> web.Response:
        return await serve_upload(self._application, request)

    async def _upgrade(
        self, request: web.Request, serve: Callable[[web.WebSocketResponse, Origin], Awaitable[None]]
    ) -> web.StreamResponse:
        origin = origin_of(request)
        # A list of VMs shrinks to a tenth. Within one machine that saves nothing, and costs time and memory.
        ws = web.WebSocketResponse(compress=not origin.is_local, max_msg_size=_MESSAGE_LIMIT)
        if not ws.can_prepare(request):
            return web.Response(status=400, text="This address speaks WebSocket.\n")
        await ws.prepare(request)
        await serve(ws, origin)
        return ws

    async def _docs(self, _: web.Request) -> web.Response:
        """The API reference for people. Nothing secret: it is the same on every server of this version."""
        from vmstead.reference import html

        return web.Response(text=html(self._description), content_type="text/html")

    async def _openrpc(self, _: web.Request) -> web.Response:
        """The API reference for programs."""
        return _json(self._description)

    @cached_property
    def _description(self) -> dict[str, object]:
        # Made when somebody asks for it first, which takes a fraction of a second.
        from vmstead.reference import collections, describe

        services = self._application.services
        events = collections(services.methods, services.event_roles, services.sources)
        return describe(services.methods, __version__, events)

    async def _versions(self, _: web.Request) -> web.Response:
        """The versions of the API; the last is what ``/api/current`` is made of."""
        return _json(
            [api.edition.name for api in self._application.apis.values() if api.edition.is_announced]
        )

    async def _boot_id(self, _: web.Request) -> web.Response:
        """A text that is another one after each start of the host."""
        return _json(await self._application.services.host.boot_id())

    async def _metrics(self, request: web.Request) -> web.Response:
        return await serve_metrics(self._application, request)

    async def _healthz(self, request: web.Request) -> web.Response:
        return serve_health(self._application, request)


def _abort(request: web.Request) -> None:
    """Drop a connection without a word."""
    if request.transport is not None:
        request.transport.abort()


def _json_rpc(_: str) -> Codec:
    return JsonRpc()


def _json(value: object) -> web.Response:
    return web.Response(body=msgspec.json.encode(value), content_type="application/json")
