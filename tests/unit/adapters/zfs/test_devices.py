"""Waiting for udev."""

import asyncio
from pathlib import Path

import pytest

from tests.contract.volumes import kind_of
from tests.unit.adapters.zfs.rig import MiB, Rig, read
from vmstead.adapters.zfs.devices import Devices
from vmstead.ports.volumes import VolumeError, VolumeErrorKind


async def test_blanks_are_written_as_udev_writes_them(tmp_path: Path) -> None:
    host = Rig(tmp_path).fake.host
    assert Devices(host).path("tank/two words") == host.devices / "tank/two+words"


async def test_a_volume_is_there_when_its_device_is(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.fake.do("zfs", "create", "-s", "-V", "1M", "tank/a")
    path = rig.fake.host.devices / "tank/a"
    assert not path.exists()
    await Devices(rig.fake.host).appear("tank/a")
    assert path.exists()
    made = await rig.volumes.create("tank/b", MiB)
    assert read(made) == b"\0\0\0"


async def test_a_link_that_is_left_of_another_volume_is_not_taken_for_the_device(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    devices = Devices(rig.fake.host)
    rig.fake.do("zfs", "create", "-s", "-V", "1M", "tank/a")
    await devices.appear("tank/a")
    stale = rig.fake.host.devices / "tank/b"
    stale.symlink_to((rig.fake.host.devices / "tank/a").readlink())
    rig.fake.do("zfs", "create", "-s", "-V", "1M", "tank/b")
    await devices.appear("tank/b")
    assert stale.readlink() == rig.fake.model.dataset("tank/b").content


async def test_a_device_that_does_not_come_is_told_of(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.fake.has_udev = False
    with pytest.raises(VolumeError, match=r"has not appeared within 0\.01 seconds; is udev running"):
        await Devices(rig.fake.host, patience=0.01).appear("tank/a")


async def test_a_volume_without_a_device_is_taken_back(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    before = rig.everything()
    rig.fake.has_udev = False
    assert await kind_of(rig.volumes.create("tank/a", MiB)) is VolumeErrorKind.FAILED
    assert rig.everything() == before


async def test_several_wait_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    made = await asyncio.gather(*(rig.volumes.create(f"tank/{number}", MiB) for number in range(5)))
    assert all(volume.source.path.exists() for volume in made)
