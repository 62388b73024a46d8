"""One client's WebSocket: frames in, calls out of them, answers and events back."""

import asyncio
import uuid
from collections.abc import Callable, Hashable
from contextlib import AbstractAsyncContextManager, nullcontext

import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from vmstead import calls
from vmstead.errors import ApiError, CallError
from vmstead.kernel import counts
from vmstead.kernel.bus import Event
from vmstead.rpc.caller import Caller, Origin
from vmstead.rpc.codec import Broken, Codec
from vmstead.rpc.dispatch import answer
from vmstead.rpc.protocol import Call, Rejected
from vmstead.rpc.session import SessionOptions
from vmstead.rpc.subscriptions import Subscriptions, may_subscribe
from vmstead.web.application import Api, Application
from vmstead.web.outbox import Outbox, OutboxFull
from vmstead.web.turns import Turns

log = structlog.get_logger()

#: Characters of a frame that are taken before login, after, and of a call that carries a file.
ANONYMOUS_LIMIT = 8192
LIMIT = 65536
FILE_LIMIT = 2_097_152
_CARRY_FILES = frozenset({"filesystem.file_receive"})
#: Bytes that the reason in a close frame may have.
_REASON = 123
#: Calls of one connection that are read but not answered yet, waiting jobs included.
_UNANSWERED = 10_000


class WebSession:
    """A connection of a client. See ``rpc.session.Session`` for what methods use of it.

    ``speaks`` makes the connection's codec, given the session's id.
    """

    def __init__(
        self,
        application: Application,
        socket: web.WebSocketResponse,
        origin: Origin,
        api: Api,
        speaks: Callable[[str], Codec],
    ) -> None:
        self._application = application
        self._socket = socket
        self._origin = origin
        self._api = api
        self._id = str(uuid.uuid4())
        self._codec = speaks(self._id)
        self._context = application.context(self, api.methods)
        self.pending_login: object = None
        self._options = SessionOptions()
        self._turns = Turns()
        services = application.services
        self._subscriptions = Subscriptions(services.bus, services.sources, self._on_event, self._on_end)
        self._outbox = Outbox()
        self._wake = asyncio.Event()
        self._calls = 0
        self._abort: Callable[[], None] | None = None
        self._is_gone = False
        #: Who was logged in when the client went: calls that it had sent before are still that caller's.
        self._departed: Caller | None = None

    # --- what methods use -------------------------------------------------------------------------

    @property
    def id(self) -> str:
        return self._id

    @property
    def origin(self) -> Origin:
        return self._origin

    @property
    def options(self) -> SessionOptions:
        return self._options

    @property
    def caller(self) -> Caller | None:
        return self._application.services.sessions.caller_of(self) or self._departed

    def login(self, caller: Caller) -> None:
        self._application.services.sessions.login(self, caller)
        # On the unix socket every command logs in by itself; that is nothing to tell of.
        tell = log.debug if caller.credential == "UNIX_SOCKET" else log.info
        tell("login", user=caller.username, credential=caller.credential, origin=str(self._origin))
        if self._is_gone:
            self._leave()

    def logout(self, reason: str = "") -> None:
        self._application.services.sessions.logout(self, reason)
        self._subscriptions.leave_sources()

    def end(self, reason: str) -> None:
        self.logout(reason)
        closing = self.close(WSCloseCode.POLICY_VIOLATION, reason)
        self._application.services.tasks.start(closing, name="ending a session")

    def subscribe(self, collection: str) -> str:
        return self._subscriptions.add(collection)

    def unsubscribe(self, subscription: str) -> None:
        self._subscriptions.remove(subscription)

    # --- the connection ---------------------------------------------------------------------------

    async def run(self, abort: Callable[[], None]) -> None:
        """Serve the client until it goes. ``abort`` drops the connection without a word."""
        self._abort = abort
        writer = asyncio.get_running_loop().create_task(self._write())
        try:
            await self._read()
        finally:
            self._is_gone = True
            self._subscriptions.close()
            self._leave()
            writer.cancel()

    def _leave(self) -> None:
        self._departed = self.caller
        self._application.services.sessions.logout(self, "the connection was closed")

    async def close(self, code: int, reason: str) -> None:
        """End the connection, saying why."""
        message = reason.encode()[:_REASON].decode(errors="ignore").encode()
        await self._socket.close(code=code, message=message)

    async def _read(self) -> None:
        async for message in self._socket:
            if message.type is not WSMsgType.TEXT:
                kind = message.type.name
                await self.close(WSCloseCode.UNSUPPORTED_DATA, f"Invalid websocket message type: {kind}")
                return
            try:
                await self._receive(message.data)
            except Broken as broken:
                await self.close(broken.code, broken.reason)
                return

    async def _receive(self, text: str) -> None:
        """Begin to carry out a frame. Calls run side by side and may be answered in any order."""
        self._application.services.sessions.attend(self)
        if self.caller is None and len(text) > ANONYMOUS_LIMIT:
            raise Broken(WSCloseCode.INVALID_TEXT, "Anonymous connection max message length is 8 kB")
        if len(text) > FILE_LIMIT:
            raise _too_long()
        try:
            call = self._codec.decode(text)
        except Rejected as rejected:
            if len(text) > LIMIT:
                raise _too_long() from None
            if rejected.frame is not None:
                self._send(rejected.frame)
            return
        if len(text) > LIMIT and call.method not in _CARRY_FILES:
            raise _too_long()
        if self._calls >= _UNANSWERED:
            self._cut_off("too many unanswered calls")
            return
        self._calls += 1
        if call.is_immediate:
            await self._answer(call, nullcontext())
            calls.end()
            return
        # The call goes on when the client does not wait for it: what is half done helps nobody.
        self._application.services.tasks.start(
            self._answer(call, self._turns.turn()), name=f"call {call.method}"
        )

    async def _answer(self, call: Call, turn: AbstractAsyncContextManager[None]) -> None:
        calls.begin()
        try:
            refusal = self._api.edition.refusal(call.method) or self._limited(call)
            if refusal is not None:
                known = call.method if call.method in self._application.methods else counts.UNKNOWN
                self._application.services.counts.called(known, counts.LIMITED, 0.0)
                frame = self._codec.error(call, refusal)
            else:
                frame = await answer(self._context, self._api.methods, call, turn, self._codec)
            if frame is not None:
                self._send(frame)
        finally:
            self._calls -= 1

    def _limited(self, call: Call) -> CallError | None:
        """The answer to somebody who calls too often without logging in; None for everybody else."""
        method = self._api.methods.get(call.method)
        if self.caller is not None or self._origin.is_unix or method is None:
            return None
        if not (method.is_public and method.is_rate_limited):
            return None
        try:
            self._application.rate_limit.check(call.method, self._origin.network)
        except CallError as error:
            return error
        return None

    def _on_event(self, event: Event) -> None:
        # Whoever has logged in since may be allowed less, and so may whoever was.
        caller = self.caller if self._application.services.sessions.is_good(self) else None
        if caller is None or not self._may_see(caller, event):
            return
        seen = self._api.edition.event(event)
        if seen is not None:
            self._application.services.counts.events += 1
            self._send(self._codec.event(seen), event.key)

    def _may_see(self, caller: Caller, event: Event) -> bool:
        if not may_subscribe(caller, event.collection, self._application.services.event_roles):
            return False
        return event.audience is None or event.audience(caller)

    def _on_end(self, collection: str, error: ApiError | None) -> None:
        self._send(self._codec.unsubscribed(collection, error))

    def _send(self, frame: str, key: Hashable = None) -> None:
        """Put a frame into the outbox. Never waits; who does not read is cut off."""
        if self._socket.closed:
            return
        try:
            self._outbox.put(frame, key)
        except OutboxFull:
            self._cut_off("the client does not read what it asked for")
        self._wake.set()

    def _cut_off(self, reason: str) -> None:
        log.warning("connection cut off", origin=str(self._origin), reason=reason)
        self._outbox.clear()
        if self._abort is not None:
            self._abort()

    async def _write(self) -> None:
        """Send what is in the outbox, one frame after the other."""
        while True:
            while (frame := self._outbox.take()) is not None:
                try:
                    await self._socket.send_str(frame)
                except ConnectionError:
                    return  # the reader notices too, and ends the session
            self._wake.clear()
            await self._wake.wait()


def _too_long() -> Broken:
    return Broken(WSCloseCode.MESSAGE_TOO_BIG, "Max message length is 64 kB")
