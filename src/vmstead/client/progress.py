"""Showing the progress of a job on a terminal, in the two forms of the official command line."""

from typing import TextIO

from vmstead.client.jobs import Progress

_WIDTH = 40
#: Clear the line, go one up, clear that too, go to its start: where the two lines are written anew.
_BACK = "\033[2K\033[A\033[2K\r"


class ProgressBar:
    """Two lines, drawn over again with every report: what the job is doing, and a bar.

        Status: Downloading
        Total Progress: [#####################___________________] 53.00%

    Call it with each Progress, then `finish`. Nothing is written before the first report.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._percent = 0.0
        self._status = ""
        self._used = False

    def __call__(self, progress: Progress) -> None:
        """Draw a report. One without percentage or description keeps what was shown before."""
        if not self._used:
            self._used = True
            self._stream.write("\n")
        self._percent = progress.percent or self._percent
        self._status = progress.description or self._status
        self._draw()

    def finish(self, *, success: bool) -> None:
        """Draw once more, full when the job succeeded, and end the line."""
        if not self._used:
            return
        if success:
            self._percent = 100.0
        self._draw()
        self._stream.write("\n")
        self._stream.flush()

    def _draw(self) -> None:
        filled = int(self._percent / 100 * _WIDTH)
        bar = "#" * filled + "_" * (_WIDTH - filled)
        status = (self._status or "(none)").strip()
        self._stream.write(f"{_BACK}Status: {status}\nTotal Progress: [{bar}] {self._percent:.2f}%")
        self._stream.flush()


class ProgressLines:
    """Each description on a line of its own, when it differs from the last: for logs."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._last = ""

    def __call__(self, progress: Progress) -> None:
        """Write the description of a report, if it is a new one."""
        if progress.description not in ("", self._last):
            self._last = progress.description
            print(self._last, file=self._stream, flush=True)

    def finish(self, *, success: bool) -> None:
        """Nothing is left to write; here so that both forms are used alike."""
