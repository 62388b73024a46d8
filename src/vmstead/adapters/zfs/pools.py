"""Pools, datasets and snapshots of ZFS."""

import asyncio
from collections.abc import Mapping, Sequence

from vmstead.adapters.names import check_snapshot_name, refuse_newer
from vmstead.adapters.zfs import encryption as keys
from vmstead.adapters.zfs.base import Zfs, making
from vmstead.adapters.zfs.inventory import Listing
from vmstead.adapters.zfs.listing import PROPERTY_COLUMNS, Found, FoundProperty, FoundSnapshot, properties
from vmstead.adapters.zfs.names import forgotten_snapshot, is_hidden
from vmstead.adapters.zfs.programs import ZfsError
from vmstead.adapters.zfs.properties import changes, facts, user_properties
from vmstead.adapters.zfs.removal import destroy_dataset
from vmstead.adapters.zfs.topology import parts, problem
from vmstead.adapters.zfs.volumes import ZfsVolumes
from vmstead.kernel.undo import undo
from vmstead.ports.pools import Dataset, DatasetKind, Lock, Pool, Pools, Snapshot
from vmstead.ports.volumes import FILE_PREFIX, Encryption, VolumeError, VolumeErrorKind


class ZfsPools(Pools):
    """Pools that are ZFS's, of which the volumes are those of ``volumes``."""

    def __init__(self, zfs: Zfs, volumes: ZfsVolumes) -> None:
        self._zfs = zfs
        self._volumes = volumes

    async def pools(self) -> Sequence[Pool]:
        listing = await self._volumes.listing()
        return await asyncio.gather(*(self._pool(listing, name) for name in sorted(self._zfs.names.pools)))

    async def datasets(self) -> Sequence[Dataset]:
        listing = await self._volumes.listing()
        roots = self._zfs.roots_in(listing)
        told = await self._properties(*roots, below=True) if roots else {}
        found = [
            self._dataset(name, each, told.get(dataset, {}))
            for dataset, each in listing.datasets.items()
            if (name := self._zfs.names.name(dataset)) is not None and not is_hidden(dataset)
        ]
        return sorted(found, key=lambda dataset: dataset.name)

    async def block_size(self, pool: str) -> int:
        return await self._volumes.best_block_size(pool)

    async def create_filesystem(self, name: str, *, encryption: Encryption | None = None) -> None:
        dataset = self._zfs.free_name(await self._volumes.listing(), name)
        options, secret = keys.creation(encryption)
        async with undo() as steps:
            with making(name):

                async def back() -> None:
                    await destroy_dataset(self._zfs, dataset)

                argv = ("zfs", "create", *options, "--", dataset)
                await self._zfs.changed(steps, back, *argv, stdin=secret)

    async def set_properties(self, name: str, properties: Mapping[str, object]) -> None:
        found = self._zfs.dataset_in(await self._volumes.listing(), name)
        known = (await self._properties(found.name)).get(found.name, {})
        to_set, to_inherit = changes(properties, known)
        if to_set:
            pairs = (f"{key}={value}" for key, value in to_set.items())
            await self._zfs.change("zfs", "set", *pairs, found.name)
        for each in to_inherit:
            await self._zfs.change("zfs", "inherit", each, found.name)

    async def resize(self, name: str, size: int) -> None:
        found = self._zfs.volume_in(await self._volumes.listing(), name)
        block_size, old = found.block_size or 1, found.size or 0
        if size < old:
            text = f"the volume {name} has {old} bytes; shrinking it would lose data"
            raise VolumeError(VolumeErrorKind.FAILED, text)
        self._zfs.refuse_closed(found)
        size = -(-size // block_size) * block_size
        with making(name):
            await self._zfs.change("zfs", "set", f"volsize={size}", found.name)

    async def destroy_filesystem(self, name: str) -> None:
        listing = await self._volumes.listing()
        if "/" not in name:
            raise VolumeError(VolumeErrorKind.IN_USE, f"{name} is a pool, which is not removed here")
        found = self._zfs.dataset_in(listing, name)
        below = [dataset for dataset in listing.datasets if dataset.startswith(f"{found.name}/")]
        if below:
            text = f"{name} has datasets below it: {self._zfs.names.told(below)}"
            raise VolumeError(VolumeErrorKind.IN_USE, text)
        # Without what may have been made below it meanwhile.
        snapshots = [each.name for each in await self._zfs.snapshots_of(found.name)]
        if snapshots:
            await self._zfs.drop_snapshots(found.name, *snapshots)
        await destroy_dataset(self._zfs, found.name, is_recursive=False)

    async def unlock(self, root: str, secret: str | None) -> None:
        listing = await self._volumes.listing()
        await keys.unlock(self._zfs, listing, self._zfs.dataset_in(listing, root), secret)

    async def lock(self, root: str, *, force: bool) -> None:
        listing = await self._volumes.listing()
        await keys.lock(self._zfs, listing, self._zfs.dataset_in(listing, root), force=force)

    async def snapshots(self) -> Sequence[Snapshot]:
        listing = await self._volumes.listing()
        found = [
            self._snapshot(name, each)
            for each in await self._zfs.all_snapshots(listing)
            if (name := self._zfs.names.name(each.dataset)) is not None and not _is_forgotten(each)
        ]
        return sorted(found, key=lambda each: (each.dataset, each.number))

    async def create_snapshot(self, dataset: str, name: str, *, is_recursive: bool = False) -> Snapshot:
        check_snapshot_name(name)
        if is_hidden("", name):
            text = f"{name!r} is a name that is kept for copies; choose another"
            raise VolumeError(VolumeErrorKind.BAD_NAME, text)
        found = self._zfs.dataset_in(await self._volumes.listing(), dataset)
        below = ["-r"] if is_recursive else []
        async with undo() as steps:
            with making(f"{dataset}@{name}"):

                async def back() -> None:
                    await self._zfs.change("zfs", "destroy", *below, "--", f"{found.name}@{name}")

                argv = ("zfs", "snapshot", *below, "--", f"{found.name}@{name}")
                await self._zfs.changed(steps, back, *argv)
            (made,) = [each for each in await self._zfs.snapshots_of(found.name) if each.name == name]
            return self._snapshot(dataset, made)

    async def clone_snapshot(self, dataset: str, name: str, target: str) -> None:
        await self._find_snapshot(await self._volumes.listing(), dataset, name)
        await self._volumes.clone_snapshot(dataset, name, target)

    async def roll_back(self, volume: str, name: str, *, through: str, newer: bool = False) -> None:
        listing = await self._volumes.listing()
        self._zfs.refuse_closed(self._zfs.volume_in(listing, volume))
        found, later = await self._find_snapshot(listing, volume, name)
        seen = [self._snapshot(volume, each) for each in later if not _is_forgotten(each)]
        refuse_newer(volume, [] if newer else seen)
        # Without it, what has been kept in this very moment stays and is in the way.
        also = ["-r"] if later else []
        try:
            await self._zfs.change("zfs", "rollback", *also, "--", f"{found.dataset}@{found.name}")
        except ZfsError as error:
            if not error.names:
                raise
            text = (
                f"{volume} has been copied since {name}, and the copies hang on what it has become; "
                f"destroy them first: {self._zfs.names.told(error.names)}"
            )
            raise VolumeError(VolumeErrorKind.IN_USE, text) from error

    async def destroy_snapshot(self, dataset: str, name: str) -> None:
        found, _ = await self._find_snapshot(await self._volumes.listing(), dataset, name)
        whole = f"{found.dataset}@{found.name}"
        try:
            await self._zfs.change("zfs", "destroy", "--", whole)
        except ZfsError as error:
            if error.kind is VolumeErrorKind.NOT_FOUND:
                raise _no_snapshot(dataset, name) from error
            if error.kind is VolumeErrorKind.IN_USE and not error.names:
                text = (
                    f"the snapshot {dataset}@{name} is held by a program of this host; see: zfs holds {whole}"
                )
                raise VolumeError(error.kind, text) from error
            if not error.names:
                raise
            # Something was cloned from it: out of sight, and gone with the clone.
            hidden = forgotten_snapshot()
            await self._zfs.change("zfs", "rename", "--", whole, f"{found.dataset}@{hidden}")
            await self._zfs.drop_snapshots(found.dataset, hidden)

    # --- values -----------------------------------------------------------------------------------

    async def _pool(self, listing: Listing, name: str) -> Pool:
        path, root = FILE_PREFIX + name, self._zfs.names.pools[name]
        missing = listing.missing.get(name)
        if missing is not None:
            return Pool(name, path, 0, 0, False, "OFFLINE", str(missing), encrypts=True)
        zpool = root.partition("/")[0]
        state, status = await asyncio.gather(
            self._zfs.ask("zpool", "list", "-Hp", "-o", "health,size,free", "--", zpool),
            self._zfs.ask("zpool", "status", "-P", "--", zpool),
        )
        health, size, free = state.split()
        found = listing.datasets[root]
        # Of a dataset in a pool, what is free is what it may have; of a pool, what its disks have.
        sizes = (int(size), int(free)) if root == zpool else (found.used + found.available, found.available)
        found_wrong, devices = problem(status), parts(status)
        return Pool(name, path, *sizes, health == "ONLINE", health, found_wrong, devices, encrypts=True)

    async def _properties(self, *datasets: str, below: bool = False) -> dict[str, dict[str, FoundProperty]]:
        what = ("-t", "filesystem,volume", "-o", ",".join(PROPERTY_COLUMNS), *(["-r"] if below else []))
        return properties(await self._zfs.ask("zfs", "get", "-Hp", *what, "all", *datasets), datasets)

    def _dataset(self, name: str, found: Found, told: Mapping[str, FoundProperty]) -> Dataset:
        names, lock = self._zfs.names, None
        if found.encryption_root is not None:
            lock = Lock(names.told([found.encryption_root]), found.key_format.upper(), not found.is_locked)
        return Dataset(
            name=name,
            kind=DatasetKind.VOLUME if found.is_volume else DatasetKind.FILESYSTEM,
            mountpoint=None if found.is_volume else FILE_PREFIX + name,
            used=found.used,
            available=found.available,
            size=found.size,
            created=found.created,
            properties={"user_properties": user_properties(told)},
            facts=facts(told),
            lock=lock,
            origin=None if found.origin is None else names.told([found.origin]),
            is_mounted=found.is_mounted,
        )

    async def _find_snapshot(
        self, listing: Listing, dataset: str, name: str
    ) -> tuple[FoundSnapshot, Sequence[FoundSnapshot]]:
        """A snapshot, and those that were made after it. Raises VolumeError, NOT_FOUND."""
        there = await self._zfs.snapshots_of(self._zfs.dataset_in(listing, dataset).name)
        for found in there:
            if found.name == name and not _is_forgotten(found):
                return found, [each for each in there if each.number > found.number]
        raise _no_snapshot(dataset, name)

    def _snapshot(self, dataset: str, found: FoundSnapshot) -> Snapshot:
        return Snapshot(
            dataset, found.name, found.created, found.size, found.used, found.referenced, found.number
        )


def _is_forgotten(found: FoundSnapshot) -> bool:
    return found.is_going or is_hidden(found.dataset, found.name)


def _no_snapshot(dataset: str, name: str) -> VolumeError:
    return VolumeError(VolumeErrorKind.NOT_FOUND, f"the snapshot {dataset}@{name} does not exist")
