"""The machine that the server runs on: what it has, for checks and choices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vmstead.ports.counters import HostCounting
from vmstead.ports.disks import DiskFacts
from vmstead.ports.hardware import PciAddress, PciDevice, UsbDevice
from vmstead.ports.machine import MachineFacts
from vmstead.ports.network import NetworkFacts


@dataclass(frozen=True, slots=True)
class Interface:
    """A network interface of the host.

    Attributes:
        name: as the kernel has it.
        is_bridge: it is an Ethernet bridge.
        bridge: the bridge it is a port of, None when of none.
        is_wireless: it cannot carry frames of other MAC addresses.
        is_virtual: no device is behind it (tap, veth, bridge, …); bonds and VLANs lead to those of others.
        description: for a choice list; empty when there is nothing to add to the name.
    """

    name: str
    is_bridge: bool = False
    bridge: str | None = None
    is_wireless: bool = False
    is_virtual: bool = False
    description: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of memory: all of it, and what could be given to programs without swapping.

    ``cache``: what ZFS's cache (ARC) holds besides, and gives up when programs need it.
    """

    total: int
    available: int
    cache: int = 0


class Host(MachineFacts, NetworkFacts, DiskFacts, HostCounting, Protocol):
    """Facts about the machine, read when asked. Errors of the operating system come through as ``OSError``."""

    async def memory(self) -> Memory:
        """Total and available memory now."""

    async def huge_pages(self) -> Mapping[int, int]:
        """How many huge pages nobody uses, by their size in bytes; nothing where the kernel has none."""

    async def resident(self, pids: Mapping[str, int]) -> Mapping[str, int]:
        """Bytes that each process holds in memory, by the key it was asked with; a gone process is left out."""

    async def boot_id(self) -> str:
        """What is another text after each start of the host."""

    async def cpus(self) -> int:
        """Number of processors that are online."""

    async def interfaces(self) -> Mapping[str, Interface]:
        """Network interfaces by name, without loopback and the ports of bonds."""

    async def default_interface(self) -> str | None:
        """The interface of the IPv4 default route, None when there is no such route."""

    async def listening_ports(self) -> frozenset[int]:
        """TCP ports on which something listens, on any address."""

    async def firmware(self) -> frozenset[str]:
        """Names of the UEFI images in the distribution's OVMF folder."""

    async def unreachable_for(self, user: str, path: Path) -> Path | None:
        """The first folder above ``path`` that ``user`` may not enter; None when all may be entered."""

    async def pci_devices(self) -> Mapping[PciAddress, PciDevice]:
        """PCI functions by address."""

    async def usb_devices(self) -> Mapping[str, UsbDevice]:
        """USB devices that are plugged in, by libvirt's name for them; without the hubs of the controllers."""

    async def has_iommu(self) -> bool:
        """Whether an IOMMU keeps PCI devices apart, so that a guest can have one."""

    async def processor_flags(self) -> frozenset[str]:
        """What the processors can do, in the kernel's words (``vmx``, ``svm``, ``npt``, …)."""

    async def addresses(self) -> Sequence[str]:
        """IP addresses of the interfaces that are up, without those of one link only."""
