"""What ends at once takes no task; what waits goes on as if it had been one."""

import asyncio
from collections.abc import Coroutine
from contextvars import ContextVar
from typing import Any

import pytest

from tests.harness import settle
from vmstead.kernel.eager import started

NAME: ContextVar[str] = ContextVar("NAME", default="nobody")


def rest_of(coroutine: Coroutine[Any, Any, None]) -> "asyncio.Future[None]":
    """A task for what is left of a coroutine that has begun."""
    rest = started(coroutine)
    assert rest is not None
    return asyncio.ensure_future(rest)


async def test_what_does_not_wait_has_ended_when_the_call_returns() -> None:
    done: list[str] = []

    async def work() -> None:
        done.append("here")

    assert started(work()) is None
    assert done == ["here"]


async def test_an_error_before_the_first_wait_comes_out_at_once() -> None:
    async def work() -> None:
        raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        started(work())


async def test_what_waits_goes_on_with_what_it_waited_for() -> None:
    first, second, seen = asyncio.Event(), asyncio.get_running_loop().create_future(), list[object]()

    async def work() -> None:
        await first.wait()
        seen.append("first")
        seen.append(await second)
        await settle()
        seen.append("end")

    task = rest_of(work())
    await settle()
    assert seen == []
    first.set()
    await settle()
    assert seen == ["first"]
    second.set_result(7)
    await task
    assert seen == ["first", 7, "end"]


async def test_an_error_after_a_wait_comes_out_where_the_rest_is_awaited() -> None:
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def work() -> None:
        await future

    task = rest_of(work())
    future.set_exception(LookupError("gone"))
    with pytest.raises(LookupError, match="gone"):
        await task


async def test_the_rest_can_be_cancelled_and_winds_itself_up() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await settle()
            seen.append("wound up")

    task = rest_of(work())
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["wound up"]


async def test_whoever_survives_being_cancelled_goes_on() -> None:
    go_on, seen = asyncio.Event(), list[str]()

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            await go_on.wait()
            seen.append("went on")

    task = rest_of(work())
    await settle()
    task.cancel()
    await settle()
    assert seen == []
    go_on.set()
    await task
    assert seen == ["went on"]


async def test_context_variables_are_its_own_before_and_after_waiting() -> None:
    event, seen = asyncio.Event(), list[str]()
    NAME.set("outside")

    async def work() -> None:
        seen.append(NAME.get())
        NAME.set("inside")
        await event.wait()
        seen.append(NAME.get())
        NAME.set("further inside")
        await settle()
        seen.append(NAME.get())

    task = rest_of(work())
    assert NAME.get() == "outside"
    NAME.set("changed outside")
    event.set()
    await task
    assert seen == ["outside", "inside", "further inside"]
    assert NAME.get() == "changed outside"


async def test_what_ends_at_once_leaves_no_context_variables_behind() -> None:
    async def work() -> None:
        NAME.set("inside")

    assert started(work()) is None
    assert NAME.get() == "nobody"


async def test_time_limits_hold_when_the_task_that_began_awaits_the_rest() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            async with asyncio.timeout(0):
                await asyncio.get_running_loop().create_future()
        except TimeoutError:
            seen.append("in time")

    async def follow() -> None:
        rest = started(work())
        assert rest is not None
        await rest

    await asyncio.get_running_loop().create_task(follow())
    assert seen == ["in time"]


async def test_what_is_given_up_winds_itself_up() -> None:
    seen: list[str] = []

    async def work() -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            seen.append("wound up")

    rest = started(work())
    assert rest is not None
    rest.close()
    assert seen == ["wound up"]
