"""Pools of both kinds side by side: each call goes to the driver of the pool that it names."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from vmstead.adapters.dir_pools import DirPools
from vmstead.adapters.dir_volumes import DirVolumes
from vmstead.adapters.names import check_name, no_such_pool
from vmstead.adapters.places import Places
from vmstead.adapters.pool_files import PoolFiles
from vmstead.adapters.zfs.base import Zfs
from vmstead.adapters.zfs.layout import Layouts
from vmstead.adapters.zfs.pools import ZfsPools
from vmstead.adapters.zfs.programs import THIS_HOST, ZfsHost
from vmstead.adapters.zfs.volumes import ZfsVolumes
from vmstead.ports.files import Files
from vmstead.ports.pools import Dataset, Pool, Pools, Snapshot
from vmstead.ports.volumes import (
    VOLUME_PREFIX,
    BlockVolumes,
    Encryption,
    Volume,
    VolumeError,
    VolumeErrorKind,
    Volumes,
    volume_name,
)

DriverT = TypeVar("DriverT")


@dataclass(frozen=True)
class Storage:
    """The ports that have to do with pools. ``zfs``: the ZFS of those that are there."""

    volumes: Volumes
    files: Files
    pools: Pools
    zfs: ZfsHost = THIS_HOST


def storage(
    folders: Mapping[str, Path], roots: Mapping[str, Path], zfs_pools: Mapping[str, str], host: ZfsHost
) -> Storage:
    """The ports on these pools: those that are folders, and those that are datasets of ZFS."""
    if not zfs_pools:
        volumes = DirVolumes(folders, roots)
        return Storage(volumes, PoolFiles(Places(folders, roots)), DirPools(folders, volumes))
    zfs = Zfs(host, zfs_pools)
    places = Places(folders, roots, Layouts(zfs).current)
    dir_volumes, zfs_volumes = DirVolumes(folders, roots, places), ZfsVolumes(zfs)
    known = [*folders, *zfs_pools]
    return Storage(
        AllVolumes(dir_volumes, dict.fromkeys(zfs_pools, zfs_volumes), known),
        PoolFiles(places),
        AllPools(DirPools(folders, dir_volumes), dict.fromkeys(zfs_pools, ZfsPools(zfs, zfs_volumes)), known),
        host,
    )


def _driver(name: str, folders: DriverT, others: Mapping[str, DriverT], known: Sequence[str]) -> DriverT:
    """The driver of the pool of that name. Raises VolumeError, NOT_FOUND, when there is no such pool."""
    pool = name.partition("/")[0]
    if pool not in known:
        raise no_such_pool(pool, known)
    return others.get(pool, folders)


class AllVolumes(Volumes):
    """The volumes of all pools.

    Args:
        folders: the driver of pools that are folders, and of all files.
        others: that of each other pool.
        known: names of all pools.
    """

    def __init__(self, folders: DirVolumes, others: Mapping[str, BlockVolumes], known: Sequence[str]) -> None:
        self._folders = folders
        self._others = dict(others)
        self._known = list(known)

    def _of(self, name: str) -> BlockVolumes:
        check_name(name)
        return _driver(name, self._folders, self._others, self._known)

    def _of_both(self, name: str, other: str) -> BlockVolumes:
        driver = self._of(name)
        if self._of(other) is not driver:
            text = f"{other} lies in a pool of another kind than {name}, which a copy cannot go to"
            raise VolumeError(VolumeErrorKind.FAILED, text)
        return driver

    async def find(self, name: str) -> Volume:
        return await self._of(name).find(name)

    async def list(self) -> Sequence[Volume]:
        drivers: set[BlockVolumes] = {self._folders, *self._others.values()}
        answers = await asyncio.gather(*(driver.list() for driver in drivers))
        return sorted((each for answer in answers for each in answer), key=lambda volume: volume.name)

    async def create(
        self,
        name: str,
        size: int,
        *,
        block_size: int | None = None,
        is_sparse: bool = True,
        encryption: Encryption | None = None,
    ) -> Volume:
        driver = self._of(name)
        return await driver.create(
            name, size, block_size=block_size, is_sparse=is_sparse, encryption=encryption
        )

    async def create_like(self, name: str, pattern: str) -> Volume:
        return await self._of_both(pattern, name).create_like(name, pattern)

    async def destroy(self, name: str) -> None:
        await self._of(name).destroy(name)

    async def duplicate(self, name: str, target: str) -> Volume:
        return await self._of_both(name, target).duplicate(name, target)

    async def replace(self, name: str, by: str) -> None:
        await self._of_both(name, by).replace(name, by)

    async def room(self, name: str) -> int:
        return await self._of(name).room(name)

    async def free(self, path: str) -> int:
        if path.startswith(VOLUME_PREFIX):
            return await self.room(volume_name(path))
        return await self._folders.free(path)

    async def locate(self, path: str) -> Path:
        return await self._folders.locate(path)

    async def file_size(self, path: str) -> int | None:
        return await self._folders.file_size(path)

    async def create_file(self, path: str, size: int) -> None:
        await self._folders.create_file(path, size)

    async def duplicate_file(self, path: str, target: str) -> None:
        await self._folders.duplicate_file(path, target)

    async def resize_file(self, path: str, size: int) -> None:
        await self._folders.resize_file(path, size)

    async def remove_file(self, path: str) -> None:
        await self._folders.remove_file(path)

    async def publish_file(self, path: str, target: str, *, over: bool = False) -> None:
        await self._folders.publish_file(path, target, over=over)


class AllPools(Pools):
    """All pools, with the arguments of ``AllVolumes``."""

    def __init__(self, folders: Pools, others: Mapping[str, Pools], known: Sequence[str]) -> None:
        self._folders = folders
        self._others = dict(others)
        self._known = list(known)

    def _of(self, name: str) -> Pools:
        return _driver(name, self._folders, self._others, self._known)

    @property
    def _drivers(self) -> set[Pools]:
        return {self._folders, *self._others.values()}

    async def pools(self) -> Sequence[Pool]:
        answers = await asyncio.gather(*(driver.pools() for driver in self._drivers))
        return sorted((each for answer in answers for each in answer), key=lambda pool: pool.name)

    async def datasets(self) -> Sequence[Dataset]:
        answers = await asyncio.gather(*(driver.datasets() for driver in self._drivers))
        return sorted((each for answer in answers for each in answer), key=lambda dataset: dataset.name)

    async def block_size(self, pool: str) -> int:
        return await self._of(pool).block_size(pool)

    async def create_filesystem(self, name: str, *, encryption: Encryption | None = None) -> None:
        await self._of(name).create_filesystem(name, encryption=encryption)

    async def set_properties(self, name: str, properties: Mapping[str, object]) -> None:
        await self._of(name).set_properties(name, properties)

    async def resize(self, name: str, size: int) -> None:
        await self._of(name).resize(name, size)

    async def destroy_filesystem(self, name: str) -> None:
        await self._of(name).destroy_filesystem(name)

    async def unlock(self, root: str, secret: str | None) -> None:
        await self._of(root).unlock(root, secret)

    async def lock(self, root: str, *, force: bool) -> None:
        await self._of(root).lock(root, force=force)

    async def snapshots(self) -> Sequence[Snapshot]:
        answers = await asyncio.gather(*(driver.snapshots() for driver in self._drivers))
        return sorted(
            (each for answer in answers for each in answer), key=lambda each: (each.dataset, each.number)
        )

    async def create_snapshot(self, dataset: str, name: str, *, is_recursive: bool = False) -> Snapshot:
        return await self._of(dataset).create_snapshot(dataset, name, is_recursive=is_recursive)

    async def clone_snapshot(self, dataset: str, name: str, target: str) -> None:
        driver = self._of(dataset)
        if self._of(target) is not driver:
            text = f"{target} lies in a pool of another kind than {dataset}, which a clone cannot go to"
            raise VolumeError(VolumeErrorKind.FAILED, text)
        await driver.clone_snapshot(dataset, name, target)

    async def roll_back(self, volume: str, name: str, *, through: str, newer: bool = False) -> None:
        await self._of(volume).roll_back(volume, name, through=through, newer=newer)

    async def destroy_snapshot(self, dataset: str, name: str) -> None:
        await self._of(dataset).destroy_snapshot(dataset, name)
