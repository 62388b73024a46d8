"""Jobs: calls that take long, with a number, progress and an end that outlives the connection.

    WAITING ──► RUNNING ──► SUCCESS
       │           ├──────► FAILED
       └───────────┴──────► ABORTED

A job is a record in memory and a task. Every change of the record is an event of ``core.get_jobs`` that
carries the whole record, so a client needs nothing else to follow it.
"""

import asyncio
import errno
import itertools
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum

import structlog

from vmstead.errors import ApiError, CallError, NotFound, ValidationErrors
from vmstead.kernel.bus import Bus, Change, Event
from vmstead.kernel.clock import Clock
from vmstead.kernel.pipes import Pipe

log = structlog.get_logger()

#: The subscription that carries job records.
COLLECTION = "core.get_jobs"
#: Finished jobs are forgotten, oldest first, beyond so many.
KEPT = 1000
#: Jobs that may wait for a lock where nothing else is said.
QUEUE_SIZE = 5
#: Seconds between two events that only report progress.
_PROGRESS_INTERVAL = 0.1


class JobState(StrEnum):
    """How far a job is."""

    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    ABORTED = "ABORTED"

    @property
    def is_final(self) -> bool:
        return self not in {JobState.WAITING, JobState.RUNNING}


@dataclass(frozen=True, slots=True)
class Owner:
    """Who started a job, as far as jobs care.

    Attributes:
        username: the account; None for the server itself.
        credentials: the record's ``credentials`` member.
        is_admin: may see and abort every job.
    """

    username: str | None
    credentials: dict[str, object] | None
    is_admin: bool


@dataclass(eq=False)
class Job:
    """One job's record, and the handle that the running body reports through.

    ``arguments`` are shown to clients: secrets are masked in them.
    """

    id: int
    method: str
    arguments: list[object]
    owner: Owner
    description: str | None
    abortable: bool
    lock: str | None
    started: float
    publish: Callable[["Job"], None]
    message_ids: list[object] = field(default_factory=list)
    state: JobState = JobState.WAITING
    finished: float | None = None
    percent: int = 0
    status: str = ""
    progress_extra: object = None
    result: object = None
    error: BaseException | None = None
    error_text: str | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    body: Callable[["Job"], Awaitable[object]] | None = None
    task: "asyncio.Task[None] | None" = None
    pipe: Pipe | None = None

    def progress(self, percent: int, status: str = "", extra: object = None) -> None:
        """Report how far the job is. An empty status keeps the one before; the end is the last word."""
        if self.state.is_final:
            return
        self.percent = max(0, min(100, percent))
        self.status = status or self.status
        self.progress_extra = extra
        self.publish(self)

    def row(self) -> dict[str, object]:
        """The record as ``core.get_jobs`` shows it."""
        return {
            "id": self.id,
            "message_ids": list(self.message_ids),
            "method": self.method,
            "arguments": self.arguments,
            "transient": False,
            "description": self.description,
            "abortable": self.abortable,
            "logs_path": None,
            "logs_excerpt": None,
            "progress": {"percent": self.percent, "description": self.status, "extra": self.progress_extra},
            "result": self.result,
            "result_encoding_error": None,
            "error": self.error_text,
            "exception": self.error_text,
            "exc_info": None if self.error is None else _exc_info(self.error),
            "state": str(self.state),
            "time_started": _date(self.started),
            "time_finished": None if self.finished is None else _date(self.finished),
            "credentials": self.owner.credentials,
        }

    def visible_to(self, viewer: Owner) -> bool:
        """A job can be seen by its owner's account and by administrators."""
        return viewer.is_admin or (viewer.username is not None and viewer.username == self.owner.username)

    async def outcome(self) -> object:
        """Wait for the end; return the result or raise the error. An aborted job results in None."""
        await self.done.wait()
        if self.error is not None:
            raise self.error
        return self.result


def _date(seconds: float) -> dict[str, int]:
    return {"$date": int(seconds) * 1000}


def _exc_info(error: BaseException) -> dict[str, object]:
    return {
        "repr": f"{type(error).__name__}({str(error).strip()!r})",
        "type": "VALIDATION" if isinstance(error, ValidationErrors) else type(error).__name__,
        "errno": error.errno if isinstance(error, CallError) else None,
        "extra": error.extra if isinstance(error, ApiError) else None,
    }


class Jobs:
    """All jobs of this process: numbers, queues, records, events."""

    def __init__(self, clock: Clock, bus: Bus, owner_of: Callable[[object], Owner]) -> None:
        """``owner_of`` makes an event subscriber's identity comparable with a job's owner."""
        self._clock = clock
        self._bus = bus
        self._owner_of = owner_of
        self._jobs: dict[int, Job] = {}
        self._numbers = itertools.count(1)
        self._queues: dict[str, list[Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._quiet: set[int] = set()

    def submit(
        self,
        method: str,
        body: Callable[[Job], Awaitable[object]],
        *,
        owner: Owner,
        arguments: Iterable[object] = (),
        message_id: object = None,
        description: str | None = None,
        abortable: bool = False,
        lock: str | None = None,
        queue_size: int = QUEUE_SIZE,
        pipe: Pipe | None = None,
    ) -> Job:
        """Start a job, or queue it behind those with the same ``lock``.

        With ``queue_size`` jobs waiting already, no new one is made: the call joins the last waiting job of
        the same owner. ``message_id`` is the id of the call, by which new clients find their job. ``pipe`` is what
        the job reads or writes; a job that has one never joins another.

        Raises:
            CallError: EBUSY, when the queue is full of other people's jobs.
        """
        queue = self._queues.get(lock, []) if lock is not None else []
        if len(queue) > queue_size and pipe is None:
            return self._join(queue, owner, message_id)
        job = Job(
            id=next(self._numbers),
            method=method,
            arguments=list(arguments),
            owner=owner,
            description=description,
            abortable=abortable,
            lock=lock,
            started=self._clock.now(),
            publish=self._progressed,
            body=body,
            pipe=pipe,
        )
        if message_id:
            job.message_ids.append(message_id)
        self._jobs[job.id] = job
        self._forget_old()
        self._publish(job, "added")
        if lock is None:
            self._run(job)
        else:
            self._queues.setdefault(lock, []).append(job)
            if not queue:
                self._run(job)
        return job

    def _join(self, queue: list[Job], owner: Owner, message_id: object) -> Job:
        for job in reversed(queue[1:]):
            if job.visible_to(owner):
                if message_id:
                    job.message_ids.append(message_id)
                self._publish(job, "changed")
                return job
        by_another = " by another user" if len(queue) > 1 else ""
        raise CallError(f"This job is already being performed{by_another}", errno.EBUSY)

    def get(self, number: int, viewer: Owner) -> Job:
        """The job of that number.

        Raises:
            NotFound: there is none, or it was long ago.
            CallError: EPERM, when it belongs to somebody else.
        """
        job = self._jobs.get(number)
        if job is None:
            raise NotFound("Job with id", number)
        if not job.visible_to(viewer):
            raise CallError("Job is not owned by current session", errno.EPERM)
        return job

    def find(self, number: int) -> Job | None:
        """The job of that number, for those who have shown by other means that they may use it."""
        return self._jobs.get(number)

    def rows(self, viewer: Owner) -> list[dict[str, object]]:
        """The records that this viewer may see, oldest first."""
        return [job.row() for job in self._jobs.values() if job.visible_to(viewer)]

    def abort(self, job: Job) -> None:
        """Stop a job that has not ended; a waiting one never starts."""
        if job.task is not None:
            # Only once: a second time would interrupt what takes the changes back.
            if not job.task.cancelling():
                job.task.cancel()
        elif job.state is JobState.WAITING:
            self._finish(job, JobState.ABORTED)

    async def close(self) -> None:
        """Abort everything and wait until it has wound itself up."""
        for job in list(self._jobs.values()):
            if not job.state.is_final:
                self.abort(job)
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _run(self, job: Job) -> None:
        assert job.body is not None
        job.state = JobState.RUNNING
        self._publish(job, "changed")
        task = asyncio.get_running_loop().create_task(
            self._perform(job, job.body), name=f"job {job.id} {job.method}"
        )
        job.task = task
        self._tasks.add(task)

        def ended(task: "asyncio.Task[None]") -> None:
            self._tasks.discard(task)
            # A task that is cancelled before its first step never gets to handle that itself.
            if not job.state.is_final:
                self._finish(job, JobState.ABORTED)

        task.add_done_callback(ended)

    async def _perform(self, job: Job, body: Callable[[Job], Awaitable[object]]) -> None:
        try:
            job.result = await body(job)
        except asyncio.CancelledError:
            self._finish(job, JobState.ABORTED)
        except ApiError as error:
            job.error, job.error_text = error, error.reason
            self._finish(job, JobState.FAILED)
        except Exception as error:
            log.exception("job failed unexpectedly", job=job.id, method=job.method)
            job.error = CallError(f"{job.method} failed unexpectedly; the server's log tells more")
            job.error.__cause__ = error
            job.error_text = str(job.error)
            self._finish(job, JobState.FAILED)
        else:
            job.percent = 100
            self._finish(job, JobState.SUCCESS)

    def _finish(self, job: Job, state: JobState) -> None:
        job.state = state
        job.finished = self._clock.now()
        job.body = job.task = None
        following = self._leave_queue(job)
        self._publish(job, "changed")
        job.done.set()
        if following is not None:
            self._run(following)

    def _leave_queue(self, job: Job) -> Job | None:
        """Take the job out of its queue and return the one whose turn has come."""
        if job.lock is None:
            return None
        queue = self._queues[job.lock]
        was_first = queue[0] is job
        queue.remove(job)
        if not queue:
            del self._queues[job.lock]
            return None
        return queue[0] if was_first else None

    def _progressed(self, job: Job) -> None:
        """Publish progress at most every so often; the last report before a pause is never lost."""
        if job.id in self._quiet:
            return
        self._quiet.add(job.id)
        self._publish(job, "changed", is_passing=True)
        shown = (job.percent, job.status, job.progress_extra)

        def catch_up() -> None:
            self._quiet.discard(job.id)
            if not job.state.is_final and (job.percent, job.status, job.progress_extra) != shown:
                self._progressed(job)

        self._clock.call_later(_PROGRESS_INTERVAL, catch_up)

    def _publish(self, job: Job, change: Change, *, is_passing: bool = False) -> None:
        if not self._bus.has_subscribers(COLLECTION):
            return

        def audience(identity: object) -> bool:
            return job.visible_to(self._owner_of(identity))

        self._bus.publish(
            Event(COLLECTION, change, job.id, job.row(), audience=audience, is_passing=is_passing)
        )

    def _forget_old(self) -> None:
        if len(self._jobs) > KEPT:
            for number, job in self._jobs.items():
                if job.state.is_final:
                    del self._jobs[number]
                    return
