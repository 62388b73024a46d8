"""What there is in the pools, read from ZFS whenever somebody asks; those who ask at once share one answer."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from vmstead.adapters.zfs.listing import COLUMNS, Found, datasets
from vmstead.adapters.zfs.names import Names
from vmstead.adapters.zfs.programs import Programs, ZfsError
from vmstead.ports.volumes import VolumeError, VolumeErrorKind


@dataclass(frozen=True, slots=True)
class Listing:
    """All datasets at a time.

    Attributes:
        datasets: by ZFS's name, in its order; also those that are hidden from clients.
        missing: pools that are not there, by the API's name, with the reason.
    """

    datasets: Mapping[str, Found]
    missing: Mapping[str, VolumeError]


class Inventory:
    """The pools' datasets.

    Attributes:
        latest: the last answer; None before the first, and after a change.
    """

    def __init__(self, programs: Programs, names: Names) -> None:
        self._programs = programs
        self._names = names
        self._quiet = asyncio.Lock()
        self._next: asyncio.Task[Listing] | None = None
        self.latest: Listing | None = None

    async def read(self) -> Listing:
        """Everything as it is now, or a moment after: what was changed before the call is in it."""
        if self._next is None:
            self._next = asyncio.get_running_loop().create_task(self._read())
        return await asyncio.shield(self._next)

    @asynccontextmanager
    async def still(self) -> AsyncIterator[None]:
        """Nobody reads during the block, in which names do not mean what they say."""
        async with self._quiet:
            yield

    async def _read(self) -> Listing:
        async with self._quiet:
            # Whoever asks from now on may have changed something that this answer does not show.
            self._next = None
            return await self.look()

    async def look(self) -> Listing:
        """The same, for whoever holds ``still``."""
        # One program for each of ZFS's pools, so that one that hangs keeps none but its own.
        pools_of: dict[str, dict[str, str]] = {}
        for pool, root in self._names.pools.items():
            pools_of.setdefault(root.partition("/")[0], {})[pool] = root
        self.latest = _together(await asyncio.gather(*(self._look_at(pools) for pools in pools_of.values())))
        return self.latest

    async def _look_at(self, pools: Mapping[str, str]) -> Listing:
        what = ("-t", "filesystem,volume", "-o", ",".join(COLUMNS), "--", *pools.values())
        try:
            return Listing(datasets(await self._programs.ask("zfs", "list", "-Hp", "-r", *what)), {})
        except ZfsError as error:
            if error.kind is not VolumeErrorKind.NOT_FOUND:
                return Listing({}, {pool: _unusable(pool, error) for pool in pools})
            if len(pools) > 1:
                # It is one of them that is not there; the others are.
                each = (self._look_at({pool: root}) for pool, root in pools.items())
                return _together(await asyncio.gather(*each))
            return Listing({}, {pool: _not_there(pool, root) for pool, root in pools.items()})


def _together(listings: Sequence[Listing]) -> Listing:
    found = {name: each for listing in listings for name, each in listing.datasets.items()}
    return Listing(found, {pool: error for listing in listings for pool, error in listing.missing.items()})


def _unusable(pool: str, error: ZfsError) -> VolumeError:
    return VolumeError(VolumeErrorKind.UNAVAILABLE, f"the pool {pool} cannot be used: {error}")


def _not_there(pool: str, root: str) -> VolumeError:
    zpool, _, rest = root.partition("/")
    way_out = f"make it with: zfs create -p {root}" if rest else f"import it with: zpool import {zpool}"
    if rest:
        way_out += f", or import the ZFS pool it is in with: zpool import {zpool}"
    text = f"the pool {pool} is not there: ZFS has no {root}; {way_out}"
    return VolumeError(VolumeErrorKind.UNAVAILABLE, text)
