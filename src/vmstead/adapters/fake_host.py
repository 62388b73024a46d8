"""A host that is what it is told to be: for tests, and for authors of clients who want another machine."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vmstead.ports.counters import HostCounters, ProcessorCounters
from vmstead.ports.disks import BlockDevice
from vmstead.ports.hardware import PciAddress, PciDevice, UsbDevice
from vmstead.ports.host import Interface, Memory
from vmstead.ports.machine import Machine, RunState, ServiceNames, ServiceState, TimeServer
from vmstead.ports.network import Link, LinkAddress, NetworkSettings

_GiB = 1024**3


@dataclass
class FakeHost:
    """The host port from values; every one can be changed at any time."""

    total: int = 64 * _GiB
    available: int = 48 * _GiB
    cache: int = 0
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
    itself: Machine = field(
        default_factory=lambda: Machine(
            "fake", id="0" * 32, processor="A processor", cores=4, timezone="Europe/Berlin"
        )
    )
    up_for: float = 86_400.5
    busy: tuple[float, float, float] = (0.5, 0.25, 0.125)
    clocks: list[TimeServer] = field(default_factory=list)
    state: RunState = RunState.RUNNING
    #: Services by the usual name of their unit, without ``.service``.
    units: dict[str, ServiceState] = field(default_factory=dict)
    #: The presses of its power button: what was asked for, ``poweroff`` or ``reboot``.
    presses: list[str] = field(default_factory=list)
    #: Why it cannot be shut down.
    power_failure: str | None = None
    plugged: list[Link] = field(
        default_factory=lambda: [
            Link("eth0", mac="02:00:00:00:00:01", is_up=True, addresses=(LinkAddress("192.0.2.10", 24),))
        ]
    )
    beyond: NetworkSettings = field(
        default_factory=lambda: NetworkSettings(("192.0.2.1",), ("192.0.2.53",), ("example.org",))
    )
    drives: list[BlockDevice] = field(default_factory=list)
    #: What is counted of processors, disks and interfaces; memory is that above.
    used: HostCounters = field(
        default_factory=lambda: HostCounters({"cpu": ProcessorCounters(0, 0)}, memory=0, available_memory=0)
    )

    #: Free huge pages, by their size.
    pages: dict[int, int] = field(default_factory=dict)

    async def memory(self) -> Memory:
        return Memory(self.total, self.available, self.cache)

    async def huge_pages(self) -> Mapping[int, int]:
        return dict(self.pages)

    async def counters(self) -> HostCounters:
        return replace(self.used, memory=self.total, available_memory=self.available)

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

    async def machine(self) -> Machine:
        return self.itself

    async def uptime(self) -> float:
        return self.up_for

    async def load(self) -> tuple[float, float, float]:
        return self.busy

    async def time_servers(self) -> Sequence[TimeServer]:
        return list(self.clocks)

    async def run_state(self) -> RunState:
        return self.state

    async def services(self, wanted: Mapping[str, ServiceNames]) -> Mapping[str, ServiceState]:
        return {
            key: self.units.get(names.units[0].removesuffix(".service"), ServiceState())
            for key, names in wanted.items()
        }

    async def power(self, *, restart: bool) -> None:
        if self.power_failure is not None:
            raise OSError(self.power_failure)
        self.presses.append("reboot" if restart else "poweroff")
        self.state = RunState.STOPPING

    async def links(self) -> Sequence[Link]:
        return sorted(self.plugged, key=lambda link: link.name)

    async def network_settings(self) -> NetworkSettings:
        return self.beyond

    async def disks(self) -> Sequence[BlockDevice]:
        return sorted(self.drives, key=lambda disk: disk.name)
