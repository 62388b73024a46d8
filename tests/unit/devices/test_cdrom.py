"""CDROM: an image that must be there when it is put in, and when the VM starts."""

from typing import Any

import pytest

from tests.unit.devices.support import Bench, fields, placed, provisioned, refusals, told
from vmstead.devices import Slots
from vmstead.devices.cdrom import Cdrom
from vmstead.devices.raw import Raw
from vmstead.kernel.xml import to_bytes


def cdrom(path: str = "/mnt/tank/a.iso") -> Cdrom:
    return Cdrom(path=path)


@pytest.mark.parametrize(
    ("attributes", "problems"),
    [
        ({}, {"path": "Field required"}),
        ({"path": None}, {"path": "Input should be a valid string"}),
        ({"path": ""}, {"path": "String should have at least 1 character"}),
        ({"path": "a.iso"}, {"path": "Value error, Path must be absolute, such as /mnt/default/disk.img"}),
        ({"path": "/a", "type": "AHCI"}, {"type": "Extra inputs are not permitted"}),
        ({"path": "/a", "serial": "x"}, {"serial": "Extra inputs are not permitted"}),
    ],
)
def test_a_drive_has_an_image_and_nothing_else(attributes: dict[str, Any], problems: dict[str, str]) -> None:
    assert refusals(Cdrom, **attributes) == problems


def test_an_image_is_in_one_drive_of_a_vm_and_is_not_its_disk_too() -> None:
    text = "/mnt/tank/a.iso is attached to this VM already, as device 1"
    for other in (cdrom(), Raw(path="/mnt/tank/a.iso")):
        assert told(cdrom().check(placed(other), None)) == [("attributes.path", text)]
    assert told(cdrom().check(placed(cdrom("/mnt/tank/b.iso")), None)) == []


async def test_an_image_may_be_in_drives_of_several_vms(bench: Bench) -> None:
    bench.file("a.iso")
    assert await cdrom().examine(bench.ctx, placed(cdrom(), vm=2), None) == []


async def test_an_image_that_has_gone_keeps_no_other_change_from_being_made(bench: Bench) -> None:
    assert await cdrom().examine(bench.ctx, [], cdrom()) == []
    assert fields(await cdrom().examine(bench.ctx, [], None)) == ["attributes.path"]


async def test_another_image_is_looked_for(bench: Bench) -> None:
    bench.file("a.iso")
    assert fields(await cdrom("/mnt/tank/b.iso").examine(bench.ctx, [], cdrom())) == ["attributes.path"]
    assert await cdrom().examine(bench.ctx, [], cdrom("/mnt/tank/b.iso")) == []


async def test_nothing_is_filled_in_and_nothing_is_made(bench: Bench) -> None:
    assert await cdrom().complete(bench.ctx, [], None) == cdrom()
    assert await provisioned(bench, cdrom()) == {"dtype": "CDROM", "path": "/mnt/tank/a.iso"}
    assert list(bench.pool.iterdir()) == []


async def test_a_start_needs_the_image(bench: Bench) -> None:
    assert list(await cdrom().preflight(bench.ctx)) == ["/mnt/tank/a.iso does not exist"]
    bench.file("a.iso")
    assert list(await cdrom().preflight(bench.ctx)) == []


def test_the_image_outlives_the_drive() -> None:
    assert cdrom().storage(zvol=True, raw_file=True) is None


async def test_a_name_cannot_become_markup(bench: Bench) -> None:
    device = cdrom(bench.file("\"'><boot order='1'.iso"))
    (element,) = device.xml(await device.resolve(bench.ctx), Slots())
    assert b"<boot order='1'" not in to_bytes(element)
    source = element.find("source")
    assert source is not None
    assert source.get("file") == str(bench.pool / "\"'><boot order='1'.iso")


def test_people_know_it_by_its_image() -> None:
    assert cdrom().identity == "/mnt/tank/a.iso"
    assert (cdrom().boots_first, cdrom().caution) == (False, None)
