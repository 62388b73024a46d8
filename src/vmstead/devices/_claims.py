"""Storage that is made or removed, known also to a server that starts after this one was killed."""

from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from typing import TypeVar

from vmstead.ctx import Ctx, Services
from vmstead.ports.volumes import FILE_PREFIX, VolumeError, VolumeErrorKind, volume_name
from vmstead.store.unfinished import Kind, Unfinished

T = TypeVar("T")


async def claimed(
    ctx: Ctx, steps: AsyncExitStack, note: Unfinished, make: Callable[[], Awaitable[T]], *more: Unfinished
) -> T:
    """Make what is noted and not there yet, and push onto ``steps`` what removes it again.

    ``more`` is what the same step makes besides. A note goes when a device with that path is stored; of what is
    no device's, whoever made it forgets it.

    Raises:
        VolumeError: EXISTS, before anything is noted: what is noted is removed by the next server.
    """
    # What one call has made, the next one must find there: it would otherwise note what is no longer its own.
    async with ctx.locks.edit(("storage", await _place(ctx, note)), f"{note.name} is being made"):
        for each in await _there(ctx, note, *more):
            raise VolumeError(VolumeErrorKind.EXISTS, f"{_called(each)} exists already")
        await ctx.unfinished.note(note, *more)
        try:
            made = await make()
        except VolumeError:
            # Nothing of ours is there; what is there by now is somebody else's. Of a call that was given up
            # nobody knows that, so the note stays.
            await ctx.unfinished.forget(note, *more)
            raise
        steps.push_async_callback(ctx.unfinished.forget, note, *more)
        for each in (note, *more):
            steps.push_async_callback(discard, ctx, each)
        return made


async def discard(services: Services, note: Unfinished) -> None:
    """Remove what is noted; nothing happens where it is gone. The note itself stays. Raises VolumeError."""
    try:
        match note.kind:
            case Kind.VOLUME:
                await services.volumes.destroy(volume_name(note.name))
            case Kind.FILE:
                await services.volumes.remove_file(note.name)
            case Kind.SNAPSHOT:
                dataset, _, name = note.name.partition("@")
                await services.pools.destroy_snapshot(dataset, name)
            case Kind.FILESYSTEM:
                await services.pools.destroy_filesystem(note.name)
            case Kind.EMPTY_FILESYSTEM:
                await _discard_empty(services, note.name)
    except VolumeError as error:
        if error.kind is not VolumeErrorKind.NOT_FOUND:
            raise


async def _discard_empty(services: Services, name: str) -> None:
    if await _is_dataset(services, name) and await services.files.list(FILE_PREFIX + name):
        return
    try:
        await services.pools.destroy_filesystem(name)
    except VolumeError as error:
        # There are datasets below it by now.
        if error.kind is not VolumeErrorKind.IN_USE:
            raise


async def discard_noted(services: Services, notes: Iterable[Unfinished]) -> list[VolumeError]:
    """Remove what is noted, one after the other, and its notes; returns what went wrong.

    What could not be removed is noted no more either: whoever reads the error decides what becomes of it.
    """
    failures = []
    for each in notes:
        try:
            await discard(services, each)
        except VolumeError as error:
            failures.append(error)
        await services.unfinished.forget(each)
    return failures


async def _place(ctx: Ctx, note: Unfinished) -> str:
    """One spelling for all names that lead to the same place."""
    if note.kind is Kind.FILE:
        return str(await ctx.volumes.locate(note.name))
    return volume_name(note.name) if note.kind is Kind.VOLUME else note.name


async def _there(ctx: Ctx, *notes: Unfinished) -> list[Unfinished]:
    """Those of them that are there."""
    snapshots: set[str] = set()
    if any(each.kind is Kind.SNAPSHOT for each in notes):
        snapshots = {each.id for each in await ctx.pools.snapshots()}
    return [
        each
        for each in notes
        if (each.name in snapshots if each.kind is Kind.SNAPSHOT else await _is_there(ctx, each))
    ]


async def _is_there(ctx: Ctx, note: Unfinished) -> bool:
    match note.kind:
        case Kind.FILE:
            return await ctx.volumes.file_size(note.name) is not None
        case Kind.EMPTY_FILESYSTEM:
            return await _is_dataset(ctx, note.name)
    try:
        await ctx.volumes.find(volume_name(note.name))
    except VolumeError as error:
        if error.kind is VolumeErrorKind.NOT_FOUND:
            return False
        raise
    return True


async def _is_dataset(services: Services, name: str) -> bool:
    return name in {each.name for each in await services.pools.datasets()}


def _called(note: Unfinished) -> str:
    what = {Kind.VOLUME: "the volume ", Kind.FILE: "the file ", Kind.SNAPSHOT: "the snapshot "}
    return what.get(note.kind, "") + (volume_name(note.name) if note.kind is Kind.VOLUME else note.name)
