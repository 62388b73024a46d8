"""Volumes that are zvols of ZFS.

A copy is a clone: it shares its bytes with the original until one of the two is written to, and hangs on a
snapshot of it that clients do not see. Either can be destroyed first.
"""

import asyncio
import dataclasses
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

import structlog

from vmstead.adapters.zfs.base import Zfs, making
from vmstead.adapters.zfs.encryption import creation
from vmstead.adapters.zfs.inventory import Listing
from vmstead.adapters.zfs.listing import Found
from vmstead.adapters.zfs.names import copy_prefix, copy_snapshot, is_hidden
from vmstead.adapters.zfs.removal import destroy_dataset, destroy_volume
from vmstead.adapters.zfs.replacement import mend, own_key, replace, unfinished
from vmstead.adapters.zfs.topology import block_size as best_block_size
from vmstead.adapters.zfs.topology import parts
from vmstead.kernel.run import CommandError
from vmstead.kernel.undo import undo
from vmstead.ports.volumes import (
    BlockVolumes,
    DiskSource,
    Encryption,
    Volume,
    VolumeError,
    VolumeErrorKind,
)

log = structlog.get_logger()

#: No file system of Linux, and no guest, knows sizes beyond.
_LARGEST = 2**63 - 1


class ZfsVolumes(BlockVolumes):
    """The volumes of pools that are ZFS's."""

    def __init__(self, zfs: Zfs) -> None:
        self._zfs = zfs
        self._removing = asyncio.Lock()
        #: Replaced volumes that could not be put in order: told once, and tried again by the next server.
        self._stuck: set[str] = set()

    async def find(self, name: str) -> Volume:
        return self._volume(name, self._zfs.volume_in(await self.listing(), name))

    async def list(self) -> Sequence[Volume]:
        return sorted(self._volumes(await self.listing()), key=lambda volume: volume.name)

    async def create(
        self,
        name: str,
        size: int,
        *,
        block_size: int | None = None,
        is_sparse: bool = True,
        encryption: Encryption | None = None,
    ) -> Volume:
        dataset = self._zfs.free_name(await self.listing(), name)
        block_size = block_size or await self.best_block_size(name.partition("/")[0])
        size = -(-size // block_size) * block_size
        if not 0 < size <= _LARGEST:
            kind = VolumeErrorKind.NO_SPACE if size > 0 else VolumeErrorKind.FAILED
            raise VolumeError(kind, f"no volume can have {size} bytes")
        how = [*(["-s"] if is_sparse else []), "-V", str(size), "-o", f"volblocksize={block_size}"]
        options, secret = creation(encryption)
        async with undo() as steps:
            with making(name):
                argv = ("zfs", "create", *how, *options, "--", dataset)
                await self._zfs.changed(steps, self._undone(dataset), *argv, stdin=secret)
            return await self._made(name, dataset)

    async def destroy(self, name: str) -> None:
        # One after the other: whoever comes second is to find it gone, and clones are to be seen as they are.
        async with self._removing:
            listing = await self.listing()
            try:
                found = self._zfs.volume_in(listing, name)
            except VolumeError as error:
                if error.kind is VolumeErrorKind.NOT_FOUND:
                    await self._sweep(listing, name)
                raise
            await destroy_volume(self._zfs, listing, found)

    async def duplicate(self, name: str, target: str) -> Volume:
        listing = await self.listing()
        source, dataset = self._zfs.volume_in(listing, name), self._zfs.free_name(listing, target)
        async with undo() as steps:
            await self._clone(steps, source, target, dataset)
            await self._zfs.devices.appear(dataset)
        # All that is told of it is as with the original, which spares one program of those that a copy takes.
        return self._volume(target, dataclasses.replace(source, name=dataset))

    async def create_like(self, name: str, pattern: str) -> Volume:
        listing = await self.listing()
        source, dataset = self._zfs.volume_in(listing, pattern), self._zfs.free_name(listing, name)
        if source.encryption_root == source.name:
            raise own_key(self._zfs, source)
        async with undo() as steps:
            # A clone, because it can take over the snapshots of its original, and has its key.
            await self._clone(steps, source, name, dataset)
            made = await self._made(name, dataset)
            try:
                await self._zfs.run("blkdiscard", "-f", "--", str(made.source.path))
            except CommandError as error:
                raise VolumeError(VolumeErrorKind.FAILED, f"{name} could not be emptied: {error}") from error
        return made

    async def replace(self, name: str, by: str) -> None:
        listing = await self.listing()
        target, source = (self._zfs.volume_in(listing, each) for each in (name, by))
        await replace(self._zfs, target, source)

    async def room(self, name: str) -> int:
        listing = await self.listing()
        dataset = self._zfs.names.dataset(name)
        self._zfs.refuse_missing(listing, name)
        above = dataset.rpartition("/")[0]
        while above not in listing.datasets:
            above = above.rpartition("/")[0]
        return listing.datasets[above].available

    # --- beyond the port --------------------------------------------------------------------------

    async def listing(self) -> Listing:
        """All that there is, with what a killed server has left half-done in order."""
        listing = await self._zfs.inventory.read()
        left = [name for name in unfinished(listing) if name not in self._stuck]
        for name in left:
            try:
                await mend(self._zfs, name)
            except VolumeError as error:
                self._stuck.add(name)
                log.warning("a replacement is left half-done", volume=name, reason=str(error))
        return await self._zfs.inventory.read() if left else listing

    async def clone_snapshot(self, dataset: str, snapshot: str, target: str) -> None:
        """Make the volume ``target`` as a snapshot has it. Errors are those of ``Pools.clone_snapshot``."""
        listing = await self.listing()
        source, made = self._zfs.volume_in(listing, dataset), self._zfs.free_name(listing, target)
        self._zfs.refuse_closed(source)
        async with undo() as steps:
            with making(target):
                argv = ("zfs", "clone", "--", f"{source.name}@{snapshot}", made)
                await self._zfs.changed(steps, self._undone(made), *argv)
            await self._made(target, made)

    async def best_block_size(self, pool: str) -> int:
        """Bytes that volumes of a pool should be stored by."""
        zpool = self._zfs.names.pools[pool].partition("/")[0]
        return best_block_size(parts(await self._zfs.ask("zpool", "status", "-P", "--", zpool)))

    # --- steps ------------------------------------------------------------------------------------

    async def _clone(self, steps: AsyncExitStack, source: Found, target: str, dataset: str) -> None:
        self._zfs.refuse_closed(source)
        self._refuse_elsewhere(source, target, dataset)
        snapshot = copy_snapshot(target)
        whole = f"{source.name}@{snapshot}"

        async def forget_snapshot() -> None:
            await self._zfs.drop_snapshots(source.name, snapshot)

        with making(target):
            await self._zfs.changed(steps, forget_snapshot, "zfs", "snapshot", "--", whole)
            await self._zfs.changed(steps, self._undone(dataset), "zfs", "clone", "--", whole, dataset)
            # From now on it goes with the copy.
            await forget_snapshot()

    async def _made(self, name: str, dataset: str) -> Volume:
        """A volume that was just made, when it can be opened."""
        await self._zfs.devices.appear(dataset)
        return await self.find(name)

    def _undone(self, dataset: str) -> Callable[[], Awaitable[None]]:
        return lambda: destroy_dataset(self._zfs, dataset)

    async def _sweep(self, listing: Listing, name: str) -> None:
        """Remove what a copy of that name, which was broken off, has left of its original."""
        for each in await self._zfs.all_snapshots(listing):
            if each.name.startswith(copy_prefix(name)) and not each.is_going:
                await self._zfs.drop_snapshots(each.dataset, each.name)

    # --- values -----------------------------------------------------------------------------------

    def _volumes(self, listing: Listing) -> Sequence[Volume]:
        names = ((self._zfs.names.name(dataset), found) for dataset, found in listing.datasets.items())
        return [
            self._volume(name, found)
            for name, found in names
            if name is not None and found.is_volume and not is_hidden(found.name)
        ]

    def _volume(self, name: str, found: Found) -> Volume:
        source = DiskSource(self._zfs.devices.path(found.name), is_block=True)
        return Volume(name, found.size or 0, source, self._zfs.closed(found), found.data)

    def _refuse_elsewhere(self, source: Found, target: str, dataset: str) -> None:
        if source.name.partition("/")[0] != dataset.partition("/")[0]:
            name = self._zfs.names.told([source.name])
            text = f"{target} lies in another ZFS pool than {name}, where a copy cannot share its bytes"
            raise VolumeError(VolumeErrorKind.FAILED, text)
