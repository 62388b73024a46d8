"""A host that is what it is told to be: for tests, and for authors of clients who want another machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from vmstead.ports.hardware import PciAddress, PciDevice, UsbDevice
from vmstead.ports.host import Interface, Memory

_GiB = 1024**3


@dataclass
class FakeHost:
    """The host port from values; every one can be changed at any time."""

    total: int = 64 * _GiB
    available: int = 48 * _GiB
    resident_bytes: dict[int, int] = field(default_factory=dict)
    boot: str = "first"
    processors: int = 8
    network: dict[str, Interface] = field(default_factory=dict)
    default_route: str | None = None
    ports: set[int] = field(default_factory=set)
    images: set[str] = field(
        default_factory=lambda: {
            "OVMF_CODE_4M.fd",
            "OVMF_VARS_4M.fd",
            "OVMF_CODE_4M.secboot.fd",
            "OVMF_VARS_4M.ms.fd",
        }
    )
    pci: list[PciDevice] = field(default_factory=list)
    usb: list[UsbDevice] = field(default_factory=list)
    iommu: bool = True
    flags: set[str] = field(default_factory=set)
    own_addresses: list[str] = field(default_factory=lambda: ["192.0.2.10", "2001:db8::10"])
    #: Folder that users other than root may not enter.
    barrier: Path | None = None

    async def memory(self) -> Memory:
        return Memory(self.total, self.available)

    async def resident(self, pids: Mapping[str, int]) -> Mapping[str, int]:
        return {key: self.resident_bytes[pid] for key, pid in pids.items() if pid in self.resident_bytes}

    async def boot_id(self) -> str:
        return self.boot

    async def cpus(self) -> int:
        return self.processors

    async def interfaces(self) -> Mapping[str, Interface]:
        return dict(self.network)

    async def default_interface(self) -> str | None:
        return self.default_route

    async def listening_ports(self) -> frozenset[int]:
        return frozenset(self.ports)

    async def firmware(self) -> frozenset[str]:
        return frozenset(self.images)

    async def unreachable_for(self, user: str, path: Path) -> Path | None:
        if self.barrier is not None and path.is_relative_to(self.barrier) and user != "root":
            return self.barrier
        return None

    async def pci_devices(self) -> Mapping[PciAddress, PciDevice]:
        return {device.address: device for device in self.pci}

    async def usb_devices(self) -> Mapping[str, UsbDevice]:
        return {device.node: device for device in self.usb}

    async def has_iommu(self) -> bool:
        return self.iommu

    async def processor_flags(self) -> frozenset[str]:
        return frozenset(self.flags)

    async def addresses(self) -> Sequence[str]:
        return list(self.own_addresses)
