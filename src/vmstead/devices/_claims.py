"""Storage that is made for a device, known also to a server that starts after this one was killed."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TypeVar

from vmstead.ctx import Ctx
from vmstead.ports.volumes import VolumeError, volume_name
from vmstead.store.unfinished import Kind

T = TypeVar("T")


async def claimed(
    ctx: Ctx, steps: AsyncExitStack, kind: Kind, path: str, make: Callable[[], Awaitable[T]]
) -> T:
    """Make a volume or a file that is not there yet, and push onto ``steps`` what removes it again.

    The note about it goes when a device with that path is stored.
    """
    await ctx.unfinished.note(kind, path)
    try:
        made = await make()
    except VolumeError:
        # Nothing of ours is there; what is there by now is somebody else's. Of a call that was given up
        # nobody knows that, so the note stays.
        await ctx.unfinished.forget(kind, path)
        raise
    steps.push_async_callback(ctx.unfinished.forget, kind, path)
    if kind is Kind.VOLUME:
        steps.push_async_callback(ctx.volumes.destroy, volume_name(path))
    else:
        steps.push_async_callback(ctx.volumes.remove_file, path)
    return made
