"""The pools port on ordinary folders.

File systems are folders that were made as such; snapshots of volumes are copies, which share blocks where the file
system below can. What is known of datasets lies with the volumes::

    <root>/.volumes/.datasets.json         properties by dataset
    <root>/.volumes/.snapshots/vms/a@now   a snapshot
"""

import asyncio
import contextlib
import os
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from vmstead.adapters._sparse import copy_file, make_folders
from vmstead.adapters.dir_volumes import DirVolumes, in_thread, stoppable, unencrypted
from vmstead.adapters.names import check_snapshot_name, no_such_pool, refuse_newer
from vmstead.adapters.places import SNAPSHOTS, VOLUMES, real
from vmstead.adapters.real_paths import (
    folder_at,
    is_folder,
    make_folder_at,
    regular_file,
    remove_at,
    replace_at,
)
from vmstead.ports.pools import Dataset, DatasetKind, Pool, Pools, Snapshot
from vmstead.ports.volumes import FILE_PREFIX, Encryption, VolumeError, VolumeErrorKind

#: What volumes are stored by has no effect here; it is what TrueNAS recommends for most pools.
_BLOCK_SIZE = 16384


class DirPools(Pools):
    """Pools that are folders, of which the volumes are those of ``volumes``."""

    def __init__(self, pools: Mapping[str, Path], volumes: DirVolumes) -> None:
        self._pools = dict(pools)
        self._volumes = volumes
        self._notes = volumes.notes

    async def pools(self) -> Sequence[Pool]:
        return await in_thread(lambda: [self._pool(name) for name in sorted(self._pools)])

    async def datasets(self) -> Sequence[Dataset]:
        volumes = await self._volumes.list()

        def describe() -> list[Dataset]:
            found = []
            for name in self._filesystems():
                # What has gone since it was listed is none any more.
                with contextlib.suppress(FileNotFoundError):
                    found.append(self._filesystem(name))
            for volume in volumes:
                with contextlib.suppress(FileNotFoundError):
                    path, properties = volume.source.path, self._notes.of(volume.name)
                    found.append(self._dataset(volume.name, path, volume.size, properties))
            return sorted(found, key=lambda dataset: dataset.name)

        return await in_thread(describe)

    async def block_size(self, pool: str) -> int:
        self._root(pool)
        return _BLOCK_SIZE

    async def create_filesystem(self, name: str, *, encryption: Encryption | None = None) -> None:
        if encryption is not None:
            raise unencrypted(name)
        await in_thread(self._create_filesystem, name)

    async def set_properties(self, name: str, properties: Mapping[str, object]) -> None:
        if name not in {dataset.name for dataset in await self.datasets()}:
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"the dataset {name} does not exist")
        await in_thread(self._notes.set, name, properties)

    async def resize(self, name: str, size: int) -> None:
        volume = await self._volumes.find(name)
        if size < volume.size:
            text = f"the volume {name} has {volume.size} bytes; shrinking it would lose data"
            raise VolumeError(VolumeErrorKind.FAILED, text)
        await in_thread(_grow, volume.source.path, size)

    async def destroy_filesystem(self, name: str) -> None:
        await self._nothing_below(name)
        await in_thread(self._destroy_filesystem, name)

    async def unlock(self, root: str, secret: str | None) -> None:
        await self._refuse_keys(root)

    async def lock(self, root: str, *, force: bool) -> None:
        await self._refuse_keys(root)

    async def _refuse_keys(self, name: str) -> None:
        if name not in {dataset.name for dataset in await self.datasets()}:
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"the dataset {name} does not exist")
        raise VolumeError(VolumeErrorKind.FAILED, f"{name} is not encrypted")

    async def snapshots(self) -> Sequence[Snapshot]:
        return await in_thread(self._list_snapshots)

    async def create_snapshot(self, dataset: str, name: str, *, is_recursive: bool = False) -> Snapshot:
        check_snapshot_name(name)
        try:
            volume = await self._volumes.find(dataset)
        except VolumeError as error:
            if dataset in await in_thread(self._filesystems):
                text = f"{dataset} is a folder, of which no snapshot can be made; of volumes it can"
                raise VolumeError(VolumeErrorKind.FAILED, text) from None
            raise error from None
        path = self._snapshot_file(dataset, name)
        await asyncio.to_thread(make_folders, path.parent)
        await stoppable(
            lambda stop: copy_file(volume.source.path, path, f"the snapshot {dataset}@{name}", stop)
        )
        return await in_thread(self._snapshot, dataset, path)

    async def clone_snapshot(self, dataset: str, name: str, target: str) -> None:
        source = self._snapshot_file(dataset, name)
        if not await in_thread(source.is_file):
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"the snapshot {dataset}@{name} does not exist")
        await self._volumes.duplicate_from(source, target)

    async def roll_back(self, volume: str, name: str, *, through: str, newer: bool = False) -> None:
        source = self._snapshot_file(volume, name)
        if not await in_thread(source.is_file):
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"the snapshot {volume}@{name} does not exist")
        kept = [each for each in await self.snapshots() if each.dataset == volume]
        number = next(each.number for each in kept if each.name == name)
        later = [each for each in kept if each.number > number]
        refuse_newer(volume, [] if newer else later)
        await self._volumes.find(volume)
        await self._volumes.duplicate_from(source, through)
        await self._volumes.replace(volume, through)
        for each in later:
            await self.destroy_snapshot(volume, each.name)

    async def destroy_snapshot(self, dataset: str, name: str) -> None:
        try:
            await in_thread(remove_at, self._snapshot_file(dataset, name))
        except VolumeError as error:
            if error.kind is not VolumeErrorKind.NOT_FOUND:
                raise
            text = f"the snapshot {dataset}@{name} does not exist"
            raise VolumeError(VolumeErrorKind.NOT_FOUND, text) from None

    # --- pools and file systems -------------------------------------------------------------------

    def _pool(self, name: str) -> Pool:
        folder, path = self._pools[name], FILE_PREFIX + name
        if not folder.is_dir():
            problem = f"the pool's folder is not there ({path})"
            return Pool(name, path, 0, 0, is_healthy=False, status="OFFLINE", problem=problem)
        found = os.statvfs(folder)
        size, free = found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize
        return Pool(name, path, size, free, is_healthy=True, status="ONLINE")

    def _root(self, name: str) -> Path:
        pool = name.partition("/")[0]
        if pool not in self._pools:
            raise no_such_pool(pool, self._pools)
        return self._pools[pool]

    def _folder(self, name: str) -> Path:
        """Where a file system lies. The name is checked as that of a volume is."""
        root, rest = self._root(name), name.partition("/")[2]
        if not rest:
            return root
        self._volumes.check_name(name)
        return self._notes.folder(name)

    def _filesystems(self) -> list[str]:
        made = [
            name
            for pool in self._pools
            for name in self._notes.names(pool)
            if self._notes.is_filesystem(name)
        ]
        return sorted({*(pool for pool, folder in self._pools.items() if folder.is_dir()), *made})

    def _filesystem(self, name: str) -> Dataset:
        return self._dataset(name, self._folder(name), None, self._notes.of(name))

    def _dataset(self, name: str, path: Path, size: int | None, properties: Mapping[str, object]) -> Dataset:
        found, space = path.stat(), os.statvfs(path)
        is_volume = size is not None
        return Dataset(
            name=name,
            kind=DatasetKind.VOLUME if is_volume else DatasetKind.FILESYSTEM,
            mountpoint=None if is_volume else FILE_PREFIX + name,
            used=found.st_blocks * 512 if is_volume else (space.f_blocks - space.f_bfree) * space.f_frsize,
            available=space.f_bavail * space.f_frsize,
            size=size,
            created=found.st_ctime,
            properties={key: value for key, value in properties.items() if key != "kind"},
            takes_snapshots=is_volume,
        )

    def _create_filesystem(self, name: str) -> None:
        folder = self._folder(name)
        above = name.rpartition("/")[0]
        if above and not is_folder(self._folder(above)):
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"the dataset {above} does not exist")
        if self._volumes.has(name):
            raise VolumeError(VolumeErrorKind.EXISTS, f"{name} is a volume already")
        if os.path.lexists(folder):
            raise VolumeError(VolumeErrorKind.EXISTS, f"{name} exists already")
        # Known before it is there: a folder that nobody knows of could be anybody's.
        self._notes.set(name, {"kind": str(DatasetKind.FILESYSTEM)})
        try:
            make_folder_at(folder, 0o755)
        except BaseException:
            self._notes.forget(name)
            raise

    async def _nothing_below(self, name: str) -> None:
        below = [each.name for each in await self.datasets() if each.name.startswith(f"{name}/")]
        if below:
            text = f"{name} has datasets below it: {', '.join(below)}"
            raise VolumeError(VolumeErrorKind.IN_USE, text)

    def _destroy_filesystem(self, name: str) -> None:
        if "/" not in name:
            raise VolumeError(VolumeErrorKind.IN_USE, f"{name} is a pool, which is not removed here")
        folder = self._folder(name)
        going = folder.with_name(f".{folder.name}.going")
        is_there = self._notes.is_filesystem(name)
        was_begun = is_folder(going)
        if was_begun:
            _remove_tree(going)
        if is_there:
            # Out of sight first: what is only half removed is no dataset any more.
            replace_at(folder, going)
        self._notes.forget(name)
        if is_there:
            _remove_tree(going)
        elif not was_begun:
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"the dataset {name} does not exist")

    # --- snapshots --------------------------------------------------------------------------------

    def _snapshot_file(self, dataset: str, name: str) -> Path:
        self._volumes.check_name(dataset)
        try:
            check_snapshot_name(name)
        except VolumeError:
            text = f"the snapshot {dataset}@{name} does not exist"
            raise VolumeError(VolumeErrorKind.NOT_FOUND, text) from None
        root = real(self._root(dataset), may_be_missing=True)
        return root.joinpath(VOLUMES, SNAPSHOTS, f"{dataset.partition('/')[2]}@{name}")

    def _list_snapshots(self) -> list[Snapshot]:
        found = []
        for pool, root in self._pools.items():
            base = real(root, may_be_missing=True) / VOLUMES / SNAPSHOTS
            files = (Path(folder, file) for folder, _, files in os.walk(base) for file in files)
            for path in files:
                rest, at, _ = str(path.relative_to(base)).rpartition("@")
                # What has gone since it was listed is none any more.
                with contextlib.suppress(FileNotFoundError):
                    if at and stat.S_ISREG(path.lstat().st_mode):
                        found.append(self._snapshot(f"{pool}/{rest}", path))
        return sorted(found, key=lambda each: (each.dataset, each.number, each.name))

    def _snapshot(self, dataset: str, path: Path) -> Snapshot:
        found = path.stat()
        name = path.name.rpartition("@")[2]
        allocated = found.st_blocks * 512
        return Snapshot(dataset, name, found.st_mtime, found.st_size, allocated, allocated, found.st_mtime_ns)


def _grow(path: Path, size: int) -> None:
    with regular_file(path, os.O_WRONLY) as file:
        os.truncate(file, size)


def _remove_tree(path: Path) -> None:
    """Remove a folder with what is in it. No link in it is followed, nor one that comes meanwhile."""
    with folder_at(path.parent) as above:
        shutil.rmtree(path.name, dir_fd=above)
