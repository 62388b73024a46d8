"""The host port on Linux: /proc and /sys, read when asked."""

import asyncio
import contextlib
import ipaddress
import os
import pwd
import stat
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from vmstead.adapters import (
    hardware,
    linux_counters,
    linux_disks,
    linux_machine,
    linux_network,
    linux_services,
)
from vmstead.adapters.listening import listening_ports
from vmstead.ports.counters import HostCounters
from vmstead.ports.disks import BlockDevice
from vmstead.ports.hardware import PciAddress, PciDevice, UsbDevice
from vmstead.ports.host import Interface, Memory
from vmstead.ports.machine import Machine, RunState, ServiceNames, ServiceState, TimeServer
from vmstead.ports.network import Link, NetworkSettings

_BOOT_ID = "sys/kernel/random/boot_id"
_ROUTE_UP, _ROUTE_GATEWAY = 0x1, 0x2


class LinuxHost:
    """The machine this process runs on.

    Args:
        firmware_folder: where the distribution's UEFI images lie.
        proc: where the kernel tells of processes, memory and connections.
        sys: where it tells of devices.
        etc: where programs are told how to behave.
        run: where they say that they are there.
        systemctl: the program to ask where systemd is in charge.
    """

    def __init__(
        self,
        firmware_folder: Path = Path("/usr/share/OVMF"),
        *,
        proc: Path = Path("/proc"),
        sys: Path = Path("/sys"),
        etc: Path = Path("/etc"),
        run: Path = Path("/run"),
        systemctl: str = "systemctl",
    ) -> None:
        self._firmware_folder = firmware_folder
        self._proc = proc
        self._sys = sys
        self._etc = etc
        self._run = run
        self._systemctl = systemctl

    async def memory(self) -> Memory:
        return await asyncio.to_thread(linux_counters.read_memory, self._proc)

    async def counters(self) -> HostCounters:
        return await asyncio.to_thread(linux_counters.counters, self._proc, self._sys)

    async def huge_pages(self) -> Mapping[int, int]:
        return await asyncio.to_thread(linux_counters.read_huge_pages, self._sys)

    async def resident(self, pids: Mapping[str, int]) -> Mapping[str, int]:
        return await asyncio.to_thread(_resident, self._proc, pids)

    async def boot_id(self) -> str:
        return (await asyncio.to_thread((self._proc / _BOOT_ID).read_text)).strip()

    async def cpus(self) -> int:
        return os.cpu_count() or 1

    async def interfaces(self) -> Mapping[str, Interface]:
        return await asyncio.to_thread(_interfaces, self._sys / "class/net")

    async def default_interface(self) -> str | None:
        return await asyncio.to_thread(_default_interface, self._proc / "net/route")

    async def listening_ports(self) -> frozenset[int]:
        return await asyncio.to_thread(listening_ports, self._proc)

    async def firmware(self) -> frozenset[str]:
        return await asyncio.to_thread(_names, self._firmware_folder)

    async def unreachable_for(self, user: str, path: Path) -> Path | None:
        return await asyncio.to_thread(_unreachable_for, user, path)

    async def pci_devices(self) -> Mapping[PciAddress, PciDevice]:
        return await asyncio.to_thread(hardware.pci_devices, self._sys)

    async def usb_devices(self) -> Mapping[str, UsbDevice]:
        return await asyncio.to_thread(hardware.usb_devices, self._sys)

    async def has_iommu(self) -> bool:
        return await asyncio.to_thread(hardware.has_iommu, self._sys)

    async def processor_flags(self) -> frozenset[str]:
        return await asyncio.to_thread(_processor_flags, self._proc / "cpuinfo")

    async def addresses(self) -> Sequence[str]:
        return await asyncio.to_thread(_addresses, self._proc / "net")

    async def machine(self) -> Machine:
        return await asyncio.to_thread(linux_machine.read_machine, self._proc, self._sys, self._etc)

    async def uptime(self) -> float:
        return await asyncio.to_thread(linux_machine.read_uptime, self._proc)

    async def load(self) -> tuple[float, float, float]:
        return await asyncio.to_thread(linux_machine.read_load, self._proc)

    async def time_servers(self) -> Sequence[TimeServer]:
        return await asyncio.to_thread(linux_machine.read_time_servers, self._etc)

    async def run_state(self) -> RunState:
        return await linux_services.run_state(self._systemctl, self._run)

    async def services(self, wanted: Mapping[str, ServiceNames]) -> Mapping[str, ServiceState]:
        return await linux_services.services(self._systemctl, self._proc, self._etc, self._run, wanted)

    async def power(self, *, restart: bool) -> None:
        await linux_services.power(self._systemctl, self._run, restart=restart)

    async def links(self) -> Sequence[Link]:
        return await asyncio.to_thread(linux_network.read_links, self._sys)

    async def network_settings(self) -> NetworkSettings:
        names = await asyncio.to_thread(linux_network.read_names, self._etc, self._run)
        return replace(names, gateways=tuple(await asyncio.to_thread(linux_network.read_gateways)))

    async def disks(self) -> Sequence[BlockDevice]:
        return await asyncio.to_thread(linux_disks.read_disks, self._sys)


def _processor_flags(table: Path) -> frozenset[str]:
    """Those of the first processor; Intel's virtualization has a line of its own."""
    found: dict[str, str] = {}
    for line in table.read_text().splitlines():
        name, _, text = line.partition(":")
        if name.strip() in {"flags", "vmx flags"}:
            found.setdefault(name.strip(), text)
    return frozenset(" ".join(found.values()).split())


def _addresses(net: Path) -> list[str]:
    """IPv4 addresses from the table of routes that end here, IPv6 addresses from their own table."""
    found: set[ipaddress.IPv4Address | ipaddress.IPv6Address] = set()
    candidate = ""
    for line in (net / "fib_trie").read_text().splitlines():
        if "|-- " in line:
            candidate = line.rpartition(" ")[2]
        elif line.split()[1:] == ["host", "LOCAL"]:
            found.add(ipaddress.IPv4Address(candidate))
    with contextlib.suppress(FileNotFoundError):  # no IPv6
        for line in (net / "if_inet6").read_text().splitlines():
            found.add(ipaddress.IPv6Address(int(line.split()[0], 16)))
    usable = [each for each in found if not (each.is_link_local or each.is_loopback)]
    return [str(each) for each in sorted(usable, key=lambda each: (each.version, int(each)))]


def _resident(proc: Path, pids: Mapping[str, int]) -> dict[str, int]:
    page = os.sysconf("SC_PAGE_SIZE")
    found = {}
    for key, pid in pids.items():
        try:
            found[key] = int((proc / str(pid) / "statm").read_text().split()[1]) * page
        except (OSError, IndexError):
            continue  # the process is gone
    return found


def _interfaces(net: Path) -> dict[str, Interface]:
    found = {}
    for folder in sorted(net.iterdir()):
        try:
            parts = frozenset(os.listdir(folder))
        except OSError:
            continue  # it is no folder, or gone
        # A port of a bond carries nothing of its own.
        if folder.name == "lo" or "bonding_slave" in parts:
            continue
        is_bridge = "bridge" in parts
        found[folder.name] = Interface(
            name=folder.name,
            is_bridge=is_bridge,
            bridge=(folder / "brport" / "bridge").resolve().name if "brport" in parts else None,
            is_wireless=not parts.isdisjoint({"wireless", "phy80211"}),
            is_virtual="device" not in parts and not _stands_for_devices(folder, parts),
            description="bridge" if is_bridge else "",
        )
    return found


def _stands_for_devices(folder: Path, parts: frozenset[str]) -> bool:
    """A bond or a VLAN: it has no device itself and leads to those of others."""
    with contextlib.suppress(OSError):
        if "DEVTYPE=vlan" in (folder / "uevent").read_text().splitlines():
            return True
    return "bonding" in parts


def _default_interface(table: Path) -> str | None:
    """The interface of the default route with the lowest metric."""
    routes = []
    for line in table.read_text().splitlines()[1:]:
        name, destination, _, flags, _, _, metric, mask, *_ = line.split()
        wanted = _ROUTE_UP | _ROUTE_GATEWAY
        if destination == mask == "00000000" and int(flags, 16) & wanted == wanted:
            routes.append((int(metric), name))
    return min(routes)[1] if routes else None


def _names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except FileNotFoundError:
        return frozenset()


def _unreachable_for(user: str, path: Path) -> Path | None:
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        return None
    groups = os.getgrouplist(user, account.pw_gid)
    # The way goes through the folders as they are written and through those that links lead to.
    for folder in (*reversed(path.parents), *reversed(Path(os.path.realpath(path)).parents)):
        # What is not there yet will be made so that it can be entered.
        with contextlib.suppress(FileNotFoundError):
            if not may_enter(folder.stat(), account.pw_uid, groups):
                return folder
    return None


def may_enter(folder: os.stat_result, uid: int, groups: list[int]) -> bool:
    """Whether a folder lets a user with these groups through to what is in it."""
    mode = stat.S_IMODE(folder.st_mode)
    if uid == 0:
        return True
    if uid == folder.st_uid:
        return bool(mode & 0o100)
    return bool(mode & 0o010) if folder.st_gid in groups else bool(mode & 0o001)
