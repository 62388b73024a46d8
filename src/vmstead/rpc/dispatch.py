"""One call, from frame to frame."""

import asyncio
import contextlib
import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from time import perf_counter
from typing import Protocol, Self

import structlog

from vmstead.errors import ApiError, CallError, NotAuthenticated, NotAuthorized, unexpected
from vmstead.kernel import counts
from vmstead.kernel.counts import Counts
from vmstead.kernel.jobs import Job, Jobs, Owner
from vmstead.kernel.pipes import Pipe, PipeBroken
from vmstead.query import MatchNotFound, QueryRuntimeError
from vmstead.rpc.audit import Trail, masked_parameters, recorded, refused
from vmstead.rpc.caller import Caller
from vmstead.rpc.codec import Codec, JsonRpc
from vmstead.rpc.protocol import Call
from vmstead.rpc.registry import Method
from vmstead.rpc.session import Session

log = structlog.get_logger()


class Context(Protocol):
    """What a call runs in. The services in it are the methods' business."""

    @property
    def session(self) -> Session:
        """The connection that the call came on."""

    @property
    def jobs(self) -> Jobs:
        """Where job methods run."""

    @property
    def trail(self) -> Trail:
        """Where changing calls are recorded."""

    @property
    def counts(self) -> Counts:
        """Where calls are counted."""

    def in_job(self, job: Job) -> Self:
        """The same context for the body of a job."""


class Busy(Exception):
    """The connection has too many calls under way."""


_JSON_RPC = JsonRpc()


async def answer(
    ctx: Context,
    methods: Mapping[str, Method],
    call: Call,
    turn: AbstractAsyncContextManager[None],
    codec: Codec = _JSON_RPC,
) -> str | None:
    """Carry out a call and return the frame that answers it; None where it is not answered.

    ``turn`` is held while the call runs, but not while a job is waited for, so that long jobs do not keep
    other calls of the same connection waiting. Entering it raises ``Busy`` when too many wait already.
    """
    try:
        async with turn:
            message_id = None if codec.knows_jobs_by_number else call.id
            result = await perform(ctx, methods, call, message_id)
        if isinstance(result, Job):
            by_number = codec.knows_jobs_by_number or ctx.session.options.legacy_jobs
            result = result.id if by_number else await result.outcome()
        return codec.result(call, result)
    except Busy as busy:
        ctx.counts.called(call.method if call.method in methods else counts.UNKNOWN, counts.LIMITED, 0.0)
        return codec.too_many_calls(call, str(busy))
    except UnknownMethod:
        return codec.unknown_method(call, methods.keys())
    except ApiError as error:
        return codec.error(call, error)
    except Exception as error:
        log.exception("call failed unexpectedly", method=call.method)
        return codec.error(call, unexpected(call.method, error))


class UnknownMethod(Exception):
    """There is no method of that name."""


async def perform(
    ctx: Context, methods: Mapping[str, Method], call: Call, message_id: object = None
) -> object:
    """Find, authorize, check and run a method. Returns its result, or the job that it became."""
    method = methods.get(call.method)
    if method is None:
        ctx.counts.called(counts.UNKNOWN, counts.REFUSED, 0.0)
        raise UnknownMethod
    began, outcome = perf_counter(), counts.FAILED
    try:
        authorize(ctx, method, call.params)
        result: object
        if method.is_job:
            result = submit(ctx, method, call.params, message_id=message_id)
        elif method.audit:
            async with recorded(ctx, method, call.params):
                result = await _run(ctx, method, call.params)
        else:
            result = await _run(ctx, method, call.params)
        outcome = counts.OK
    except (NotAuthenticated, NotAuthorized):
        outcome = counts.DENIED
        raise
    except ApiError:
        outcome = counts.REFUSED
        raise
    except asyncio.CancelledError:
        outcome = counts.ABORTED
        raise
    finally:
        ctx.counts.called(method.name, outcome, perf_counter() - began)
    return result


def authorize(ctx: Context, method: Method, params: Sequence[object]) -> None:
    """Refuse a caller who may not call this, and record that. Raises NotAuthenticated and NotAuthorized."""
    try:
        method.authorize(ctx.session.caller)
    except NotAuthorized:
        if method.audit:
            refused(ctx, method, params)
        raise


def submit(
    ctx: Context,
    method: Method,
    params: Sequence[object],
    *,
    message_id: object = None,
    pipe: Pipe | None = None,
) -> Job:
    """Make a job of a call. Its arguments are checked inside, so that bad ones fail the job.

    Raises:
        CallError: EINVAL, when the method needs a pipe and there is none; EBUSY, when too many wait already.
    """
    if method.pipe is not None and method.needs_pipe and pipe is None:
        way = "core.download" if method.pipe == "output" else "POST /_upload"
        raise CallError(f"Pipe {method.pipe!r} is not open: {method.name} is called through {way}", 22)

    async def body(job: Job) -> object:
        with _ending(method, pipe):
            if not method.audit:
                return await _run(ctx.in_job(job), method, params)
            async with recorded(ctx, method, params):
                return await _run(ctx.in_job(job), method, params)

    return ctx.jobs.submit(
        method.name,
        body,
        owner=owner_of(ctx.session.caller),
        request=params,
        arguments=[*masked_parameters(method, params).values()],
        message_id=message_id,
        description=method.description_for(params),
        abortable=method.is_abortable,
        has_log=method.has_log,
        lock=method.lock_for(params),
        queue_size=method.queue_size,
        pipe=pipe,
    )


async def _run(ctx: Context, method: Method, params: Sequence[object]) -> object:
    """Run a method. What can go wrong while a query runs is raised in the API's form."""
    arguments = method.bind(params)
    try:
        return await method.function(ctx, *arguments)
    except QueryRuntimeError as error:
        raise _Unprefixed(str(error)) from None
    except MatchNotFound as error:
        raise _Unprefixed(repr(error)) from None


@contextlib.contextmanager
def _ending(method: Method, pipe: Pipe | None) -> Iterator[None]:
    """Tell the other end of a job's pipe how the job has ended, and whoever called what became of that end."""
    try:
        yield
    except PipeBroken as error:
        raise CallError(f"{method.name} was given up: {error}", errno.EPIPE) from error
    except BaseException as error:
        if pipe is not None:
            pipe.fail(str(error).strip() or "the job was aborted")
        raise
    if pipe is not None and method.pipe == "output":
        pipe.end()
    elif pipe is not None:
        # Whoever still writes is not to wait for a reader that has what it wants.
        pipe.fail("the job has ended")


def owner_of(caller: object) -> Owner:
    """A caller as jobs know it."""
    if not isinstance(caller, Caller):
        return Owner(None, None, is_admin=False)
    return Owner(caller.username, caller.credentials, is_admin=caller.is_admin)


class _Unprefixed(ApiError):
    """A query that cannot be answered: EINVAL, and a text without the error's name, as clients expect it."""
