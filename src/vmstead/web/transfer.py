"""Files by HTTP: ``GET /_download/<job>`` and ``POST /_upload``."""

import errno
from typing import Any
from urllib.parse import quote

import msgspec
from aiohttp import BodyPartReader, web

from vmstead import calls
from vmstead.errors import ApiError, CallError, NotAuthenticated, NotAuthorized
from vmstead.kernel.pipes import Pipe, PipeBroken
from vmstead.rpc.caller import Caller, Origin
from vmstead.rpc.dispatch import authorize, submit
from vmstead.rpc.session import InternalSession
from vmstead.web.application import Application
from vmstead.web.caller import caller_of
from vmstead.web.peer import origin_of

#: Bytes of an upload that are passed on at a time, and that its description may have.
_PIECE = 256 * 1024
_DESCRIPTION = 64 * 1024


class _Call(msgspec.Struct):
    """What is called with the file that comes after it."""

    method: str
    params: list[Any] = []


async def serve_download(application: Application, request: web.Request) -> web.StreamResponse:
    """Send what a job writes, to whoever has the token that ``core.download`` gave out for it."""
    services = application.services
    number = request.match_info["job"]
    if not number.isdecimal():
        return web.Response(status=404)
    token = services.tokens.use(request.query.get("auth_token", ""), origin_of(request))
    if token is None or token.attributes.get("job") != int(number):
        return web.Response(status=401, text="The token is no longer valid, or for something else.\n")
    job = services.jobs.find(int(number))
    if job is None or job.pipe is None:
        return web.Response(status=404)
    pipe = job.pipe
    if not pipe.take():
        return web.Response(status=410, text="It was downloaded before, or the time for that is over.\n")
    name = quote(str(token.attributes.get("filename", "download")).rpartition("/")[2], safe="")
    headers = {
        "Content-Type": "application/octet-stream",
        "Content-Disposition": f"attachment; filename=\"{name}\"; filename*=UTF-8''{name}",
        # What a guest or a file holds must not become a page of this server.
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    response = web.StreamResponse(headers=headers)
    response.enable_chunked_encoding()
    await response.prepare(request)
    try:
        async for piece in pipe:
            await response.write(piece)
    except PipeBroken:
        # The length is not known beforehand: only a cut connection tells that something is missing.
        if request.transport is not None:
            request.transport.abort()
        return response
    finally:
        pipe.fail("the download was broken off")
    await response.write_eof()
    return response


async def serve_upload(application: Application, request: web.Request) -> web.Response:
    """Take a call, and the file that its job reads. Answers when the file has been taken, with the job's number."""
    calls.begin()
    try:
        caller = await caller_of(application, request, "POST /_upload", token=request.query.get("auth_token"))
        if not request.content_type.startswith("multipart/"):
            raise web.HTTPMethodNotAllowed(request.method, ["POST"], text="Send multipart/form-data.\n")
        parts = await request.multipart()
        call = await _description(await parts.next())
        file = await parts.next()
        if not isinstance(file, BodyPartReader) or file.name != "file":
            raise web.HTTPMethodNotAllowed(request.method, ["POST"], text='The second part must be "file".\n')
        number = await _pass_on(application, origin_of(request), caller, call, file)
    except NotAuthorized as error:
        return web.Response(status=403, text=f"{error}\n")
    except NotAuthenticated as error:
        return web.Response(status=401, text=f"{error}\n")
    except ApiError as error:
        return web.Response(status=412, text=f"{error}\n")
    except ValueError as error:
        return web.Response(status=400, text=f"Not understood: {error}\n")
    finally:
        calls.end()
    return web.Response(body=msgspec.json.encode({"job_id": number}), content_type="application/json")


async def _pass_on(
    application: Application, origin: Origin, caller: Caller, call: _Call, file: BodyPartReader
) -> int:
    method = application.methods.get(call.method)
    if method is None:
        raise web.HTTPUnprocessableEntity(text="Method does not exist.\n")
    if method.pipe != "input":
        raise CallError(f"{method.name} takes no file", errno.EINVAL)
    ctx = application.context(InternalSession(origin=origin, caller=caller))
    authorize(ctx, method, call.params)
    pipe = Pipe()
    job = submit(ctx, method, call.params, pipe=pipe)
    try:
        while piece := await file.read_chunk(_PIECE):
            await pipe.write(piece)
        pipe.end()
    except PipeBroken:
        pass  # the job has ended without all of it; its record says why
    except BaseException:
        pipe.fail("the upload was broken off")
        raise
    return job.id


async def _description(part: object) -> _Call:
    if not isinstance(part, BodyPartReader) or part.name != "data":
        raise web.HTTPMethodNotAllowed("POST", ["POST"], text='The first part must be "data".\n')
    text = b""
    while piece := await part.read_chunk(_DESCRIPTION):
        text += piece
        if len(text) > _DESCRIPTION:
            raise ValueError("the part data is too long")
    try:
        return msgspec.json.decode(text, type=_Call)
    except msgspec.ValidationError as error:
        raise web.HTTPUnprocessableEntity(text=f"The part data must name a method: {error}\n") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(f"the part data is no JSON: {error}") from None
