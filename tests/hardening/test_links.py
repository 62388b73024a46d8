"""Links in a pool, also ones that come between a look and its use, lead a server nowhere.

Who may write in a pool (a share, a user of the host) swaps a folder for a link at the very moment when a path has
been found to be good. Here that moment is certain: the swap is made by what looks.
"""

import asyncio
import itertools
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from vmstead.adapters.dir_pools import DirPools
from vmstead.adapters.dir_volumes import DirVolumes
from vmstead.adapters.places import Places
from vmstead.adapters.pool_files import PoolFiles
from vmstead.adapters.qemu_img import QemuImg
from vmstead.ports.files import Permissions
from vmstead.ports.images import Image, ImageError
from vmstead.ports.volumes import DiskSource, VolumeError

SECRET = b"not yours".ljust(4096, b"\0")


class SwappingPlaces(Places):
    """Places of which a folder becomes a link as soon as a path has been found for the nth time."""

    swap: Callable[[], None] = staticmethod(lambda: None)
    looks_left = 0

    def locate(self, path: str, *, may_be_root: bool = False) -> Path:
        found = super().locate(path, may_be_root=may_be_root)
        self.looks_left -= 1
        if self.looks_left == 0:
            self.swap()
        return found


@dataclass
class Pool:
    """A pool ``tank`` with the folder ``d``, and a folder outside that looks the same."""

    root: Path
    outside: Path
    places: SwappingPlaces
    volumes: DirVolumes
    files: PoolFiles
    pools: DirPools

    def swap(self) -> None:
        os.rename(self.root / "d", self.root / "away")
        (self.root / "d").symlink_to(self.outside)

    def contents(self) -> dict[str, tuple[bytes, int]]:
        """All that is outside."""
        found = sorted(path for path in self.outside.rglob("*") if path.is_file())
        folders = {path.name: (b"", path.stat().st_mode) for path in self.outside.rglob("*") if path.is_dir()}
        return {**{path.name: (path.read_bytes(), path.stat().st_mode) for path in found}, **folders}


def make(tmp_path: Path) -> Pool:
    root, outside = tmp_path / "tank", tmp_path / "outside"
    for folder in (root / "d", outside):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(SECRET)
    places = SwappingPlaces({"tank": root})
    volumes, files = DirVolumes({"tank": root}), PoolFiles(places)
    volumes._places = places
    pool = Pool(root, outside, places, volumes, files, DirPools({"tank": root}, volumes))
    places.swap = pool.swap
    return pool


@pytest.fixture
def pool(tmp_path: Path) -> Pool:
    return make(tmp_path)


async def read(pool: Pool) -> None:
    with await pool.files.open(FILE) as file:
        assert file.read() == SECRET


FILE, NEW = "/mnt/tank/d/file", "/mnt/tank/d/new"
USES: dict[str, Callable[[Pool], Awaitable[object]]] = {
    "create_file": lambda pool: pool.volumes.create_file(NEW, 512),
    "file_size": lambda pool: pool.volumes.file_size(FILE),
    "duplicate_file from there": lambda pool: pool.volumes.duplicate_file(FILE, "/mnt/tank/copy"),
    "duplicate_file to there": lambda pool: pool.volumes.duplicate_file("/mnt/tank/other", NEW),
    "resize_file": lambda pool: pool.volumes.resize_file(FILE, 8192),
    "remove_file": lambda pool: pool.volumes.remove_file(FILE),
    "publish_file": lambda pool: pool.volumes.publish_file("/mnt/tank/d/part", FILE, over=True),
    "append": lambda pool: pool.files.append(FILE, b"more"),
    "truncate": lambda pool: pool.files.truncate(FILE, 0),
    "change_mode": lambda pool: pool.files.change_mode(FILE, 0o777),
    "sync": lambda pool: pool.files.sync(FILE),
    "open": read,
    "list": lambda pool: pool.files.list("/mnt/tank/d"),
    "make_folder": lambda pool: pool.files.make_folder(NEW, 0o755),
    "change_permissions": lambda pool: pool.files.change_permissions(
        FILE, Permissions(mode=0o777), recursive=True, crosses_mounts=False
    ),
}


@pytest.mark.parametrize("name", USES)
async def test_a_link_that_comes_after_a_look_is_not_followed(tmp_path: Path, name: str) -> None:
    for look in itertools.count(1):
        pool = make(tmp_path / str(look))
        (pool.root / "other").write_bytes(b"")
        (pool.root / "d/part").write_bytes(b"part")
        before = pool.contents()
        pool.places.looks_left = look
        try:
            result = await USES[name](pool)
        except VolumeError:
            assert pool.places.looks_left <= 0
        else:
            # It may have been done before the swap, or looked less often.
            assert look > 1, result
        assert pool.contents() == before
        copy = pool.root / "copy"
        assert not copy.exists() or pool.places.looks_left > 0
        if pool.places.looks_left > 0:
            break


async def test_an_image_is_the_one_that_was_looked_at(pool: Pool) -> None:
    images, place = QemuImg(), pool.places.locate(FILE)
    target = DiskSource(pool.root / "target", is_block=False)
    target.path.write_bytes(b"")
    pool.swap()
    before = pool.contents()
    with pytest.raises(ImageError, match="Not a directory"):
        await images.examine(place, "raw")
    image, source = Image("raw", len(SECRET)), DiskSource(place, is_block=False)
    with pytest.raises(ImageError, match="Not a directory"):
        await images.convert(source, image, target, "raw", is_blank=False, progress=lambda _: None)
    with pytest.raises(ImageError, match="Not a directory"):
        await images.convert(target, image, source, "raw", is_blank=False, progress=lambda _: None)
    assert target.path.read_bytes() == b""
    assert pool.contents() == before


async def test_a_dataset_is_not_made_found_or_destroyed_through_a_link(pool: Pool) -> None:
    pool.swap()
    (pool.outside / "fs").mkdir()
    (pool.outside / "fs/precious").write_bytes(SECRET)
    pool.volumes.notes.set("tank/d/fs", {"kind": "FILESYSTEM"})
    before = pool.contents()
    for name in ("tank/d/new", "tank/d/fs"):
        with pytest.raises(VolumeError):
            await pool.pools.create_filesystem(name)
        with pytest.raises(VolumeError):
            await pool.pools.destroy_filesystem(name)
        with pytest.raises(VolumeError):
            await pool.volumes.create(f"{name}/volume", 512)
    assert [each.name for each in await pool.pools.datasets()] == ["tank"]
    assert pool.contents() == before


async def test_volumes_are_not_found_where_a_link_leads_in_their_place(pool: Pool) -> None:
    await pool.volumes.create("tank/v", 512)
    await pool.pools.create_snapshot("tank/v", "now")
    os.rename(pool.root / ".volumes", pool.root / "away")
    (pool.root / ".volumes").symlink_to(pool.outside)
    (pool.outside / "v").write_bytes(SECRET)
    before = pool.contents()
    for use in (
        lambda: pool.volumes.find("tank/v"),
        lambda: pool.volumes.create("tank/w", 512),
        lambda: pool.volumes.destroy("tank/v"),
        lambda: pool.volumes.duplicate("tank/v", "tank/w"),
        lambda: pool.pools.resize("tank/v", 8192),
        lambda: pool.pools.create_snapshot("tank/v", "then"),
        lambda: pool.pools.destroy_snapshot("tank/v", "now"),
        lambda: pool.pools.set_properties("tank", {"comments": "x"}),
    ):
        with pytest.raises(VolumeError):
            await use()
    assert pool.contents() == before


async def test_a_tree_is_removed_without_what_its_links_lead_to(pool: Pool) -> None:
    await pool.pools.create_filesystem("tank/fs")
    (pool.root / "fs/link").symlink_to(pool.outside)
    (pool.root / "fs/deep").mkdir()
    (pool.root / "fs/deep/link").symlink_to(pool.outside / "file")
    before = pool.contents()
    await pool.pools.destroy_filesystem("tank/fs")
    assert not (pool.root / "fs").exists()
    assert pool.contents() == before


async def test_a_race_that_goes_on_all_the_time_is_never_won(pool: Pool) -> None:
    """As an attacker would have it: swapping without a pause while files are made."""
    racing = True

    def race() -> None:
        while racing:
            pool.swap()
            os.unlink(pool.root / "d")
            os.rename(pool.root / "away", pool.root / "d")

    racer = asyncio.ensure_future(asyncio.to_thread(race))
    made = 0
    try:
        for number in range(300):
            try:
                await pool.volumes.create_file(f"/mnt/tank/d/{number}", 0)
                made += 1
            except VolumeError:
                continue
    finally:
        racing = False
        await racer
    assert [path.name for path in pool.outside.iterdir()] == ["file"]
    assert len(list((pool.root / "d").iterdir())) == made + 1
