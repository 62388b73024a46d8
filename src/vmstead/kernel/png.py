"""Pictures as PNG, without a library for pictures: it is little more than zlib."""

import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Screens are mostly flat; more effort makes them little smaller.
_EFFORT = 3


class NoPicture(Exception):
    """The bytes are not the picture that they should be."""


def png(width: int, height: int, rgb: bytes) -> bytes:
    """A picture of three bytes a pixel, row by row."""
    row = 3 * width
    filtered = b"".join(b"\0" + rgb[start : start + row] for start in range(0, row * height, row))
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(filtered, _EFFORT)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def as_png(picture: bytes) -> bytes:
    """A PNG, or a portable pixmap (P6, see ppm(5)), as PNG. Raises NoPicture."""
    if picture.startswith(_SIGNATURE):
        return picture
    parts = picture.split(maxsplit=4)
    if len(parts) < 4 or parts[0] != b"P6" or not all(part.isdigit() for part in parts[1:4]):
        raise NoPicture("neither a PNG nor a portable pixmap")
    width, height, most = (int(part) for part in parts[1:4])
    size = 3 * width * height
    # One blank follows the last number; what comes then may look like blanks itself.
    if most != 255 or len(picture) < size:
        raise NoPicture("the pixmap is cut off, or not of one byte a colour")
    return png(width, height, picture[-size:])
