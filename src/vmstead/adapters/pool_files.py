"""The files port on this machine's file systems."""

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from vmstead.adapters.dir_volumes import in_thread
from vmstead.adapters.places import VOLUMES, Places
from vmstead.ports.files import FileInfo, FileKind, Files, Space
from vmstead.ports.volumes import FILE_PREFIX, VolumeError, VolumeErrorKind

#: The folder of the pools, which is none of the host's.
_TOP = FILE_PREFIX.rstrip("/")
_KINDS = {stat.S_IFREG: FileKind.FILE, stat.S_IFDIR: FileKind.DIRECTORY, stat.S_IFLNK: FileKind.SYMLINK}


class PoolFiles(Files):
    """Files below the pools and roots."""

    def __init__(self, places: Places, mounts: Path = Path("/proc/self/mounts")) -> None:
        self._places = places
        self._mounts = mounts

    async def info(self, path: str) -> FileInfo:
        return await in_thread(self._info, path)

    async def list(self, path: str) -> Sequence[FileInfo]:
        return await in_thread(self._list, path)

    async def space(self, path: str) -> Space:
        return await in_thread(self._space, path)

    async def make_folder(self, path: str, mode: int) -> None:
        await in_thread(self._make_folder, path, mode)

    async def append(self, path: str, data: bytes) -> None:
        await in_thread(self._append, path, data)

    async def sync(self, path: str) -> None:
        await in_thread(self._sync, path)

    async def truncate(self, path: str, size: int) -> None:
        await in_thread(lambda: os.truncate(self._file(path), size))

    async def change_mode(self, path: str, mode: int) -> None:
        await in_thread(lambda: self._file(path).chmod(mode))

    def _place(self, path: str) -> Path:
        place = self._places.locate(path, may_be_root=True)
        if not place.exists():
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"{path} does not exist")
        return place

    def _file(self, path: str) -> Path:
        place = self._place(path)
        if not place.is_file():
            raise VolumeError(VolumeErrorKind.FAILED, f"{path} is not a regular file")
        return place

    def _info(self, path: str) -> FileInfo:
        if path.rstrip("/") == _TOP:
            return self._top()
        place = self._place(path)
        return self._described(place, path.rstrip("/"), place.stat())

    def _top(self) -> FileInfo:
        """The folder of the pools, as the folder of the first one."""
        first = next(iter(self._places.pools.values()))
        found = self._described(first.parent, _TOP, first.stat())
        name = _TOP.rpartition("/")[2]
        return replace(found, name=name, real_path=_TOP, is_mountpoint=False)

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
        for name in sorted(os.listdir(place)):
            if name == VOLUMES:
                continue
            # What goes meanwhile is not there, and what leads out of the folders is nobody's business.
            with contextlib.suppress(FileNotFoundError, VolumeError):
                written = f"{path.rstrip('/')}/{name}"
                self._places.locate(written)
                found.append(self._described(place / name, written, (place / name).lstat()))
        return found

    def _described(self, place: Path, path: str, found: os.stat_result) -> FileInfo:
        real = self._places.written(Path(os.path.realpath(place)))
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
        )

    def _space(self, path: str) -> Space:
        is_top = path.rstrip("/") == _TOP
        place = next(iter(self._places.pools.values())) if is_top else self._place(path)
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
            is_read_only=bool(found.f_flag & os.ST_RDONLY),
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
        above = place.parent.stat()
        try:
            place.mkdir()
        except FileExistsError:
            raise VolumeError(VolumeErrorKind.EXISTS, f"{path} exists already") from None
        with contextlib.suppress(PermissionError):
            os.chown(place, above.st_uid, above.st_gid)
        place.chmod(mode)

    def _append(self, path: str, data: bytes) -> None:
        with self._file(path).open("ab") as file:
            file.write(data)

    def _sync(self, path: str) -> None:
        with self._file(path).open("rb") as file:
            os.fsync(file.fileno())


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
