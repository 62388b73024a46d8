"""The files port on this machine's file systems."""

import contextlib
import grp
import os
import pwd
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TypeVar

from vmstead.adapters.dir_volumes import in_thread, stoppable
from vmstead.adapters.permissions import change_permissions
from vmstead.adapters.places import VOLUMES, Places
from vmstead.adapters.real_paths import folder_at, make_folder_at, regular_file
from vmstead.adapters.statx import statx
from vmstead.ports.files import FileInfo, FileKind, Files, Permissions, Space
from vmstead.ports.volumes import FILE_PREFIX, VolumeError, VolumeErrorKind

T = TypeVar("T")

#: The folder of the pools, which is none of the host's.
_TOP = FILE_PREFIX.rstrip("/")
_FLAGS = {
    os.ST_NOATIME: "NOATIME",
    os.ST_RELATIME: "RELATIME",
    os.ST_NOSUID: "NOSUID",
    os.ST_NODEV: "NODEV",
    os.ST_NOEXEC: "NOEXEC",
}
_KINDS = {stat.S_IFREG: FileKind.FILE, stat.S_IFDIR: FileKind.DIRECTORY, stat.S_IFLNK: FileKind.SYMLINK}


class PoolFiles(Files):
    """Files below the pools and roots."""

    def __init__(self, places: Places, mounts: Path = Path("/proc/self/mounts")) -> None:
        self._places = places
        self._mounts = mounts

    async def info(self, path: str) -> FileInfo:
        return await self._at_place(self._info, path)

    async def list(self, path: str) -> Sequence[FileInfo]:
        return await self._at_place(self._list, path)

    async def space(self, path: str) -> Space:
        return await self._at_place(self._space, path)

    async def make_folder(self, path: str, mode: int) -> None:
        await self._at_place(self._make_folder, path, mode)

    async def open(self, path: str) -> IO[bytes]:
        return await self._at_place(self._open, path)

    async def append(self, path: str, data: bytes) -> None:
        await self._at_place(self._append, path, data)

    async def sync(self, path: str) -> None:
        await self._at_place(self._sync, path)

    async def truncate(self, path: str, size: int) -> None:
        await self._at_place(self._truncate, path, size)

    async def change_mode(self, path: str, mode: int) -> None:
        await self._at_place(self._change_mode, path, mode)

    async def _at_place(self, function: Callable[..., T], *arguments: object) -> T:
        await self._places.look()
        return await in_thread(function, *arguments)

    async def uid_of(self, user: str) -> int:
        return await in_thread(_number_of_user, user)

    async def gid_of(self, group: str) -> int:
        return await in_thread(_number_of_group, group)

    async def change_permissions(
        self, path: str, to: Permissions, *, recursive: bool, crosses_mounts: bool
    ) -> int:
        await self._places.look()
        return await stoppable(self._change_permissions, path, to, recursive, crosses_mounts)

    def _change_permissions(
        self, path: str, to: Permissions, recursive: bool, crosses_mounts: bool, stop: threading.Event
    ) -> int:
        place = self._places.locate(path.rstrip("/"))
        if not place.exists():
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"{path} does not exist")
        return change_permissions(place, to, recursive, crosses_mounts, stop)

    def _place(self, path: str) -> Path:
        place = self._places.locate(path, may_be_root=True)
        if not place.exists():
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"{path} does not exist")
        return place

    @contextlib.contextmanager
    def _opened(self, path: str, flags: int) -> Iterator[int]:
        place = self._place(path)
        if not place.is_file():
            raise VolumeError(VolumeErrorKind.FAILED, f"{path} is not a regular file")
        with regular_file(place, flags) as file:
            yield file

    def _truncate(self, path: str, size: int) -> None:
        with self._opened(path, os.O_WRONLY) as file:
            os.truncate(file, size)

    def _change_mode(self, path: str, mode: int) -> None:
        with self._opened(path, os.O_RDONLY) as file:
            os.fchmod(file, mode)

    def _open(self, path: str) -> IO[bytes]:
        with self._opened(path, os.O_RDONLY) as file:
            return open(os.dup(file), "rb")

    def _info(self, path: str) -> FileInfo:
        if path.rstrip("/") == _TOP:
            return self._top()
        place = self._place(path)
        return self._described(place, path.rstrip("/"), place.stat())

    def _top(self) -> FileInfo:
        """The folder of the pools, as the folder of the first one."""
        first = self._first()
        found = self._described(first.parent, _TOP, first.stat())
        name = _TOP.rpartition("/")[2]
        return replace(found, name=name, real_path=_TOP, is_mountpoint=False)

    def _first(self) -> Path:
        folders = [folder for folder in self._places.pools.values() if folder.is_dir()]
        if not folders:
            raise VolumeError(VolumeErrorKind.UNAVAILABLE, "no pool is there now")
        return folders[0]

    def _list(self, path: str) -> Sequence[FileInfo]:
        if path.rstrip("/") == _TOP:
            pools = sorted(self._places.pools.items())
            return [
                self._described(folder, f"{_TOP}/{name}", folder.stat())
                for name, folder in pools
                if folder.is_dir()
            ]
        place = self._place(path)
        if not place.is_dir():
            raise VolumeError(VolumeErrorKind.FAILED, f"{path} is not a folder")
        found = []
        base = path.rstrip("/")
        mounted = self._places.mounted_in(base)
        with folder_at(place) as folder:
            names = {*os.listdir(f"/proc/self/fd/{folder}"), *mounted}
        for name in sorted(names):
            if name == VOLUMES:
                continue
            # What goes meanwhile is not there, and what leads out of the folders is nobody's business.
            with contextlib.suppress(FileNotFoundError, VolumeError):
                written = f"{base}/{name}"
                target = self._places.locate(written)
                child = target if name in mounted else place / name
                found.append(self._described(child, written, child.lstat()))
        return found

    def _described(self, place: Path, path: str, found: os.stat_result) -> FileInfo:
        real = self._places.written(Path(os.path.realpath(place)))
        is_link = stat.S_ISLNK(found.st_mode)
        more = statx(place, follow=not is_link)
        return FileInfo(
            name=path.rpartition("/")[2],
            path=path,
            real_path=real or path,
            kind=_KINDS.get(stat.S_IFMT(found.st_mode), FileKind.OTHER),
            size=found.st_size,
            allocated=found.st_blocks * 512,
            mode=found.st_mode,
            uid=found.st_uid,
            gid=found.st_gid,
            user=_user(found.st_uid),
            group=_group(found.st_gid),
            accessed=found.st_atime,
            modified=found.st_mtime,
            changed=found.st_ctime,
            device=found.st_dev,
            inode=found.st_ino,
            links=found.st_nlink,
            is_mountpoint=os.path.ismount(place),
            born=more.born,
            mount_id=found.st_dev if more.mount_id is None else more.mount_id,
            attributes=more.attributes,
            xattrs=_xattrs(place, follow=not is_link),
        )

    def _space(self, path: str) -> Space:
        is_top = path.rstrip("/") == _TOP
        place = self._first() if is_top else self._place(path)
        found = os.statvfs(place)
        source, mountpoint, kind = self._mount(place)
        size = found.f_frsize
        return Space(
            kind=kind,
            source=source,
            mountpoint=mountpoint,
            block_size=size,
            total=found.f_blocks * size,
            free=found.f_bfree * size,
            available=found.f_bavail * size,
            files=found.f_files,
            free_files=found.f_ffree,
            id=f"{found.f_fsid:x}",
            flags=[
                "RO" if found.f_flag & os.ST_RDONLY else "RW",
                *(word for bit, word in _FLAGS.items() if found.f_flag & bit),
            ],
            longest_name=found.f_namemax,
        )

    def _mount(self, place: Path) -> tuple[str, str, str]:
        """What is mounted where the place is: source, folder and type."""
        best = ("none", "/", "unknown")
        real = os.path.realpath(place)
        for line in self._mounts.read_text().splitlines():
            source, folder, kind, *_ = (part.replace("\\040", " ") for part in line.split(" "))
            if Path(real).is_relative_to(folder) and len(folder) >= len(best[1]):
                best = (source, folder, kind)
        return best

    def _make_folder(self, path: str, mode: int) -> None:
        place = self._places.locate(path.rstrip("/"))
        try:
            make_folder_at(place, mode, owned=True)
        except FileExistsError:
            raise VolumeError(VolumeErrorKind.EXISTS, f"{path} exists already") from None

    def _append(self, path: str, data: bytes) -> None:
        with self._opened(path, os.O_WRONLY | os.O_APPEND) as file, open(os.dup(file), "ab") as stream:
            stream.write(data)

    def _sync(self, path: str) -> None:
        with self._opened(path, os.O_RDONLY) as file:
            os.fsync(file)


def _xattrs(place: Path, *, follow: bool) -> list[str]:
    try:
        return sorted(os.listxattr(place, follow_symlinks=follow))
    except OSError:
        return []  # a file system without them


def _number_of_user(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        raise VolumeError(VolumeErrorKind.NOT_FOUND, f"this host has no user {name}") from None


def _number_of_group(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise VolumeError(VolumeErrorKind.NOT_FOUND, f"this host has no group {name}") from None


def _user(number: int) -> str | None:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return None


def _group(number: int) -> str | None:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return None
