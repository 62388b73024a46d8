"""Jobs in tests: bodies that end when they are told to, and somebody who sees every event."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from tests.harness import settle
from vmstead.kernel.bus import Bus, Event
from vmstead.kernel.clock import ManualClock
from vmstead.kernel.jobs import COLLECTION, Job, Jobs, Owner

ANN = Owner("ann", {"type": "LOGIN_PASSWORD", "data": {"username": "ann"}}, is_admin=False)
BOB = Owner("bob", None, is_admin=False)
ROOT = Owner("root", None, is_admin=True)
SYSTEM = Owner(None, None, is_admin=False)


class Body:
    """The body of a job that ends when and how it is told to."""

    def __init__(self) -> None:
        self.job: Job | None = None
        self.is_cancelled = False
        self._end: asyncio.Future[object] = asyncio.get_running_loop().create_future()

    async def __call__(self, job: Job) -> object:
        self.job = job
        try:
            return await asyncio.shield(self._end)
        except asyncio.CancelledError:
            self.is_cancelled = True
            raise

    async def end(self, result: object = None) -> None:
        self._end.set_result(result)
        await settle()

    async def fail(self, error: Exception) -> None:
        self._end.set_exception(error)
        await settle()


class Board:
    """Jobs with somebody who sees all of their events."""

    def __init__(self, logs: Path | None = None) -> None:
        self.clock = ManualClock(now=1000.5)
        self.bus = Bus()
        self.jobs = Jobs(self.clock, self.bus, self._owner_of, logs)
        self.events: list[Event] = []
        self.bus.subscribe(COLLECTION, self.events.append)

    @staticmethod
    def _owner_of(identity: object) -> Owner:
        assert isinstance(identity, Owner)
        return identity

    def submit(self, body: Callable[[Job], Awaitable[object]], owner: Owner = ANN, **options: Any) -> Job:
        return self.jobs.submit("vm.stop", body, owner=owner, **options)

    def seen(self, job: Job) -> list[tuple[str, object]]:
        """Kind and state of each event of a job."""
        return [(event.change, self._row(event)["state"]) for event in self.events if event.id == job.id]

    def reports(self, job: Job) -> list[object]:
        """The progress that each event after the first two carried."""
        return [self._row(event)["progress"] for event in self.events if event.id == job.id][2:]

    @staticmethod
    def _row(event: Event) -> Any:
        return event.fields


def report(percent: int, description: str = "", extra: object = None) -> dict[str, object]:
    return {"percent": percent, "description": description, "extra": extra}
