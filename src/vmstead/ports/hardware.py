"""Devices of the host that a guest can be given: what is known of a PCI function and of a USB device.

Names are libvirt's, which TrueNAS shows to clients: ``pci_0000_01_00_0``, ``usb_1_4_2``.
"""

import re
from dataclasses import dataclass

_PCI = re.compile(r"(?:pci_)?([0-9a-f]{4,8})[:_]([0-9a-f]{2})[:_]([0-9a-f]{2})[._]([0-7])", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class PciAddress:
    """Where a PCI function is."""

    domain: int
    bus: int
    slot: int
    function: int

    @classmethod
    def parse(cls, text: str) -> "PciAddress":
        """From ``0000:01:00.0`` or ``pci_0000_01_00_0``.

        Raises:
            ValueError: it is neither.
        """
        match = _PCI.fullmatch(text)
        if match is None or int(match[3], 16) > 0x1F:
            raise ValueError(f"{text!r} is no PCI address such as 0000:01:00.0")
        return cls(*(int(part, 16) for part in match.groups()))

    @property
    def node(self) -> str:
        """libvirt's name for it."""
        return f"pci_{self.domain:04x}_{self.bus:02x}_{self.slot:02x}_{self.function:x}"

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.slot:02x}.{self.function:x}"


#: Classes (the upper two bytes) that the host cannot do without.
_HOST_BRIDGE, _ISA_BRIDGE, _PCI_BRIDGE, _SMBUS, _RAM = 0x0600, 0x0601, 0x0604, 0x0C05, 0x0500
_BRIDGES = {_HOST_BRIDGE, _ISA_BRIDGE, _PCI_BRIDGE}


@dataclass(frozen=True, slots=True)
class PciDevice:
    """A PCI function of the host.

    Attributes:
        class_code: 24 bits: class, subclass, programming interface.
        vendor, product, class_name: for people; empty where nothing is known.
        driver: the host's driver that has it, None when none has.
        iommu_group: number of its group, None without an IOMMU.
        can_reset: the host can put it into its initial state between two guests.
        behind: addresses of the bridges between it and the processor, outermost first.
        path: where the kernel tells of it.
    """

    address: PciAddress
    class_code: int
    vendor: str = ""
    product: str = ""
    class_name: str = ""
    driver: str | None = None
    iommu_group: int | None = None
    can_reset: bool = False
    behind: tuple[PciAddress, ...] = ()
    path: str = ""

    @property
    def is_bridge(self) -> bool:
        """It connects buses, and is never given to a guest."""
        return self.class_code >> 8 in _BRIDGES

    @property
    def is_vital(self) -> bool:
        """The host itself lives from it: chipset, memory, sensors."""
        return self.class_code >> 8 in {_HOST_BRIDGE, _ISA_BRIDGE, _SMBUS, _RAM}

    @property
    def is_free(self) -> bool:
        """No driver of the host works with it: ``vfio-pci`` holds it for guests, or none has it."""
        return self.driver in {None, "vfio-pci"}


@dataclass(frozen=True, slots=True)
class UsbDevice:
    """A USB device that is plugged in.

    Attributes:
        node: libvirt's name, made from the ports it is plugged into: ``usb_1_4_2`` is bus 1, port 4, port 2.
        bus, device: where the kernel has put it; the latter is another number after each plugging.
        vendor_id, product_id: 16 bits each.
        vendor, product: for people; empty where nothing is known.
        serial: its serial number, empty when it has none.
        is_hub: others are plugged into it.
    """

    node: str
    bus: int
    device: int
    vendor_id: int
    product_id: int
    vendor: str = ""
    product: str = ""
    serial: str = ""
    is_hub: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All names it answers to: its place, and what it is, with which it is found in any place."""
        made = f"usb_{self.vendor_id:04x}_{self.product_id:04x}"
        return (self.node, made, f"{made}_{self.serial}") if self.serial else (self.node, made)
