"""A volume takes the place of another, so that a server that is killed on the way leaves one of the two there.

The one to come is given the name of the other with an ending that says so, then the names change::

    zfs rename tank/new            tank/disk:vmstead-new
    zfs promote tank/disk:vmstead-new                           (if it is a clone of tank/disk)
    zfs rename tank/disk           tank/disk:vmstead-old
    zfs rename tank/disk:vmstead-new  tank/disk
    zfs destroy tank/disk:vmstead-old

Whoever finds such names later, and knows of no change that is under way, knows how far it came.
"""

import structlog

from vmstead.adapters.zfs.base import Zfs, to_its_end
from vmstead.adapters.zfs.inventory import Listing
from vmstead.adapters.zfs.listing import PROPERTY_COLUMNS, Found, properties
from vmstead.adapters.zfs.names import NEW, OLD, is_hidden
from vmstead.adapters.zfs.properties import copied
from vmstead.adapters.zfs.removal import destroy_dataset, destroy_volume
from vmstead.kernel.undo import undo
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

log = structlog.get_logger()


async def replace(zfs: Zfs, target: Found, source: Found) -> None:
    """Let the volume ``target`` have the bytes, and ``source`` its properties and snapshots, under one name.

    Raises:
        VolumeError: IN_USE, when a snapshot of the target would be lost; FAILED, when its key would.
    """
    is_clone = (source.origin or "").startswith(f"{target.name}@")
    await _refuse_loss(zfs, target, source if is_clone else None)
    if target.encryption_root == target.name:
        raise own_key(zfs, target)
    settings = [f"{name}={value}" for name, value in (await _set_on(zfs, target)).items()]
    if settings:
        await zfs.change("zfs", "set", *settings, source.name)
    await to_its_end(_swap(zfs, target.name, source.name, is_clone=is_clone))
    await zfs.devices.appear(target.name)
    await _discard_old(zfs, target.name)


def own_key(zfs: Zfs, target: Found) -> VolumeError:
    """What is said of a volume that nothing can take the place of."""
    text = (
        f"{zfs.names.told([target.name])} is encrypted with a key of its own, which no other volume can take over; "
        "use a volume in an encrypted file system"
    )
    return VolumeError(VolumeErrorKind.FAILED, text)


async def _refuse_loss(zfs: Zfs, target: Found, clone: Found | None) -> None:
    """Snapshots go to a clone when it is promoted, as far as they are older than it."""
    kept = await zfs.snapshots_of(target.name)
    if clone is not None:
        origin = (clone.origin or "").partition("@")[2]
        place = next((index for index, each in enumerate(kept) if each.name == origin), len(kept) - 1)
        kept = kept[place + 1 :]
    lost = [f"{each.dataset}@{each.name}" for each in kept if not (each.is_going or is_hidden("", each.name))]
    if lost:
        name = zfs.names.told([target.name])
        text = f"snapshots of {name} would be lost: {zfs.names.told(lost)}; delete them first"
        raise VolumeError(VolumeErrorKind.IN_USE, text)


async def _set_on(zfs: Zfs, target: Found) -> dict[str, str]:
    columns = ",".join(PROPERTY_COLUMNS)
    output = await zfs.ask("zfs", "get", "-Hp", "-s", "local,received", "-o", columns, "all", target.name)
    return copied(properties(output, [target.name]).get(target.name, {}))


async def _swap(zfs: Zfs, target: str, source: str, *, is_clone: bool) -> None:
    async with zfs.inventory.still(), undo() as steps:
        await _rename(zfs, source, target + NEW)
        steps.push_async_callback(_rename, zfs, target + NEW, source)
        if is_clone:
            await zfs.change("zfs", "promote", target + NEW)
            steps.push_async_callback(zfs.change, "zfs", "promote", target)
        await _rename(zfs, target, target + OLD)
        steps.push_async_callback(_rename, zfs, target + OLD, target)
        await _rename(zfs, target + NEW, target)


async def _rename(zfs: Zfs, old: str, new: str) -> None:
    await zfs.change("zfs", "rename", "--", old, new)


async def _discard_old(zfs: Zfs, target: str) -> None:
    listing = await zfs.inventory.read()
    found = listing.datasets.get(target + OLD)
    try:
        if found is not None:
            await destroy_volume(zfs, listing, found)
    except VolumeError as error:
        if error.kind is not VolumeErrorKind.NOT_FOUND:
            log.warning("what was replaced is left", volume=target + OLD, reason=str(error))


def unfinished(listing: Listing) -> list[str]:
    """The volumes whose replacement was broken off, by ZFS's names."""
    hidden = (name for name in listing.datasets if is_hidden(name))
    return sorted({name.removesuffix(NEW).removesuffix(OLD) for name in hidden})


async def mend(zfs: Zfs, target: str) -> None:
    """Finish a replacement that a killed server has left half-done, or take it back. Raises VolumeError."""
    async with zfs.inventory.still():
        listing = await zfs.inventory.look()
        there, new, old = (listing.datasets.get(target + ending) for ending in ("", NEW, OLD))
        if new is not None or old is not None:
            log.info("mending a replacement that was broken off", volume=target)
        left = there or new or old
        if there is None:
            if left is not None:
                await _rename(zfs, left.name, target)
        elif new is not None:
            if (there.origin or "").startswith(f"{new.name}@"):
                await zfs.change("zfs", "promote", target)
            await destroy_dataset(zfs, new.name)
    if left is not None and not left.is_locked:
        await zfs.devices.appear(target)
    await _discard_old(zfs, target)
