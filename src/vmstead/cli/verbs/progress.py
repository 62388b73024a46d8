"""Following a job: its progress on standard error, and what Ctrl-C means meanwhile."""

import sys
from types import TracebackType
from typing import Any, Self

import click

from vmstead.cli.verbs.output import colours, say
from vmstead.client import Job, Progress
from vmstead.client.ejson import Json

#: Exit status after Ctrl-C.
INTERRUPTED = 130


def follow(job: Job, timeout: float | None = None) -> Json:
    """Wait for the end of a job and return its result; Ctrl-C leaves the job alone and says so.

    Raises:
        ClientError: as ``Job.result``.
        SystemExit: 130 after Ctrl-C.
    """
    try:
        return watch(job, timeout)
    except KeyboardInterrupt:
        say(
            f"\nDetached from job {job.id}, which goes on. Its end: vmstead job wait {job.id}; "
            f"to end it: vmstead job abort {job.id}",
            err=True,
        )
        sys.exit(INTERRUPTED)


def watch(job: Job, timeout: float | None = None) -> Json:
    """Wait for the end of a job and return its result, with its progress shown. Raises as ``Job.result``."""
    with _Display() as display:
        return job.result(display.report, timeout)


class _Display:
    """A bar on a terminal; elsewhere each new description on a line."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._last = ""

    def __enter__(self) -> Self:
        return self

    def report(self, progress: Progress) -> None:
        """Show how far the job is."""
        if not sys.stderr.isatty():
            if progress.description not in ("", self._last):
                self._last = progress.description
                say(progress.description, err=True)
            return
        if self._bar is None:
            self._bar = click.progressbar(length=100, width=24, file=sys.stderr, color=colours(err=True))
            self._bar.__enter__()
        self._bar.label = progress.description or self._bar.label
        self._bar.update(progress.percent - self._bar.pos)
        self._bar.render_progress()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is None:
            return
        if kind is None:
            self._bar.update(100 - self._bar.pos)
        self._bar.render_finish()
