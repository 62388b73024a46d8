"""Destroying a volume, also one that others were cloned from."""

import structlog

from vmstead.adapters.zfs.base import Zfs
from vmstead.adapters.zfs.inventory import Listing
from vmstead.adapters.zfs.listing import Found
from vmstead.adapters.zfs.programs import ZfsError
from vmstead.kernel.undo import undo
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

log = structlog.get_logger()


async def destroy_volume(zfs: Zfs, listing: Listing, found: Found) -> None:
    """Destroy a volume with its snapshots. What was cloned from it stays.

    The clone of its latest snapshot becomes the original of the others (``zfs promote``); with that it takes over
    the snapshots up to that one, which are destroyed then, or go with the clones that hang on them.

    Raises:
        VolumeError: NOT_FOUND, when it is gone already; IN_USE, when something has it open or hangs on it.
    """
    clones = clones_of(listing, found)
    async with undo() as steps:
        if clones:
            heir, moved = await _heir(zfs, found, clones)
            back = ("zfs", "promote", found.name)
            await zfs.changed(steps, lambda: zfs.change(*back), "zfs", "promote", heir.name)
        await destroy_dataset(zfs, found.name)
    if clones and moved:
        try:
            await zfs.drop_snapshots(heir.name, *moved)
        except ZfsError as error:
            log.warning("snapshots of a destroyed volume are left", volume=heir.name, reason=str(error))


def clones_of(listing: Listing, found: Found) -> list[Found]:
    """What was cloned from snapshots of a volume and hangs on them."""
    return [each for each in listing.datasets.values() if (each.origin or "").startswith(f"{found.name}@")]


async def _heir(zfs: Zfs, found: Found, clones: list[Found]) -> tuple[Found, list[str]]:
    """The clone that takes over, and the snapshots that it then has."""
    if found.encryption_root == found.name:
        # ZFS forgets a key that goes from a volume to its clone (OpenZFS 2.1): the clone would be locked.
        text = (
            f"{zfs.names.told([found.name])} is encrypted with a key of its own, which what was cloned from it "
            f"shares: destroy {zfs.names.told([each.name for each in clones])} first"
        )
        raise VolumeError(VolumeErrorKind.IN_USE, text)
    snapshots = await zfs.snapshots_of(found.name)
    numbers = {f"{each.dataset}@{each.name}": each.number for each in snapshots}
    heir = max(clones, key=lambda clone: numbers.get(clone.origin or "", 0))
    last = numbers.get(heir.origin or "", 0)
    return heir, [each.name for each in snapshots if each.number <= last]


async def destroy_dataset(zfs: Zfs, dataset: str, *, is_recursive: bool = True) -> None:
    """Destroy what nothing hangs on, by ZFS's name; ``is_recursive``: with its snapshots and what is below it.

    Raises:
        VolumeError: NOT_FOUND, when it is gone already; IN_USE, when something has it open or hangs on it.
    """
    destroy = ("zfs", "destroy", *(["-r"] if is_recursive else []), "--", dataset)
    try:
        await zfs.change(*destroy)
    except ZfsError as error:
        if "busy" not in str(error):
            raise _explained(zfs, dataset, error) from error
        # Whatever was written to is looked at by udev, which has it open for a moment.
        await zfs.devices.settle()
        try:
            await zfs.change(*destroy)
        except ZfsError as error:
            raise _explained(zfs, dataset, error) from error
    await zfs.devices.vanish(dataset)


def _explained(zfs: Zfs, dataset: str, error: ZfsError) -> VolumeError:
    name = zfs.names.told([dataset])
    if error.kind is VolumeErrorKind.NOT_FOUND:
        return VolumeError(error.kind, f"{name} does not exist")
    if error.kind is not VolumeErrorKind.IN_USE:
        return error
    if error.names:
        return VolumeError(
            error.kind, f"{name} is what others hang on; destroy them first: {zfs.names.told(error.names)}"
        )
    return VolumeError(error.kind, f"{name} is in use by a program of this host: {error}")
