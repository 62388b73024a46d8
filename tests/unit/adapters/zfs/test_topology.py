"""What a pool is made of, from what ``zpool status -P`` of OpenZFS 2.1 wrote."""

from pathlib import Path

import pytest

from vmstead.adapters.zfs.topology import block_size, parts, problem
from vmstead.ports.pools import Device

_ALL = Path(__file__).with_name("status.txt").read_text().split("== ")[1:]
STATUS = {title: text for title, _, text in (each.partition("\n") for each in _ALL)}


def shape(device: Device) -> object:
    """A device as its kind, or its kind with what it is made of."""
    return {device.kind: [shape(each) for each in device.children]} if device.children else device.kind


def test_devices_are_told_by_what_they_are_for() -> None:
    found = parts(STATUS["everything"])
    mirror = {"MIRROR": ["DISK", "DISK"]}
    assert {use: [shape(each) for each in devices] for use, devices in found.items()} == {
        "data": [mirror, mirror],
        "special": [mirror],
        "log": [mirror],
        "spare": ["DISK"],
    }
    first = found["data"][0]
    assert (first.name, first.status, first.path) == ("mirror-0", "ONLINE", None)
    assert (first.children[1].name, first.children[1].path) == ("/var/tmp/v/d02", "/var/tmp/v/d02")
    assert found["spare"][0].status == "AVAIL"


def test_what_is_broken_is_told() -> None:
    first, second = parts(STATUS["degraded"])["data"]
    assert (first.status, [each.status for each in first.children]) == ("DEGRADED", ["ONLINE", "OFFLINE"])
    assert shape(second) == {"MIRROR": ["DISK", {"REPLACING": ["DISK", "DISK"]}]}
    assert problem(STATUS["degraded"]) == (
        "One or more devices is currently being resilvered. The pool will continue to function, possibly in a "
        "degraded state. Wait for the resilver to complete."
    )
    assert problem(STATUS["stripe"]) is None


@pytest.mark.parametrize(
    ("title", "size"),
    [
        ("stripe", 16),
        ("everything", 16),
        ("raidz1-3-twice", 16),
        ("raidz2-6", 32),
        ("raidz3-12", 128),
        ("draid", 128),
    ],
)
def test_blocks_are_as_large_as_suits_the_widest_group(title: str, size: int) -> None:
    assert block_size(parts(STATUS[title])) == size * 1024


@pytest.mark.parametrize(
    ("kind", "disks", "size"),
    [
        *(
            ("RAIDZ1", disks, size)
            for disks, size in ((2, 16), (3, 16), (4, 32), (5, 32), (6, 64), (9, 64), (10, 128))
        ),
        *(
            ("RAIDZ2", disks, size)
            for disks, size in ((4, 16), (5, 32), (6, 32), (7, 64), (10, 64), (11, 128))
        ),
        *(
            ("RAIDZ3", disks, size)
            for disks, size in ((5, 16), (7, 32), (8, 64), (11, 64), (12, 128), (40, 128))
        ),
        ("MIRROR", 3, 16),
    ],
)
def test_the_rule_is_that_of_truenas(kind: str, disks: int, size: int) -> None:
    group = Device("x", kind, "ONLINE", None, tuple(Device("d", "DISK", "ONLINE") for _ in range(disks)))
    assert block_size({"data": [group]}) == size * 1024


def test_nothing_is_made_of_nothing() -> None:
    assert parts("") == {"data": []}
    assert block_size({}) == 16384
