"""Sparse files: made as a whole or not at all, and copied without their holes."""

import contextlib
import errno
import fcntl
import os
import threading
from pathlib import Path

from vmstead.ports.volumes import VolumeError, VolumeErrorKind

#: The request that makes one file share the blocks of another (ioctl_ficlone(2)).
_FICLONE = 0x40049409
#: Bytes after which a copy looks whether it is still wanted.
_CHUNK = 16 * 1024 * 1024


def make_file(path: Path, size: int, what: str) -> None:
    """Make a sparse file that nobody but its owner reads, or nothing at all."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise VolumeError(VolumeErrorKind.EXISTS, f"{what} exists already") from None
    try:
        os.truncate(descriptor, size)
        os.fsync(descriptor)
    except BaseException:
        path.unlink()
        raise
    finally:
        os.close(descriptor)


def copy_file(source: Path, target: Path, what: str, stop: threading.Event) -> None:
    """Make a sparse copy that is there as a whole or not at all, sharing blocks where the file system can."""
    with source.open("rb") as origin:
        make_file(target, os.fstat(origin.fileno()).st_size, what)
        try:
            with target.open("r+b") as copy:
                try:
                    fcntl.ioctl(copy.fileno(), _FICLONE, origin.fileno())
                except OSError:
                    _copy_data(origin.fileno(), copy.fileno(), stop)
                os.fsync(copy.fileno())
        except BaseException:
            target.unlink()
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
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        with contextlib.suppress(FileExistsError):
            each.mkdir()
            each.chmod(0o711)
