"""Volumes and files in ordinary folders.

A pool is a folder. Its folders are datasets, files in it are files, and its volumes are sparse files in a tree
of their own, ``<pool>/.volumes``, which does not show among the pool's files::

    /mnt/tank/isos/debian.iso      <root>/isos/debian.iso
    /dev/zvol/tank/vms/disk0       <root>/.volumes/vms/disk0      (needs the folder <root>/vms)
"""

import asyncio
import contextlib
import errno
import glob
import os
import stat
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from vmstead.adapters._sparse import copy_file, make_file, make_folders
from vmstead.adapters.dataset_notes import DatasetNotes
from vmstead.adapters.names import check_name, no_such_pool
from vmstead.adapters.places import SNAPSHOTS, VOLUMES, Places, real
from vmstead.adapters.real_paths import (
    folder_at,
    is_folder,
    link_at,
    regular_file,
    remove_at,
    replace_at,
    status_at,
    sync_at,
)
from vmstead.ports.volumes import (
    FILE_PREFIX,
    VOLUME_PREFIX,
    DiskSource,
    Encryption,
    Volume,
    VolumeError,
    VolumeErrorKind,
    volume_name,
    volume_path,
)

T = TypeVar("T")

_KINDS = {
    errno.ENOENT: VolumeErrorKind.NOT_FOUND,
    errno.ENOSPC: VolumeErrorKind.NO_SPACE,
    errno.EDQUOT: VolumeErrorKind.NO_SPACE,
    errno.EFBIG: VolumeErrorKind.NO_SPACE,
    errno.ENAMETOOLONG: VolumeErrorKind.BAD_NAME,
}


class DirVolumes:
    """The volumes port on folders.

    Args:
        pools: the folder of each pool.
        roots: further folders in which files may lie, seen under their own path.
        places: where files may lie instead: also in pools of another kind.

    Attributes:
        notes: what is known of the volumes beside their bytes; goes with them.
    """

    def __init__(
        self,
        pools: Mapping[str, Path],
        roots: Mapping[str, Path] | None = None,
        places: Places | None = None,
    ) -> None:
        self._pools = dict(pools)
        self._places = places or Places(pools, roots)
        self.notes = DatasetNotes(pools)

    async def find(self, name: str) -> Volume:
        return await in_thread(self._find, name)

    async def list(self) -> Sequence[Volume]:
        return await in_thread(self._list)

    async def create(
        self,
        name: str,
        size: int,
        *,
        block_size: int | None = None,
        is_sparse: bool = True,
        encryption: Encryption | None = None,
    ) -> Volume:
        if encryption is not None:
            raise unencrypted(name)
        return await in_thread(self._create, name, size)

    async def create_like(self, name: str, pattern: str) -> Volume:
        return await self.create(name, (await self.find(pattern)).size)

    async def destroy(self, name: str) -> None:
        await in_thread(self._destroy, name)

    async def duplicate(self, name: str, target: str) -> Volume:
        return await stoppable(self._duplicate, name, target)

    async def replace(self, name: str, by: str) -> None:
        await in_thread(self._replace, name, by)

    async def room(self, name: str) -> int:
        return await self.free(volume_path(name))

    async def free(self, path: str) -> int:
        return await self._at_place(self._free, path)

    async def locate(self, path: str) -> Path:
        return await self._at_place(self._places.locate, path)

    async def file_size(self, path: str) -> int | None:
        return await self._at_place(self._file_size, path)

    async def create_file(self, path: str, size: int) -> None:
        await self._at_place(lambda: make_file(self._places.locate(path), size, f"the file {path}"))

    async def duplicate_file(self, path: str, target: str) -> None:
        await self._places.look()
        await stoppable(self._duplicate_file, path, target)

    async def resize_file(self, path: str, size: int) -> None:
        await self._at_place(self._resize_file, path, size)

    async def remove_file(self, path: str) -> None:
        await self._at_place(self._remove_file, path)

    async def publish_file(self, path: str, target: str, *, over: bool = False) -> None:
        await self._at_place(self._publish_file, path, target, over)

    async def _at_place(self, function: Callable[..., T], *arguments: object) -> T:
        await self._places.look()
        return await in_thread(function, *arguments)

    # --- volumes ------------------------------------------------------------------------------------

    def _volume_file(self, name: str) -> tuple[Path, Path]:
        """Where a volume lies, and the folder of its dataset."""
        check_name(name)
        pool, *parts = name.split("/")
        if pool not in self._pools:
            raise no_such_pool(pool, self._pools)
        root = real(self._pools[pool], may_be_missing=True)
        return root.joinpath(VOLUMES, *parts), root.joinpath(*parts[:-1])

    def check_name(self, name: str) -> None:
        """Raises VolumeError, BAD_NAME or NOT_FOUND, when no dataset can have that name."""
        self._volume_file(name)

    def has(self, name: str) -> bool:
        """Whether there is such a volume. Blocks."""
        return self._volume_file(name)[0].is_file()

    async def duplicate_from(self, source: Path, target: str) -> None:
        """Make the volume ``target`` with the bytes of a file; as ``duplicate``."""

        def copy(stop: threading.Event) -> None:
            copy_file(source, self._new_place(target), f"the volume {target}", stop)

        await stoppable(copy)

    def _new_place(self, name: str) -> Path:
        """Where a volume that is to be made will lie, with the folder around it."""
        path, _ = self._volume_file(name)
        if self.notes.is_filesystem(name):
            raise VolumeError(VolumeErrorKind.EXISTS, f"{name} is a file system already")
        make_folders(path.parent)
        with folder_at(path.parent) as folder, contextlib.suppress(OSError):
            # A folder that volumes have lain in; one in which there are any stays, and is in the way.
            os.rmdir(path.name, dir_fd=folder)
        return path

    def _find(self, name: str) -> Volume:
        path, _ = self._volume_file(name)
        try:
            found = status_at(path)
        except OSError as error:
            if error.errno not in (errno.ENOENT, errno.ENOTDIR):
                raise
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"the volume {name} does not exist") from None
        if not stat.S_ISREG(found.st_mode):
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"{name} is not a volume")
        return Volume(name, found.st_size, DiskSource(path, is_block=False))

    def _list(self) -> Sequence[Volume]:
        found = []
        for pool, root in sorted(self._pools.items()):
            base = root / VOLUMES
            for folder, _, files in os.walk(base):
                for file in files:
                    name = f"{pool}/{Path(folder, file).relative_to(base)}"
                    # What somebody else has put there is no volume; what has just gone is none any more.
                    with contextlib.suppress(VolumeError):
                        found.append(self._find(name))
        return sorted(found, key=lambda volume: volume.name)

    def _create(self, name: str, size: int) -> Volume:
        dataset = self._volume_file(name)[1]
        if not is_folder(dataset):
            above = name.rpartition("/")[0]
            raise VolumeError(
                VolumeErrorKind.NOT_FOUND,
                f"the dataset {above} does not exist; make it first with: mkdir -p {FILE_PREFIX}{above}",
            )
        path = self._new_place(name)
        make_file(path, size, f"the volume {name}")
        return self._made(name, path)

    def _duplicate(self, name: str, target: str, stop: threading.Event) -> Volume:
        source = self._find(name).source.path
        path = self._new_place(target)
        copy_file(source, path, f"the volume {target}", stop)
        return self._made(target, path)

    def _made(self, name: str, path: Path) -> Volume:
        """A volume that was just made; taken back when it cannot even be looked at."""
        try:
            return self._find(name)
        except BaseException:
            remove_at(path)
            raise

    def _destroy(self, name: str) -> None:
        pool, _, rest = name.partition("/")
        volume = self._find(name)
        # Itself last: what is broken off can be begun again, and the next of that name inherits nothing.
        snapshots = real(self._pools[pool]).joinpath(VOLUMES, SNAPSHOTS, rest)
        for each in snapshots.parent.glob(f"{glob.escape(snapshots.name)}@*"):
            with contextlib.suppress(FileNotFoundError):
                remove_at(each)
        self.notes.forget(name)
        remove_at(volume.source.path)

    def _replace(self, name: str, by: str) -> None:
        target, source = self._find(name).source.path, self._find(by).source.path
        _owned_like(target, source)
        _rename(source, target)

    def _free(self, path: str) -> int:
        if path.startswith(VOLUME_PREFIX):
            name = volume_name(path)
            self._volume_file(name)
            folder = self._pools[name.partition("/")[0]]
        else:
            folder = self._places.locate(path).parent
        found = os.statvfs(folder)
        return found.f_bavail * found.f_frsize

    # --- files --------------------------------------------------------------------------------------

    def _file_size(self, path: str) -> int | None:
        target = self._places.locate(path)
        try:
            found = status_at(target)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise VolumeError(VolumeErrorKind.FAILED, f"{path} is not a regular file")
        return found.st_size

    def _duplicate_file(self, path: str, target: str, stop: threading.Event) -> None:
        if self._file_size(path) is None:
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"{path} does not exist")
        copy_file(self._places.locate(path), self._places.locate(target), f"the file {target}", stop)

    def _resize_file(self, path: str, size: int) -> None:
        found = self._file_size(path)
        if found is None:
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"{path} does not exist")
        if size < found:
            raise VolumeError(
                VolumeErrorKind.FAILED, f"{path} has {found} bytes; shrinking it would lose data"
            )
        with regular_file(self._places.locate(path), os.O_WRONLY) as file:
            os.truncate(file, size)

    def _remove_file(self, path: str) -> None:
        if self._file_size(path) is None:
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"{path} does not exist")
        remove_at(self._places.locate(path))

    def _publish_file(self, path: str, target: str, over: bool) -> None:
        if self._file_size(path) is None:
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"{path} does not exist")
        source, final = self._places.locate(path), self._places.locate(target)
        taken = VolumeError(VolumeErrorKind.EXISTS, f"{target} exists already")
        if self._file_size(target) is not None and not over:
            raise taken
        _owned_like(final.parent, source)
        if over:
            _rename(source, final)
            return
        # Unlike a change of the name, a second name never takes the place of something.
        try:
            link_at(source, final)
        except FileExistsError:
            raise taken from None
        remove_at(source)
        sync_at(final)


def unencrypted(name: str) -> VolumeError:
    """What is said when something encrypted is wanted."""
    text = f"{name} lies in a pool that is a folder: encrypted datasets are made in pools of ZFS only"
    return VolumeError(VolumeErrorKind.FAILED, text)


def _owned_like(pattern: Path, path: Path) -> None:
    """Give a file the owner of another; nothing happens where this process may not."""
    found = status_at(pattern)
    with regular_file(path, os.O_RDONLY) as file, contextlib.suppress(PermissionError):
        os.chown(file, found.st_uid, found.st_gid)


def _rename(source: Path, target: Path) -> None:
    """Put a complete file in the place of another. Its bytes are on the disk before it has the name."""
    sync_at(source)
    replace_at(source, target)
    sync_at(target)


async def stoppable(function: Callable[..., T], *arguments: object) -> T:
    """As ``in_thread``, for a function that also takes an event that tells it to give up, when cancelled.

    Comes back only when the thread has ended: nothing is written any more by then.
    """
    stop = threading.Event()
    work = asyncio.ensure_future(in_thread(function, *arguments, stop))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        with contextlib.suppress(VolumeError):
            await work
        raise


async def in_thread(function: Callable[..., T], *arguments: object) -> T:
    """Run on a thread, with what the operating system refuses in the port's terms."""
    try:
        return await asyncio.to_thread(function, *arguments)
    except OverflowError as error:
        raise VolumeError(VolumeErrorKind.NO_SPACE, "no file can be that large") from error
    except ValueError as error:
        # A NUL, or what no file system has as a name.
        raise VolumeError(VolumeErrorKind.BAD_NAME, f"no file can have that name: {error}") from error
    except OSError as error:
        kind = _KINDS.get(error.errno or 0, VolumeErrorKind.FAILED)
        where = f"{error.filename}: " if error.filename else ""
        raise VolumeError(kind, f"{where}{error.strerror or error}") from error
