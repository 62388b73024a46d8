"""What disks have in common, wherever their bytes lie."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.unit.devices.support import Bench, placed, refusals, told
from vmstead.devices import Device, Placed, Slots
from vmstead.devices._block import BlockDevice, copied, same_path
from vmstead.devices.cdrom import Cdrom
from vmstead.devices.disk import Disk
from vmstead.devices.display import Display
from vmstead.devices.nic import Nic
from vmstead.devices.raw import Raw
from vmstead.ports.volumes import DiskSource, VolumeError, VolumeErrorKind


def block(**attributes: Any) -> BlockDevice:
    return BlockDevice.model_validate(attributes)


def test_the_defaults_are_those_of_the_contract() -> None:
    assert block().entry() == {
        "type": "AHCI",
        "logical_sectorsize": None,
        "physical_sectorsize": None,
        "iotype": "THREADS",
        "serial": None,
    }


@pytest.mark.parametrize(
    ("field", "values", "text"),
    [
        ("type", ["SATA", "ahci", "", None], "Input should be 'AHCI' or 'VIRTIO'"),
        ("iotype", ["threads", "AIO", None], "Input should be 'NATIVE', 'THREADS' or 'IO_URING'"),
        ("logical_sectorsize", [0, 1024, -512, "512", True], "Input should be 512 or 4096"),
        ("physical_sectorsize", [0, 8192, "4096", False], "Input should be 512 or 4096"),
    ],
)
def test_choices_are_closed_and_named_in_the_refusal(field: str, values: list[object], text: str) -> None:
    for value in values:
        assert refusals(BlockDevice, **{field: value}) == {field: text}


# --- serial numbers ---------------------------------------------------------------------------------


@pytest.mark.parametrize("serial", ["", "a", "x" * 20, "A-b_c.d+e f", "0"])
def test_serial_numbers_that_a_guest_can_read_are_taken(serial: str) -> None:
    assert block(serial=serial).serial == serial


@pytest.mark.parametrize(
    "serial", ["x" * 21, "\u00fc", "a/b", "a,b", "a\n", "\n", "a\tb", "a\0", '"', "<a>", "{a}", 5]
)
def test_serial_numbers_that_it_cannot_read_are_refused(serial: object) -> None:
    assert list(refusals(BlockDevice, serial=serial)) == ["serial"]


@pytest.mark.parametrize("given", [None, ""])
async def test_a_serial_number_is_made_up_where_none_was_given(bench: Bench, given: str | None) -> None:
    made = [(await block(serial=given).complete(bench.ctx, [], None)).serial or "" for _ in range(20)]
    assert all(re.fullmatch("[A-Za-z0-9]{8}", serial) for serial in made)
    assert len(set(made)) == 20
    for serial in made:
        assert block(serial=serial).serial == serial


@pytest.mark.parametrize(
    ("given", "stored", "expected"),
    [
        ("MINE", None, "MINE"),
        ("MINE", "OLD", "MINE"),
        (None, "OLD", "OLD"),
        ("", "OLD", "OLD"),
    ],
)
async def test_a_guest_goes_on_finding_its_disk_by_its_number(
    bench: Bench, given: str | None, stored: str | None, expected: str
) -> None:
    filled = await block(serial=given).complete(bench.ctx, [], block(serial=stored))
    assert filled.serial == expected


async def test_a_disk_that_was_stored_without_a_number_gets_one(bench: Bench) -> None:
    filled = await block().complete(bench.ctx, [], block(serial=None))
    assert filled.serial


@pytest.mark.parametrize("serial", [None, ""])
def test_a_disk_without_a_number_shows_none(serial: str | None) -> None:
    element = block(serial=serial).disk_xml(DiskSource(Path("/a"), is_block=False), Slots())
    assert element.find("serial") is None


# --- sectors ----------------------------------------------------------------------------------------

NEEDS = [("attributes.logical_sectorsize", "must be set when physical_sectorsize is set")]
SMALLER = [("attributes.physical_sectorsize", "must not be smaller than logical_sectorsize")]


@pytest.mark.parametrize(
    ("logical", "physical", "problems"),
    [
        (None, None, []),
        (512, None, []),
        (4096, None, []),
        (512, 512, []),
        (512, 4096, []),
        (4096, 4096, []),
        (None, 512, NEEDS),
        (None, 4096, NEEDS),
        (4096, 512, SMALLER),
    ],
)
def test_sector_sizes_fit_together(
    logical: int | None, physical: int | None, problems: list[tuple[str, str]]
) -> None:
    device = block(logical_sectorsize=logical, physical_sectorsize=physical)
    assert told(device.check([], None)) == problems


# --- one path, one device ---------------------------------------------------------------------------


def disk(path: str) -> Disk:
    return Disk(path=path)


def raw(path: str) -> Raw:
    return Raw(path=path)


def cdrom(path: str) -> Cdrom:
    return Cdrom(path=path)


@pytest.mark.parametrize("other", [raw, cdrom, disk])
def test_no_two_devices_of_a_vm_have_one_path_whatever_their_types(other: Callable[[str], Device]) -> None:
    assert told(same_path("/mnt/tank/a", placed(Nic(), other("/mnt/tank/a")))) == [
        ("attributes.path", "/mnt/tank/a is attached to this VM already, as device 2")
    ]


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("/mnt/tank/a", "/mnt/tank//a"),
        ("/mnt/tank/a", "/mnt/./tank/a"),
        ("/mnt/tank/a/", "/mnt/tank/a"),
        ("/mnt/tank/b/../a", "/mnt/tank/a"),
        ("/dev/zvol/tank/my disk", "/dev/zvol/tank/my+disk"),
        ("/dev/zvol/tank/my+disk", "/dev/zvol/tank//my disk"),
    ],
)
def test_one_path_can_be_spelt_in_many_ways(path: str, other: str) -> None:
    for one, two in ((path, other), (other, path)):
        ((field, text),) = told(same_path(one, placed(disk(two))))
        assert field == "attributes.path"
        assert text.startswith(f"{one} is attached")


@pytest.mark.parametrize(
    ("path", "other"),
    [
        ("/mnt/tank/a", "/mnt/tank/A"),
        ("/mnt/tank/a", "/mnt/tank/a.img"),
        ("/mnt/tank/a b", "/mnt/tank/a+b"),
        ("/mnt/tank/a", "/dev/zvol/tank/a"),
    ],
)
def test_paths_that_differ_are_not_taken_for_one(path: str, other: str) -> None:
    assert told(same_path(path, placed(disk(other)))) == []


def test_what_has_no_path_is_in_nobodys_way() -> None:
    nameless = Disk(create_zvol=True, zvol_name="tank/a", zvol_volsize=512)
    others = placed(nameless, Nic(), Display())
    assert told(same_path("/dev/zvol/tank/b", others)) == []
    assert told(same_path(None, others)) == []


def test_a_path_is_complained_of_once() -> None:
    assert len(told(same_path("/a", placed(disk("/a"), disk("/a"))))) == 1


def test_a_device_that_has_no_id_yet_is_not_named_by_one() -> None:
    assert told(same_path("/a", [Placed(-3, 1, None, disk("/a"))])) == [
        ("attributes.path", "/a is attached to this VM already, as another new device")
    ]


# --- copies -----------------------------------------------------------------------------------------


class Shelf:
    """Where copies are put. What is on it is in the way."""

    def __init__(self, names: Sequence[str], kind: VolumeErrorKind = VolumeErrorKind.EXISTS) -> None:
        self.names = set(names)
        self.kind = kind

    async def put(self, name: str) -> None:
        if name in self.names:
            raise VolumeError(self.kind, f"{name} is in the way")
        self.names.add(name)


@pytest.mark.parametrize(
    ("there", "name"),
    [
        ([], "disk.img"),
        (["disk"], "disk.img"),
        (["disk.img"], "disk_clone0.img"),
        (["disk_clone0.img"], "disk.img"),
        (["disk.img", "disk_clone0.img", "disk_clone2.img"], "disk_clone1.img"),
    ],
)
async def test_a_copy_gets_the_first_name_that_is_free(there: list[str], name: str) -> None:
    shelf = Shelf(there)
    assert await copied("disk", ".img", shelf.put) == name
    assert shelf.names == {*there, name}


async def test_what_else_goes_wrong_is_not_tried_again() -> None:
    shelf = Shelf(["disk"], VolumeErrorKind.NO_SPACE)
    with pytest.raises(VolumeError, match="disk is in the way"):
        await copied("disk", "", shelf.put)
    assert shelf.names == {"disk"}
