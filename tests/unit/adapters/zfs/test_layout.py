"""Files on ZFS: never in the folder that a file system is to be mounted on."""

from pathlib import Path

import pytest

from tests.contract.volumes import kind_of
from tests.unit.adapters.zfs.rig import MiB, Rig
from tests.unit.adapters.zfs.test_listing import recorded
from vmstead.adapters.places import Closed
from vmstead.adapters.zfs.base import Zfs
from vmstead.adapters.zfs.inventory import Listing
from vmstead.adapters.zfs.layout import layout
from vmstead.adapters.zfs.listing import datasets
from vmstead.ports.volumes import VolumeError, VolumeErrorKind


def test_where_file_systems_are(tmp_path: Path) -> None:
    zfs = Zfs(Rig(tmp_path).fake.host, {"d": "data"})
    found = layout(zfs, Listing(datasets(recorded("list.txt")), {}), recorded("mountinfo.txt"))
    opened = {path: folder for path, folder in found.folders.items() if isinstance(folder, Path)}
    assert opened == {
        "/mnt/d": Path("/data"),
        "/mnt/d/vms": Path("/data/vms"),
        "/mnt/d/isos": Path("/srv/a b"),
    }
    closed = {path: why.kind for path, why in found.folders.items() if isinstance(why, Closed)}
    assert closed == {
        "/mnt/d/sec": VolumeErrorKind.LOCKED,
        "/mnt/d/noauto": VolumeErrorKind.UNAVAILABLE,
        "/mnt/d/none": VolumeErrorKind.UNAVAILABLE,
    }
    # What is never mounted itself is a folder of the file system above it.
    assert "/mnt/d/off" not in found.folders
    assert {*found.closed} == {Path("/data/sec"), Path("/data/noauto")}


async def test_files_go_where_their_file_system_is_mounted(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    elsewhere = tmp_path / "else where"
    rig.fake.do("zfs", "create", "-o", f"mountpoint={elsewhere}", "tank/isos")
    rig.fake.do("zfs", "create", "tank/isos/deep")
    await rig.volumes.create_file("/mnt/tank/isos/a", MiB)
    await rig.volumes.create_file("/mnt/tank/isos/deep/b", MiB)
    assert (elsewhere / "a").stat().st_size == (elsewhere / "deep/b").stat().st_size == MiB
    files = rig.storage.files
    assert [each.path for each in await files.list("/mnt/tank")] == ["/mnt/tank/isos"]
    assert [each.path for each in await files.list("/mnt/tank/isos")] == [
        "/mnt/tank/isos/a",
        "/mnt/tank/isos/deep",
    ]
    assert (await files.info("/mnt/tank/isos")).real_path == "/mnt/tank/isos"
    (elsewhere / "link").symlink_to(elsewhere / "a")
    assert await rig.volumes.locate("/mnt/tank/isos/link") == elsewhere / "a"
    assert await kind_of(rig.volumes.file_size("/mnt/tank/isos")) is VolumeErrorKind.FAILED


async def test_nothing_is_written_where_a_file_system_is_missing(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    rig.fake.do("zfs", "create", "tank/vms")
    await rig.volumes.create_file("/mnt/tank/vms/a", MiB)
    rig.fake.do("zfs", "unmount", "tank/vms")
    folder = tmp_path / "zfs/mnt/tank/vms"
    (tmp_path / "zfs/mnt/tank/link").symlink_to(folder)
    for path in ("/mnt/tank/vms/a", "/mnt/tank/vms/b", "/mnt/tank/vms/sub/c", "/mnt/tank/link/a"):
        assert await kind_of(rig.volumes.create_file(path, 512)) is VolumeErrorKind.UNAVAILABLE
        assert await kind_of(rig.storage.files.info(path)) is VolumeErrorKind.UNAVAILABLE
    with pytest.raises(VolumeError, match="tank/vms is not mounted; mount it with: zfs mount tank/vms"):
        await rig.volumes.locate("/mnt/tank/vms/a")
    assert [*folder.iterdir()] == []
    # What cannot be reached does not show.
    assert [each.name for each in await rig.storage.files.list("/mnt/tank")] == []
    rig.fake.do("zfs", "mount", "tank/vms")
    assert await rig.volumes.file_size("/mnt/tank/vms/a") == MiB


async def test_a_pool_without_files_says_so(tmp_path: Path) -> None:
    rig = Rig(tmp_path, {"fast": "tank/vms"})
    rig.fake.do("zfs", "create", "-o", "mountpoint=none", "tank/vms")
    with pytest.raises(VolumeError, match="fast is not mounted: its mountpoint is none"):
        await rig.volumes.create_file("/mnt/fast/a", MiB)
    assert (await rig.volumes.create("fast/a", MiB)).size == MiB


async def test_zfs_is_asked_again_only_when_something_was_mounted_or_changed(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    await rig.volumes.create_file("/mnt/tank/a", 0)
    rig.fake.calls.clear()
    for _ in range(10):
        await rig.storage.files.append("/mnt/tank/a", b"x")
    assert rig.fake.calls == []
    rig.fake.do("zfs", "create", "tank/new")
    await rig.storage.files.append("/mnt/tank/a", b"x")
    assert [call[1] for call in rig.fake.calls] == ["list"]
    await rig.pools.create_filesystem("tank/more")
    await rig.volumes.create_file("/mnt/tank/more/a", 512)


async def test_the_top_shows_pools_of_both_kinds(tmp_path: Path) -> None:
    rig = Rig(tmp_path)
    assert [each.path for each in await rig.storage.files.list("/mnt")] == ["/mnt/default", "/mnt/tank"]
    assert (await rig.storage.files.info("/mnt")).real_path == "/mnt"
    rig.fake.export("tank")
    assert [each.path for each in await rig.storage.files.list("/mnt")] == ["/mnt/default"]
