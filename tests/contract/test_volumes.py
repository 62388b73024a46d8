"""Volumes and files in folders: what the port says, and what keeps clients within the folders."""

import os
import resource
import stat
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from tests.contract.volumes import MiB, Storage, VolumesContract, kind_of
from tests.contract.zfs import ZfsPair
from vmstead.adapters.dir_volumes import DirVolumes
from vmstead.kernel.run import CommandError, run
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

#: Bytes that files may have while ``small_files`` holds.
LIMIT = 64 * 1024


@pytest.fixture
def tank(tmp_path: Path) -> Path:
    """The folder of a pool; there is one named ``other`` beside it."""
    for name in ("tank", "other"):
        (tmp_path / name).mkdir()
    return tmp_path / "tank"


@pytest.fixture
def volumes(tank: Path) -> DirVolumes:
    roots = {"isos": tank.parent / "isos", "missing": tank.parent / "missing"}
    roots["isos"].mkdir()
    return DirVolumes({"tank": tank, "other": tank.parent / "other"}, roots)


class TestDirVolumes(VolumesContract):
    @pytest.fixture
    def storage(self, tank: Path, volumes: DirVolumes) -> Storage:
        return Storage(volumes, lambda name: tank.parent.joinpath(name).mkdir())


class TestZfsVolumes(VolumesContract):
    """Volumes of ZFS, and files in its file systems."""

    @pytest.fixture
    def storage(self, zfs: ZfsPair) -> Storage:
        return Storage(zfs.storage.volumes, zfs.make_dataset)


def everything(folder: Path) -> list[str]:
    """All that lies below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@contextmanager
def small_files() -> Iterator[None]:
    """No file can be larger than ``LIMIT``."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@asynccontextmanager
async def full_file_system() -> AsyncIterator[Path]:
    """A file system in which no further file can be made."""
    folder = Path(tempfile.mkdtemp(prefix="vmstead-test-", dir="/var/tmp"))
    try:
        await run(["mount", "-t", "tmpfs", "-o", "size=64k,nr_inodes=4", "vmstead-test", str(folder)])
    except CommandError as error:
        folder.rmdir()
        pytest.skip(f"no file system can be mounted here: {error}")
    try:
        yield folder
    finally:
        await run(["umount", str(folder)])
        folder.rmdir()


# --- volumes ------------------------------------------------------------------------------------------


async def test_volumes_take_no_space_and_are_for_their_owner(volumes: DirVolumes, tank: Path) -> None:
    (tank / "vms").mkdir()
    umask = os.umask(0o077)
    try:
        made = await volumes.create("tank/vms/disk0", 100 * MiB)
    finally:
        os.umask(umask)
    found = made.source.path.stat()
    assert (found.st_size, stat.S_IMODE(found.st_mode)) == (100 * MiB, 0o600)
    assert found.st_blocks * 512 < MiB
    assert made.source.path == tank / ".volumes/vms/disk0"
    assert not made.source.is_block
    # Guests get at their disks through the folders above, and see no other names there.
    for folder in (".volumes", ".volumes/vms"):
        assert stat.S_IMODE((tank / folder).stat().st_mode) == 0o711


async def test_a_volume_that_does_not_fit_leaves_no_file(volumes: DirVolumes, tank: Path) -> None:
    with small_files():
        assert await kind_of(volumes.create("tank/disk0", LIMIT + 1)) is VolumeErrorKind.NO_SPACE
        assert await kind_of(volumes.create_file("/mnt/tank/a", LIMIT + 1)) is VolumeErrorKind.NO_SPACE
        await volumes.create_file("/mnt/tank/b", LIMIT)
        assert await kind_of(volumes.resize_file("/mnt/tank/b", LIMIT + 1)) is VolumeErrorKind.NO_SPACE
    assert everything(tank) == [".volumes", "b"]
    assert await volumes.list() == []
    assert await volumes.file_size("/mnt/tank/b") == LIMIT


async def test_a_full_file_system_is_told_as_such() -> None:
    async with full_file_system() as folder:
        volumes = DirVolumes({"tank": folder})
        for name in ("a", "b"):
            await volumes.create(f"tank/{name}", 512)
        assert await kind_of(volumes.create("tank/c", 512)) is VolumeErrorKind.NO_SPACE
        assert await kind_of(volumes.create_file("/mnt/tank/c", 512)) is VolumeErrorKind.NO_SPACE
        await volumes.destroy("tank/a")
        await volumes.create("tank/c", 512)


@pytest.mark.parametrize("size", [-1, -(2**70)])
async def test_a_size_below_nothing_leaves_no_file(volumes: DirVolumes, tank: Path, size: int) -> None:
    await kind_of(volumes.create("tank/disk0", size))
    assert everything(tank) == [".volumes"]


async def test_what_others_put_among_the_volumes_is_none(volumes: DirVolumes, tank: Path) -> None:
    made = await volumes.create("tank/disk0", 512)
    folder = tank / ".volumes"
    (folder / "disk0 (copy)").touch()
    (folder / ".hidden").touch()
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "folder").symlink_to("/etc")
    os.mkfifo(folder / "pipe")
    assert await volumes.list() == [made]
    assert await kind_of(volumes.find("tank/link")) is VolumeErrorKind.NOT_FOUND
    assert await kind_of(volumes.find("tank/pipe")) is VolumeErrorKind.NOT_FOUND
    assert await kind_of(volumes.create("tank/link", 512)) is VolumeErrorKind.EXISTS
    assert Path("/etc/passwd").exists()


async def test_the_way_out_of_a_missing_dataset_is_told(volumes: DirVolumes) -> None:
    with pytest.raises(VolumeError, match="mkdir -p /mnt/tank/vms"):
        await volumes.create("tank/vms/disk0", 512)
    with pytest.raises(VolumeError, match="no pool nowhere; there is other, tank"):
        await volumes.create("nowhere/disk0", 512)


# --- files --------------------------------------------------------------------------------------------


async def test_files_take_no_space_and_are_for_their_owner(volumes: DirVolumes, tank: Path) -> None:
    await volumes.create_file("/mnt/tank/a", 100 * MiB)
    found = (tank / "a").stat()
    assert stat.S_IMODE(found.st_mode) == 0o600
    assert found.st_blocks * 512 < MiB


async def test_links_may_lead_to_other_allowed_folders(volumes: DirVolumes, tank: Path) -> None:
    isos = tank.parent / "isos"
    (isos / "debian.iso").write_bytes(b"iso")
    (tank / "link.iso").symlink_to(isos / "debian.iso")
    (tank / "folder").symlink_to(isos)
    (tank / "sub").mkdir()
    (tank / "within.iso").symlink_to("sub/../link.iso")
    for path in ("link.iso", "folder/debian.iso", "within.iso"):
        assert await volumes.locate(f"/mnt/tank/{path}") == isos / "debian.iso"
        assert await volumes.file_size(f"/mnt/tank/{path}") == 3
    assert await volumes.locate(f"{isos}/debian.iso") == isos / "debian.iso"


@pytest.mark.parametrize(
    ("link", "target", "path"),
    [
        ("out", "/etc/passwd", "out"),
        ("out", "../../secret", "out"),
        ("out", "/etc", "out/passwd"),
        ("out", "..", "out/secret"),
        ("out", "/", "out/etc/passwd"),
        ("out", "..", "out"),
        ("out", "/nonexistent/made", "out"),
        ("out", "../made", "out"),
    ],
)
async def test_links_that_lead_out(
    volumes: DirVolumes, tank: Path, link: str, target: str, path: str
) -> None:
    (tank.parent / "secret").write_bytes(b"secret")
    (tank / link).symlink_to(target)
    path = f"/mnt/tank/{path}"
    for action in (
        volumes.locate(path),
        volumes.file_size(path),
        volumes.create_file(path, 512),
        volumes.resize_file(path, MiB),
        volumes.remove_file(path),
    ):
        assert await kind_of(action) is VolumeErrorKind.OUTSIDE
    assert everything(tank) == [link]
    assert not (tank.parent / "made").exists()
    assert (tank.parent / "secret").read_bytes() == b"secret"


async def test_links_in_a_circle_are_an_error_as_any_other(volumes: DirVolumes, tank: Path) -> None:
    (tank / "a").symlink_to("b")
    (tank / "b").symlink_to("a")
    (tank / "folder").symlink_to("folder")
    for path in ("/mnt/tank/a", "/mnt/tank/folder/x"):
        assert await kind_of(volumes.file_size(path)) is VolumeErrorKind.FAILED
    assert await kind_of(volumes.create_file("/mnt/tank/a", 512)) is VolumeErrorKind.EXISTS


async def test_a_link_to_nothing_yet_within_the_pool_can_be_filled(volumes: DirVolumes, tank: Path) -> None:
    (tank / "later").symlink_to("made")
    assert await volumes.file_size("/mnt/tank/later") is None
    await volumes.create_file("/mnt/tank/later", 512)
    assert (tank / "made").stat().st_size == 512


@pytest.mark.parametrize(
    "path", [".volumes/disk0", ".volumes", ".volumes/new", "link", "folder/disk0", "deeper/.volumes/x"]
)
async def test_volumes_are_no_files(volumes: DirVolumes, tank: Path, path: str) -> None:
    await volumes.create("tank/disk0", 512)
    (tank / "deeper/.volumes").mkdir(parents=True)
    (tank / "link").symlink_to(".volumes/disk0")
    (tank / "folder").symlink_to(".volumes")
    before = everything(tank)
    for action in (
        volumes.file_size(f"/mnt/tank/{path}"),
        volumes.create_file(f"/mnt/tank/{path}", 512),
        volumes.remove_file(f"/mnt/tank/{path}"),
    ):
        assert await kind_of(action) is VolumeErrorKind.OUTSIDE
    assert everything(tank) == before


async def test_volumes_are_no_files_through_a_root_above_the_pool(tank: Path) -> None:
    volumes = DirVolumes({"tank": tank}, {"all": tank.parent})
    await volumes.create("tank/disk0", 512)
    assert await kind_of(volumes.file_size(f"{tank}/.volumes/disk0")) is VolumeErrorKind.OUTSIDE


async def test_a_pool_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "tank").symlink_to("real")
    volumes = DirVolumes({"tank": tmp_path / "tank"})
    await volumes.create_file("/mnt/tank/a", 512)
    assert await volumes.locate("/mnt/tank/a") == tmp_path / "real/a"
    assert (await volumes.create("tank/disk0", 512)).size == 512


async def test_devices_and_pipes_are_no_files(volumes: DirVolumes, tank: Path) -> None:
    os.mkfifo(tank / "pipe")
    assert await kind_of(volumes.file_size("/mnt/tank/pipe")) is VolumeErrorKind.FAILED
    assert await kind_of(volumes.remove_file("/mnt/tank/pipe")) is VolumeErrorKind.FAILED
    (tank / "file").touch()
    assert await kind_of(volumes.file_size("/mnt/tank/file/x")) is VolumeErrorKind.FAILED


async def test_the_folders_that_can_be_used_are_told(volumes: DirVolumes, tank: Path) -> None:
    with pytest.raises(VolumeError, match=f"is not below /mnt/other/ or /mnt/tank/ or {tank.parent}/isos/"):
        await volumes.locate("/etc/passwd")
