"""``core.*``: the connection itself, subscriptions, and jobs."""

import errno
from typing import Annotated, Any, Literal

from pydantic import ConfigDict

from vmstead.ctx import Ctx
from vmstead.errors import CallError, NotAuthorized
from vmstead.kernel import jobs
from vmstead.kernel.bus import Event
from vmstead.kernel.model import Date, Field, Model, NonEmpty
from vmstead.query import Query
from vmstead.rpc.dispatch import owner_of
from vmstead.rpc.registry import Namespace
from vmstead.rpc.subscriptions import may_subscribe

core = Namespace("core")


@core.method(is_public=True)
async def ping(ctx: Ctx) -> str:
    """Answers ``pong``."""
    return "pong"


class Options(Model):
    """How the server is to treat this connection. Unknown ones are ignored."""

    model_config = ConfigDict(extra="ignore")

    legacy_jobs: bool | None = Field(
        None, description="Answer calls to job methods at once, with the job's number."
    )
    private_methods: bool | None = Field(None, description="Has no effect: there are no private methods.")
    py_exceptions: bool | None = Field(None, description="Has no effect: exceptions are not pickled.")


@core.method(is_public=True, is_rate_limited=False)
async def set_options(ctx: Ctx, options: Options) -> dict[str, bool]:
    """Set options of this connection; answers with all of them."""
    current = ctx.session.options
    if options.legacy_jobs is not None:
        current.legacy_jobs = options.legacy_jobs
    if options.private_methods is not None:
        current.private_methods = options.private_methods
    return {
        "legacy_jobs": current.legacy_jobs,
        "private_methods": current.private_methods,
        # Never on, whatever the client asks for: unpickling runs code.
        "py_exceptions": current.py_exceptions,
    }


@core.method()
async def subscribe(ctx: Ctx, event: NonEmpty) -> str:
    """Have a collection's events sent; answers with the id of the subscription.

    ``*`` subscribes to all collections and is for administrators. Event sources take arguments after a colon, such
    as ``reporting.realtime:{"interval": 5}``; wrong ones are answered by a notification that the stream has ended.
    ``core.get_events`` lists what there is.
    """
    if not may_subscribe(ctx.caller, event, ctx.event_roles):
        raise NotAuthorized
    return ctx.session.subscribe(event)


@core.method()
async def unsubscribe(ctx: Ctx, id: NonEmpty) -> None:
    """End a subscription. Ids that are unknown are ignored."""
    ctx.session.unsubscribe(id)


@core.method()
async def resize_shell(
    ctx: Ctx,
    id: NonEmpty,
    cols: Annotated[int, Field(ge=1, le=65535)],
    rows: Annotated[int, Field(ge=1, le=65535)],
) -> None:
    """Tell how large the terminal at a serial console is; ``id`` is what ``/websocket/shell`` said at its opening.

    A serial line carries bytes and nothing else, so the guest does not learn of it: in the guest,
    ``stty cols COLS rows ROWS`` sets the size, and ``resize`` asks the terminal for it. Fails with ENOENT when no
    such console is open.
    """
    viewer = ctx.consoles.viewer(id)
    if viewer is None:
        raise CallError("Shell does not exist", errno.ENOENT)
    viewer.size = (cols, rows)


class Progress(Model):
    """How far a job is."""

    percent: int = Field(description="0 to 100.")
    description: str = Field(description="What it is doing.")
    extra: Any = Field(description="More, which depends on the method.")


class ExceptionInfo(Model):
    """What a job failed with."""

    repr: str = Field(description="All of it, for people.")
    type: str = Field(
        description="VALIDATION for wrong arguments, which are in extra; else the kind of error."
    )
    errno: int | None = Field(description="The error number, as in errors of calls.")
    extra: list[Any] | None = Field(
        description="For VALIDATION: attribute, message and error number of each."
    )


class Credentials(Model):
    """Who started a job."""

    type: str = Field(description="How it had logged in, such as LOGIN_PASSWORD or API_KEY.")
    data: dict[str, Any] = Field(description="With username, the name of the account.")


class JobShape(Model):
    """A job: a call that takes long."""

    id: int = Field(description="Its number; the first after a start of the server is 1.")
    message_ids: list[Any] = Field(description="Ids of the calls that it answers.")
    method: str = Field(description="What was called.")
    arguments: list[Any] = Field(description="The parameters, without secrets.")
    transient: bool = Field(description="False.")
    description: str | None = Field(description="What it is for.")
    abortable: bool = Field(description="Pages may offer to abort it.")
    logs_path: str | None = Field(description="File on the server with its log; null for a job without one.")
    logs_excerpt: str | None = Field(description="Beginning and end of the log, when the job has ended.")
    progress: Progress = Field(description="How far it is.")
    result: Any = Field(description="What it results in, when it has succeeded.")
    result_encoding_error: str | None = Field(description="Why the result cannot be shown.")
    error: str | None = Field(description="Why it has failed.")
    exception: str | None = Field(description="The same.")
    exc_info: ExceptionInfo | None = Field(description="What it has failed with.")
    state: Literal["WAITING", "RUNNING", "SUCCESS", "FAILED", "ABORTED"] = Field(description="How it is.")
    time_started: Date = Field(description="When it was called.")
    time_finished: Date | None = Field(description="When it ended.")
    credentials: Credentials | None = Field(description="Who called; null for the server itself.")


@core.query(role=None, returns=JobShape)
async def get_jobs(ctx: Ctx, query: Query) -> object:
    """The jobs that this user may see, oldest first: those of its account, and for administrators all.

    Secrets in results are masked. With ``raw_result`` in the option ``extra`` administrators get them as they are.
    """
    raw = bool(query.extra.get("raw_result", False))
    if raw and not ctx.caller.is_admin:
        raise CallError("Unredacted job results require full administrative privileges", errno.EPERM)
    return query.apply(ctx.jobs.rows(owner_of(ctx.caller), raw=raw))


@core.method(job=True, abortable=True)
async def job_wait(ctx: Ctx, id: int) -> object:
    """Wait for a job to end, and end as it does."""
    assert ctx.job is not None
    job = ctx.jobs.get(id, ctx.job.owner)
    mine = ctx.job

    def follow(event: Event) -> None:
        if event.id == id and not job.state.is_final:
            mine.progress(job.percent, job.status, job.progress_extra)

    if job is mine:
        raise CallError("A job cannot wait for itself")
    stop = ctx.bus.subscribe(jobs.COLLECTION, follow)
    try:
        return await job.outcome()
    finally:
        stop()


@core.method(audit="Abort job {id}")
async def job_abort(ctx: Ctx, id: int) -> None:
    """Abort a job that has not ended."""
    ctx.jobs.abort(ctx.jobs.get(id, owner_of(ctx.caller)))
