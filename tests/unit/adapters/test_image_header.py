"""What the first and last bytes say of an image: its format, and what makes it unacceptable."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmstead.adapters.image_header import HEAD, TAIL, Header, recognise
from vmstead.ports.images import ImageError


def qcow2(*, version: int = 3, backing: int = 0, encryption: int = 0, features: int = 0) -> bytes:
    head = struct.pack(">4sIQIIQI", b"QFI\xfb", version, backing, 0, 16, 1 << 30, encryption)
    return head.ljust(72, b"\0") + struct.pack(">Q", features) + bytes(512)


def vpc(kind: int) -> bytes:
    return b"conectix".ljust(60, b"\0") + struct.pack(">I", kind) + bytes(448)


def vdi(*, kind: int = 1, data: int = 4096, block: int = 1 << 20, allocated: int = 3) -> bytes:
    head = bytearray(512)
    struct.pack_into("<I", head, 64, 0xBEDA107F)
    for offset, value in ((0x4C, kind), (0x158, data), (0x178, block), (0x184, allocated)):
        struct.pack_into("<I", head, offset, value)
    return bytes(head)


@pytest.mark.parametrize(
    ("head", "tail", "header"),
    [
        (b"", b"", Header("raw")),
        (b"\xeb\x63\x90" + bytes(600), bytes(512), Header("raw")),
        (qcow2(), b"", Header("qcow2")),
        (qcow2(version=2, features=4), b"", Header("qcow2")),
        (b"QED\0".ljust(64, b"\0"), b"", Header("qed")),
        (b"vhdxfile", b"", Header("vhdx")),
        (vdi(), b"", Header("vdi", 4096 + 2 * (1 << 20) + 1)),
        (vdi(allocated=0), b"", Header("vdi", 4096)),
        (bytes(512), vpc(2), Header("vpc")),
        (vpc(3), vpc(3), Header("vpc")),
    ],
)
def test_formats_are_told_by_their_bytes(head: bytes, tail: bytes, header: Header) -> None:
    assert recognise(head, tail) == header


@pytest.mark.parametrize(
    ("head", "tail", "text"),
    [
        (qcow2(backing=512), b"", "has a backing file"),
        (qcow2(features=4), b"", "has its data in another file"),
        (qcow2(encryption=1), b"", "is encrypted"),
        (qcow2(version=1), b"", "qcow \\(version 1\\)"),
        (b"QED\0".ljust(16, b"\0") + struct.pack("<Q", 1), b"", "has a backing file"),
        (b"KDMV".ljust(512, b"\0"), b"", "only describes a disk"),
        (b"\n# Disk DescriptorFile\n", b"", "only describes a disk"),
        (vdi(kind=4), b"", "has a backing file"),
        (bytes(512), vpc(4), "has a backing file"),
        (b"QFI\xfb\0\0", b"", "is cut off within its header"),
        (b"COWD", b"", "vmdk \\(version 3\\)"),
    ],
)
def test_what_needs_other_files_or_is_not_understood_is_refused(head: bytes, tail: bytes, text: str) -> None:
    with pytest.raises(ImageError, match=text):
        recognise(head, tail)


@given(
    st.sampled_from([b"", b"QFI\xfb", b"QED\0", b"KDMV", b"vhdxfile", b"conectix", b"# Disk DescriptorFile"]),
    st.binary(max_size=600),
    st.binary(max_size=TAIL),
)
def test_no_bytes_are_too_strange(magic: bytes, rest: bytes, tail: bytes) -> None:
    try:
        found = recognise((magic + rest)[:HEAD], tail)
    except ImageError:
        return
    assert found.format in {"raw", "qcow2", "qed", "vmdk", "vhdx", "vdi", "vpc"}
