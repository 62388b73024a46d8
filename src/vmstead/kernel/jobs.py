"""Jobs: calls that take long, with a number, progress and an end that outlives the connection.

    WAITING ──► RUNNING ──► SUCCESS
       │           ├──────► FAILED
       └───────────┴──────► ABORTED

A job is a record in memory and a task. Every change of the record is an event of ``core.get_jobs`` that
carries the whole record, so a client needs nothing else to follow it.
"""

import asyncio
import contextvars
import errno
import itertools
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import structlog

from vmstead.errors import ApiError, CallError, NotFound, unexpected
from vmstead.kernel.bus import Bus, Change, Event
from vmstead.kernel.clock import Clock
from vmstead.kernel.encode import encode
from vmstead.kernel.job import Job, JobState, Owner
from vmstead.kernel.joblog import JobLog
from vmstead.kernel.model import masked
from vmstead.kernel.pipes import Pipe

__all__ = ["COLLECTION", "KEPT", "QUEUE_SIZE", "Job", "JobState", "Jobs", "Owner"]

log = structlog.get_logger()

#: The subscription that carries job records.
COLLECTION = "core.get_jobs"
#: Finished jobs are forgotten, oldest first, beyond so many, or so many bytes of results.
KEPT = 1000
KEPT_BYTES = 64 * 1024 * 1024
#: Jobs that may wait for a lock where nothing else is said, before calls join one that does the same.
QUEUE_SIZE = 5
#: Jobs that may wait for a lock at all.
MOST_WAITING = 100
#: Seconds between two events that only report progress.
_PROGRESS_INTERVAL = 0.1


class Jobs:
    """All jobs of this process: numbers, queues, records, events."""

    def __init__(
        self, clock: Clock, bus: Bus, owner_of: Callable[[object], Owner], logs: Path | None = None
    ) -> None:
        """``owner_of`` makes an event subscriber's identity comparable with a job's owner; ``logs`` is a folder."""
        self._clock = clock
        self._logs = logs
        self._bus = bus
        self._owner_of = owner_of
        self._jobs: dict[int, Job] = {}
        self._numbers = itertools.count(1)
        self._queues: dict[str, list[Job]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._quiet: set[int] = set()
        #: Jobs that have ended, by how; those that are forgotten too.
        self.ended: dict[JobState, int] = dict.fromkeys((s for s in JobState if s.is_final), 0)

    def submit(
        self,
        method: str,
        body: Callable[[Job], Awaitable[object]],
        *,
        owner: Owner,
        request: object = None,
        arguments: Iterable[object] = (),
        message_id: object = None,
        description: str | None = None,
        abortable: bool = False,
        lock: str | None = None,
        queue_size: int = QUEUE_SIZE,
        pipe: Pipe | None = None,
        has_log: bool = False,
    ) -> Job:
        """Start a job, or queue it behind those with the same ``lock``.

        With ``queue_size`` jobs waiting already, a call joins the last one that its owner may see, if that and all
        behind it have the same ``request``, which is what was asked for. ``message_id`` is the id of the call, by
        which new clients find their job. ``pipe`` is what the job reads or writes; with one it never joins another.
        ``has_log``: it keeps a log.

        Raises:
            CallError: EBUSY, when ``MOST_WAITING`` jobs wait already.
        """
        queue = self._queues.get(lock, []) if lock is not None else []
        if pipe is None and len(queue) > queue_size and (twin := _twin(queue[1:], owner, method, request)):
            return self._join(twin, message_id)
        _refuse_too_many(queue)
        job = Job(
            id=next(self._numbers),
            method=method,
            arguments=list(arguments),
            owner=owner,
            request=request,
            description=description,
            abortable=abortable,
            lock=lock,
            started=self._clock.now(),
            publish=self._progressed,
            body=body,
            # A job that waits for its turn is started by the end of another, and still belongs to its own call.
            context=contextvars.copy_context(),
            pipe=pipe,
        )
        if has_log and self._logs is not None:
            job.log = JobLog(self._logs / f"{job.id}.log")
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

    def _join(self, job: Job, message_id: object) -> Job:
        if message_id:
            job.message_ids.append(message_id)
        self._publish(job, "changed")
        return job

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
            text = "Job is not owned by current session"
            if job.owner.username is None:
                text = "Only users with full administrative privileges can access internally ran jobs"
            raise CallError(text, errno.EPERM)
        return job

    def find(self, number: int) -> Job | None:
        """The job of that number, for those who have shown by other means that they may use it."""
        return self._jobs.get(number)

    def rows(self, viewer: Owner, *, raw: bool = False) -> list[dict[str, object]]:
        """The records that this viewer may see, oldest first. With ``raw``, secrets in results are shown."""
        return [job.row(raw=raw) for job in self._jobs.values() if job.visible_to(viewer)]

    def count(self, state: JobState) -> int:
        """How many jobs are in that state; of those that have ended, the ones that are remembered."""
        return sum(job.state is state for job in self._jobs.values())

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
            self._perform(job, job.body), name=f"job {job.id} {job.method}", context=job.context
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
            job.error = unexpected(job.method, error)
            job.error.__cause__ = error
            job.error_text = str(job.error)
            self._finish(job, JobState.FAILED)
        else:
            job.percent = 100
            _weigh(job)
            self._finish(job, JobState.SUCCESS)

    def _finish(self, job: Job, state: JobState) -> None:
        job.state = state
        self.ended[state] += 1
        job.finished = self._clock.now()
        job.body = job.task = job.context = job.request = None
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

        def is_owner(identity: object) -> bool:
            return self._owner_of(identity).username == job.owner.username is not None

        def audience(identity: object) -> bool:
            return job.visible_to(self._owner_of(identity))

        def others(identity: object) -> bool:
            return audience(identity) and not is_owner(identity)

        def publish(row: dict[str, object], audience: Callable[[object], bool]) -> None:
            self._bus.publish(
                Event(COLLECTION, change, job.id, row, audience=audience, is_passing=is_passing)
            )

        if job.result is None or masked(job.result) == job.result:
            publish(job.row(), audience)
        else:
            # Clients take results from here, so whoever made the call gets what it is about.
            publish(job.row(), is_owner)
            publish(job.row(raw=False), others)

    def _forget_old(self) -> None:
        size = sum(job.size for job in self._jobs.values())
        for number, job in list(self._jobs.items()):
            if len(self._jobs) <= KEPT and size <= KEPT_BYTES:
                return
            if job.state.is_final:
                size -= job.size
                del self._jobs[number]
                if job.log is not None:
                    asyncio.get_running_loop().run_in_executor(None, job.log.remove)


def _twin(waiting: list[Job], owner: Owner, method: str, request: object) -> Job | None:
    # Behind something else it would be carried out later, and maybe on what that leaves.
    same = itertools.takewhile(
        lambda each: (each.method, each.request) == (method, request), reversed(waiting)
    )
    return next((each for each in same if each.visible_to(owner)), None)


def _refuse_too_many(queue: list[Job]) -> None:
    if len(queue) > MOST_WAITING:
        text = f"{MOST_WAITING} calls wait for their turn already; try again when some of them have ended"
        raise CallError(text, errno.EBUSY)


def _weigh(job: Job) -> None:
    """Find out how large the result is, or that it cannot be sent at all."""
    if job.result is None:
        return
    try:
        job.size = len(encode(job.result).encode())
    except (TypeError, ValueError, RecursionError) as error:
        log.warning("a job's result cannot be sent", job=job.id, method=job.method, reason=str(error))
        job.result, job.encoding_error = None, repr(error)
