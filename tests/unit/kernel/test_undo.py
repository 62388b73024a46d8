"""Changes that are taken back, in the right order and in every case of failure."""

import asyncio

import pytest

from tests.harness import settle
from vmstead.kernel.undo import undo


class Failure(Exception):
    pass


class Steps:
    """Notes which steps were undone."""

    def __init__(self) -> None:
        self.undone: list[str] = []

    async def undo(self, name: str) -> None:
        await settle()
        self.undone.append(name)

    async def fail(self, name: str) -> None:
        self.undone.append(name)
        raise LookupError(name)


async def test_success_forgets_the_steps() -> None:
    done = Steps()
    async with undo() as steps:
        steps.push_async_callback(done.undo, "a")
    assert done.undone == []


async def test_failure_undoes_in_reverse_order_and_leaves_as_it_came() -> None:
    done = Steps()
    failure = Failure("why")

    async def work() -> None:
        async with undo() as steps:
            steps.push_async_callback(done.undo, "a")
            steps.push_async_callback(done.undo, "b")
            raise failure

    with pytest.raises(Failure) as raised:
        await work()
    assert raised.value is failure
    assert done.undone == ["b", "a"]


async def test_what_was_not_reached_is_not_undone() -> None:
    done = Steps()

    async def work() -> None:
        async with undo() as steps:
            steps.push_async_callback(done.undo, "a")
            await done.fail("b")
            steps.push_async_callback(done.undo, "b")

    with pytest.raises(LookupError):
        await work()
    assert done.undone == ["b", "a"]


async def test_a_step_that_fails_hides_neither_the_failure_nor_the_other_steps() -> None:
    done = Steps()

    async def work() -> None:
        async with undo() as steps:
            steps.push_async_callback(done.undo, "a")
            steps.push_async_callback(done.fail, "b")
            steps.push_async_callback(done.undo, "c")
            raise Failure

    with pytest.raises(Failure):
        await work()
    assert done.undone == ["c", "b", "a"]


async def test_cancellation_undoes_and_stays_a_cancellation() -> None:
    done = Steps()

    async def work() -> None:
        async with undo() as steps:
            steps.push_async_callback(done.undo, "a")
            steps.push_async_callback(done.undo, "b")
            await asyncio.get_running_loop().create_future()

    task = asyncio.get_running_loop().create_task(work())
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.undone == ["b", "a"]


async def test_being_cancelled_while_undoing_still_undoes_the_other_steps() -> None:
    done = Steps()
    under_way = asyncio.Event()

    async def slow() -> None:
        under_way.set()
        await asyncio.get_running_loop().create_future()

    async def work() -> None:
        async with undo() as steps:
            steps.push_async_callback(done.undo, "a")
            steps.push_async_callback(slow)
            raise Failure

    task = asyncio.get_running_loop().create_task(work())
    await under_way.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert done.undone == ["a"]
