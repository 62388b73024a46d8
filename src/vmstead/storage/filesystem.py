"""``filesystem.*``: the files that images and ISOs are, below the pools and the allowed roots."""

import errno
import secrets
from base64 import b64decode
from collections.abc import AsyncIterable, AsyncIterator
from functools import partial
from typing import Any

from vmstead.ctx import Ctx
from vmstead.devices._claims import claimed
from vmstead.errors import CallError
from vmstead.kernel.model import Field, Model, NonEmpty
from vmstead.kernel.pipes import send_file
from vmstead.kernel.undo import undo
from vmstead.ports.files import FileInfo, FileKind
from vmstead.rpc.queries import QueryFilters, QueryOptions
from vmstead.rpc.registry import Namespace, parse_query
from vmstead.storage.errors import storage_errors
from vmstead.store.unfinished import Kind, Unfinished
from vmstead.vm.usage import kept_inactive

filesystem = Namespace("filesystem")

_PERMISSIONS = r"^[0-7]{3}$"


class Entry(Model):
    """A file or folder in a listing."""

    name: str = Field(description="Its name.")
    path: str = Field(description="Where it is.")
    realpath: str = Field(description="Where links on the way lead.")
    type: FileKind = Field(description="What it is; a link is told as one.")
    size: int = Field(description="Bytes.")
    allocation_size: int = Field(description="Bytes that it takes on the disk.")
    mode: int = Field(description="Type and permission bits, as stat(2) has them.")
    uid: int = Field(description="Number of its owner.")
    gid: int = Field(description="Number of its group.")
    acl: bool = Field(description="Whether an access control list says more than the permission bits.")
    mount_id: int = Field(description="Number of the mount it is on.")
    is_mountpoint: bool = Field(description="Whether a file system is mounted on it.")
    is_ctldir: bool = Field(description="Whether it is ZFS's own.")
    attributes: list[str] = Field(
        description="What is special about it: IMMUTABLE, COMPRESSED, MOUNT_ROOT, …"
    )
    xattrs: list[str] = Field(description="Names of its extended attributes.")
    zfs_attrs: None = Field(description="Attributes that only ZFS has: none is told of here.")


class Stat(Entry):
    """A file or folder, links followed."""

    atime: float = Field(description="When it was last read, in seconds since 1970.")
    mtime: float = Field(description="When it was last written.")
    ctime: float = Field(description="When it last changed in any way.")
    btime: float | None = Field(description="When it was made; null where that is not kept.")
    dev: int = Field(description="Number of the file system.")
    inode: int = Field(description="Its number there.")
    nlink: int = Field(description="How many names it has.")
    user: str | None = Field(description="Its owner's name.")
    group: str | None = Field(description="Its group's name.")


def _entry(info: FileInfo) -> dict[str, Any]:
    return {
        "name": info.name,
        "path": info.path,
        "realpath": info.real_path,
        "type": str(info.kind),
        "size": info.size,
        "allocation_size": info.allocated,
        "mode": info.mode,
        "uid": info.uid,
        "gid": info.gid,
        "acl": info.has_acl,
        "mount_id": info.mount_id,
        "is_mountpoint": info.is_mountpoint,
        "is_ctldir": False,
        "attributes": list(info.attributes),
        "xattrs": list(info.xattrs),
        "zfs_attrs": None,
    }


def _stat(info: FileInfo) -> dict[str, Any]:
    return {
        **_entry(info),
        "atime": info.accessed,
        "mtime": info.modified,
        "ctime": info.changed,
        "btime": info.born,
        "dev": info.device,
        "inode": info.inode,
        "nlink": info.links,
        "user": info.user,
        "group": info.group,
    }


@filesystem.method(role="FILESYSTEM_ATTRS_READ", returns=Stat)
async def stat_(ctx: Ctx, path: NonEmpty) -> dict[str, Any]:
    """What a file or folder is, links followed. Fails with ENOENT when it is not there."""
    with storage_errors():
        return _stat(await ctx.files.info(path))


@filesystem.method(role="FILESYSTEM_ATTRS_READ", returns=list[Entry] | Entry | int)
async def listdir(
    ctx: Ctx,
    path: NonEmpty,
    query_filters: QueryFilters = [],  # noqa: B006
    query_options: QueryOptions = {},  # noqa: B006
) -> object:
    """What is in a folder, by name, with filters and options as a query has them."""
    query = parse_query(query_filters, query_options)
    with storage_errors():
        return query.apply([_entry(info) for info in await ctx.files.list(path)])


class StatFs(Model):
    """A file system. Sizes are bytes, or blocks of ``blocksize`` bytes."""

    fstype: str = Field(description="Its type.")
    source: str = Field(description="What is mounted.")
    dest: str = Field(description="Where it is mounted.")
    fsid: str = Field(description="What no other mounted file system has.")
    flags: list[str] = Field(description="RO or RW, and how else it is mounted.")
    blocksize: int = Field(description="Bytes of a block.")
    total_blocks: int = Field(description="All of it.")
    free_blocks: int = Field(description="What is free.")
    avail_blocks: int = Field(description="What users may still take.")
    total_bytes: int = Field(description="All of it.")
    free_bytes: int = Field(description="What is free.")
    avail_bytes: int = Field(description="What users may still take.")
    total_blocks_str: str = Field(description="total_blocks, as text.")
    free_blocks_str: str = Field(description="free_blocks, as text.")
    avail_blocks_str: str = Field(description="avail_blocks, as text.")
    total_bytes_str: str = Field(description="total_bytes, as text.")
    free_bytes_str: str = Field(description="free_bytes, as text.")
    avail_bytes_str: str = Field(description="avail_bytes, as text.")
    name_max: int = Field(description="Bytes that the name of a file can have.")
    files: int = Field(description="How many files it can have.")
    free_files: int = Field(description="How many more it can have.")


@filesystem.method(role="FILESYSTEM_ATTRS_READ", returns=StatFs)
async def statfs(ctx: Ctx, path: NonEmpty) -> dict[str, Any]:
    """The file system that a path lies on."""
    with storage_errors():
        space = await ctx.files.space(path)
    sizes = {"total": space.total, "free": space.free, "avail": space.available}
    numbers = {
        **{f"{name}_blocks": size // space.block_size for name, size in sizes.items()},
        **{f"{name}_bytes": size for name, size in sizes.items()},
    }
    return {
        "fstype": space.kind,
        "fsid": space.id,
        "source": space.source,
        "dest": space.mountpoint,
        "flags": list(space.flags),
        "blocksize": space.block_size,
        **numbers,
        **{f"{name}_str": str(number) for name, number in numbers.items()},
        "name_max": space.longest_name,
        "files": space.files,
        "free_files": space.free_files,
    }


class MkdirOptions(Model):
    """How the folder is to be."""

    mode: str = Field("755", pattern=_PERMISSIONS, description="Permission bits, as three octal digits.")
    raise_chmod_error: bool = Field(True, description="Has no effect: the permissions can always be set.")


class Mkdir(Model):
    """The folder to make."""

    path: NonEmpty = Field(description="Where; the folder above must be there.")
    options: MkdirOptions = Field(MkdirOptions(), description="How it is to be.")


@filesystem.method(
    role="FILESYSTEM_DATA_WRITE", returns=Stat, audit="Make the folder {filesystem_mkdir[path]}"
)
async def mkdir(ctx: Ctx, filesystem_mkdir: Mkdir) -> dict[str, Any]:
    """Make a folder, which gets the owner of the one above; answers with what it is."""
    with storage_errors("filesystem_mkdir.path"):
        await ctx.files.make_folder(filesystem_mkdir.path, int(filesystem_mkdir.options.mode, 8))
        return _stat(await ctx.files.info(filesystem_mkdir.path))


@filesystem.method(role="FILESYSTEM_DATA_READ", job=True, pipe="output")
async def get(ctx: Ctx, path: NonEmpty) -> None:
    """A file, to be downloaded: it is called through ``core.download``."""
    with storage_errors():
        if (await ctx.files.info(path)).kind is not FileKind.FILE:
            raise CallError(f"{path} is not a regular file", errno.EISDIR)
        await send_file(ctx.files.open(path), ctx.pipe)


class PutOptions(Model):
    """How to write the file."""

    append: bool = Field(False, description="Write to its end, if it is there.")
    mode: int | None = Field(
        None, ge=0, le=0o777, description="Permission bits, as a number; null leaves them."
    )


@filesystem.method(role="FILESYSTEM_DATA_WRITE", job=True, pipe="input", audit="Write the file {path}")
async def put(ctx: Ctx, path: NonEmpty, options: PutOptions = PutOptions()) -> bool:
    """Write a file that is uploaded (``POST /_upload``). It is there as a whole or not at all.

    A file that is there already is replaced, or with ``append`` made longer; not one that an active virtual
    machine uses.
    """
    await _write(ctx, path, aiter(ctx.pipe), append=options.append, mode=options.mode)
    return True


class ReceiveOptions(Model):
    """How to write the file."""

    append: bool = Field(False, description="Write to its end, if it is there.")
    mode: int | None = Field(None, ge=0, le=0o777, description="Permission bits, as a number.")
    uid: int | None = Field(None, description="Has no effect: a file belongs to the owner of its folder.")
    gid: int | None = Field(None, description="Has no effect.")


@filesystem.method(role="FILESYSTEM_DATA_WRITE", audit="Write the file {path}")
async def file_receive(
    ctx: Ctx, path: NonEmpty, content: str, options: ReceiveOptions = ReceiveOptions()
) -> bool:
    """Write a small file, whose content comes as Base64."""
    try:
        data = b64decode(content, validate=True)
    except ValueError as error:
        raise CallError(f"content is not Base64: {error}", errno.EINVAL) from None

    async def once() -> AsyncIterator[bytes]:
        yield data

    await _write(ctx, path, once(), append=options.append, mode=options.mode)
    return True


async def _write(
    ctx: Ctx, path: str, content: AsyncIterable[bytes], *, append: bool, mode: int | None
) -> None:
    with storage_errors():
        found = await ctx.volumes.file_size(path)
        place = await ctx.volumes.locate(path)
        async with kept_inactive(ctx, "path", place):
            pass  # refused before the first byte; looked at again before the change
        if append and found is not None:
            await _append(ctx, path, found, content, mode)
            return
        new = f"{path.rpartition('/')[0]}/.vmstead-{secrets.token_hex(8)}"
        async with undo() as steps:
            note = Unfinished(Kind.FILE, new)
            await claimed(ctx, steps, note, partial(ctx.volumes.create_file, new, 0))
            async for piece in content:
                await ctx.files.append(new, piece)
            await ctx.files.change_mode(new, 0o644 if mode is None else mode)
            async with kept_inactive(ctx, "path", place):
                await ctx.volumes.publish_file(new, path, over=True)
                await ctx.unfinished.forget(note)


async def _append(ctx: Ctx, path: str, size: int, content: AsyncIterable[bytes], mode: int | None) -> None:
    async with undo() as steps:
        steps.push_async_callback(ctx.files.truncate, path, size)
        async for piece in content:
            await ctx.files.append(path, piece)
        await ctx.files.sync(path)
        if mode is not None:
            await ctx.files.change_mode(path, mode)
