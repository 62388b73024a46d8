"""Where the file systems of the pools are mounted, and which are not."""

import asyncio
from pathlib import Path

from vmstead.adapters.places import Closed, Layout
from vmstead.adapters.zfs.base import Zfs
from vmstead.adapters.zfs.inventory import Listing
from vmstead.adapters.zfs.listing import Found, mounts
from vmstead.adapters.zfs.names import is_hidden
from vmstead.ports.volumes import FILE_PREFIX, VolumeErrorKind


class Layouts:
    """Tells the layout of ``Places``.

    ZFS is asked again when something was mounted or unmounted on this machine, and after every change from here:
    files are looked at far more often than that happens.
    """

    def __init__(self, zfs: Zfs) -> None:
        self._zfs = zfs
        self._table = ""
        self._listing: Listing | None = None
        self._layout = Layout()

    async def current(self) -> Layout:
        """The layout as it is now."""
        table = await asyncio.to_thread(self._zfs.host.mounts.read_text)
        listing = self._zfs.inventory.latest
        if listing is None or listing.missing or table != self._table:
            listing = await self._zfs.inventory.read()
        if listing is not self._listing or table != self._table:
            self._layout = layout(self._zfs, listing, table)
            self._listing, self._table = listing, table
        return self._layout


def layout(zfs: Zfs, listing: Listing, table: str) -> Layout:
    """Where file systems are, by what ZFS knows of them and the kernel's table of mounts."""
    where = mounts(table)
    folders: dict[str, Path | Closed] = {
        FILE_PREFIX + pool: Closed(why.kind, str(why)) for pool, why in listing.missing.items()
    }
    closed: dict[Path, Closed] = {}
    for found in listing.datasets.values():
        name = zfs.names.name(found.name)
        if name is None or found.is_volume or is_hidden(found.name):
            continue
        if found.name in where:
            folders[FILE_PREFIX + name] = Path(where[found.name])
        elif found.can_mount != "off" or "/" not in name:
            # A file system that is never mounted only holds others together; its folder is that of the one above.
            why = _closed(zfs, name, found)
            folders[FILE_PREFIX + name] = why
            if (found.mountpoint or "").startswith("/"):
                closed[Path(found.mountpoint or "")] = why
    return Layout(folders, closed)


def _closed(zfs: Zfs, name: str, found: Found) -> Closed:
    locked = zfs.closed(found)
    if locked is not None:
        return Closed(VolumeErrorKind.LOCKED, locked)
    text = f"the file system {name} is not mounted; mount it with: zfs mount {found.name}"
    if found.mountpoint in ("none", "legacy"):
        text = f"the file system {name} is not mounted: its mountpoint is {found.mountpoint}"
    return Closed(VolumeErrorKind.UNAVAILABLE, text)
