"""Reading at intervals, for whoever wants it."""

import asyncio
from typing import Any

import pytest

from tests.harness import settle
from vmstead.kernel.clock import ManualClock
from vmstead.kernel.meter import Meter
from vmstead.kernel.tasks import Tasks


class Bench:
    """A meter that counts its readings, and can be told to be slow or to fail."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.taken: list[float] = []
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None
        self.tasks = Tasks()
        self.meter = Meter(self.clock, self.tasks, self._read)

    def idle(self) -> bool:
        return self.clock.next_timer is None

    async def _read(self) -> float:
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        self.taken.append(self.clock.monotonic())
        return self.clock.monotonic()

    async def pass_time(self, seconds: float) -> None:
        await settle()
        end = self.clock.monotonic() + seconds
        while (step := self.clock.next_timer) is not None and self.clock.monotonic() + step <= end:
            self.clock.advance(step)
            await settle()
        self.clock.advance(end - self.clock.monotonic())
        await settle()


def watched(bench: Bench, interval: float, **options: Any) -> tuple[list[tuple[float, float]], Any]:
    pairs: list[tuple[float, float]] = []
    return pairs, bench.meter.watch(interval, lambda before, now: pairs.append((before, now)), **options)


async def test_each_watcher_gets_the_reading_before_and_the_new_one() -> None:
    bench = Bench()
    pairs, stop = watched(bench, 2)
    await bench.pass_time(6)
    assert pairs == [(0, 2), (2, 4), (4, 6)]
    stop()
    stop()
    await bench.pass_time(10)
    assert len(pairs) == 3


async def test_nothing_happens_while_nobody_watches() -> None:
    bench = Bench()
    await bench.pass_time(100)
    assert (bench.taken, bench.clock.next_timer) == ([], None)
    _, stop = watched(bench, 2)
    await bench.pass_time(3)
    stop()
    assert bench.idle()


async def test_one_reading_serves_all_for_whom_it_is_time() -> None:
    bench = Bench()
    first, _ = watched(bench, 2)
    second, _ = watched(bench, 2)
    slow, _ = watched(bench, 10)
    await bench.pass_time(20)
    # Every two seconds, and one each for the two that came while the first was under way.
    assert bench.taken[-10:] == [2, 4, 6, 8, 10, 12, 14, 16, 18, 20]
    assert len(bench.taken) <= 12
    assert first == second == [(at - 2, at) for at in range(2, 21, 2)]
    assert slow == [(0, 10), (10, 20)]


async def test_who_comes_in_between_measures_at_least_half_an_interval() -> None:
    bench = Bench()
    watched(bench, 2)
    await bench.pass_time(5.5)
    late, _ = watched(bench, 2)
    await bench.pass_time(4)
    assert late == [(5.5, 8)]
    await bench.pass_time(1)
    assert late[-1] == (8, 10)


async def test_who_does_not_drive_is_served_with_the_others() -> None:
    bench = Bench()
    busy = False
    pairs, _ = watched(bench, 10, drives=lambda: busy)
    await bench.pass_time(30)
    assert (pairs, bench.taken, bench.clock.next_timer) == ([], [], None)
    _, stop = watched(bench, 2)
    await bench.pass_time(25)
    assert pairs == [(30, 40), (40, 50)]
    stop()
    assert bench.idle()
    await bench.pass_time(100)
    busy = True
    bench.meter.check()
    await bench.pass_time(16)
    # What was read long ago says nothing of the last ten seconds.
    assert pairs[2:] == [(155, 160), (160, 170)]


async def test_a_slow_reading_delays_and_does_not_pile_up() -> None:
    bench = Bench()
    pairs, _ = watched(bench, 2)
    await bench.pass_time(2)
    gate = bench.gate = asyncio.Event()
    await bench.pass_time(4)
    assert bench.idle()
    gate.set()
    await settle()
    bench.gate = None
    await bench.pass_time(4)
    assert [pairs[0], pairs[-1]] == [(0, 2), (8, 10)]


async def test_a_reading_that_fails_is_no_reason_to_stop() -> None:
    bench = Bench()
    pairs, _ = watched(bench, 2)
    await bench.pass_time(2)
    bench.error = ValueError("the file is gone")
    await bench.pass_time(2)
    bench.error = None
    await bench.pass_time(4)
    assert pairs == [(0, 2), (2, 6), (6, 8)]


async def test_after_its_end_it_reads_nothing() -> None:
    bench = Bench()
    pairs, _ = watched(bench, 2)
    await bench.pass_time(2)
    bench.meter.close()
    await bench.pass_time(10)
    assert (pairs, bench.clock.next_timer) == ([(0, 2)], None)


@pytest.mark.parametrize("interval", [2, 3, 7, 60])
async def test_a_timer_that_fires_early_is_in_time(interval: float) -> None:
    bench = Bench()
    pairs, _ = watched(bench, interval)
    await bench.pass_time(interval - 0.001)
    bench.clock.advance(0)
    assert pairs == []
    await bench.pass_time(0.001)
    assert pairs == [(0, interval)]
