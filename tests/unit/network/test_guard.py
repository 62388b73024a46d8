"""A guard takes back what nobody confirms, and what somebody has died over."""

import asyncio
from pathlib import Path

import msgspec

from tests.unit.network.support import host
from vmstead.adapters.fake_host_network import FakeGuards, FakeHostNetwork
from vmstead.adapters.trials import FileTrials
from vmstead.network.bridge import confirm, create_bridge
from vmstead.network.guard import watch
from vmstead.ports.host_network import Change


async def on_trial(folder: Path, within: float) -> tuple[FakeHostNetwork, FileTrials, Change, dict[str, str]]:
    """A change that waits to be confirmed, and the files before it."""
    there, trials = host(), FileTrials(folder)
    before = dict(there.files)
    change = await create_bridge(there, trials, FakeGuards(), "lan0", "enp1s0", within)
    assert there.files != before
    return there, trials, change, before


async def test_when_the_time_is_over(tmp_path: Path) -> None:
    there, trials, change, before = await on_trial(tmp_path, 0.05)
    assert await watch(there, trials, change.id, asyncio.Event(), 60)
    assert there.files == before
    assert await trials.read() is None


async def test_it_goes_at_once_when_the_change_is_confirmed(tmp_path: Path) -> None:
    there, trials, change, _ = await on_trial(tmp_path, 600)
    guard = asyncio.get_running_loop().create_task(watch(there, trials, change.id, asyncio.Event(), 60))
    await confirm(there, FileTrials(tmp_path))
    kept = dict(there.files)
    assert await guard is False
    assert there.files == kept


async def test_when_whoever_made_it_has_died_over_it(tmp_path: Path) -> None:
    there, trials, change, before = await on_trial(tmp_path, 600)
    await trials.write(msgspec.structs.replace(change, state="applying"))
    assert await watch(there, trials, change.id, asyncio.Event(), 60)
    assert there.files == before


async def test_when_the_guard_is_to_end(tmp_path: Path) -> None:
    there, trials, change, before = await on_trial(tmp_path, 600)
    ended = asyncio.Event()
    guard = asyncio.get_running_loop().create_task(watch(there, trials, change.id, ended, 60))
    ended.set()
    assert await guard
    assert there.files == before


async def test_another_change_is_none_of_its_business(tmp_path: Path) -> None:
    there, trials, change, _ = await on_trial(tmp_path, 600)
    files = dict(there.files)
    assert await watch(there, trials, "another", asyncio.Event(), 60) is False
    assert (there.files, await trials.read()) == (files, change)
    await trials.write(msgspec.structs.replace(change, state="stuck"))
    assert await watch(there, trials, change.id, asyncio.Event(), 60) is False
    assert there.files == files
