"""Something is read at intervals, once for all who want it, and only while somebody does."""

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from vmstead.kernel.clock import Clock, Timer
from vmstead.kernel.tasks import Tasks

R = TypeVar("R")

#: Seconds that a timer may fire early.
_EARLY = 0.005
#: A reading that is older than so many intervals says nothing of the last one.
_STALE = 2.5


@dataclass(eq=False)
class _Watcher(Generic[R]):
    interval: float
    receive: Callable[[R, R], None]
    drives: Callable[[], bool]
    due: float = 0.0
    last: R | None = None
    last_at: float = 0.0


class Meter(Generic[R]):
    """Reads, and hands each watcher the reading before and the new one.

    Readings are due at multiples of each watcher's interval on the monotonic clock, so that one of them serves
    everybody for whom it is time. Without watchers there is no timer.
    """

    def __init__(self, clock: Clock, tasks: Tasks, read: Callable[[], Awaitable[R]]) -> None:
        self._clock = clock
        self._tasks = tasks
        self._read = read
        self._watchers: list[_Watcher[R]] = []
        self._timer: Timer | None = None
        self._is_reading = False
        self._is_closed = False

    def watch(
        self,
        interval: float,
        receive: Callable[[R, R], None],
        drives: Callable[[], bool] = lambda: True,
    ) -> Callable[[], None]:
        """Call back every ``interval`` seconds, for the first time after one to two of them at most.

        The returned function ends that. A watcher that does not drive is served when there are readings for
        others; whether it does is asked after each reading, and when ``check`` is called. ``receive`` runs on the
        event loop and must not wait.
        """
        watcher = _Watcher(interval, receive, drives)
        self._watchers.append(watcher)
        self.check()

        def stop() -> None:
            if watcher in self._watchers:
                self._watchers.remove(watcher)
                self.check()

        return stop

    def check(self) -> None:
        """Look again at who drives, and when the next reading is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._is_reading or self._is_closed or not any(each.drives() for each in self._watchers):
            return
        now = self._clock.monotonic()
        wait = min(each.due for each in self._watchers) - now
        if wait <= 0:
            self._begin()
        else:
            self._timer = self._clock.call_later(wait, self._begin)

    def close(self) -> None:
        """Begin no further reading."""
        self._is_closed = True
        self.check()

    def _begin(self) -> None:
        self._timer = None
        self._is_reading = True
        self._tasks.start(self._take(), name="reading counters")

    async def _take(self) -> None:
        began = self._clock.monotonic()
        try:
            self._hand_out(began, await self._read())
        finally:
            self._is_reading = False
            now = self._clock.monotonic()
            for each in self._watchers:
                if each.due <= began + _EARLY:
                    each.due = _next(each.interval, now)
            self.check()

    def _hand_out(self, at: float, reading: R) -> None:
        for each in list(self._watchers):
            if each.due > at + _EARLY:
                continue
            before, age = each.last, at - each.last_at
            each.last, each.last_at = reading, at
            if before is not None and age <= _STALE * each.interval:
                each.receive(before, reading)


def _next(interval: float, now: float) -> float:
    """The next multiple that is at least half an interval away: less would say little."""
    return math.ceil((now + interval / 2) / interval) * interval
