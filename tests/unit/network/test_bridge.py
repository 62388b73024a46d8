"""Changes on trial: what fails anywhere leaves everything as it was."""

from pathlib import Path

import msgspec
import pytest

from tests.unit.network.support import IFUPDOWN, NETWORKD, host, with_bridge
from vmstead.adapters.fake_host_network import FakeGuards, FakeHostNetwork
from vmstead.adapters.trials import FileTrials
from vmstead.network.bridge import confirm, create_bridge, delete_bridge, roll_back
from vmstead.ports.host_network import Arrive, Cable, Cabling, Change, Management, NetworkError, Replace, Run

managements = pytest.mark.parametrize("management", [NETWORKD, IFUPDOWN], ids=["networkd", "ifupdown"])


async def make(there: FakeHostNetwork, trials: FileTrials, within: float = 60) -> Change:
    return await create_bridge(there, trials, FakeGuards(), "lan0", "enp1s0", within)


@managements
async def test_a_bridge_is_made_confirmed_and_deleted(tmp_path: Path, management: Management) -> None:
    there, trials, guards = host(management), FileTrials(tmp_path), FakeGuards()
    before = dict(there.files)
    change = await create_bridge(there, trials, guards, "lan0", "enp1s0", 60)
    assert guards.posted == [(change.id, 210)]
    assert await trials.read() == change
    assert 0 < change.deadline - trials.now() <= 60
    # Nothing would outlive a restart of the host yet.
    assert [path for path in there.files.keys() - before.keys() if not path.startswith("/run/")] == []
    assert {path: there.files[path] for path in before} == before
    assert (await confirm(there, trials)).id == change.id
    assert await trials.read() is None
    assert [path for path in there.files if path.startswith("/run/")] == []
    (kept,) = await there.kept()
    assert (kept.bridge, kept.port) == ("lan0", "enp1s0")
    with_bridge(there)
    confirmed = dict(there.files)
    await delete_bridge(there, trials, guards, kept, (), 60)
    await roll_back(there, trials)
    assert there.files == confirmed
    await delete_bridge(there, trials, guards, kept, (), 60)
    assert (await confirm(there, trials)).verb == "delete"
    assert there.files == before


@managements
async def test_whichever_step_fails_everything_is_as_before(tmp_path: Path, management: Management) -> None:
    trial = host(management)
    await make(trial, FileTrials(tmp_path))
    needed = [
        step for step in trial.done if not (isinstance(step, Run | Replace | Arrive) and not step.needed)
    ]
    assert len(needed) > 4
    for step in needed:
        there, trials = host(management), FileTrials(tmp_path / "again")
        before = dict(there.files)
        there.failing = [step]
        with pytest.raises(NetworkError, match=r"has failed; everything is as before$"):
            await make(there, trials)
        assert there.files == before
        assert await trials.read() is None


@managements
async def test_what_cannot_be_kept_is_taken_back(tmp_path: Path, management: Management) -> None:
    for number in range(2):
        there, trials = host(management), FileTrials(tmp_path / str(number))
        before = dict(there.files)
        change = await make(there, trials)
        there.failing = [change.keep[number]]
        with pytest.raises(NetworkError, match=r"lan0: it could not be kept: .* everything is as before"):
            await confirm(there, trials)
        assert there.files == before
        assert await trials.read() is None


async def test_too_late_is_too_late(tmp_path: Path) -> None:
    there, trials = host(), FileTrials(tmp_path)
    before = dict(there.files)
    await make(there, trials, within=0)
    with pytest.raises(NetworkError, match="lan0: it was not confirmed in time; everything is as before"):
        await confirm(there, trials)
    assert there.files == before
    with pytest.raises(NetworkError, match="no change waits to be confirmed"):
        await confirm(there, trials)
    with pytest.raises(NetworkError, match="no change is on trial"):
        await roll_back(there, trials)


async def test_without_a_guard_nothing_is_done(tmp_path: Path) -> None:
    there, trials, guards = host(), FileTrials(tmp_path), FakeGuards()
    guards.failure = "no more processes"
    with pytest.raises(NetworkError, match="no more processes"):
        await create_bridge(there, trials, guards, "lan0", "enp1s0", 60)
    assert there.done == []
    assert await trials.read() is None


async def test_one_change_at_a_time(tmp_path: Path) -> None:
    there, trials = host(), FileTrials(tmp_path)
    await make(there, trials)
    with pytest.raises(
        NetworkError, match="bridge lan0 waits to be confirmed; first run: vmstead network confirm"
    ):
        await make(there, trials)


async def test_what_cannot_be_taken_back_is_said_and_tried_again(tmp_path: Path) -> None:
    there, trials = host(), FileTrials(tmp_path)
    before = dict(there.files)
    change = await make(there, trials)
    stuck = change.undo[1]
    there.failing = [stuck]
    with pytest.raises(NetworkError, match=r"not everything could be taken back: .*vmstead network rollback"):
        await roll_back(there, trials)
    # All other steps were done nevertheless.
    assert len(there.files) == len(before) + 1
    found = await trials.read()
    assert found is not None
    assert found.state == "stuck"
    with pytest.raises(NetworkError, match="could not be taken back completely"):
        await make(there, trials)
    there.failing = []
    await roll_back(there, trials)
    assert there.files == before


async def test_a_bridge_in_use_is_not_deleted(tmp_path: Path) -> None:
    there, trials = host(), FileTrials(tmp_path)
    await make(there, trials)
    await confirm(there, trials)
    with_bridge(there)
    (kept,) = await there.kept()
    with pytest.raises(NetworkError, match="lan0 is what NICs of web01 are attached to"):
        await delete_bridge(there, trials, FakeGuards(), kept, ["web01"], 60)
    cables = {**there.present.cables, "vnet0": Cable("vnet0", "tun", master="lan0")}
    there.present = Cabling(cables, there.present.routes)
    with pytest.raises(NetworkError, match="vnet0 is plugged into lan0 besides enp1s0"):
        await delete_bridge(there, trials, FakeGuards(), kept, (), 60)
    assert await trials.read() is None


def test_seconds_of_a_change_are_of_this_start_of_the_host(tmp_path: Path) -> None:
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    assert abs(FileTrials(tmp_path).now() - uptime) < 60
    assert msgspec.json.encode(Run(("a",))) == b'{"type":"Run","argv":["a"],"needed":true}'
