"""statx(2): what the kernel knows of a file beyond stat(2). Python has no function for it before 3.15.

The layout of the answer is part of the kernel's ABI; see the manual page and ``linux/stat.h``.
"""

import ctypes
import os
import struct
from dataclasses import dataclass
from pathlib import Path

_AT_FDCWD, _AT_SYMLINK_NOFOLLOW = -100, 0x100
_BTIME, _MOUNT_ID = 0x800, 0x1000
#: The answer has 256 bytes, of which these are wanted: mask, attributes, time of creation, mount.
_SIZE = 256
_MASK, _ATTRIBUTES, _BORN, _MOUNT = (
    struct.Struct("=I"),
    struct.Struct("=Q"),
    struct.Struct("=qI"),
    struct.Struct("=Q"),
)
_ATTRIBUTES_AT, _BORN_AT, _MOUNT_AT = 8, 80, 144
_WORDS = {
    0x4: "COMPRESSED",
    0x10: "IMMUTABLE",
    0x20: "APPEND",
    0x40: "NODUMP",
    0x1000: "AUTOMOUNT",
    0x2000: "MOUNT_ROOT",
    0x100000: "VERIFY",
    0x200000: "DAX",
}


@dataclass(frozen=True, slots=True)
class Statx:
    """More of a file.

    Attributes:
        born: when it was made, in seconds since 1970; None where its file system does not keep that.
        mount_id: number of the mount it is on, as in /proc/self/mountinfo; None where the kernel is too old.
        attributes: the API's words for what is special about it.
    """

    born: float | None
    mount_id: int | None
    attributes: tuple[str, ...]


_libc = ctypes.CDLL(None, use_errno=True)


def statx(path: Path, *, follow: bool) -> Statx:
    """Ask for a file, or with ``follow`` for what a link leads to. Raises OSError."""
    answer = ctypes.create_string_buffer(_SIZE)
    flags = 0 if follow else _AT_SYMLINK_NOFOLLOW
    if _libc.statx(_AT_FDCWD, os.fsencode(path), flags, _BTIME | _MOUNT_ID, answer) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    (mask,) = _MASK.unpack_from(answer)
    (attributes,) = _ATTRIBUTES.unpack_from(answer, _ATTRIBUTES_AT)
    seconds, nanoseconds = _BORN.unpack_from(answer, _BORN_AT)
    (mount,) = _MOUNT.unpack_from(answer, _MOUNT_AT)
    return Statx(
        born=seconds + nanoseconds / 1e9 if mask & _BTIME else None,
        mount_id=mount if mask & _MOUNT_ID else None,
        attributes=tuple(word for bit, word in _WORDS.items() if attributes & bit),
    )
