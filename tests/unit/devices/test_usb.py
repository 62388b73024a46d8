"""USB: finding the device that is meant, and what the guest gets."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.unit.adapters.sysfs import build, usb_record
from tests.unit.devices.support import Bench, placed, refusals, told
from vmstead.adapters.hardware import usb_devices
from vmstead.devices import Slots, load
from vmstead.devices.display import Display
from vmstead.devices.usb import CONTROLLER_TYPES, Usb, details
from vmstead.kernel.xml import to_bytes
from vmstead.ports.hardware import UsbDevice

STICK = {"vendor_id": "0x0781", "product_id": "0x5581"}
RECEIVER = {"vendor_id": "0x046d", "product_id": "0xC52B"}
EACH_STICK = "usb_0781_5581_4C530002"


def usb(**attributes: Any) -> Usb:
    return Usb.model_validate(attributes)


@pytest.fixture
def plugged_in(tmp_path: Path) -> dict[str, UsbDevice]:
    build(tmp_path / "sys", usb_record())
    return usb_devices(tmp_path / "sys", [])


@pytest.fixture
def bench(bench: Bench, plugged_in: dict[str, UsbDevice]) -> Bench:
    """A host with a hub, two sticks and a receiver."""
    bench.machine.usb = list(plugged_in.values())
    return bench


# --- what can be sent -----------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0781", "0x", "0x12345", "0xg", "0x0781\n", ""])
def test_an_id_is_hexadecimal_with_its_prefix(text: str) -> None:
    assert list(refusals(Usb, usb={"vendor_id": text, "product_id": "0x1"})) == ["usb.vendor_id"]


def test_exactly_one_of_the_two_says_which_device_it_is() -> None:
    assert told(usb(usb=STICK, device="usb_2_1").check([], None)) == [
        ("attributes.usb", "must not be set together with device: one of the two says which it is")
    ]
    assert told(usb().check([], None)) == [
        ("attributes.device", "is required, or usb with vendor_id and product_id")
    ]
    assert [*usb(usb=STICK).check([], None), *usb(device="usb_2_1").check([], None)] == []


def test_a_stored_device_is_the_same_one_again() -> None:
    device = usb(usb=RECEIVER, controller_type="qemu-xhci")
    assert load(device.entry()) == device
    assert device.entry()["usb"] == RECEIVER


# --- which one is meant ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("device", "node"),
    [
        (usb(device="usb_1_4_3"), "usb_1_4_3"),
        (usb(device="usb_046d_c52b"), "usb_2_1"),
        (usb(device=EACH_STICK), "usb_1_4_3"),
        (usb(usb=RECEIVER), "usb_2_1"),
        (usb(usb=STICK), "usb_1_4_2"),
        (usb(device="usb_9_9"), None),
        (usb(usb={"vendor_id": "0x1", "product_id": "0x2"}), None),
    ],
)
def test_a_device_is_found_by_its_place_or_by_what_it_is(
    plugged_in: dict[str, UsbDevice], device: Usb, node: str | None
) -> None:
    found = device.found_in(plugged_in)
    assert (found.node if found else None) == node


async def test_a_stick_is_found_again_where_it_was_plugged_in_next(bench: Bench) -> None:
    bench.machine.usb = [UsbDevice("usb_3_2", 3, 19, 0x0781, 0x5581, "SanDisk", "Ultra", "4C530002")]
    for device in (usb(device=EACH_STICK), usb(usb=STICK)):
        found = await device.resolve(bench.ctx)
        assert found is not None
        assert (found.bus, found.device) == (3, 19)


async def test_what_is_not_plugged_in_is_refused_and_later_keeps_the_vm_from_starting(bench: Bench) -> None:
    device = usb(device="usb_9_9")
    text = "the USB device usb_9_9 is not plugged in"
    assert told(await device.examine(bench.ctx, [], None)) == [
        ("attributes.device", f"{text}; vm.device.usb_passthrough_choices lists what is")
    ]
    assert await device.examine(bench.ctx, [], device) == []
    assert list(await device.preflight(bench.ctx)) == [text]
    assert list(await usb(usb=STICK).preflight(bench.ctx)) == []


async def test_a_hub_is_not_given_away(bench: Bench) -> None:
    ((field, text),) = told(await usb(device="usb_1_4").examine(bench.ctx, [], None))
    assert (field, text) == (
        "attributes.device",
        "usb_1_4 is a hub; give the guest what is plugged into it",
    )


async def test_no_two_vms_have_one_device_however_it_is_named(bench: Bench) -> None:
    others = placed(usb(device=EACH_STICK), vm=3)
    assert told(await usb(device="usb_1_4_3").examine(bench.ctx, others, None)) == [
        ("attributes.device", "usb_1_4_3 is device 1 of VM 3 already")
    ]
    assert await usb(device="usb_1_4_2").examine(bench.ctx, others, None) == []


async def test_of_two_devices_of_a_kind_each_vm_has_its_own(bench: Bench) -> None:
    """By kind alone both would be the first that is plugged in."""
    others = placed(usb(usb=STICK), vm=3)
    assert told(await usb(usb=STICK).examine(bench.ctx, others, None)) == [
        ("attributes.usb", "0x0781:0x5581 is device 1 of VM 3 already")
    ]
    assert await usb(device="usb_1_4_3").examine(bench.ctx, others, None) == []


async def test_a_clone_leaves_it_with_the_original(bench: Bench) -> None:
    async with AsyncExitStack() as steps:
        assert await usb(usb=STICK).copy_for("b", bench.ctx, steps) is None


# --- the document ---------------------------------------------------------------------------------


def document(device: Usb, found: UsbDevice, slots: Slots) -> list[str]:
    return [to_bytes(element).decode() for element in device.xml(found, slots)]


def test_the_guest_finds_it_at_its_controller(plugged_in: dict[str, UsbDevice]) -> None:
    slots = Slots()
    list(Display(port=5900, web_port=5901).xml(None, slots))
    controller, hostdev = document(
        usb(usb=STICK, controller_type="qemu-xhci"), plugged_in["usb_1_4_2"], slots
    )
    assert controller == '<controller type="usb" model="qemu-xhci" index="1" />'
    assert hostdev == (
        '<hostdev mode="subsystem" type="usb" managed="yes">\n'
        "  <source>\n"
        '    <vendor id="0x0781" />\n'
        '    <product id="0x5581" />\n'
        '    <address bus="1" device="7" />\n'
        "  </source>\n"
        '  <address type="usb" bus="1" />\n'
        "</hostdev>"
    )


def test_devices_at_one_kind_of_controller_share_it(plugged_in: dict[str, UsbDevice]) -> None:
    slots = Slots()
    first = document(usb(usb=STICK), plugged_in["usb_1_4_2"], slots)
    second = document(usb(usb=RECEIVER), plugged_in["usb_2_1"], slots)
    assert (len(first), len(second)) == (2, 1)
    assert '<address type="usb" bus="0" />' in second[0]


def test_a_fast_controller_brings_those_for_slow_devices(plugged_in: dict[str, UsbDevice]) -> None:
    elements = document(usb(usb=STICK, controller_type="ich9-ehci1"), plugged_in["usb_1_4_2"], Slots())
    assert len(elements) == 5
    assert all('index="0"' in element for element in elements[:4])


def test_the_controllers_are_the_contracts() -> None:
    assert CONTROLLER_TYPES == (
        "piix3-uhci",
        "piix4-uhci",
        "ehci",
        "ich9-ehci1",
        "vt82c686b-uhci",
        "pci-ohci",
        "nec-xhci",
        "qemu-xhci",
    )


# --- what clients read ----------------------------------------------------------------------------


def test_the_details_have_truenas_shape(plugged_in: dict[str, UsbDevice]) -> None:
    assert details(plugged_in["usb_1_4_2"], "usb_1_4_2") == {
        "capability": {
            "product": "Ultra",
            "product_id": "0x5581",
            "vendor": "SanDisk",
            "vendor_id": "0x0781",
            "bus": "1",
            "device": "7",
        },
        "available": True,
        "error": None,
        "description": "Ultra by SanDisk",
    }
    assert details(plugged_in["usb_1_4"], "usb_1_4")["available"] is False
    unknown = details(None, "usb_9_9")
    assert (unknown["available"], unknown["error"]) == (False, "the USB device usb_9_9 is not plugged in")
