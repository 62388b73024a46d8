"""The log of a job: lines for whoever wants to know what it has done, in a file."""

import asyncio
from collections import deque
from pathlib import Path

import structlog

log = structlog.get_logger()

#: Lines at the beginning and at the end that an excerpt has.
_EXCERPT = 10
#: Characters of a line that an excerpt shows.
_LINE = 1000
#: Characters of a log; what would come after them is left out.
_LIMIT = 256 * 1024


class JobLog:
    """Lines in a file. A full disk keeps no job from its work: what cannot be written is not in the file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._head: list[str] = []
        self._tail: deque[str] = deque(maxlen=_EXCERPT)
        self._lines = 0
        self._size = 0
        self._turn = asyncio.Lock()

    async def write(self, text: str) -> None:
        """Add lines."""
        lines = [line for line in text.splitlines() if self._note(line)]
        if not lines:
            return
        try:
            async with self._turn:
                await asyncio.to_thread(self._append, "".join(f"{line}\n" for line in lines))
        except OSError as error:
            log.warning("a job's log could not be written", path=str(self.path), reason=str(error))

    def _note(self, line: str) -> bool:
        """Remember a line for the excerpt; False when it is too much for the file."""
        self._lines += 1
        (self._head if len(self._head) < _EXCERPT else self._tail).append(line[:_LINE])
        self._size += len(line) + 1
        return self._size <= _LIMIT

    def _append(self, text: str) -> None:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8", errors="replace") as file:
            file.write(text)

    def excerpt(self) -> str:
        """The beginning and the end."""
        left_out = self._lines - len(self._head) - len(self._tail)
        middle = [f"... {left_out} more lines ..."] if left_out else []
        return "".join(f"{line}\n" for line in (*self._head, *middle, *self._tail))

    def remove(self) -> None:
        """Take the file away."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("a job's log could not be removed", path=str(self.path), reason=str(error))
