"""Time that moves when it is told to, and waiting on it."""

import asyncio
import time

import pytest

from tests.harness import settle
from vmstead.kernel.clock import ManualClock, SystemClock, Timer, within


def test_time_moves_only_when_told() -> None:
    clock = ManualClock(now=1000.0)
    assert (clock.now(), clock.monotonic()) == (1000.0, 0.0)
    clock.advance(2.5)
    assert (clock.now(), clock.monotonic()) == (1002.5, 2.5)


def test_callbacks_come_when_due_in_the_order_of_their_times() -> None:
    clock = ManualClock()
    called: list[tuple[str, float]] = []
    for name, delay in (("late", 3.0), ("early", 1.0), ("middle", 2.0)):
        clock.call_later(delay, lambda name=name: called.append((name, clock.monotonic())))  # type: ignore[misc]
    clock.advance(0.9)
    assert called == []
    clock.advance(1.1)
    assert called == [("early", 1.0), ("middle", 2.0)]
    clock.advance(10)
    assert called[2:] == [("late", 3.0)]
    assert clock.monotonic() == 12.0


def test_callbacks_due_at_the_same_time_come_in_the_order_of_asking() -> None:
    clock = ManualClock()
    called: list[int] = []
    for number in range(10):
        clock.call_later(1, lambda number=number: called.append(number))  # type: ignore[misc]
    clock.advance(1)
    assert called == list(range(10))


def test_a_callback_may_ask_for_another_within_the_same_advance() -> None:
    clock = ManualClock()
    times: list[float] = []

    def again() -> None:
        times.append(clock.monotonic())
        clock.call_later(1, again)

    clock.call_later(1, again)
    clock.advance(3.5)
    assert times == [1.0, 2.0, 3.0]


def test_a_cancelled_callback_does_not_come_even_when_cancelled_by_one_due_with_it() -> None:
    clock = ManualClock()
    called: list[str] = []
    second: list[Timer] = []

    def first() -> None:
        second[0].cancel()

    clock.call_later(1, first)
    second.append(clock.call_later(1, lambda: called.append("second")))
    clock.advance(2)
    assert called == []


def test_next_timer_is_the_next_one_that_is_still_wanted() -> None:
    clock = ManualClock()
    seen = [clock.next_timer]
    unwanted = clock.call_later(1, lambda: None)
    clock.call_later(5, lambda: None)
    clock.advance(0.5)
    seen.append(clock.next_timer)
    unwanted.cancel()
    seen.append(clock.next_timer)
    clock.advance(4.5)
    seen.append(clock.next_timer)
    assert seen == [None, 0.5, 4.5, None]


def test_what_is_asked_for_too_late_does_not_turn_time_back() -> None:
    clock = ManualClock()
    clock.advance(10)
    seen: list[float] = []
    clock.call_later(-5, lambda: seen.append(clock.monotonic()))
    clock.advance(0)
    assert seen == [10.0]


async def test_the_system_clock_is_the_real_time() -> None:
    clock = SystemClock()
    assert abs(clock.now() - time.time()) < 5
    before = time.monotonic()
    assert before <= clock.monotonic() <= time.monotonic()
    called: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    clock.call_later(60, lambda: called.set_exception(AssertionError("cancelled"))).cancel()
    clock.call_later(0, lambda: called.set_result(None))
    await called


# --- within ---------------------------------------------------------------------------------------


class Waiting:
    """A task that waits five seconds for a future."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.task = asyncio.get_running_loop().create_task(within(self.clock, 5, self.future))


async def test_within_returns_the_result_and_leaves_no_timer() -> None:
    waiting = Waiting()
    await settle()
    waiting.future.set_result("done")
    assert await waiting.task == "done"
    assert waiting.clock.next_timer is None


async def test_within_passes_an_exception_on() -> None:
    waiting = Waiting()
    waiting.future.set_exception(LookupError("lost"))
    with pytest.raises(LookupError, match="lost"):
        await waiting.task


async def test_within_ends_with_the_time_and_cancels_what_it_waited_for() -> None:
    waiting = Waiting()
    await settle()
    waiting.clock.advance(4.9)
    await settle()
    assert not waiting.task.done()
    waiting.clock.advance(0.1)
    with pytest.raises(TimeoutError):
        await waiting.task
    assert waiting.future.cancelled()


async def test_within_that_is_cancelled_cancels_what_it_waited_for() -> None:
    waiting = Waiting()
    await settle()
    waiting.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting.task
    assert waiting.future.cancelled()
    assert waiting.clock.next_timer is None


async def test_a_result_in_the_moment_the_time_is_up_counts() -> None:
    waiting = Waiting()
    await settle()
    waiting.future.set_result("just in time")
    waiting.clock.advance(5)
    assert await waiting.task == "just in time"


@pytest.mark.parametrize("first", ["cancelled", "expired"])
async def test_a_cancellation_in_the_moment_the_time_is_up_is_not_lost(first: str) -> None:
    waiting = Waiting()
    await settle()
    if first == "cancelled":
        waiting.task.cancel()
    waiting.clock.advance(5)
    if first == "expired":
        waiting.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting.task


async def test_a_cancellation_long_before_does_not_hide_that_the_time_is_up() -> None:
    clock = ManualClock()
    ended: list[str] = []

    async def cleaning_up() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            try:
                await within(clock, 5, asyncio.get_running_loop().create_future())
            except TimeoutError:
                ended.append("time is up")

    task = asyncio.get_running_loop().create_task(cleaning_up())
    await settle()
    task.cancel()
    await settle()
    clock.advance(5)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["time is up"]


async def test_a_shielded_future_survives_the_end_of_the_time() -> None:
    clock = ManualClock()
    future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.get_running_loop().create_task(within(clock, 1, asyncio.shield(future)))
    await settle()
    clock.advance(1)
    with pytest.raises(TimeoutError):
        await task
    future.set_result(7)
    assert await within(clock, 1, asyncio.shield(future)) == 7
