"""Displays over WebSockets: ``/vm/display/<device id>/``, for viewers in browsers.

What is sent is the display's own protocol. A ticket (``vm.get_display_ticket``) says who looks and whether the
viewer may do more than that; QEMU is reached without a network, and asked for no password.
"""

import asyncio
from collections.abc import Callable
from typing import Any, TypeAlias

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from vmstead.ports.engine import DisplayProtocol, EngineError
from vmstead.rpc.audit import note_opened
from vmstead.rpc.caller import Origin
from vmstead.rpc.tokens import Token
from vmstead.web import spice
from vmstead.web.application import Application
from vmstead.web.peer import origin_of
from vmstead.web.rfb import LookFilter, RfbError

log = structlog.get_logger()

#: Bytes that are passed on at a time.
_PIECE = 64 * 1024
#: Seconds between two signs of life; a viewer that is gone without a word is noticed within two.
_HEARTBEAT = 20.0
#: Seconds for the opening of a SPICE connection.
_PATIENCE = 15.0


class _Refused(Exception):
    """The viewer cannot be served. The text says why, and is told."""


async def serve_display(application: Application, request: web.Request) -> web.StreamResponse:
    """Join a viewer to a display until either goes."""
    # spice-html5 and what is made of it ask for this name; nobody means anything by it.
    ws = web.WebSocketResponse(
        protocols=("binary",), compress=False, heartbeat=_HEARTBEAT, max_msg_size=4 * 1024 * 1024
    )
    if not ws.can_prepare(request):
        return web.Response(status=400, text="This address speaks WebSocket.\n")
    await ws.prepare(request)
    # A browser shows a page nothing of an answer other than an upgrade, so refusals come after it.
    try:
        text = request.query.get("ticket", "")
        token = _ticket(application, request, text)
        bridge = _Bridge(application, ws, token, text, int(request.match_info["device"]))
        forget = application.services.sessions.attach(token.caller, bridge.leave)
        try:
            await bridge.run(origin_of(request))
        finally:
            forget()
    except (_Refused, spice.SpiceError, RfbError, EngineError) as error:
        log.info("display closed", device=request.match_info["device"], reason=str(error))
        await ws.close(code=WSCloseCode.POLICY_VIOLATION, message=str(error).encode()[:120])
    return ws


def _ticket(application: Application, request: web.Request, text: str) -> Token:
    token = application.services.tokens.use(text, origin_of(request))
    if token is None or token.attributes.get("display") != int(request.match_info["device"]):
        raise _Refused("the ticket is no longer valid, or for something else")
    return token


_Opened: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter, Callable[[bytes], bytes]]


class _Bridge:
    """One connection of a viewer."""

    def __init__(
        self, application: Application, ws: web.WebSocketResponse, token: Token, ticket: str, device: int
    ) -> None:
        self._services = application.services
        self._ws = ws
        self._token = token
        self._ticket = ticket
        self._device = device
        self._leaving: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def _view_only(self) -> bool:
        return bool(self._token.attributes["view_only"])

    async def run(self, origin: Origin) -> None:
        """Serve until somebody goes. Raises what the viewer is told."""
        if self._services.viewers.is_full(self._device):
            raise _Refused("this display has as many viewers as are served")
        if all(each.ticket != self._ticket for each in self._services.viewers.of(self._device)):
            # The channels of SPICE are connections of their own, and opened once.
            what = f"Open the display {self._device}" + (" to look" if self._view_only else "")
            note_opened(self._services.trail, origin, self._token.caller, "/vm/display", what)
        protocol = self._token.attributes["protocol"]
        if protocol == "spice":
            await self._serve_spice()
        else:
            reader, writer = await self._open("vnc")
            await self._joined(reader, writer, LookFilter().feed if self._view_only else bytes)

    async def _serve_spice(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                opened = await self._open_spice()
        except TimeoutError:
            raise _Refused("the connection was not opened in time") from None
        await self._joined(*opened)

    async def _open_spice(self) -> _Opened:
        said = _Said(self._ws)
        header = await said.exactly(16)
        client = spice.client_link(header, await said.exactly(spice.link_size(header)))
        if client.channel not in (spice.CHANNELS_TO_LOOK if self._view_only else spice.CHANNELS):
            raise _Refused("this viewer may not open that channel")
        if client.channel == spice.MAIN:
            self._make_room()
        reader, writer = await self._open("spice")
        try:
            writer.write(client.data)
            header = await reader.readexactly(16)
            server = spice.server_link(header, await reader.readexactly(spice.link_size(header)))
            await self._ws.send_bytes(server.data)
            await said.exactly(spice.ticket_size(client))
            writer.write(spice.login(client, server))
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            raise _Refused("the display closed the connection") from None
        except BaseException:
            writer.close()
            raise
        filtered = self._view_only and client.channel == spice.MAIN
        passed_on = spice.MainFilter(client, server).feed if filtered else bytes
        writer.write(passed_on(said.rest()))
        return reader, writer, passed_on

    def _make_room(self) -> None:
        """See that nobody is thrown out who does not have to go, and tell those who have."""
        others = [each for each in self._services.viewers.of(self._device) if each.ticket != self._ticket]
        if not others:
            return
        if not self._token.attributes["take_over"]:
            raise _Refused(f"{others[0].username} looks at this display")
        reason = f"{self._token.caller.username} has taken over the display"
        self._services.viewers.send_away(self._device, self._ticket, reason)

    async def _open(self, protocol: DisplayProtocol) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        uuid = str(self._token.attributes["uuid"])
        connection = await self._services.engine.open_display(uuid, protocol)
        return await asyncio.open_connection(sock=connection)

    async def _joined(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        passed_on: Callable[[bytes], bytes],
    ) -> None:
        """Copy in both directions."""
        username = self._token.caller.username
        forget = self._services.viewers.join(
            self._device, self._ticket, username, self.leave, view_only=self._view_only
        )
        log.info("display opened", device=self._device, user=username, view_only=self._view_only)
        loop = asyncio.get_running_loop()
        copies = {
            loop.create_task(self._to_display(writer, passed_on)),
            loop.create_task(self._to_viewer(reader)),
        }
        try:
            ends: list[asyncio.Future[Any]] = [*copies, self._leaving]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for copy in copies:
                copy.cancel()
            ended = await asyncio.gather(*copies, return_exceptions=True)
            writer.close()
            forget()
        if self._leaving.done():
            raise _Refused(self._leaving.result())
        for error in ended:
            if isinstance(error, RfbError | spice.SpiceError):
                raise error
        if not self._ws.closed:
            await self._ws.close(message=b"the guest has closed the display")

    def leave(self, reason: str) -> None:
        """Send the viewer away."""
        if not self._leaving.done():
            self._leaving.set_result(reason)

    async def _to_display(self, writer: asyncio.StreamWriter, passed_on: Callable[[bytes], bytes]) -> None:
        async for message in self._ws:
            if message.type is not WSMsgType.BINARY:
                return
            writer.write(passed_on(message.data))
            await writer.drain()

    async def _to_viewer(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(_PIECE):
            await self._ws.send_bytes(data)


class _Said:
    """What a viewer sends, by the byte: where its messages begin and end means nothing."""

    def __init__(self, ws: web.WebSocketResponse) -> None:
        self._ws = ws
        self._pending = bytearray()

    async def exactly(self, count: int) -> bytes:
        """The next bytes. Raises _Refused when the viewer goes before."""
        while len(self._pending) < count:
            message = await self._ws.receive()
            if message.type is not WSMsgType.BINARY:
                raise _Refused("the viewer left")
            self._pending += message.data
        taken = bytes(self._pending[:count])
        del self._pending[:count]
        return taken

    def rest(self) -> bytes:
        """What came beyond that."""
        return bytes(self._pending)
