"""The states of domains, and waiting for them."""

import asyncio

import pytest

from tests.harness import settle
from vmstead.kernel.clock import ManualClock
from vmstead.kernel.states import States
from vmstead.ports.engine import INACTIVE, DomainState, PowerState

RUNNING = DomainState(PowerState.RUNNING, active=True, pid=7)
PAUSED = DomainState(PowerState.PAUSED, active=True, pid=7)
CRASHED = DomainState(PowerState.CRASHED, active=False)


class Followed:
    """States, and what their watcher was told."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.changes: list[tuple[str, DomainState, DomainState]] = []
        self.listings: list[dict[str, DomainState]] = []
        self.states = States(
            self.clock,
            lambda uuid, old, new: self.changes.append((uuid, old, new)),
            lambda: self.listings.append(self.states.active()),
        )


def is_active(state: DomainState) -> bool:
    return state.active


def is_inactive(state: DomainState) -> bool:
    return not state.active


def test_what_the_engine_has_not_spoken_of_is_inactive() -> None:
    states = Followed().states
    assert states.get("a") == INACTIVE
    assert states.active() == {}


def test_the_watcher_is_told_of_differences_only() -> None:
    followed = Followed()
    for state in (RUNNING, RUNNING, PAUSED, INACTIVE, INACTIVE):
        followed.states.changed("a", state)
        assert followed.states.get("a") == state
    assert followed.changes == [
        ("a", INACTIVE, RUNNING),
        ("a", RUNNING, PAUSED),
        ("a", PAUSED, INACTIVE),
    ]


def test_a_crashed_domain_is_remembered_and_not_active() -> None:
    followed = Followed()
    followed.states.changed("a", RUNNING)
    followed.states.changed("b", PAUSED)
    followed.states.changed("a", CRASHED)
    assert followed.states.get("a") == CRASHED
    assert followed.states.active() == {"b": PAUSED}


def test_a_listing_is_the_truth_and_its_differences_are_changes() -> None:
    followed = Followed()
    followed.states.connected({"gone": RUNNING, "same": RUNNING, "paused": RUNNING, "crashed": CRASHED})
    followed.changes.clear()
    followed.states.connected({"same": RUNNING, "paused": PAUSED, "new": RUNNING, "off": INACTIVE})
    assert sorted(followed.changes, key=lambda change: change[0]) == [
        ("crashed", CRASHED, INACTIVE),
        ("gone", RUNNING, INACTIVE),
        ("new", INACTIVE, RUNNING),
        ("paused", RUNNING, PAUSED),
    ]
    assert followed.states.active() == {"same": RUNNING, "paused": PAUSED, "new": RUNNING}


def test_connecting_is_told_when_every_state_is_known() -> None:
    followed = Followed()
    followed.states.connected({"a": RUNNING, "b": PAUSED})
    assert followed.listings == [{"a": RUNNING, "b": PAUSED}]


def test_a_lost_connection_keeps_the_last_states_and_says_why() -> None:
    states = Followed().states
    assert (states.is_connected, states.disconnected_reason) == (False, "not connected yet")
    states.connected({"a": RUNNING})
    assert (states.is_connected, states.disconnected_reason) == (True, None)
    states.disconnected("libvirtd went away")
    assert (states.is_connected, states.disconnected_reason) == (False, "libvirtd went away")
    assert states.get("a") == RUNNING
    states.connected({})
    assert (states.is_connected, states.disconnected_reason) == (True, None)
    assert states.get("a") == INACTIVE


@pytest.mark.parametrize("outcome", ["connected", "disconnected"])
async def test_settled_waits_for_the_first_word_of_the_engine(outcome: str) -> None:
    followed = Followed()
    task = asyncio.get_running_loop().create_task(followed.states.settled(30))
    await settle()
    assert not task.done()
    if outcome == "connected":
        followed.states.connected({})
    else:
        followed.states.disconnected("refused")
    await task
    await followed.states.settled(30)
    assert followed.clock.next_timer is None


async def test_settled_gives_up_in_time() -> None:
    followed = Followed()
    task = asyncio.get_running_loop().create_task(followed.states.settled(30))
    await settle()
    followed.clock.advance(30)
    await task
    assert not followed.states.is_connected


# --- waiting --------------------------------------------------------------------------------------


async def test_what_happens_before_the_waiting_begins_is_not_missed() -> None:
    followed = Followed()
    with followed.states.expect("a", is_active) as active:
        followed.states.changed("a", RUNNING)
        # It came and went; that it came counts.
        followed.states.changed("a", INACTIVE)
        assert await active.within(10) == RUNNING
        assert await active.within(10) == RUNNING


async def test_what_held_before_the_expectation_does_not_count() -> None:
    followed = Followed()
    followed.states.changed("a", RUNNING)
    with followed.states.expect("a", is_active) as active:
        task = asyncio.get_running_loop().create_task(active.within(10))
        await settle()
        followed.clock.advance(10)
        with pytest.raises(TimeoutError):
            await task


async def test_waiting_can_go_on_after_its_time_was_up() -> None:
    followed = Followed()
    followed.states.changed("a", RUNNING)
    with followed.states.expect("a", is_inactive) as stopped:
        for _ in range(3):
            task = asyncio.get_running_loop().create_task(stopped.within(10))
            await settle()
            followed.clock.advance(10)
            with pytest.raises(TimeoutError):
                await task
        # Between two waits, as while the engine is asked once more.
        followed.states.changed("a", INACTIVE)
        assert await stopped.within(10) == INACTIVE
    assert followed.clock.next_timer is None


async def test_only_the_wanted_state_of_the_right_domain_counts() -> None:
    followed = Followed()
    with followed.states.expect("a", is_active) as active:
        task = asyncio.get_running_loop().create_task(active.within(10))
        followed.states.changed("b", RUNNING)
        followed.states.changed("a", CRASHED)
        await settle()
        assert not task.done()
        followed.states.connected({"a": PAUSED})
        assert await task == PAUSED


async def test_each_of_several_waits_for_its_own() -> None:
    followed = Followed()
    with (
        followed.states.expect("a", is_active) as active,
        followed.states.expect("a", is_inactive) as stopped,
    ):
        followed.states.changed("a", RUNNING)
        assert await active.within(1) == RUNNING
        followed.states.changed("a", INACTIVE)
        assert await stopped.within(1) == INACTIVE
    assert followed.states._expected == {}


async def test_until_counts_what_holds_already() -> None:
    followed = Followed()
    assert await followed.states.until("a", is_inactive, 10) == INACTIVE
    followed.states.changed("a", RUNNING)
    assert await followed.states.until("a", is_active, 10) == RUNNING


async def test_until_waits_at_most_so_long() -> None:
    followed = Followed()
    arrives = asyncio.get_running_loop().create_task(followed.states.until("a", is_active, 10))
    fails = asyncio.get_running_loop().create_task(followed.states.until("b", is_active, 10))
    await settle()
    followed.states.changed("a", RUNNING)
    # In the moment in which it came: that counts.
    followed.clock.advance(10)
    assert await arrives == RUNNING
    with pytest.raises(TimeoutError):
        await fails
    assert followed.states._expected == {}


async def test_a_watcher_that_fails_does_not_keep_anybody_waiting() -> None:
    def broken(uuid: str, old: DomainState, new: DomainState) -> None:
        raise RuntimeError(uuid)

    states = States(ManualClock(), broken)
    with states.expect("a", is_active) as active:
        with pytest.raises(RuntimeError):
            states.changed("a", RUNNING)
        assert await active.within(1) == RUNNING
    assert states.get("a") == RUNNING
