"""What the first and last bytes of a file say of the image in it. Pure.

QEMU finds out formats by itself, and follows what an image says of other files. Neither is left to it: who
writes an image could otherwise have any file of the host copied into it (CVE-2024-32498, CVE-2024-4467).
"""

import struct
from dataclasses import dataclass

from vmstead.ports.images import ImageError

#: Bytes that are wanted of the beginning and of the end.
HEAD = 64 * 1024
TAIL = 512

#: Formats that QEMU knows and that are not taken, by what they begin with.
_OTHERS = {
    b"QFI\xfb\x00\x00\x00\x01": "qcow (version 1)",
    b"COWD": "vmdk (version 3)",
    b"WithoutFreeSpace": "parallels",
    b"WithouFreSpacExt": "parallels",
    b"Bochs Virtual HD Image": "bochs",
    b"#!/bin/sh\n#V2.0 Format": "cloop",
}
_FLATTEN = "; make one that stands alone with: qemu-img convert -O qcow2 IMAGE NEW"
_DATA_FILE = 1 << 2
_VDI_SIGNATURE = 0xBEDA107F
_VPC_DIFFERENCING = 4


@dataclass(frozen=True, slots=True)
class Header:
    """The format, and the bytes that the file must have at least to be whole."""

    format: str
    least: int = 0


def recognise(head: bytes, tail: bytes) -> Header:
    """The format of a file with this beginning and this end; raw if no format claims it.

    Raises:
        ImageError: it is of a format that is not taken, encrypted, or needs other files.
    """
    for magic, name in _OTHERS.items():
        if head.startswith(magic):
            raise ImageError(f"is a {name} image, which is not taken; convert it to qcow2 first")
    if head.startswith(b"QFI\xfb"):
        return _qcow2(head)
    if head.startswith(b"QED\0"):
        return _qed(head)
    if head.startswith(b"KDMV"):
        return _vmdk(head)
    if head.lstrip().startswith(b"# Disk DescriptorFile"):
        raise ImageError(f"only describes a disk whose data are in other files{_FLATTEN}")
    if head.startswith(b"vhdxfile"):
        return Header("vhdx")
    if head[64:68] == struct.pack("<I", _VDI_SIGNATURE):
        return _vdi(head)
    for footer in (head, tail):
        if footer.startswith(b"conectix"):
            return _vpc(footer)
    return Header("raw")


def _fields(layout: str, head: bytes, offset: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(layout, head, offset)
    except struct.error:
        raise ImageError("is cut off within its header") from None


def _qcow2(head: bytes) -> Header:
    version, backing = _fields(">IQ", head, 4)
    (encryption,) = _fields(">I", head, 32)
    features = _fields(">Q", head, 72)[0] if version >= 3 else 0
    if backing:
        raise ImageError(f"has a backing file{_FLATTEN}")
    if features & _DATA_FILE:
        raise ImageError(f"has its data in another file{_FLATTEN}")
    if encryption:
        raise ImageError("is encrypted; decrypt it first")
    return Header("qcow2")


def _qed(head: bytes) -> Header:
    (features,) = _fields("<Q", head, 16)
    if features & 1:
        raise ImageError(f"has a backing file{_FLATTEN}")
    return Header("qed")


def _vmdk(head: bytes) -> Header:
    (capacity,) = _fields("<Q", head, 12)
    # Without a capacity of its own, all that counts is the list of files in the text.
    if capacity == 0:
        raise ImageError(f"only describes a disk whose data are in other files{_FLATTEN}")
    text = head[512:].lower()
    if b"parentfilenamehint" in text:
        raise ImageError(f"has a backing file{_FLATTEN}")
    return Header("vmdk")


def _vdi(head: bytes) -> Header:
    (kind,) = _fields("<I", head, 0x4C)
    (data,) = _fields("<I", head, 0x158)
    (block,) = _fields("<I", head, 0x178)
    (allocated,) = _fields("<I", head, 0x184)
    if kind not in (1, 2):
        raise ImageError(f"has a backing file{_FLATTEN}")
    # The last block may end with the disk.
    return Header("vdi", data + max(0, allocated - 1) * block + min(allocated, 1))


def _vpc(footer: bytes) -> Header:
    (kind,) = _fields(">I", footer, 60)
    if kind == _VPC_DIFFERENCING:
        raise ImageError(f"has a backing file{_FLATTEN}")
    return Header("vpc")
