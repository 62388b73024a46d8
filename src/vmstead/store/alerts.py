"""What is remembered of alerts: since when each is there, who needs no more telling, and what happened once."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from vmstead.store.memory import MemoryStore

#: The kind of alert that tells of a guest which the server could not start by itself; the subject is its VM's id.
NOT_STARTED = "GuestNotStarted"

_NAME = "alerts"


@dataclass(frozen=True, slots=True)
class Note:
    """An alert that is remembered.

    Attributes:
        first: when it came up, in seconds since the epoch.
        last: when it was last found to be so.
        dismissed: somebody has said that no more telling is needed.
        event: what happened, for alerts that nothing but their note tells of.
    """

    first: float
    last: float
    dismissed: bool = False
    event: Mapping[str, Any] | None = None


class AlertStore:
    """Notes by the alert's kind and what it is about, in the server's memory."""

    def __init__(self, memory: MemoryStore) -> None:
        self._memory = memory
        #: The notes as they are now; what is written to the disk lacks only later ``last``s.
        self._notes: dict[tuple[str, str], Note] | None = None
        #: The disk did not take the last change.
        self._is_behind = False

    def all(self) -> dict[tuple[str, str], Note]:
        """Every note, by kind and subject."""
        if self._notes is None:
            rows = json.loads(self._memory.get(_NAME) or "[]")
            self._notes = {(kind, subject): Note(**note) for kind, subject, note in rows}
        return dict(self._notes)

    async def happened(self, kind: str, subject: str, event: Mapping[str, Any], now: float) -> None:
        """Note what happened. It is told anew, also where an earlier one was dismissed."""
        old = self.all().get((kind, subject))
        note = Note(old.first if old else now, now, event=dict(event))
        await self.keep({**self.all(), (kind, subject): note})

    async def dismiss(self, kind: str, subject: str, *, dismissed: bool) -> None:
        """Note that no more telling is needed, or that it is again."""
        notes = self.all()
        notes[kind, subject] = replace(notes[kind, subject], dismissed=dismissed)
        await self.keep(notes)

    async def keep(self, notes: Mapping[tuple[str, str], Note]) -> None:
        """Take these over, in place of all there were. The disk is written to where more than times changed.

        Raises:
            CallError: the disk does not take it. They are known all the same, and stored with the next that come.
        """
        before, self._notes = self.all(), dict(notes)
        if self._is_behind or _lasting(before) != _lasting(notes):
            rows = [[*key, asdict(note)] for key, note in sorted(notes.items())]
            self._is_behind = True
            await self._memory.set(_NAME, json.dumps(rows))
            self._is_behind = False


def _lasting(notes: Mapping[tuple[str, str], Note]) -> dict[tuple[str, str], Note]:
    return {key: replace(note, last=0) for key, note in notes.items()}
