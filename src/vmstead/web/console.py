"""The serial console over a WebSocket: ``/websocket/shell``.

The first message names the VM and a token; what follows is bytes in both directions.
"""

import asyncio
import uuid
from typing import Any

import msgspec
import structlog
from aiohttp import WSMsgType, web

from vmstead.errors import ENOTAUTHENTICATED
from vmstead.kernel.consoles import Viewer, ViewerTooSlow
from vmstead.ports.engine import EngineError
from vmstead.rpc.caller import Caller, Origin
from vmstead.web.application import Application

log = structlog.get_logger()

#: The role that the console takes: who sits there can do anything in the guest.
_ROLE = "VM_WRITE"


async def serve_console(application: Application, socket: web.WebSocketResponse, origin: Origin) -> None:
    """Speak to one viewer until it or the guest goes."""
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
        await _attach(application, socket, request.get("options"), caller)
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


async def _attach(
    application: Application, socket: web.WebSocketResponse, options: object, caller: Caller
) -> None:
    vm_id = options.get("vm_id") if isinstance(options, dict) else None
    if not caller.may(_ROLE):
        await _fail(socket, 13, f"the role {_ROLE} is required for a console")
        return
    row = application.services.vms.by_id(vm_id) if type(vm_id) is int else None
    if row is None:
        await _fail(socket, 2, f"VM {vm_id} does not exist; options must have vm_id, the id of a VM")
        return
    try:
        viewer = await application.services.consoles.view(str(row["uuid"]))
    except EngineError as error:
        await _fail(socket, 14, f"no console of VM {vm_id} ({row['name']}): {error}")
        return
    log.info("console opened", vm=vm_id, user=caller.username)
    await socket.send_str(msgspec.json.encode({"msg": "connected", "id": str(uuid.uuid4())}).decode())
    try:
        await _copy(socket, viewer)
    finally:
        viewer.close()


async def _copy(socket: web.WebSocketResponse, viewer: Viewer) -> None:
    output = asyncio.get_running_loop().create_task(_send_output(socket, viewer))
    try:
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                await viewer.write(message.data)
            elif message.type is WSMsgType.TEXT:
                # Typed input is binary by the protocol; text means the same and is easier by hand.
                await viewer.write(message.data.encode())
            else:
                break
    except EngineError:
        pass  # the guest is gone; the output ends too
    finally:
        output.cancel()
        await asyncio.wait([output])


async def _send_output(socket: web.WebSocketResponse, viewer: Viewer) -> None:
    try:
        async for data in viewer:
            await socket.send_bytes(data)
    except ViewerTooSlow:
        await socket.close(code=1008, message=b"the viewer does not keep up with the output")
    except ConnectionError:
        return
    else:
        await socket.close(message=b"the guest has stopped")


async def _fail(socket: web.WebSocketResponse, error: int, reason: str) -> None:
    message = {"msg": "failed", "error": {"error": error, "reason": reason}}
    await socket.send_str(msgspec.json.encode(message).decode())
