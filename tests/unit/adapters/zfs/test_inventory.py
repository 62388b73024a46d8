"""What there is, asked for by many at once."""

import asyncio
from pathlib import Path

import pytest

from tests.contract.volumes import kind_of
from tests.unit.adapters.zfs.rig import MiB, Rig
from vmstead.ports.volumes import VolumeError, VolumeErrorKind


def listings(rig: Rig) -> int:
    return sum(call[1] == "list" for call in rig.fake.calls)


async def test_those_who_ask_at_once_share_an_answer(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.volumes.create("tank/a", MiB)
    rig.fake.calls.clear()
    await asyncio.gather(*(rig.volumes.find("tank/a") for _ in range(100)))
    assert listings(rig) == 1


async def test_pools_within_one_of_zfs_are_read_by_one_command(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"fast": "tank/fast", "slow": "tank/slow"})
    for name in ("fast", "slow"):
        rig.fake.do("zfs", "create", f"tank/{name}")
        await rig.volumes.create(f"{name}/a", MiB)
        await rig.pools.create_snapshot(f"{name}/a", "s")
    for ask, number in ((rig.volumes.list, 1), (rig.pools.datasets, 1), (rig.pools.snapshots, 2)):
        rig.fake.calls.clear()
        await ask()
        assert listings(rig) == number
    assert [each.name for each in await rig.volumes.list()] == ["fast/a", "slow/a"]
    assert [each.dataset for each in await rig.pools.snapshots()] == ["fast/a", "slow/a"]
    told = {each.name: each.facts for each in await rig.pools.datasets()}
    assert told["fast/a"].keys() == told["slow/a"].keys() != set()


async def test_one_that_is_not_there_hides_none_of_the_others(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"fast": "tank/fast", "slow": "tank/slow"})
    rig.fake.do("zfs", "create", "tank/fast")
    await rig.volumes.create("fast/a", MiB)
    assert [volume.name for volume in await rig.volumes.list()] == ["fast/a"]
    assert {pool.name: pool.is_healthy for pool in await rig.pools.pools()} == {
        "default": True,
        "fast": True,
        "slow": False,
    }


async def test_who_asks_later_gets_a_newer_answer(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.volumes.create("tank/a", MiB)
    first = asyncio.ensure_future(rig.volumes.list())
    await asyncio.wait({first}, timeout=0)
    # The first has begun to read by now; what is made meanwhile it need not see, the next one must.
    rig.fake.do("zfs", "create", "-s", "-V", "1M", "tank/b")
    names = [volume.name for volume in await rig.volumes.list()]
    assert names == ["tank/a", "tank/b"]
    await first


async def test_who_gives_up_spoils_nothing_for_others(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.volumes.create("tank/a", MiB)
    given_up, kept = (asyncio.ensure_future(rig.volumes.find("tank/a")) for _ in range(2))
    await asyncio.wait({given_up}, timeout=0)
    given_up.cancel()
    assert (await kept).name == "tank/a"


async def test_a_pool_that_is_away_is_told_as_such_and_taken_up_when_it_is_there(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.volumes.create("tank/a", MiB)
    rig.fake.export("tank")
    for action in (
        rig.volumes.find("tank/a"),
        rig.volumes.destroy("tank/a"),
        rig.volumes.create("tank/b", MiB),
        rig.volumes.room("tank/b"),
        rig.volumes.file_size("/mnt/tank/x"),
        rig.pools.create_filesystem("tank/fs"),
        rig.pools.destroy_filesystem("tank/fs"),
        rig.pools.create_snapshot("tank/a", "s"),
        rig.pools.set_properties("tank/a", {}),
    ):
        assert await kind_of(action) is VolumeErrorKind.UNAVAILABLE
    with pytest.raises(VolumeError, match="ZFS has no tank; import it with: zpool import tank"):
        await rig.volumes.find("tank/a")
    # What is not there is missing from lists, and nothing else is.
    assert await rig.volumes.list() == []
    assert [each.name for each in await rig.pools.datasets()] == ["default"]
    assert await rig.pools.snapshots() == []
    away = next(pool for pool in await rig.pools.pools() if pool.name == "tank")
    assert (away.status, away.is_healthy, away.size) == ("OFFLINE", False, 0)
    assert "zpool import tank" in (away.problem or "")
    rig.fake.bring_back("tank")
    assert (await rig.volumes.find("tank/a")).size == MiB
    assert await rig.volumes.file_size("/mnt/tank/x") is None


async def test_a_dataset_that_is_not_there_can_be_made(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"fast": "tank/vms"})
    with pytest.raises(
        VolumeError, match=r"make it with: zfs create -p tank/vms, or import .* zpool import tank"
    ):
        await rig.volumes.find("fast/a")
    rig.fake.do("zfs", "create", "tank/vms")
    await rig.volumes.create("fast/a", MiB)
    assert "tank/vms/a" in rig.everything()


async def test_without_zfs_everything_else_works(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.fake.is_installed = False
    with pytest.raises(
        VolumeError, match=r"the pool tank cannot be used: ZFS is not installed .* apt-get install"
    ):
        await rig.volumes.create("tank/a", MiB)
    await rig.volumes.create("default/a", MiB)
    await rig.volumes.create_file("/mnt/default/f", MiB)
    assert [volume.name for volume in await rig.volumes.list()] == ["default/a"]
