"""What the types that are files (RAW, CDROM) share."""

import errno
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator

from vmstead.ctx import Ctx
from vmstead.devices.base import problem
from vmstead.errors import Problem
from vmstead.kernel.model import NonEmpty
from vmstead.ports.volumes import DiskSource, VolumeError


def _plain(path: str) -> str:
    # libvirt and QEMU give braces a meaning of their own in file names; TrueNAS refuses them too.
    if "{" in path or "}" in path:
        raise ValueError("Path must not contain { or }")
    if not path.startswith("/"):
        raise ValueError("Path must be absolute, such as /mnt/default/disk.img")
    # The last two are no characters at all: neither XML nor anybody who made a file on purpose has them.
    if any(character < " " or character in "\x7f\ufffe\uffff" for character in path):
        raise ValueError("Path must not contain control characters")
    return path


#: An absolute path of a file, as clients write it.
FilePath = Annotated[NonEmpty, AfterValidator(_plain)]


async def examine_file(ctx: Ctx, path: str) -> list[Problem]:
    """Problems with a file that must be there."""
    try:
        size = await ctx.volumes.file_size(path)
    except VolumeError as error:
        return [problem("path", str(error))]
    if size is None:
        return [problem("path", f"{path} does not exist", errno.ENOENT)]
    return []


async def preflight_file(ctx: Ctx, path: str) -> Iterator[str]:
    """What keeps a guest from opening the file now."""
    try:
        found = await ctx.volumes.file_size(path)
        source = await file_source(ctx, path)
    except VolumeError as error:
        return iter([str(error)])
    if found is None:
        return iter([f"{path} does not exist"])
    return await preflight_source(ctx, source)


async def preflight_source(ctx: Ctx, source: DiskSource) -> Iterator[str]:
    """Whether the user that guests run as gets to the place at all; ownership is libvirt's care."""
    info = ctx.engine.info
    if info is None or info.guest_user is None:
        return iter(())
    barrier = await ctx.host.unreachable_for(info.guest_user, source.path)
    if barrier is None:
        return iter(())
    return iter(
        [
            f"guests run as {info.guest_user}, which may not enter {barrier} on the way to {source.path}; "
            f"allow it with: chmod o+x {barrier}"
        ]
    )


async def file_source(ctx: Ctx, path: str) -> DiskSource:
    """Where the file lies on the host."""
    return DiskSource(await ctx.volumes.locate(path), is_block=False)
