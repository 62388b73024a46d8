"""PCI and USB devices as the kernel shows them: a board that was written down, and this machine itself."""

from pathlib import Path

import pytest

from tests.unit.adapters.sysfs import PCI_FUNCTIONS, build, pci_record, usb_record
from vmstead.adapters.hardware import has_iommu, pci_devices, usb_devices
from vmstead.adapters.linux_host import LinuxHost
from vmstead.ports.hardware import PciAddress, PciDevice, UsbDevice

PCI_IDS = """# comment
10de  NVIDIA Corporation
# comments and empty lines stand among a vendor's products, too

\t1c82  GP107 [GeForce GTX 1050 Ti]
\t\t10de 11bf  A board of somebody's
\t1c83  GP107 [GeForce GTX 1050]
144d  Samsung Electronics Co Ltd
\ta808  NVMe SSD Controller SM981
1ae0  Google, Inc.
C 01  Mass storage controller
\t08  Non-Volatile memory controller
\t\t02  NVM Express
C 03  Display controller
\t00  VGA compatible controller
"""
USB_IDS = """046d  Logitech, Inc.
\tc52b  Unifying Receiver
05e3  Genesys Logic, Inc.
\t0608  Hub
"""


@pytest.fixture
def sys(tmp_path: Path) -> Path:
    build(tmp_path / "sys", pci_record() + "\n" + usb_record())
    return tmp_path / "sys"


@pytest.fixture
def ids(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "misc"
    folder.mkdir()
    (folder / "pci.ids").write_text(PCI_IDS)
    (folder / "usb.ids").write_text(USB_IDS)
    return [tmp_path / "nothing", folder]


def at(text: str) -> PciAddress:
    return PciAddress.parse(text)


def test_a_graphics_card_is_told_with_everything_known_of_it(sys: Path, ids: list[Path]) -> None:
    devices = pci_devices(sys, ids)
    assert sorted(map(str, devices)) == sorted(PCI_FUNCTIONS)
    assert devices[at("0000:01:00.0")] == PciDevice(
        address=at("0000:01:00.0"),
        class_code=0x030000,
        vendor="NVIDIA Corporation",
        product="GP107 [GeForce GTX 1050 Ti]",
        class_name="VGA compatible controller",
        driver="nouveau",
        iommu_group=1,
        can_reset=True,
        behind=(at("0000:00:01.0"),),
        path=str(sys / "devices/pci0000:00/0000:00:01.0/0000:01:00.0"),
    )


def test_what_no_table_knows_has_no_name_and_what_is_missing_is_none(sys: Path, ids: list[Path]) -> None:
    bridge = pci_devices(sys, ids)[at("0000:03:00.0")]
    assert (bridge.vendor, bridge.product, bridge.class_name, bridge.driver) == ("", "", "", None)
    assert not bridge.can_reset
    assert pci_devices(sys, [])[at("0000:01:00.0")].vendor == ""


def test_domains_may_have_more_than_four_digits(sys: Path, ids: list[Path]) -> None:
    device = pci_devices(sys, ids)[at("10000:e1:00.0")]
    assert (device.address.domain, device.address.node) == (0x10000, "pci_10000_e1_00_0")


def test_an_iommu_is_there_when_it_has_groups(tmp_path: Path, sys: Path, ids: list[Path]) -> None:
    assert has_iommu(sys)
    build(tmp_path / "off", pci_record(iommu=False))
    assert not has_iommu(tmp_path / "off")
    assert not has_iommu(tmp_path / "nothing")
    assert {each.iommu_group for each in pci_devices(tmp_path / "off", ids).values()} == {None}


def test_usb_devices_are_told_without_interfaces_and_the_controllers_hubs(sys: Path, ids: list[Path]) -> None:
    devices = usb_devices(sys, ids)
    assert devices == {
        "usb_1_4": UsbDevice(
            "usb_1_4", 1, 2, 0x05E3, 0x0608, "Genesys Logic, Inc.", "USB2.0 Hub", is_hub=True
        ),
        "usb_1_4_2": UsbDevice("usb_1_4_2", 1, 7, 0x0781, 0x5581, "SanDisk", "Ultra", "4C530001"),
        "usb_1_4_3": UsbDevice("usb_1_4_3", 1, 8, 0x0781, 0x5581, "SanDisk", "Ultra", "4C530002"),
        "usb_2_1": UsbDevice("usb_2_1", 2, 3, 0x046D, 0xC52B, "Logitech, Inc.", "Unifying Receiver"),
    }


def test_what_a_device_says_of_itself_becomes_one_line(sys: Path, ids: list[Path]) -> None:
    (sys / "devices/usb/2-1/product").write_bytes(b"  Evil\x1b[2J\n\xff device \n")
    assert usb_devices(sys, ids)["usb_2_1"].product == "Evil [2J \ufffd device"


def test_a_device_that_is_pulled_out_meanwhile_is_left_out(sys: Path, ids: list[Path]) -> None:
    (sys / "devices/usb/2-1/devnum").unlink()
    assert "usb_2_1" not in usb_devices(sys, ids)


def test_a_machine_without_such_buses_has_no_such_devices(tmp_path: Path) -> None:
    assert pci_devices(tmp_path) == {}
    assert usb_devices(tmp_path) == {}


async def test_this_machine_can_be_read() -> None:
    host = LinuxHost()
    assert all(str(address) in device.path for address, device in (await host.pci_devices()).items())
    assert all(node == device.node for node, device in (await host.usb_devices()).items())
    assert await host.has_iommu() in {True, False}
