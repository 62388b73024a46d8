"""Sizes as people write and read them."""

import pytest

from vmstead.cli.verbs import sizes


@pytest.mark.parametrize(
    ("text", "unit", "count"),
    [
        ("512", "", 512),
        ("512", "M", 512 * 1024**2),
        ("512M", "", 512 * 1024**2),
        ("20G", "M", 20 * 1024**3),
        ("1.5g", "", 3 * 1024**3 // 2),
        ("2 TiB", "", 2 * 1024**4),
        ("4KB", "", 4096),
        ("7b", "", 7),
        ("0", "", 0),
    ],
)
def test_reading(text: str, unit: str, count: int) -> None:
    assert sizes.parse(text, unit) == count


@pytest.mark.parametrize("text", ["", "M", "-1", "1e3", "12X", "1..5G", "G20", "1,5G", "0x10"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is no size; write it like 512M or 20G"):
        sizes.parse(text)


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, "-"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1 KiB"),
        (1536, "1.5 KiB"),
        (20 * 1024**3, "20 GiB"),
        (1024**5, "1 PiB"),
        (5000 * 1024**5, "5000 PiB"),
    ],
)
def test_showing(count: float | None, text: str) -> None:
    assert sizes.shown(count) == text
