"""Ten run, ten wait, the next is refused."""

import asyncio

import pytest

from tests.harness import settle
from vmstead.rpc.dispatch import Busy
from vmstead.web.turns import RUNNING, WAITING, Turns


class Calls:
    """Calls that take turns and end when they are told to."""

    def __init__(self) -> None:
        self.turns = Turns()
        self.running: list[int] = []
        self._ends: dict[int, asyncio.Event] = {}

    def begin(self, number: int) -> "asyncio.Task[None]":
        self._ends[number] = asyncio.Event()
        return asyncio.get_running_loop().create_task(self._call(number))

    async def _call(self, number: int) -> None:
        async with self.turns:
            self.running.append(number)
            try:
                await self._ends[number].wait()
            finally:
                self.running.remove(number)

    async def end(self, number: int) -> None:
        self._ends[number].set()
        await settle()


async def full() -> tuple[Calls, list["asyncio.Task[None]"]]:
    calls = Calls()
    tasks = [calls.begin(number) for number in range(RUNNING + WAITING)]
    await settle()
    return calls, tasks


async def is_refused(calls: Calls) -> bool:
    task = calls.begin(99)
    await settle()
    if not task.done():
        task.cancel()
        await settle()
        return False
    with pytest.raises(Busy, match=r"Maximum number of concurrent calls \(20\) has exceeded"):
        await task
    return True


async def finish(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_ten_run_and_the_others_follow_in_order() -> None:
    calls, tasks = await full()
    assert (RUNNING, WAITING) == (10, 10)
    assert calls.running == list(range(10))
    for number in range(10):
        await calls.end(number)
        assert calls.running == list(range(number + 1, number + 11))
    await finish(tasks)


async def test_the_one_too_many_is_refused_at_once_and_only_it() -> None:
    calls, tasks = await full()
    assert await is_refused(calls)
    assert len(calls.running) == 10
    await calls.end(0)
    assert not await is_refused(calls), "there is a place again"
    await finish(tasks)


@pytest.mark.parametrize("number", [0, 19])
async def test_who_is_cancelled_gives_its_place_back_whether_it_runs_or_waits(number: int) -> None:
    calls, tasks = await full()
    tasks[number].cancel()
    await settle()
    assert len(calls.running) == 10
    assert not await is_refused(calls)
    assert await is_refused_after_filling(calls, tasks)
    await finish(tasks)


async def is_refused_after_filling(calls: Calls, tasks: list["asyncio.Task[None]"]) -> bool:
    tasks.append(calls.begin(50))
    await settle()
    return await is_refused(calls)


async def test_a_call_that_fails_gives_its_place_back() -> None:
    turns = Turns()

    async def fail() -> None:
        async with turns:
            raise LookupError

    for _ in range(3 * (RUNNING + WAITING)):
        with pytest.raises(LookupError):
            await fail()
