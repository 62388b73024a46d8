"""Ids of calls: unique, and known to everything that a call does and starts."""

import asyncio

from tests.harness import settle
from vmstead import calls
from vmstead.kernel.clock import ManualClock, SystemClock


async def test_every_call_has_an_id_of_its_own_and_none_when_it_is_over() -> None:
    seen = []
    for _ in range(2):
        calls.begin()
        seen.append(calls.current_id())
        calls.end()
        assert calls.current_id() is None
    first, second = (str(each).split("-") for each in seen)
    assert first[0] == second[0]
    assert int(second[1]) > int(first[1])


async def test_what_a_call_starts_belongs_to_it_threads_and_tasks() -> None:
    async def see() -> str | None:
        return await asyncio.to_thread(calls.current_id)

    calls.begin()
    mine, task = calls.current_id(), asyncio.ensure_future(see())
    calls.end()
    assert await task == mine is not None


async def test_what_happens_later_belongs_to_no_call() -> None:
    manual, seen = ManualClock(), []
    calls.begin()
    manual.call_later(1, lambda: seen.append(calls.current_id()))
    SystemClock().call_later(0, lambda: seen.append(calls.current_id()))
    manual.advance(1)
    async with asyncio.timeout(10):
        while len(seen) < 2:
            await settle()
    assert seen == [None, None]
    assert calls.current_id() is not None
    calls.end()


def test_somebody_who_is_told_little_is_told_what_to_ask_for() -> None:
    assert calls.where_to_look() == "the server's log tells more"
    calls.begin()
    assert calls.where_to_look() == f"the server's log tells more of call {calls.current_id()}"
    calls.end()
