"""Which virtual machines use a volume or a file, by where it really lies."""

import asyncio
import errno
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from vmstead.ctx import Ctx
from vmstead.errors import Problem, ValidationErrors
from vmstead.ports.volumes import VOLUME_PREFIX, VolumeError, volume_name
from vmstead.vm.entries import all_devices, settled
from vmstead.vm.model import Vm


async def _place(ctx: Ctx, path: str) -> Path | None:
    """What a device's path leads to on this machine; None when that is nowhere."""
    try:
        if path.startswith(VOLUME_PREFIX):
            return (await ctx.volumes.find(volume_name(path))).source.path
        return await ctx.volumes.locate(path)
    except VolumeError:
        return None


async def users(ctx: Ctx, place: Path) -> list[int]:
    """Ids of the VMs with a device that leads to this place, active or not."""
    devices = ((each.vm, getattr(each.device, "path", None)) for each in all_devices(ctx))
    paths = [(vm, path) for vm, path in devices if path]
    # All at once: the storage is looked at once for all of them.
    places = await asyncio.gather(*(_place(ctx, path) for _, path in paths))
    return sorted({vm for (vm, _), found in zip(paths, places, strict=True) if found == place})


async def active_users(ctx: Ctx, place: Path) -> list[Vm]:
    """The active VMs with a device that leads to this place."""
    found = [await settled(ctx, id) for id in await users(ctx, place)]
    return [user for user in found if ctx.states.get(user.uuid).active]


async def refuse_active(ctx: Ctx, attribute: str, place: Path) -> None:
    """Raises ValidationErrors (EBUSY), when an active VM has a device that leads to this place."""
    active = await active_users(ctx, place)
    if active:
        text = f"is in use by {active[0]}, which is active; stop it first"
        raise ValidationErrors([Problem(attribute, text, errno.EBUSY)])


async def refuse_active_below(ctx: Ctx, attribute: str, top: Path) -> None:
    """As ``refuse_active``, for a file or for a folder with all that is in it."""
    for each in all_devices(ctx):
        path = getattr(each.device, "path", None)
        place = await _place(ctx, path) if path else None
        if place is not None and (place == top or top in place.parents):
            await refuse_active(ctx, attribute, place)


@asynccontextmanager
async def kept_inactive(ctx: Ctx, attribute: str, place: Path) -> AsyncIterator[None]:
    """During the block no VM that uses this place is active, and no other can begin to use it.

    Raises:
        ValidationErrors: EBUSY, when one is active.
    """
    while True:
        found = await users(ctx, place)
        async with AsyncExitStack() as held:
            for id in found:
                action = f"A disk of VM {id} is being replaced"
                await held.enter_async_context(ctx.locks.edit(("vm", id), action))
            await held.enter_async_context(ctx.locks.edit("devices", "A disk is being replaced"))
            if await users(ctx, place) == found:
                await refuse_active(ctx, attribute, place)
                yield
                return
