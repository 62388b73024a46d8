"""``core.download``: jobs whose result is a file, which a client then fetches by HTTP."""

from vmstead.ctx import Ctx
from vmstead.errors import CallError
from vmstead.kernel.model import NonEmpty, Text
from vmstead.kernel.pipes import Pipe, SpooledPipe
from vmstead.rpc.dispatch import submit
from vmstead.rpc.registry import Namespace

core = Namespace("core")

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
    the job does not wait for that: its output is kept for an hour.
    """
    target = ctx.methods.get(method)
    if target is None or target.pipe != "output":
        raise CallError(f"{method} has nothing to download", 22)
    target.authorize(ctx.caller)
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
