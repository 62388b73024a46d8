"""One client's WebSocket: frames in, calls out of them, answers and events back."""

import asyncio
import itertools
import uuid
from collections.abc import Callable, Hashable
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from typing import Any

import structlog
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from vmstead import calls
from vmstead.errors import ApiError, CallError
from vmstead.kernel import counts
from vmstead.kernel.bus import Event
from vmstead.kernel.eager import Rest, started
from vmstead.kernel.tasks import others_first
from vmstead.rpc.caller import Caller, Origin
from vmstead.rpc.codec import Broken, Codec
from vmstead.rpc.dispatch import answer
from vmstead.rpc.protocol import Call, Rejected
from vmstead.rpc.session import SessionOptions
from vmstead.rpc.subscriptions import Subscriptions, may_subscribe
from vmstead.web.application import Api, Application
from vmstead.web.outbox import Outbox, OutboxFull
from vmstead.web.turns import RUNNING, Turns

log = structlog.get_logger()

#: Characters of a frame that are taken before login, after, and of a call that carries a file.
ANONYMOUS_LIMIT = 8192
LIMIT = 65536
FILE_LIMIT = 2_097_152
_CARRY_FILES = frozenset({"filesystem.file_receive"})
_ENDS = frozenset({WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED})
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
        self._api = api
        # Members that methods use, as ``Session`` describes them; they are read several times for each call.
        self.id = str(uuid.uuid4())
        self.origin = origin
        self.options = SessionOptions()
        self._codec = speaks(self.id)
        self._context = application.context(self, api.methods)
        self.pending_login: object = None
        self._turns = Turns()
        services = application.services
        self._subscriptions = Subscriptions(services.bus, services.sources, self._on_event, self._on_end)
        self._outbox = Outbox()
        self._is_sending = False
        #: Sends what could not be sent at once.
        self._sender: asyncio.Task[None] | None = None
        #: Reads frames. A call that has to wait keeps the task that has read it, and another reads on.
        self._reader: asyncio.Task[None] | None = None
        self._has_ended = asyncio.Event()
        self._calls = 0
        self._abort: Callable[[], None] | None = None
        self._is_gone = False
        #: Who was logged in when the client went: calls that it had sent before are still that caller's.
        self._departed: Caller | None = None

    # --- what methods use -------------------------------------------------------------------------

    @property
    def caller(self) -> Caller | None:
        return self._application.services.sessions.caller_of(self) or self._departed

    def login(self, caller: Caller) -> None:
        self._application.services.sessions.login(self, caller)
        # On the unix socket every command logs in by itself; that is nothing to tell of.
        tell = log.debug if caller.credential == "UNIX_SOCKET" else log.info
        tell("login", user=caller.username, credential=caller.credential, origin=str(self.origin))
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
        self._read_on()
        try:
            await self._has_ended.wait()
        finally:
            self._is_gone = True
            self._subscriptions.close()
            self._leave()
            for task in (self._reader, self._sender):
                if task is not None:
                    task.cancel()

    def _leave(self) -> None:
        self._departed = self.caller
        self._application.services.sessions.logout(self, "the connection was closed")

    async def close(self, code: int, reason: str) -> None:
        """End the connection, saying why."""
        message = reason.encode()[:_REASON].decode(errors="ignore").encode()
        await self._socket.close(code=code, message=message)

    def _read_on(self) -> None:
        self._reader = asyncio.get_running_loop().create_task(self._read(), name="reading frames")

    async def _read(self) -> None:
        me = asyncio.current_task()
        assert me is not None
        try:
            await self._take_frames(me)
        except Broken as broken:
            await self.close(broken.code, broken.reason)
        finally:
            if self._reader is me:
                self._has_ended.set()

    async def _take_frames(self, me: "asyncio.Task[Any]") -> None:
        """Take frames until there are no more, or until a call has to wait: it keeps the task, another reads on."""
        for number in itertools.count(1):
            message = await self._socket.receive()
            if message.type in _ENDS:
                return
            rest = await self._receive(message)
            if rest is not None:
                self._read_on()
                # It goes on when the client does not wait for it: what is half done helps nobody.
                self._application.services.tasks.keep(me, name="a call")
                await rest
                return
            if number % RUNNING == 0:
                # Whoever sends many calls at once is not to keep all others waiting.
                await others_first()

    async def _receive(self, message: WSMessage) -> Rest | None:
        """Carry out a frame; returns what is left of a call that has to wait.

        Such calls run side by side and may be answered in any order.
        """
        if message.type is not WSMsgType.TEXT:
            kind = message.type.name
            raise Broken(WSCloseCode.UNSUPPORTED_DATA, f"Invalid websocket message type: {kind}")
        text = message.data
        self._application.services.sessions.attend(self)
        if len(text) > ANONYMOUS_LIMIT and self.caller is None:
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
            return None
        if len(text) > LIMIT and call.method not in _CARRY_FILES:
            raise _too_long()
        if self._calls >= _UNANSWERED:
            self._cut_off("too many unanswered calls")
            return None
        self._calls += 1
        if call.is_immediate:
            await self._answer(call, nullcontext())
            calls.end()
            return None
        return started(self._answer(call, self._turns))

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
        if self.caller is not None or self.origin.is_unix:
            return None
        method = self._api.methods.get(call.method)
        if method is None or not (method.is_public and method.is_rate_limited):
            return None
        try:
            self._application.rate_limit.check(call.method, self.origin.network)
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
        if not self._is_sending:
            rest = started(self._send_all())
            if rest is not None:
                self._sender = asyncio.ensure_future(rest)

    def _cut_off(self, reason: str) -> None:
        log.warning("connection cut off", origin=str(self.origin), reason=reason)
        self._outbox.clear()
        if self._abort is not None:
            self._abort()

    async def _send_all(self) -> None:
        """Send what is in the outbox, one frame after the other."""
        self._is_sending = True
        try:
            # The reader notices too when the connection is gone, and ends the session.
            with suppress(ConnectionError):
                while (frame := self._outbox.take()) is not None:
                    await self._socket.send_str(frame)
        finally:
            self._is_sending = False


def _too_long() -> Broken:
    return Broken(WSCloseCode.MESSAGE_TOO_BIG, "Max message length is 64 kB")
