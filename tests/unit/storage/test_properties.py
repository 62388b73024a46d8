"""Datasets as clients read them."""

import pytest

from vmstead.ports.pools import Dataset, DatasetKind
from vmstead.storage.properties import bytes_of, entry, size_of


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0B"),
        (512, "512B"),
        (1024, "1K"),
        (16384, "16K"),
        (1536 * 1024**2, "1.5G"),
        (10 * 1024**3, "10G"),
        (1024**6 * 2048, "2048E"),
    ],
)
def test_sizes_are_written_as_zfs_writes_them(number: int, text: str) -> None:
    assert size_of(number) == text


@pytest.mark.parametrize(
    ("text", "number"), [("16K", 16384), ("512", 512), ("1M", 1024**2), ("none", 16384), ("", 16384)]
)
def test_block_sizes_are_read(text: str, number: int) -> None:
    assert bytes_of(text) == number


def test_what_was_set_is_told_as_set_and_the_rest_as_default() -> None:
    properties: dict[str, object] = {
        "compression": "ZSTD",
        "user_properties": {"org:owner": "me"},
        "comments": "web",
    }
    shown = entry(Dataset("tank/a", DatasetKind.VOLUME, None, 5, 7, 1 << 30, 1.5, properties))
    assert shown["compression"]["source"] == "LOCAL"
    assert shown["sync"] == {
        "parsed": "STANDARD",
        "rawvalue": "standard",
        "value": "STANDARD",
        "source": "DEFAULT",
        "source_info": None,
    }
    assert shown["volsize"]["parsed"] == 1 << 30
    assert shown["volsize"]["value"] == "1G"
    assert shown["volblocksize"]["value"] == "16K"
    assert shown["comments"]["value"] == "web"
    assert shown["user_properties"]["org:owner"]["value"] == "me"
    assert shown["creation"]["parsed"] == {"$date": 1000}
    assert "recordsize" not in shown
