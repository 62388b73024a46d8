"""Pools and datasets of ZFS, beyond what the contract says."""

import pytest

from tests.contract.volumes import kind_of
from tests.unit.adapters.zfs.rig import MiB, Rig
from vmstead.ports.volumes import VolumeError, VolumeErrorKind


async def test_all_that_zfs_says_of_a_dataset_is_told(rig: Rig) -> None:
    await rig.pools.create_filesystem("tank/vms")
    await rig.pools.set_properties("tank/vms", {"compression": "ZSTD", "quota": 2**30})
    await rig.volumes.create("tank/vms/a", MiB)
    await rig.volumes.duplicate("tank/vms/a", "tank/vms/b")
    *_, vms, a, b = await rig.pools.datasets()
    assert (vms.facts["quota"].value, vms.facts["quota"].source) == (2**30, "LOCAL")
    assert (a.facts["compression"].value, a.facts["compression"].source_info) == ("ZSTD", "tank/vms")
    assert (a.facts["volblocksize"].value, a.origin) == (16384, None)
    assert (b.origin or "").startswith("tank/vms/a@")


async def test_of_a_dataset_in_a_pool_the_space_is_its_own(rig: Rig) -> None:
    rig = Rig(rig.folder / "other", {"fast": "tank/vms", "whole": "tank/all"})
    rig.fake.do("zfs", "create", "tank/vms")
    _, fast, whole = await rig.pools.pools()
    assert (fast.name, fast.path, fast.status, fast.is_healthy) == ("fast", "/mnt/fast", "ONLINE", True)
    assert fast.size == fast.free + 16384
    assert [device.path for device in fast.devices["data"]] == ["/dev/sda"]
    assert (whole.name, whole.status) == ("whole", "OFFLINE")


async def test_a_snapshot_that_something_was_cloned_from_goes_with_the_clone(rig: Rig) -> None:
    await rig.volumes.create("tank/a", MiB)
    before = rig.everything()
    await rig.pools.create_snapshot("tank/a", "s")
    await rig.pools.clone_snapshot("tank/a", "s", "tank/b")
    await rig.pools.destroy_snapshot("tank/a", "s")
    assert len([each for each in rig.everything() if "@" in each]) == 1
    await rig.volumes.destroy("tank/b")
    assert rig.everything() == before


async def test_a_snapshot_that_others_hold_stays(rig: Rig) -> None:
    await rig.volumes.create("tank/a", MiB)
    await rig.pools.create_snapshot("tank/a", "s")
    before = rig.everything()
    rig.fake.refuse = lambda argv: "cannot destroy snapshot tank/a@s: dataset is busy"
    with pytest.raises(
        VolumeError, match="tank/a@s is held by a program of this host; see: zfs holds tank/a@s"
    ):
        await rig.pools.destroy_snapshot("tank/a", "s")
    assert rig.everything() == before


async def test_a_file_system_goes_without_what_is_made_in_it_meanwhile(rig: Rig) -> None:
    await rig.pools.create_filesystem("tank/vms")
    await rig.pools.create_snapshot("tank/vms", "s")

    def refuse(argv: object) -> None:
        rig.fake.refuse = lambda argv: None
        rig.fake.do("zfs", "create", "tank/vms/new")

    rig.fake.refuse = refuse
    with pytest.raises(
        VolumeError, match="tank/vms is what others hang on; destroy them first: tank/vms/new"
    ):
        await rig.pools.destroy_filesystem("tank/vms")
    assert "tank/vms/new" in rig.everything()


async def test_a_file_system_that_somebody_uses_stays(rig: Rig) -> None:
    await rig.pools.create_filesystem("tank/vms")
    rig.fake.model.busy.add("tank/vms")
    with pytest.raises(VolumeError, match="tank/vms is in use by a program of this host"):
        await rig.pools.destroy_filesystem("tank/vms")


async def test_of_file_systems_nothing_is_cloned(rig: Rig) -> None:
    await rig.pools.create_filesystem("tank/vms")
    await rig.pools.create_snapshot("tank/vms", "s")
    assert await kind_of(rig.pools.clone_snapshot("tank/vms", "s", "tank/b")) is VolumeErrorKind.NOT_FOUND


@pytest.mark.parametrize(("name", "value"), [("compression", "BEST"), ("sync", "NEVER")])
async def test_words_that_zfs_does_not_know_are_refused_with_those_that_it_knows(
    rig: Rig, name: str, value: str
) -> None:
    await rig.volumes.create("tank/a", MiB)
    with pytest.raises(VolumeError, match="must be one of"):
        await rig.pools.set_properties("tank/a", {name: value})
