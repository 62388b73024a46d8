"""What the volumes and the pools of ZFS share: its programs, its names, and what there is."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager
from typing import Any

from vmstead.adapters.zfs.devices import Devices
from vmstead.adapters.zfs.inventory import Inventory, Listing
from vmstead.adapters.zfs.listing import SNAPSHOT_COLUMNS, Found, FoundSnapshot, snapshots
from vmstead.adapters.zfs.names import Names
from vmstead.adapters.zfs.programs import Programs, ZfsError, ZfsHost
from vmstead.ports.volumes import VolumeError, VolumeErrorKind


class Zfs:
    """ZFS on a machine, with the pools that the API has there.

    Args:
        pools: the dataset of each pool.
    """

    def __init__(self, host: ZfsHost, pools: Mapping[str, str]) -> None:
        self.host = host
        self.names = Names(pools)
        self.devices = Devices(host)
        self.inventory = Inventory(Programs(host), self.names)
        self._programs = Programs(host)

    async def ask(self, *argv: str) -> str:
        """What ``zfs`` or ``zpool`` says. Raises ZfsError."""
        return await self._programs.ask(*argv)

    async def change(self, *argv: str, stdin: bytes = b"") -> None:
        """Have ``zfs`` or ``zpool`` do something. Raises ZfsError."""
        try:
            await self._programs.change(*argv, stdin=stdin)
        finally:
            self.inventory.latest = None

    async def changed(
        self, steps: AsyncExitStack, back: Callable[[], Awaitable[None]], *argv: str, stdin: bytes = b""
    ) -> None:
        """As ``change``, and push ``back`` onto ``steps``, which takes it back.

        A change that is under way when the call is given up comes to its end first: nobody would know otherwise
        whether there is something to take back.
        """
        change = asyncio.ensure_future(self.change(*argv, stdin=stdin))
        try:
            await asyncio.shield(change)
        except asyncio.CancelledError:
            await asyncio.wait({change})
            if change.exception() is None:
                steps.push_async_callback(back)
            raise
        steps.push_async_callback(back)

    async def run(self, *argv: str) -> None:
        """Run another program on the machine. Raises CommandError."""
        await self.host.run(argv)

    # --- what there is ----------------------------------------------------------------------------

    def volume_in(self, listing: Listing, name: str) -> Found:
        """The volume of that name. Raises VolumeError: NOT_FOUND, BAD_NAME, UNAVAILABLE."""
        found = self._in(listing, name)
        if found is None:
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"the volume {name} does not exist")
        if not found.is_volume:
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"{name} is not a volume")
        return found

    def dataset_in(self, listing: Listing, name: str) -> Found:
        """The dataset of that name. Raises VolumeError: NOT_FOUND, BAD_NAME, UNAVAILABLE."""
        found = self._in(listing, name)
        if found is None:
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"the dataset {name} does not exist")
        return found

    def free_name(self, listing: Listing, name: str) -> str:
        """ZFS's name for what is to be made. Raises VolumeError: EXISTS, BAD_NAME, UNAVAILABLE."""
        if self._in(listing, name) is not None:
            raise VolumeError(VolumeErrorKind.EXISTS, f"{name} exists already")
        return self.names.dataset(name)

    def _in(self, listing: Listing, name: str) -> Found | None:
        dataset = self.names.dataset(name)
        self.refuse_missing(listing, name)
        return listing.datasets.get(dataset)

    def refuse_missing(self, listing: Listing, name: str) -> None:
        """Raises VolumeError, UNAVAILABLE, when the pool of something is not there."""
        missing = listing.missing.get(name.partition("/")[0])
        if missing is not None:
            raise VolumeError(missing.kind, str(missing))

    async def snapshots_of(self, dataset: str) -> list[FoundSnapshot]:
        """The snapshots of a dataset by ZFS's name, oldest first."""
        return await self._snapshots("--", dataset)

    async def all_snapshots(self, listing: Listing) -> list[FoundSnapshot]:
        """The snapshots of everything that there is, oldest first."""
        roots = self.roots_in(listing)
        # Without a name it would tell those of the whole machine.
        return await self._snapshots("-r", "--", *roots) if roots else []

    async def _snapshots(self, *of: str) -> list[FoundSnapshot]:
        what = ("-t", "snapshot", "-s", "createtxg", "-o", ",".join(SNAPSHOT_COLUMNS))
        return snapshots(await self.ask("zfs", "list", "-Hp", *what, *of))

    def roots_in(self, listing: Listing) -> list[str]:
        """The datasets of the pools that are there."""
        return [root for root in self.names.pools.values() if root in listing.datasets]

    async def drop_snapshots(self, dataset: str, *names: str) -> None:
        """Destroy snapshots; those from which something was cloned go with the last clone. Raises ZfsError."""
        try:
            await self.change("zfs", "destroy", "-d", "--", f"{dataset}@{','.join(names)}")
        except ZfsError as error:
            if error.kind is not VolumeErrorKind.NOT_FOUND:
                raise

    def closed(self, found: Found) -> str | None:
        """Why a dataset cannot be opened now, None when it can."""
        if not found.is_locked:
            return None
        root = self.names.told([found.encryption_root or found.name])
        return f"{self.names.told([found.name])} is locked: unlock {root} first, with pool.dataset.unlock"

    def refuse_closed(self, found: Found) -> None:
        """Raises VolumeError, LOCKED, when a dataset cannot be opened now."""
        obstacle = self.closed(found)
        if obstacle is not None:
            raise VolumeError(VolumeErrorKind.LOCKED, obstacle)


@contextmanager
def making(name: str) -> Iterator[None]:
    """What ZFS says when something of that name cannot be made, in the API's terms."""
    try:
        yield
    except ZfsError as error:
        above = name.rpartition("/")[0]
        text = str(error)
        if error.kind is VolumeErrorKind.EXISTS:
            text = f"{name} exists already"
        elif "parent does not exist" in text:
            text = f"the dataset {above} does not exist; make it first, with pool.dataset.create"
        elif "parent is not a filesystem" in text:
            text = f"{above} is a volume, in which nothing else can be"
        elif error.kind is VolumeErrorKind.NO_SPACE:
            text = f"there is no room for {name} in its pool"
        elif "key is not loaded" in text:
            text = f"{above} is locked: unlock it first, with pool.dataset.unlock"
        raise VolumeError(error.kind, text) from error


async def to_its_end(work: Coroutine[Any, Any, None]) -> None:
    """Carry something out also when the call is given up meanwhile; the cancellation comes afterwards."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
