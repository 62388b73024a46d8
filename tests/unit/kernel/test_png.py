"""Pictures as PNG."""

import struct
import zlib

import pytest

from vmstead.kernel.png import NoPicture, as_png, png


def pixels(picture: bytes) -> tuple[int, int, bytes]:
    """Size and bytes of a PNG that this program made."""
    width, height = struct.unpack(">II", picture[16:24])
    start = picture.index(b"IDAT")
    (size,) = struct.unpack(">I", picture[start - 4 : start])
    rows = zlib.decompress(picture[start + 4 : start + 4 + size])
    step = 3 * width + 1
    return width, height, b"".join(rows[at + 1 : at + step] for at in range(0, step * height, step))


def test_pixels_stay_what_they_are() -> None:
    rgb = bytes(range(18))
    assert pixels(png(3, 2, rgb)) == (3, 2, rgb)


def test_a_pixmap_whose_first_pixels_look_like_blanks_is_read_right() -> None:
    rgb = b"\n\n \t" + bytes(range(8))
    assert pixels(as_png(b"P6\n2 2\n255\n" + rgb)) == (2, 2, rgb)


def test_a_png_is_left_alone() -> None:
    picture = png(1, 1, b"abc")
    assert as_png(picture) is picture


@pytest.mark.parametrize("data", [b"", b"GIF89a", b"P6\n2 2\n65535\n" + bytes(24), b"P6\n9 9\n255\nshort"])
def test_what_is_no_picture_is_told(data: bytes) -> None:
    with pytest.raises(NoPicture):
        as_png(data)
