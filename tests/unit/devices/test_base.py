"""What is true of every device type, and the names and numbers that a domain's devices share."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
from pydantic import ValidationError

from tests.unit.devices.support import Bench, placed, refusals
from vmstead.devices import TYPES, Device, Placed, Slots, load
from vmstead.devices.base import problem
from vmstead.errors import Problem
from vmstead.kernel.model import Field

#: The least that a client can send of each type.
LEAST: dict[str, dict[str, Any]] = {
    "CDROM": {"path": "/mnt/tank/a.iso"},
    "DISK": {"path": "/dev/zvol/tank/a"},
    "DISPLAY": {},
    "NIC": {},
    "PCI": {"pptdev": "0000:01:00.0"},
    "RAW": {"path": "/mnt/tank/a.img"},
    "USB": {"device": "usb_1_2"},
}


class Plain(Device):
    """A type without needs."""

    colour: str = Field("red", description="Colour.")


def make(dtype: str, **attributes: Any) -> Device:
    return TYPES[dtype].model_validate({"dtype": dtype, **LEAST[dtype], **attributes})


def test_a_problem_is_below_the_attributes_and_a_wrong_value_unless_told_otherwise() -> None:
    assert problem("path", "is bad") == Problem("attributes.path", "is bad", 22)
    assert problem("path", "is gone", 2) == Problem("attributes.path", "is gone", 2)


# --- every type -------------------------------------------------------------------------------------


def test_these_are_the_types() -> None:
    assert sorted(TYPES) == sorted(LEAST)


@pytest.mark.parametrize("dtype", TYPES)
def test_what_a_type_does_not_know_is_refused(dtype: str) -> None:
    assert refusals(TYPES[dtype], **LEAST[dtype], colour="red") == {
        "colour": "Extra inputs are not permitted"
    }


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("other", ["", "TAPE", None])
def test_a_type_takes_no_other_name(dtype: str, other: object) -> None:
    assert refusals(TYPES[dtype], **LEAST[dtype], dtype=other) == {"dtype": f"Input should be '{dtype}'"}
    assert refusals(TYPES[dtype], **LEAST[dtype], dtype=dtype.lower()) == {
        "dtype": f"Input should be '{dtype}'"
    }


@pytest.mark.parametrize("dtype", TYPES)
def test_a_device_does_not_change_later(dtype: str) -> None:
    device = make(dtype)
    for name in device.entry():
        with pytest.raises(ValidationError, match="frozen"):
            setattr(device, name, None)
    assert device == make(dtype)


@pytest.mark.parametrize("dtype", TYPES)
def test_what_is_stored_is_read_back_as_the_same_device(dtype: str) -> None:
    device = make(dtype)
    assert load(device.entry()) == device
    assert device.entry()["dtype"] == dtype


@pytest.mark.parametrize("dtype", TYPES)
def test_what_clients_read_they_can_send_back(dtype: str) -> None:
    device = make(dtype)
    assert TYPES[dtype].model_validate(device.entry()) == device


def test_attributes_of_an_older_version_get_defaults_and_those_of_a_newer_one_are_left_out() -> None:
    device = load({"dtype": "NIC", "mac": "02:00:00:00:00:01", "speed": 10})
    assert device == make("NIC", mac="02:00:00:00:00:01")
    assert "speed" not in device.entry()


def test_what_was_stored_is_not_checked_again() -> None:
    attributes = {**make("DISPLAY").entry(), "resolution": "320x200", "port": 80}
    assert load(attributes).entry() == attributes


@pytest.mark.parametrize(
    ("dtype", "order"), [("CDROM", 1000), ("DISK", 1001), ("RAW", 1001), ("NIC", 1002), ("DISPLAY", 1002)]
)
def test_without_an_order_a_device_has_that_of_its_type(dtype: str, order: int) -> None:
    for none in (None, 0):
        assert Placed(1, 1, none, make(dtype)).effective_order == order
    assert Placed(1, 1, 7, make(dtype)).effective_order == 7


@pytest.mark.parametrize(
    ("id", "label"),
    [(1, "device 1"), (12, "device 12"), (0, "another new device"), (-1, "another new device")],
)
def test_texts_name_only_ids_that_there_are(id: int, label: str) -> None:
    assert Placed(id, 1, None, Plain()).label == label


async def test_a_type_needs_to_say_only_what_concerns_it(bench: Bench) -> None:
    device, others = Plain(colour="blue"), placed(Plain(), Plain())
    async with AsyncExitStack() as steps:
        assert await device.complete(bench.ctx, others, None) == device
        assert list(device.check(others, None)) == []
        assert await device.examine(bench.ctx, others, None) == []
        assert await device.provision(bench.ctx, steps, None) == device
        assert await device.copy_for("copy", bench.ctx, steps) == device
    assert list(await device.preflight(bench.ctx)) == []
    assert device.storage(zvol=True, raw_file=True) is None
    assert (device.boots_first, device.caution, device.identity) == (False, None, "")
    with pytest.raises(NotImplementedError):
        device.xml(await device.resolve(bench.ctx), Slots())


# --- names and numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "sda"),
        (1, "sdb"),
        (25, "sdz"),
        (26, "sdaa"),
        (51, "sdaz"),
        (52, "sdba"),
        (701, "sdzz"),
        (702, "sdaaa"),
        (18277, "sdzzz"),
    ],
)
def test_disks_are_named_as_the_kernel_names_them(number: int, name: str) -> None:
    assert Slots(targets={"sd": number}).target("sd") == name


def test_no_disk_name_is_given_twice_and_each_prefix_starts_at_a() -> None:
    slots = Slots()
    names = [slots.target(prefix) for prefix in ("sd", "vd", "sd", "vd", "vd")]
    assert names == ["sda", "vda", "sdb", "vdb", "vdc"]
    many = [slots.target("sd") for _ in range(800)]
    assert len(set(many)) == 800


def test_the_boot_order_counts_from_one() -> None:
    slots = Slots()
    assert [slots.boot() for _ in range(3)] == [1, 2, 3]


def test_who_boots_first_comes_before_all_others_wherever_it_stands() -> None:
    slots = Slots(kept=2)
    assert [slots.boot(), slots.boot(first=True), slots.boot(), slots.boot(first=True)] == [3, 1, 4, 2]


def test_what_a_domain_has_one_of_is_given_once() -> None:
    slots = Slots()
    assert [slots.once(what) for what in ("video", "pointer", "video", "video", "pointer")] == [
        True,
        True,
        False,
        False,
        False,
    ]


def test_one_domain_takes_nothing_from_another() -> None:
    first = Slots()
    first.target("sd"), first.boot(), first.once("video")
    second = Slots()
    assert (second.target("sd"), second.boot(), second.once("video")) == ("sda", 1, True)
