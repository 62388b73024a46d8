"""``core.download``: jobs whose result is a file, which a client then fetches by HTTP."""

import asyncio
import contextlib
from collections.abc import Sequence

from vmstead.ctx import Ctx
from vmstead.errors import CallError
from vmstead.kernel.model import NonEmpty, Text
from vmstead.kernel.pipes import Pipe, SpooledPipe, send_file
from vmstead.rpc.dispatch import authorize, owner_of, submit
from vmstead.rpc.registry import Method, Namespace

core = Namespace("core")
#: Jobs that the server starts for a method here, and that nobody else can call.
_internal = Namespace("core")

#: Seconds that a download's token is good for.
_TTL = 300
#: Seconds within which a download must begin: while the job waits for it, and when its output is kept.
_WINDOW, _LONG_WINDOW = 60, 3600


@core.method(returns=list[int | str])
async def download(
    ctx: Ctx,
    method: NonEmpty,
    args: list[object],
    filename: Text,
    buffered: bool = False,
) -> tuple[int, str]:
    """Call a method whose result is a file; answers with the number of its job and the path to GET the file from.

    The path is good for one download from the same place, which must begin within a minute. With ``buffered``
    the job does not wait for that: its output is kept for an hour, 64 MiB of it; the rest waits for the reader.
    """
    target = ctx.methods.get(method)
    if target is None or target.pipe != "output":
        raise CallError(f"{method} has nothing to download", 22)
    authorize(ctx, target, args)
    return _offer(ctx, target, args, filename, buffered=buffered)


def _offer(
    ctx: Ctx, target: Method, args: Sequence[object], filename: str, *, buffered: bool
) -> tuple[int, str]:
    """Start a job that writes a file, and let the caller fetch that."""
    pipe = SpooledPipe() if buffered else Pipe()
    job = submit(ctx, target, args, pipe=pipe)
    ctx.clock.call_later(_LONG_WINDOW if buffered else _WINDOW, pipe.expire)
    origin = ctx.session.origin
    token = ctx.tokens.issue(
        ctx.caller,
        # It outlives the connection it was asked for on: programs close that before they fetch the file.
        f"download {job.id}",
        ttl=_LONG_WINDOW if buffered else _TTL,
        attributes={"filename": filename, "job": job.id},
        origin=None if origin.is_unix else origin,
        single_use=True,
    )
    return job.id, f"/_download/{job.id}?auth_token={token}"


@core.method(returns=str)
async def job_download_logs(ctx: Ctx, id: int, filename: Text, buffered: bool = False) -> str:
    """The path to GET the log of a job from, with the options of ``core.download``."""
    job = ctx.jobs.get(id, owner_of(ctx.caller))
    if job.log is None:
        raise CallError("This job has no logs")
    [target] = _internal.methods
    return _offer(ctx, target, [id], filename, buffered=buffered)[1]


@_internal.method(job=True, pipe="output")
async def send_logs(ctx: Ctx, id: int) -> None:
    """Write the log of a job to the pipe."""
    job = ctx.jobs.get(id, owner_of(ctx.caller))
    # Nothing may have been written to it, and it goes with its job.
    if job.log is not None:
        with contextlib.suppress(FileNotFoundError):
            await send_file(asyncio.to_thread(job.log.path.open, "rb"), ctx.pipe)
