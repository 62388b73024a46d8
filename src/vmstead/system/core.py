"""``core.*``: the connection itself, subscriptions, and jobs."""

from pydantic import ConfigDict

from vmstead.ctx import Ctx
from vmstead.errors import CallError, NotAuthorized
from vmstead.kernel import jobs
from vmstead.kernel.bus import Event
from vmstead.kernel.model import Field, Model, NonEmpty
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


@core.query(role=None)
async def get_jobs(ctx: Ctx, query: Query) -> object:
    """The jobs that this user may see, oldest first."""
    return query.apply(ctx.jobs.rows(owner_of(ctx.caller)))


@core.method(job=True)
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


@core.method()
async def job_abort(ctx: Ctx, id: int) -> None:
    """Abort a job that has not ended."""
    ctx.jobs.abort(ctx.jobs.get(id, owner_of(ctx.caller)))
