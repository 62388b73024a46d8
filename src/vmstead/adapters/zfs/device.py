"""Which dataset a block device is: the kernel knows."""

import errno
import fcntl
import os
from pathlib import Path

#: The request that makes a volume's device tell the name of its dataset (include/sys/zvol.h of OpenZFS).
_BLKZNAME = 0x8100127D
_LONGEST = 256


def is_device_of(path: Path, dataset: str) -> bool:
    """Whether a path leads to the device of that dataset now. Blocks."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError:
        return _is_seen(path)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.ENODEV):
            return False
        raise
    name = bytearray(_LONGEST)
    try:
        fcntl.ioctl(descriptor, _BLKZNAME, name)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return name.partition(b"\0")[0].decode(errors="replace") == dataset


def _is_seen(path: Path) -> bool:
    """Whoever may not open a device can still see that it is there."""
    try:
        return path.is_block_device()
    except OSError:
        return False
