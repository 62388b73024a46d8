"""Sparse files: made as a whole or not at all, and copied without their holes."""

import errno
import fcntl
import os
import threading
from pathlib import Path

from vmstead.adapters.real_paths import make_folders_at, open_at, regular_file, remove_at
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

#: The request that makes one file share the blocks of another (ioctl_ficlone(2)).
_FICLONE = 0x40049409
#: Bytes after which a copy looks whether it is still wanted.
_CHUNK = 16 * 1024 * 1024


def make_file(path: Path, size: int, what: str) -> None:
    """Make a sparse file that nobody but its owner reads, or nothing at all."""
    try:
        descriptor = open_at(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        raise VolumeError(VolumeErrorKind.EXISTS, f"{what} exists already") from None
    try:
        os.truncate(descriptor, size)
        os.fsync(descriptor)
    except BaseException:
        remove_at(path)
        raise
    finally:
        os.close(descriptor)


def copy_file(source: Path, target: Path, what: str, stop: threading.Event) -> None:
    """Make a sparse copy that is there as a whole or not at all, sharing blocks where the file system can."""
    with regular_file(source, os.O_RDONLY) as origin:
        make_file(target, os.fstat(origin).st_size, what)
        try:
            with regular_file(target, os.O_RDWR) as copy:
                try:
                    fcntl.ioctl(copy, _FICLONE, origin)
                except OSError:
                    _copy_data(origin, copy, stop)
                os.fsync(copy)
        except BaseException:
            remove_at(target)
            raise


def _copy_data(origin: int, copy: int, stop: threading.Event) -> None:
    """Copy what is not a hole. Raises InterruptedError when told to stop."""
    end = 0
    size = os.fstat(origin).st_size
    while end < size:
        try:
            begin = os.lseek(origin, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno == errno.ENXIO:
                return  # nothing but a hole up to the end
            raise
        end = os.lseek(origin, begin, os.SEEK_HOLE)
        while begin < end:
            if stop.is_set():
                raise InterruptedError(errno.EINTR, "the copy was given up")
            count = _copy_piece(origin, copy, min(end - begin, _CHUNK), begin)
            if count == 0:
                return  # the file has become shorter meanwhile
            begin += count


def _copy_piece(origin: int, copy: int, count: int, at: int) -> int:
    """Copy up to so many bytes in place; returns how many. The kernel does it where it can."""
    try:
        return os.copy_file_range(origin, copy, count, at, at)
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            raise
        return os.pwrite(copy, os.pread(origin, count, at), at)


def make_folders(folder: Path) -> None:
    """Make a folder and those above it, to be passed through but not listed by others."""
    make_folders_at(folder, 0o711)
