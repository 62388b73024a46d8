"""``core.bulk``: one method, called several times in a job."""

import errno
import string
from collections.abc import Sequence
from typing import Any

import msgspec
import structlog

from vmstead.ctx import Ctx
from vmstead.errors import ENOMETHOD, ApiError, CallError, NotAuthorized, unexpected
from vmstead.kernel.jobs import Job
from vmstead.kernel.model import Field, Model, NonEmpty, Text, masked
from vmstead.rpc import protocol
from vmstead.rpc.dispatch import authorize, perform
from vmstead.rpc.protocol import Call
from vmstead.rpc.registry import Namespace

log = structlog.get_logger()

core = Namespace("core")

#: Bytes of all results together; more could not be sent.
_LIMIT = 8 * 1024 * 1024
#: Characters of what the progress says.
_TEXT = 1024


class BulkResult(Model):
    """How one of the calls has ended."""

    job_id: int | None = Field(description="Number of the job that it became; null where it is no job.")
    error: str | None = Field(description="What went wrong; null where nothing did.")
    result: Any = Field(description="What the call results in.")


@core.method(job="bulk:{0}", abortable=True, returns=list[BulkResult])
async def bulk(
    ctx: Ctx, method: NonEmpty, params: list[list[Any]], description: Text | None = None
) -> list[dict[str, object]]:
    """Call a method once with each list of parameters, one after the other; answers with how each call has ended.

    A call that fails keeps no other from being made, and the job itself succeeds. Jobs are waited for.
    ``description`` is shown as the job's progress; ``{0}`` in it stands for the first parameter of the call under
    way, ``{0[name]}`` for a member of it.
    """
    target = ctx.methods.get(method)
    if target is None:
        raise CallError(f"Method {method!r} does not exist", ENOMETHOD)
    if target.name == "core.bulk":
        raise CallError("core.bulk cannot be called by itself", errno.EINVAL)
    try:
        authorize(ctx, target, [])
    except NotAuthorized:
        raise CallError("Not authorized", errno.EPERM) from None
    results: list[dict[str, object]] = []
    room = _LIMIT
    for number, each in enumerate(params):
        about = "" if description is None else f": {described(description, each)}"
        ctx.progress(100 * number // len(params), f"{number} / {len(params)}{about}"[:_TEXT])
        result = await _call(ctx, method, each)
        room -= len(msgspec.json.encode(result))
        if room < 0:
            text = "[E2BIG] The results are too large to be sent together; call the method fewer times"
            result = {"job_id": result["job_id"], "error": text, "result": None}
        results.append(result)
    return results


async def _call(ctx: Ctx, method: str, params: list[Any]) -> dict[str, object]:
    """One of the calls."""
    job: Job | None = None
    result, error = None, None
    try:
        outcome = await perform(ctx, ctx.methods, Call(None, has_id=False, method=method, params=params))
        job = outcome if isinstance(outcome, Job) else None
        result = outcome if job is None else await job.outcome()
    except ApiError as failure:
        error = failure.reason
    except Exception as raised:
        log.exception("call failed unexpectedly", method=method)
        error = unexpected(method, raised).reason
    except BaseException:
        # What was begun for somebody who does not want it any more.
        if job is not None:
            ctx.jobs.abort(job)
        raise
    return {"job_id": None if job is None else job.id, "error": error, "result": result}


def described(template: str, params: Sequence[object]) -> str:
    """The text with parameters put in, without their secrets. The text is the client's, so it can do no more."""
    shown = masked([protocol.wire(param) for param in params])
    parts = []
    try:
        for literal, name, spec, conversion in string.Formatter().parse(template):
            parts.append(literal)
            if name is not None:
                parts.append("?" if spec or conversion else str(_looked_up(name, shown)))
    except ValueError:
        return template
    return "".join(parts)


def _looked_up(name: str, params: object) -> object:
    """``0``, ``0[name]``, ``0[name][1]``; a question mark for what is not there."""
    first, _, rest = name.partition("[")
    found = params
    for key in (first, *(each.removesuffix("]") for each in rest.split("[") if rest)):
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isascii() and key.isdecimal() and int(key[:9]) < len(found):
            found = found[int(key[:9])]
        else:
            return "?"
    return found
