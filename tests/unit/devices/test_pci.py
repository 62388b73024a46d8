"""PCI: which of a host's devices a guest can have, and what keeps one back at a start."""

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.unit.adapters.sysfs import build, pci_record
from tests.unit.devices.support import Bench, placed, refusals, told
from tests.unit.vm.support import vm_values
from vmstead.adapters.hardware import pci_devices
from vmstead.devices import Slots
from vmstead.devices.pci import Pci, details, is_critical, unusable
from vmstead.kernel.xml import to_bytes
from vmstead.ports.hardware import PciAddress, PciDevice

GPU, SOUND, NVME = "0000:01:00.0", "0000:01:00.1", "0000:02:00.0"
XHCI, HOST_BRIDGE, PORT, EMPTY_PORT = "0000:00:14.0", "0000:00:00.0", "0000:00:1d.0", "0000:00:1c.0"


def at(text: str) -> PciAddress:
    return PciAddress.parse(text)


def pci(pptdev: str) -> Pci:
    return Pci(pptdev=pptdev)


@pytest.fixture
def devices(tmp_path: Path) -> dict[PciAddress, PciDevice]:
    build(tmp_path / "sys", pci_record())
    return pci_devices(tmp_path / "sys", [])


@pytest.fixture
def bench(bench: Bench, devices: dict[PciAddress, PciDevice]) -> Bench:
    """A host with the board's devices."""
    bench.machine.pci = list(devices.values())
    return bench


# --- addresses ------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [GPU, "pci_0000_01_00_0", "0000:01:00.0".upper()])
def test_an_address_is_taken_in_both_forms_and_read_back_as_it_was_sent(text: str) -> None:
    assert pci(text).entry() == {"dtype": "PCI", "pptdev": text}
    assert pci(text).address == at(GPU)
    assert str(at(GPU)) == GPU


@pytest.mark.parametrize(
    "text", ["01:00.0", "0000:01:00.8", "0000:01:20.0", "0000:01:00", "gpu", "0000:01:00.0\n"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    message = "Value error, Not a PCI address; write it like 0000:01:00.0 or pci_0000_01_00_0"
    assert refusals(Pci, pptdev=text) == {"pptdev": message}


# --- which can be had -----------------------------------------------------------------------------


def test_the_host_keeps_what_it_lives_from(devices: dict[PciAddress, PciDevice]) -> None:
    critical = {str(address) for address in devices if is_critical(address, devices)}
    # The port 1d.0 has the ISA bridge behind it.
    assert critical == {HOST_BRIDGE, PORT, "0000:03:00.0", "0000:00:1f.4"}


def test_without_an_iommu_group_a_device_is_critical(tmp_path: Path) -> None:
    build(tmp_path / "off", pci_record(iommu=False))
    devices = pci_devices(tmp_path / "off", [])
    assert all(is_critical(address, devices) for address in devices)


@pytest.mark.parametrize(
    ("address", "has_iommu", "text"),
    [
        (GPU, True, None),
        (NVME, True, None),
        ("0000:ff:00.0", True, "this host has no PCI device 0000:ff:00.0"),
        (GPU, False, "this host has no IOMMU in use"),
        (HOST_BRIDGE, True, "the host needs it itself"),
        (EMPTY_PORT, True, "the host needs it itself"),
    ],
)
def test_why_a_device_cannot_be_had(
    devices: dict[PciAddress, PciDevice], address: str, has_iommu: bool, text: str | None
) -> None:
    reason = unusable(at(address), devices, has_iommu=has_iommu)
    assert (reason is None) if text is None else text in (reason or "")


async def test_a_device_that_cannot_be_had_is_refused_at_once(bench: Bench) -> None:
    assert await pci(GPU).examine(bench.ctx, [], None) == []
    ((field, text),) = told(await pci(HOST_BRIDGE).examine(bench.ctx, [], None))
    assert field == "attributes.pptdev"
    assert text.startswith("0000:00:00.0 cannot be given to a guest: the host needs it itself")
    bench.machine.iommu = False
    ((_, text),) = told(await pci(GPU).examine(bench.ctx, [], None))
    assert "intel_iommu=on" in text


async def test_no_two_vms_have_one_device_however_it_is_spelt(bench: Bench) -> None:
    others = placed(pci("pci_0000_01_00_0"), vm=7)
    assert told(await pci(GPU).examine(bench.ctx, others, None)) == [
        ("attributes.pptdev", f"{GPU} is device 1 of VM 7 already")
    ]
    assert await pci(SOUND).examine(bench.ctx, others, None) == []


async def test_an_edit_does_not_fail_because_the_device_has_gone(bench: Bench) -> None:
    bench.machine.pci = []
    assert await pci(GPU).examine(bench.ctx, [], pci("pci_0000_01_00_0")) == []
    assert len(await pci(GPU).examine(bench.ctx, [], pci(NVME))) == 1


# --- starting -------------------------------------------------------------------------------------


async def obstacles(bench: Bench, device: Pci) -> list[str]:
    return list(await device.preflight(bench.ctx))


async def store(bench: Bench, *addresses: str) -> None:
    """A VM with these devices."""
    devices = [(None, pci(address).entry()) for address in addresses]
    await bench.ctx.vms.write(bench.ctx.vms.insert_with_devices(vm_values(name="a"), devices))


async def test_a_group_goes_to_one_guest_as_a_whole(bench: Bench) -> None:
    bench.engine.become()
    await store(bench, GPU)
    (text,) = await obstacles(bench, pci(GPU))
    assert text == (
        f"{GPU} shares IOMMU group 1 with {SOUND} (snd_hda_intel), which the host uses: "
        "add them to this VM too, or take them from their drivers"
    )


async def test_with_its_whole_group_a_device_can_be_had(bench: Bench) -> None:
    bench.engine.become()
    await store(bench, GPU, SOUND)
    assert await obstacles(bench, pci(GPU)) == await obstacles(bench, pci(SOUND)) == []


async def test_a_device_that_has_gone_keeps_the_vm_from_starting(bench: Bench) -> None:
    bench.engine.become()
    bench.machine.pci = []
    (text,) = await obstacles(bench, pci(GPU))
    assert text.startswith(f"this host has no PCI device {GPU}")


async def test_an_engine_without_rights_can_hand_out_nothing(bench: Bench) -> None:
    bench.engine.become(privileged=False)
    assert await obstacles(bench, pci(NVME)) == [f"the PCI device {NVME} needs a libvirt that runs as root"]


def test_the_document_has_the_address_in_hexadecimal() -> None:
    (element,) = pci("10000:e1:1f.7").xml(None, Slots())
    assert to_bytes(element).decode() == (
        '<hostdev mode="subsystem" type="pci" managed="yes">\n'
        '  <driver name="vfio" />\n'
        "  <source>\n"
        '    <address domain="0x10000" bus="0xe1" slot="0x1f" function="0x7" />\n'
        "  </source>\n"
        "</hostdev>"
    )


async def test_a_clone_leaves_it_with_the_original(bench: Bench) -> None:
    async with AsyncExitStack() as steps:
        assert await pci(GPU).copy_for("b", bench.ctx, steps) is None


# --- what clients read ----------------------------------------------------------------------------


def test_the_details_have_truenas_shape(devices: dict[PciAddress, PciDevice]) -> None:
    shown: dict[str, Any] = details(at(NVME), devices, has_iommu=True)
    path = shown.pop("device_path")
    assert path.endswith("/0000:00:1c.0/0000:02:00.0")
    assert shown == {
        "capability": {
            "class": "0x010802",
            "domain": "0",
            "bus": "2",
            "slot": "0",
            "function": "0",
            "product": "Not Available",
            "vendor": "Not Available",
        },
        "controller_type": None,
        "critical": False,
        "iommu_group": {
            "number": 13,
            "addresses": [{"domain": "0x0000", "bus": "0x02", "slot": "0x00", "function": "0x0"}],
        },
        "available": True,
        "drivers": ["vfio-pci"],
        "error": None,
        "reset_mechanism_defined": True,
        "description": "0000:02:00.0 'Unknown': Not Available by 'Not Available'",
    }


def test_a_device_that_the_host_uses_is_not_available_but_no_error(
    devices: dict[PciAddress, PciDevice],
) -> None:
    shown = details(at(GPU), devices, has_iommu=True)
    assert (shown["available"], shown["error"], shown["drivers"]) == (False, None, ["nouveau"])
    assert len(shown["iommu_group"]["addresses"]) == 3
