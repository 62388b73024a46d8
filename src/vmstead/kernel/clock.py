"""Time as a thing that is passed in, so that a test of a 90 second wait takes no time."""

import asyncio
import contextvars
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Timer(Protocol):
    """A callback that is going to happen."""

    def cancel(self) -> None:
        """Make it not happen. Safe to call at any time."""


class Clock(Protocol):
    """Wall-clock time, monotonic time, and callbacks after a while."""

    def now(self) -> float:
        """Seconds since the epoch."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps."""

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call back on the event loop after ``delay`` seconds."""


class SystemClock:
    """The real time."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        # What happens later and again does not belong to the call during which it was arranged.
        empty = contextvars.Context()
        return asyncio.get_running_loop().call_later(delay, callback, context=empty)


class ManualClock:
    """A time that moves only when told to: for tests, and for whoever embeds the server in theirs."""

    def __init__(self, now: float = 1_760_000_000.0) -> None:
        self._epoch = now
        self._elapsed = 0.0
        self._sequence = itertools.count()
        self._timers: list[tuple[float, int, _ManualTimer]] = []

    def now(self) -> float:
        return self._epoch + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        timer = _ManualTimer(callback)
        heapq.heappush(self._timers, (self._elapsed + delay, next(self._sequence), timer))
        return timer

    @property
    def next_timer(self) -> float | None:
        """Seconds until the next callback that is still wanted; None when there is none."""
        while self._timers and self._timers[0][2].cancelled:
            heapq.heappop(self._timers)
        return self._timers[0][0] - self._elapsed if self._timers else None

    def advance(self, seconds: float) -> None:
        """Let time pass, calling back in order what falls due."""
        end = self._elapsed + seconds
        while self._timers and self._timers[0][0] <= end:
            due, _, timer = heapq.heappop(self._timers)
            # What was asked for with a delay below zero is late: time does not go back for it.
            self._elapsed = max(self._elapsed, due)
            timer.fire()
        self._elapsed = end


class _ManualTimer:
    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True

    def fire(self) -> None:
        if not self.cancelled:
            self.cancelled = True
            contextvars.Context().run(self._callback)


def date(seconds: float) -> dict[str, int]:
    """A time since the epoch as the wire writes it: ``{"$date": milliseconds}``."""
    return {"$date": round(seconds * 1000)}


async def within(clock: Clock, seconds: float, future: "asyncio.Future[T]") -> T:
    """Wait for a future, at most so long on that clock.

    The future is cancelled when the time is up or the waiting task is cancelled.

    Raises:
        TimeoutError: the time was up first.
    """
    task = asyncio.current_task()
    assert task is not None
    cancellations = task.cancelling()
    expired = False

    def expire() -> None:
        nonlocal expired
        expired = future.cancel()

    timer = clock.call_later(seconds, expire)
    try:
        return await future
    except asyncio.CancelledError:
        # Both can happen before the task runs again; who cancelled it must not be left waiting then.
        if expired and task.cancelling() == cancellations:
            raise TimeoutError from None
        raise
    finally:
        timer.cancel()
