"""One job: its record, and the handle that its body reports through. ``kernel/jobs.py`` runs them."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum

from vmstead.errors import ApiError, CallError, ValidationErrors
from vmstead.kernel.joblog import JobLog
from vmstead.kernel.model import masked
from vmstead.kernel.pipes import Pipe


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

    ``arguments`` are shown to clients: secrets are masked in them. ``request`` is what was asked for, until the job
    has ended, and is shown to nobody. ``size`` is the result's, in bytes of JSON.
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
    request: object = None
    body: Callable[["Job"], Awaitable[object]] | None = None
    context: contextvars.Context | None = None
    task: "asyncio.Task[None] | None" = None
    pipe: Pipe | None = None
    log: JobLog | None = None
    size: int = 0
    encoding_error: str | None = None

    def progress(self, percent: int, status: str = "", extra: object = None) -> None:
        """Report how far the job is. An empty status keeps the one before; the end is the last word."""
        if self.state.is_final:
            return
        self.percent = max(0, min(100, percent))
        self.status = status or self.status
        self.progress_extra = extra
        self.publish(self)

    def row(self, *, raw: bool = True) -> dict[str, object]:
        """The record as ``core.get_jobs`` shows it; secrets in the result are masked unless it is ``raw``."""
        return {
            "id": self.id,
            "message_ids": list(self.message_ids),
            "method": self.method,
            "arguments": self.arguments,
            # Those of TrueNAS that are forgotten when they end are not among the jobs here.
            "transient": False,
            "description": self.description,
            "abortable": self.abortable,
            "logs_path": None if self.log is None else str(self.log.path),
            "logs_excerpt": self.log.excerpt() if self.log is not None and self.state.is_final else None,
            "progress": {"percent": self.percent, "description": self.status, "extra": self.progress_extra},
            "result": self.result if raw else masked(self.result),
            "result_encoding_error": self.encoding_error,
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
