"""Jobs: calls that go on after the server has taken them, with progress, a result and a way to abort them."""

from collections import deque
from collections.abc import Callable, Mapping
from math import inf
from time import monotonic
from typing import NamedTuple, Protocol

from vmstead.client.ejson import Json
from vmstead.client.errors import CallTimeout, ClientError, error_from_job
from vmstead.client.events import Waits

_FINAL = ("SUCCESS", "FAILED", "ABORTED")
#: Progress reports kept for a job that nobody waits for at the moment; of more, the latest.
_UNSEEN = 1000


class Progress(NamedTuple):
    """How far a job is.

    Attributes:
        percent: 0 to 100.
        description: what it is doing; empty when it does not say.
        extra: anything else the job tells, or None.
    """

    percent: float
    description: str
    extra: Json = None


class JobClient(Waits, Protocol):
    """What a job needs of its client."""

    def call(self, method: str, *params: Json, timeout: float | None = None) -> Json: ...


class Job:
    """A job on the server, made by `Client.call_job` or `Client.job`.

    Attributes:
        id: the server's number; None for a call that turned out to be no job, whose result is there already.
        method: the method it runs, where the server told it.
        state: `WAITING`, `RUNNING`, `SUCCESS`, `FAILED` or `ABORTED`, as last heard. It changes only while
            the client reads, that is while some method of it waits.
        progress: as last heard.
    """

    def __init__(self, client: JobClient, fields: Mapping[str, Json]) -> None:
        """Not for callers: `fields` is the job object as `core.get_jobs` gives it."""
        self._client = client
        self._unseen: deque[Progress] = deque(maxlen=_UNSEEN)
        self._result: Json = None
        self._error: Callable[[], ClientError] | None = None
        self.id: int | None = fields.get("id")
        self.method: str | None = fields.get("method")
        self.state = "WAITING"
        self.progress = Progress(0, "")
        self.update(fields)

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.method or ''} {self.state}>"

    @property
    def done(self) -> bool:
        """Whether the job has ended, as far as has been heard."""
        return self.state in _FINAL

    def result(
        self, on_progress: Callable[[Progress], object] | None = None, timeout: float | None = None
    ) -> Json:
        """Wait for the end of the job and return its result.

        Args:
            on_progress: called for every report of progress, those before this call included; what it raises
                ends the wait. It may use the client.
            timeout: seconds to wait; None for ever.

        Raises:
            CallTimeout: the job did not end in time. It goes on, and `result` can be called again.
            JobAbortedError: it was aborted.
            ValidationErrors: it refused its parameters.
            ClientError: it failed otherwise.
            ConnectionLostError: the connection ended; what became of the job is not known.
        """
        deadline = monotonic() + (inf if timeout is None else timeout)
        while True:
            while self._unseen:
                progress = self._unseen.popleft()
                if on_progress is not None:
                    on_progress(progress)
            if self.done:
                break
            left = max(deadline - monotonic(), 0)
            if not self._client.wait_until(lambda: self._unseen or self.done, left):
                raise CallTimeout(f"Job {self.id} did not end in time")
        if self._error is not None:
            raise self._error()
        return self._result

    def abort(self) -> None:
        """Ask the server to abort the job. `result` then raises JobAbortedError, unless the job was faster.

        Raises:
            ClientError: the server refused, for instance because the job is somebody else's.
        """
        self._client.call("core.job_abort", self.id)

    def update(self, fields: Mapping[str, Json]) -> None:
        """Called by the client: the job as the server now describes it."""
        if self.done:
            return
        report = fields.get("progress")
        if isinstance(report, dict):
            percent = report.get("percent")
            self.progress = Progress(percent or 0, report.get("description") or "", report.get("extra"))
            self._unseen.append(self.progress)
        self.state = state = str(fields.get("state") or self.state)
        if state == "SUCCESS":
            self._result = fields.get("result")
        elif state in _FINAL:
            final = dict(fields)
            self._error = lambda: error_from_job(final)

    def answer(self, result: Json, error: ClientError | None) -> None:
        """Called by the client: the answer to the call that started the job, which comes at its end.

        Normally the job's last event came before it and told the same, and whether the job was aborted, which
        an answer does not tell. The answer counts when that event was missed.
        """
        if self.done:
            return
        self._result = result
        self.state = "SUCCESS" if error is None else "FAILED"
        if error is not None:
            self._error = lambda: error


class JobTable:
    """The jobs that somebody holds a Job object of, until they end."""

    def __init__(self) -> None:
        self._by_id: dict[int, list[Job]] = {}
        self._by_call: dict[str, Job] = {}

    def add(self, job: Job, call_id: str | None = None) -> None:
        """Keep a job up to date from now on.

        Args:
            job: the job.
            call_id: the call that started it, whose answer will come when the job ends.
        """
        if job.done or job.id is None:
            return
        self._by_id.setdefault(job.id, []).append(job)
        if call_id is not None:
            self._by_call[call_id] = job

    def remove(self, job: Job) -> None:
        """Keep a job up to date no longer."""
        jobs = self._by_id.get(job.id, []) if job.id is not None else []
        if job in jobs:
            jobs.remove(job)

    def observed(self, fields: Mapping[str, Json]) -> None:
        """A job event told of the job with these fields."""
        job_id = fields.get("id")
        for job in self._by_id.get(job_id, ()) if isinstance(job_id, int) else ():
            job.update(fields)
        self._forget_done(job_id)

    def answered(self, call_id: str, result: Json, error: ClientError | None) -> None:
        """A call was answered that is no longer waited for; perhaps it had started one of these jobs."""
        job = self._by_call.pop(call_id, None)
        if job is not None:
            job.answer(result, error)
            self._forget_done(job.id)

    def _forget_done(self, job_id: Json) -> None:
        jobs = self._by_id.get(job_id)
        if jobs and jobs[0].done:
            del self._by_id[job_id]
            for call_id in [key for key, job in self._by_call.items() if job.done]:
                del self._by_call[call_id]
