"""Turns: who gets a key, when, and what those hear who do not."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from errno import EBUSY

import pytest

from tests.harness import settle
from vmstead.errors import CallError
from vmstead.kernel.clock import ManualClock
from vmstead.kernel.locks import Locks


class Holders:
    """Tasks that ask for a key, hold it until they are told to let go, and note when they got it."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.locks = Locks(self.clock, patience=60)
        self.got: list[str] = []
        self._release: dict[str, asyncio.Event] = {}

    def begin(self, name: str, key: object = "vm", *, transition: bool = False) -> "asyncio.Task[None]":
        self._release[name] = asyncio.Event()
        lock = self.locks.transition if transition else self.locks.edit
        return asyncio.get_running_loop().create_task(self._hold(name, lock(key, f"VM 7 is being {name}")))

    async def _hold(self, name: str, lock: AbstractAsyncContextManager[None]) -> None:
        async with lock:
            self.got.append(name)
            await self._release[name].wait()

    def end(self, name: str) -> None:
        self._release[name].set()

    async def have(self, *names: str) -> bool:
        await settle()
        return self.got == list(names)


@contextmanager
def refused(text: str) -> Iterator[None]:
    with pytest.raises(CallError) as raised:
        yield
    assert (raised.value.errno, str(raised.value)) == (EBUSY, f"[EBUSY] {text}")


async def test_an_edit_waits_until_the_one_before_has_ended() -> None:
    holders = Holders()
    holders.begin("a")
    holders.begin("b")
    assert await holders.have("a")
    holders.end("a")
    assert await holders.have("a", "b")
    holders.end("b")
    await settle()
    assert holders.locks._queues == {}


async def test_those_who_wait_get_the_key_in_the_order_of_asking() -> None:
    holders = Holders()
    names = list("abcdef")
    for name in names:
        holders.begin(name)
    for count, name in enumerate(names, 1):
        assert await holders.have(*names[:count])
        holders.end(name)


async def test_who_comes_in_the_moment_of_release_does_not_overtake() -> None:
    holders = Holders()
    holders.begin("a")
    holders.begin("b")
    assert await holders.have("a")
    holders.end("a")
    # It runs before the one that waits has been woken.
    holders.begin("newcomer")
    assert await holders.have("a", "b")
    holders.end("b")
    assert await holders.have("a", "b", "newcomer")
    holders.end("newcomer")


async def test_who_asks_again_at_once_stands_at_the_end_of_the_queue() -> None:
    holders = Holders()
    rounds: list[str] = []

    async def greedy(name: str) -> None:
        for _ in range(3):
            async with holders.locks.edit("vm", name):
                rounds.append(name)
                await settle()

    await asyncio.gather(greedy("a"), greedy("b"))
    assert rounds == ["a", "b"] * 3


async def test_keys_are_independent() -> None:
    holders = Holders()
    holders.begin("a", ("vm", 1))
    holders.begin("b", ("vm", 2), transition=True)
    assert await holders.have("a", "b")
    holders.end("a")
    holders.end("b")


async def test_a_second_transition_fails_at_once_naming_the_first() -> None:
    holders = Holders()
    holders.begin("started", transition=True)
    await settle()
    with refused("VM 7 is being started at this moment; try again when that is done"):
        await holders.begin("deleted", transition=True)
    holders.end("started")
    await settle()
    third = holders.begin("deleted", transition=True)
    assert await holders.have("started", "deleted")
    holders.end("deleted")
    await third


async def test_a_transition_waits_for_edits_and_edits_wait_for_a_transition() -> None:
    holders = Holders()
    holders.begin("edited")
    holders.begin("started", transition=True)
    holders.begin("edited again")
    assert await holders.have("edited")
    holders.end("edited")
    assert await holders.have("edited", "started")
    holders.end("started")
    assert await holders.have("edited", "started", "edited again")
    holders.end("edited again")


async def test_a_transition_that_waits_refuses_a_second_one_too() -> None:
    holders = Holders()
    holders.begin("edited")
    holders.begin("started", transition=True)
    await settle()
    with refused("VM 7 is being started at this moment; try again when that is done"):
        await holders.begin("deleted", transition=True)
    holders.end("edited")
    holders.end("started")


@pytest.mark.parametrize("transition", [False, True])
async def test_patience_ends_with_the_name_of_what_is_under_way(transition: bool) -> None:
    holders = Holders()
    holders.begin("edited")
    waiting = holders.begin("late", transition=transition)
    await settle()
    holders.clock.advance(59.9)
    await settle()
    assert not waiting.done()
    holders.clock.advance(0.1)
    with refused("VM 7 is being edited and has not ended within 60 seconds; try again later"):
        await waiting
    holders.end("edited")
    holders.begin("next")
    assert await holders.have("edited", "next")
    holders.end("next")


@pytest.mark.parametrize("released_first", [False, True])
async def test_patience_that_ends_in_the_moment_of_release_is_rewarded(released_first: bool) -> None:
    holders = Holders()
    lock = holders.locks.edit("vm", "held")
    await lock.__aenter__()
    holders.begin("b")
    await settle()
    if not released_first:
        holders.clock.advance(60)
    await lock.__aexit__(None, None, None)
    holders.clock.advance(60)
    assert await holders.have("b")
    holders.end("b")
    await settle()
    assert holders.locks._queues == {}


async def test_who_is_cancelled_while_waiting_leaves_the_queue() -> None:
    holders = Holders()
    holders.begin("a")
    waiting = holders.begin("b")
    holders.begin("c")
    await settle()
    waiting.cancel()
    await settle()
    holders.end("a")
    assert await holders.have("a", "c")
    holders.end("c")
    await settle()
    assert holders.locks._queues == {}


@pytest.mark.parametrize("cancelled_first", [False, True])
async def test_who_is_cancelled_just_as_its_turn_comes_passes_it_on(cancelled_first: bool) -> None:
    holders = Holders()
    lock = holders.locks.edit("vm", "held")
    await lock.__aenter__()
    waiting = holders.begin("b")
    holders.begin("c")
    await settle()
    if cancelled_first:
        waiting.cancel()
    await lock.__aexit__(None, None, None)
    waiting.cancel()
    assert await holders.have("c")
    assert waiting.cancelled()
    holders.end("c")
    await settle()
    assert holders.locks._queues == {}


async def test_an_action_that_fails_releases_the_key() -> None:
    locks = Locks(ManualClock())

    async def fail() -> None:
        async with locks.edit("vm", "VM 7 is being updated"):
            raise LookupError

    with pytest.raises(LookupError):
        await fail()
    async with locks.transition("vm", "VM 7 is being started"):
        pass
