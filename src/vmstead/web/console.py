"""The serial console over a WebSocket: ``/websocket/shell``.

The first message names the VM and a token; what follows is bytes in both directions.
"""

import asyncio
import contextlib
import errno
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from aiohttp import WSCloseCode, WSMsgType, web

from vmstead.errors import ENOTAUTHENTICATED, NotFound
from vmstead.kernel.clock import within
from vmstead.kernel.console_viewer import Viewer
from vmstead.kernel.consoles import MOST_VIEWERS, TooManyViewers
from vmstead.ports.engine import EngineError
from vmstead.rpc.audit import note_opened
from vmstead.rpc.caller import Caller, Origin
from vmstead.vm.entries import settled
from vmstead.web.application import Application

log = structlog.get_logger()

#: The role that the console takes: who sits there can do anything in the guest.
_ROLE = "VM_WRITE"
#: Bytes in a frame, as TrueNAS has them.
_FRAME = 1024
#: Bytes of input that may wait for the guest, and that are passed on at a time.
_INPUT, _PIECE = 64 * 1024, 4096
#: Seconds in which a viewer must have taken some output, and the guest some of the input that there is too much of.
_STALLED = 60


class _Refused(Exception):
    """There is no console for this viewer: an error number, and the text that says why."""

    def __init__(self, number: int, reason: str) -> None:
        super().__init__(reason)
        self.number = number


async def serve_console(
    application: Application, socket: web.WebSocketResponse, origin: Origin, abort: Callable[[], None]
) -> None:
    """Speak to one viewer until it or the guest goes. ``abort`` drops the connection without a word."""
    async for message in socket:
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return
        request = _request(message.data)
        if request is None:
            continue  # TrueNAS ignores what it does not understand here, and clients rely on it
        caller = _authenticate(application, request, origin)
        if caller is None:
            await _fail(socket, ENOTAUTHENTICATED, "Invalid token")
            continue
        try:
            viewer = await _viewer(application, request.get("options"), caller, origin)
        except _Refused as refused:
            await _fail(socket, refused.number, str(refused))
            return
        session = _Session(application, socket, viewer, abort)
        forget = application.services.sessions.attach(caller, session.leave)
        try:
            await session.run()
        finally:
            forget()
            viewer.close()
        return


def _request(data: str | bytes) -> dict[str, Any] | None:
    try:
        message = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return None
    return message if isinstance(message, dict) and "token" in message else None


def _authenticate(application: Application, request: dict[str, Any], origin: Origin) -> Caller | None:
    token = application.services.tokens.use(str(request["token"]), origin)
    if token is None or token.attributes:
        return None
    return token.caller


async def _viewer(application: Application, options: object, caller: Caller, origin: Origin) -> Viewer:
    vm_id = options.get("vm_id") if isinstance(options, dict) else None
    if not caller.may(_ROLE):
        raise _Refused(errno.EACCES, f"the role {_ROLE} is required for a console")
    try:
        target = await settled(application.services, vm_id if type(vm_id) is int else -1)
    except NotFound:
        text = f"VM {vm_id} does not exist; options must have vm_id, the id of a VM"
        raise _Refused(errno.ENOENT, text) from None
    try:
        viewer = await application.services.consoles.view(target.uuid)
    except EngineError as error:
        raise _Refused(errno.EFAULT, f"no console of {target}: {error}") from None
    except TooManyViewers:
        text = f"the console of {target} has {MOST_VIEWERS} viewers, which is all it can have"
        raise _Refused(errno.EBUSY, text) from None
    log.info("console opened", vm=vm_id, user=caller.username)
    # Who sits there can change anything in the guest.
    note_opened(
        application.services.trail, origin, caller, "/websocket/shell", f"Open the console of {target}"
    )
    return viewer


class _Session:
    """One viewer at a console."""

    def __init__(
        self,
        application: Application,
        socket: web.WebSocketResponse,
        viewer: Viewer,
        abort: Callable[[], None],
    ) -> None:
        self._clock = application.services.clock
        self._tasks = application.services.tasks
        self._socket = socket
        self._viewer = viewer
        self._abort = abort
        self._input = bytearray()
        self._typed, self._taken = asyncio.Event(), asyncio.Event()

    async def run(self) -> None:
        """Copy both ways until either side ends."""
        greeting = {"msg": "connected", "id": self._viewer.id}
        await self._socket.send_str(msgspec.json.encode(greeting).decode())
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self._send_output()), loop.create_task(self._type_input())]
        try:
            await self._take_input()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    def leave(self, reason: str) -> None:
        """The login that the console was opened by has ended."""
        self._tasks.start(self._close(WSCloseCode.POLICY_VIOLATION, reason), name="ending a console")

    async def _take_input(self) -> None:
        """Take what is typed, until the viewer leaves."""
        async for message in self._socket:
            if message.type is WSMsgType.BINARY:
                self._input += message.data
            elif message.type is WSMsgType.TEXT:
                # Typed input is binary by the protocol; text means the same and is easier by hand.
                self._input += message.data.encode()
            else:
                return
            self._typed.set()
            try:
                while len(self._input) > _INPUT:
                    self._taken.clear()
                    await within(self._clock, _STALLED, asyncio.ensure_future(self._taken.wait()))
            except TimeoutError:
                # As long as it is waited for nobody would notice that the viewer has left.
                await self._close(WSCloseCode.POLICY_VIOLATION, "the guest does not take what is typed")
                return

    async def _type_input(self) -> None:
        with contextlib.suppress(EngineError):  # the guest is gone; the output ends too
            while True:
                while self._input:
                    data = bytes(self._input[:_PIECE])
                    del self._input[:_PIECE]
                    await self._viewer.write(data)
                    self._taken.set()
                self._typed.clear()
                await self._typed.wait()

    async def _send_output(self) -> None:
        try:
            async for data in self._viewer:
                await within(self._clock, _STALLED, asyncio.ensure_future(self._send(data)))
        except ConnectionError:
            return
        except TimeoutError:
            log.info("a viewer of a console takes nothing and is cut off")
            self._abort()
        else:
            await self._close(WSCloseCode.OK, self._viewer.reason)

    async def _send(self, data: bytes) -> None:
        for at in range(0, len(data), _FRAME):
            await self._socket.send_bytes(data[at : at + _FRAME])

    async def _close(self, code: WSCloseCode, reason: str) -> None:
        closing = asyncio.ensure_future(self._socket.close(code=code, message=reason.encode()))
        with contextlib.suppress(TimeoutError):  # then the connection is cut
            await within(self._clock, _STALLED, closing)


async def _fail(socket: web.WebSocketResponse, error: int, reason: str) -> None:
    message = {"msg": "failed", "error": {"error": error, "reason": reason}}
    await socket.send_str(msgspec.json.encode(message).decode())
