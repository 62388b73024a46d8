"""Disk images in and out of volumes: ``vm.device.convert``, ``virtual_size``, and the two older methods.

A copy is written beside its target and takes its place when it is complete, so that a failure, an abort or a
kill leaves everything as it was.
"""

import asyncio
import errno
import secrets
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, Literal, NoReturn

from vmstead.ctx import Ctx
from vmstead.devices._claims import claimed
from vmstead.errors import CallError, Problem, ValidationErrors
from vmstead.kernel.model import Field, Model, NonEmpty
from vmstead.kernel.undo import undo
from vmstead.ports.images import Image, ImageError
from vmstead.ports.volumes import (
    VOLUME_PREFIX,
    DiskSource,
    Volume,
    VolumeError,
    VolumeErrorKind,
    volume_name,
    volume_path,
)
from vmstead.rpc.registry import Namespace
from vmstead.store.unfinished import Kind, Unfinished
from vmstead.vm.usage import active_users, kept_inactive, refuse_active

vm = Namespace("vm")
vm_device = Namespace("vm.device")

#: Names of image files end so, and name the format.
_ENDINGS = ("qcow2", "qed", "raw", "vdi", "vhdx", "vmdk")
_ERRNOS = {
    VolumeErrorKind.NOT_FOUND: errno.ENOENT,
    VolumeErrorKind.EXISTS: errno.EEXIST,
    VolumeErrorKind.NO_SPACE: errno.ENOSPC,
}


class VirtualSize(Model):
    """The image to look at."""

    path: NonEmpty = Field(description="The image file, below /mnt/, or a volume below /dev/zvol/.")


@vm_device.method(role="VM_DEVICE_READ")
async def virtual_size(ctx: Ctx, vm_virtual_size: VirtualSize) -> int:
    """Bytes of the disk that an image file holds; a volume needs as many to take it."""
    attribute, path = "vm.device.virtual_size", vm_virtual_size.path
    if path.startswith(VOLUME_PREFIX):
        return (await _volume(ctx, attribute, path)).size
    return (await _image(ctx, attribute, path, None))[1].size


class Convert(Model):
    """What to copy where: one is an image file, the other a volume."""

    source: NonEmpty = Field(description="An image file such as /mnt/default/a.qcow2, or a volume.")
    destination: NonEmpty = Field(description="A volume such as /dev/zvol/default/a, or a new image file.")


@vm_device.method(
    role="VM_DEVICE_WRITE",
    job="vm.device.convert",
    queue_size=1,
    audit="Copy {vm_convert[source]} to {vm_convert[destination]}",
    description="Copy {0[source]} to {0[destination]}",
    abortable=True,
    logs=True,
)
async def convert(ctx: Ctx, vm_convert: Convert) -> bool:
    """Copy an image file into a volume, or a volume into a new image file.

    What the image's name ends with is its format: qcow2, qed, raw, vdi, vhdx or vmdk. The volume must exist, be
    large enough and belong to no active virtual machine; beyond the image it is zero afterwards. The job can be
    aborted. If it does not succeed, nothing has changed.
    """
    base = "vm.device.convert"
    source, destination = vm_convert.source, vm_convert.destination
    if _is_image(source) and _is_volume(destination):
        await _fill(ctx, (f"{base}.source", source), _ending(source), (f"{base}.destination", destination))
    elif _is_volume(source) and _is_image(destination):
        volume = await _volume(ctx, f"{base}.source", source)
        await _dump(ctx, volume, (f"{base}.destination", destination), _ending(destination), over=False)
    else:
        endings = ", ".join(f".{ending}" for ending in _ENDINGS)
        text = f"one must be a volume such as /dev/zvol/default/web01, the other an image file ({endings})"
        _refuse(base, text)
    return True


class ImportDiskImage(Model):
    """An image file, and the volume to fill with it."""

    diskimg: NonEmpty = Field(description="The image file, below /mnt/; its format is found out.")
    zvol: NonEmpty = Field(description="The volume: <pool>/<name>.")


@vm.method(
    role="VM_WRITE",
    job="zvol_disk_image_{0[zvol]}",
    queue_size=1,
    audit="Import {vm_import_disk_image[diskimg]} into {vm_import_disk_image[zvol]}",
    description="Copy {0[diskimg]} to {0[zvol]}",
    abortable=True,
    logs=True,
)
async def import_disk_image(ctx: Ctx, vm_import_disk_image: ImportDiskImage) -> bool:
    """Copy an image file into a volume, as ``vm.device.convert`` does; the file may have any name."""
    base, options = "vm_import_disk_image", vm_import_disk_image
    ending = _ending(options.diskimg) if _is_image(options.diskimg) else None
    await _fill(ctx, (f"{base}.diskimg", options.diskimg), ending, (f"{base}.zvol", options.zvol))
    return True


class ExportDiskImage(Model):
    """A volume, and the folder for an image of it."""

    format: Literal["qcow2", "qed", "raw", "vdi", "vpc", "vmdk"] = Field(description="Format of the image.")
    directory: NonEmpty = Field(description="Folder below /mnt/ that the image goes into.")
    zvol: NonEmpty = Field(description="The volume: <pool>/<name>.")


@vm.method(
    role="VM_WRITE",
    job="zvol_disk_image_{0[zvol]}",
    queue_size=1,
    audit="Export {vm_export_disk_image[zvol]} to {vm_export_disk_image[directory]}",
    description="Copy {0[zvol]} to {0[directory]}",
    abortable=True,
    logs=True,
)
async def export_disk_image(ctx: Ctx, vm_export_disk_image: ExportDiskImage) -> bool:
    """Copy a volume into the image file ``<directory>/vmdisk-<name of the volume>.<format>``.

    A file of that name is replaced when the new one is complete. It belongs to the owner of the folder.
    """
    base, options = "vm_export_disk_image", vm_export_disk_image
    volume = await _volume(ctx, f"{base}.zvol", options.zvol)
    name = f"vmdisk-{volume.name.rpartition('/')[2]}.{options.format}"
    path = f"{options.directory.rstrip('/')}/{name}"
    await _dump(ctx, volume, (f"{base}.directory", path), options.format, over=True)
    return True


# --- the copies -------------------------------------------------------------------------------------------


async def _fill(
    ctx: Ctx, from_image: tuple[str, str], format: str | None, to_volume: tuple[str, str]
) -> None:
    """Give a volume the contents of an image. Both come with the field that errors name."""
    (image_field, path), (volume_field, name) = from_image, to_volume
    target = await _volume(ctx, volume_field, name)
    _refuse_closed(volume_field, target)
    await refuse_active(ctx, volume_field, target.source.path)
    source, image = await _image(ctx, image_field, path, format)
    if image.size > target.size:
        text = f"has {target.size} bytes, and the disk in {path} has {image.size}; use a larger volume"
        _refuse(volume_field, text, errno.ENOSPC)
    await _weigh(ctx, source, image, image_field, path, volume_field, volume_path(target.name))
    new = f"{target.name.rpartition('/')[0]}/vmstead-{secrets.token_hex(8)}"
    async with undo() as steps:
        with _failures(f"{path} could not be copied to {target.name}"):
            create = partial(ctx.volumes.create_like, new, target.name)
            made = await claimed(ctx, steps, Unfinished(Kind.VOLUME, volume_path(new)), create)
            progress = _progress(ctx, f"Copying {path} to {target.name}")
            await ctx.log(f"{path} holds a disk of {image.size} bytes in the format {image.format}")
            await ctx.images.convert(source, image, made.source, "raw", is_blank=True, progress=progress)
            async with kept_inactive(ctx, volume_field, target.source.path):
                await _to_its_end(_replace(ctx, target.name, new))
            await ctx.log(f"{target.name} has taken it; beyond the disk it is zero")


async def _replace(ctx: Ctx, name: str, new: str) -> None:
    await ctx.volumes.replace(name, new)
    await ctx.unfinished.forget(Unfinished(Kind.VOLUME, volume_path(new)))


async def _dump(ctx: Ctx, volume: Volume, to_file: tuple[str, str], format: str, *, over: bool) -> None:
    """Make an image of a volume."""
    field, path = to_file
    _refuse_closed(field, volume)
    try:
        taken = await ctx.volumes.file_size(path) is not None
        place = await ctx.volumes.locate(path)
    except VolumeError as error:
        _refuse(field, str(error), _ERRNOS.get(error.kind, errno.EINVAL))
    if taken and not over:
        _refuse(field, f"{path} exists already; choose another name, or remove it first", errno.EEXIST)
    await refuse_active(ctx, field, place)
    image = Image("raw", volume.size)
    await _weigh(ctx, volume.source, image, field, volume.name, field, path, most=volume.data)
    new = f"{path.rpartition('/')[0]}/.vmstead-{secrets.token_hex(8)}"
    users = await active_users(ctx, volume.source.path)
    async with undo() as steps:
        with _failures(f"{volume.name} could not be copied to {path}"):
            note = Unfinished(Kind.FILE, new)
            await claimed(ctx, steps, note, partial(ctx.volumes.create_file, new, 0))
            target = DiskSource(await ctx.volumes.locate(new), is_block=False)
            caution = f"; {users[0]} may write to it meanwhile" if users else ""
            progress = _progress(ctx, f"Copying {volume.name} to {path}{caution}")
            await ctx.log(f"{volume.name} has {volume.size} bytes{caution}")
            await ctx.images.convert(volume.source, image, target, format, is_blank=False, progress=progress)
            async with kept_inactive(ctx, field, place):
                await _to_its_end(_publish(ctx, new, path, over))
            await ctx.log(f"{path} holds it in the format {format}")


async def _publish(ctx: Ctx, new: str, path: str, over: bool) -> None:
    await ctx.volumes.publish_file(new, path, over=over)
    await ctx.unfinished.forget(Unfinished(Kind.FILE, new))


def _progress(ctx: Ctx, status: str) -> Callable[[int], None]:
    # The last percent is the change of the names.
    return lambda percent: ctx.progress(min(99, percent), status)


async def _to_its_end(last_step: Coroutine[Any, Any, None]) -> None:
    """Carry out the step that makes the change, also when the job is aborted meanwhile: it is too late then."""
    step = asyncio.ensure_future(last_step)
    try:
        await asyncio.shield(step)
    except asyncio.CancelledError:
        await step


# --- what is looked at first ------------------------------------------------------------------------------


def _is_volume(text: str) -> bool:
    return text.startswith(VOLUME_PREFIX) or not text.startswith("/")


def _is_image(text: str) -> bool:
    return not _is_volume(text) and text.endswith(_ENDINGS)


def _ending(path: str) -> str:
    return next(ending for ending in _ENDINGS if path.endswith(ending))


def _refuse(attribute: str, text: str, number: int = errno.EINVAL) -> NoReturn:
    raise ValidationErrors([Problem(attribute, text, number)])


async def _volume(ctx: Ctx, attribute: str, text: str) -> Volume:
    """The volume of that name or path."""
    try:
        return await ctx.volumes.find(volume_name(text))
    except VolumeError as error:
        _refuse(attribute, str(error), _ERRNOS.get(error.kind, errno.EINVAL))


def _refuse_closed(attribute: str, volume: Volume) -> None:
    if volume.obstacle is not None:
        _refuse(attribute, volume.obstacle)


async def _image(ctx: Ctx, attribute: str, path: str, format: str | None) -> tuple[DiskSource, Image]:
    """The image at a path, which may come from anybody."""
    try:
        size = await ctx.volumes.file_size(path)
        source = DiskSource(await ctx.volumes.locate(path), is_block=False)
    except VolumeError as error:
        _refuse(attribute, str(error), _ERRNOS.get(error.kind, errno.EINVAL))
    if size is None:
        _refuse(attribute, f"{path} does not exist", errno.ENOENT)
    try:
        return source, await ctx.images.examine(source.path, format)
    except ImageError as error:
        _refuse(attribute, f"{path} {error}")


async def _weigh(
    ctx: Ctx,
    source: DiskSource,
    image: Image,
    attribute: str,
    name: str,
    target_attribute: str,
    target: str,
    *,
    most: int | None = None,
) -> None:
    """Refuse what is damaged, and what there is no room for. ``most``: the bytes in it, where that is known."""
    try:
        needed = await ctx.images.weigh(source, image)
        # Of a block device QEMU does not know what is empty.
        needed = needed if most is None else min(needed, most)
        free = await ctx.volumes.free(target)
    except ImageError as error:
        _refuse(attribute, f"{name} {error}")
    except VolumeError as error:
        _refuse(target_attribute, str(error), _ERRNOS.get(error.kind, errno.EINVAL))
    if needed > free:
        text = f"there are {free} bytes free where {target} lies, and the copy takes {needed}"
        _refuse(target_attribute, text, errno.ENOSPC)


@contextmanager
def _failures(what: str) -> Iterator[None]:
    """What went wrong while copying, for the client."""
    try:
        yield
    except VolumeError as error:
        raise CallError(f"{what}: {error}", _ERRNOS.get(error.kind, errno.EFAULT)) from error
    except ImageError as error:
        is_full = "No space left on device" in str(error)
        raise CallError(f"{what}: the image {error}", errno.ENOSPC if is_full else errno.EFAULT) from error
