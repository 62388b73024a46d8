"""Files that somebody else appends to, kept from growing without end."""

import ctypes
import errno
import os

#: A file that takes more bytes is cut down to about so many.
MOST, KEPT = 2 * 1024 * 1024, 1024 * 1024

_PUNCH_HOLE = 0x2
_KEEP_SIZE = 0x1
_BLOCK = 4096

_libc = ctypes.CDLL(None, use_errno=True)


def bound(path: str | os.PathLike[str]) -> None:
    """Give the oldest of a file that has become large back to the file system.

    It becomes a hole: positions in the file stay what they are, and whoever appends notices nothing. Where the
    file system knows no holes, all of it is given back.

    Raises:
        OSError: there is no such file, or it cannot be written.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if found.st_blocks * 512 <= MOST:
            return
        length = max(0, found.st_size - KEPT) // _BLOCK * _BLOCK
        mode = _PUNCH_HOLE | _KEEP_SIZE
        if _libc.fallocate64(descriptor, mode, ctypes.c_int64(0), ctypes.c_int64(length)) == 0:
            return
        number = ctypes.get_errno()
        if number not in (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL):
            raise OSError(number, os.strerror(number), str(path))
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)
