"""The host port on Linux: /proc and /sys, read when asked."""

import asyncio
import contextlib
import os
import pwd
import stat
from collections.abc import Mapping
from pathlib import Path

from vmstead.ports.host import Interface, Memory

_NET = Path("/sys/class/net")
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_TCP_LISTEN = "0A"
_ROUTE_UP, _ROUTE_GATEWAY = 0x1, 0x2


class LinuxHost:
    """The machine this process runs on.

    Args:
        firmware_folder: where the distribution's UEFI images lie.
    """

    def __init__(self, firmware_folder: Path = Path("/usr/share/OVMF")) -> None:
        self._firmware_folder = firmware_folder

    async def memory(self) -> Memory:
        return await asyncio.to_thread(_memory)

    async def resident(self, pids: Mapping[str, int]) -> Mapping[str, int]:
        return await asyncio.to_thread(_resident, pids)

    async def boot_id(self) -> str:
        return (await asyncio.to_thread(_BOOT_ID.read_text)).strip()

    async def cpus(self) -> int:
        return os.cpu_count() or 1

    async def interfaces(self) -> Mapping[str, Interface]:
        return await asyncio.to_thread(_interfaces)

    async def default_interface(self) -> str | None:
        return await asyncio.to_thread(_default_interface)

    async def listening_ports(self) -> frozenset[int]:
        return await asyncio.to_thread(_listening_ports)

    async def firmware(self) -> frozenset[str]:
        return await asyncio.to_thread(_names, self._firmware_folder)

    async def unreachable_for(self, user: str, path: Path) -> Path | None:
        return await asyncio.to_thread(_unreachable_for, user, path)


def _memory() -> Memory:
    values = {}
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        values[name] = int(rest.split()[0]) * 1024
    return Memory(values["MemTotal"], values["MemAvailable"])


def _resident(pids: Mapping[str, int]) -> dict[str, int]:
    page = os.sysconf("SC_PAGE_SIZE")
    found = {}
    for key, pid in pids.items():
        try:
            found[key] = int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * page
        except (OSError, IndexError):
            continue  # the process is gone
    return found


def _interfaces() -> dict[str, Interface]:
    found = {}
    for folder in sorted(_NET.iterdir()):
        if folder.name == "lo" or not folder.is_dir():
            continue
        master = folder / "brport" / "bridge"
        found[folder.name] = Interface(
            name=folder.name,
            is_bridge=(folder / "bridge").is_dir(),
            bridge=master.resolve().name if master.exists() else None,
            is_wireless=(folder / "wireless").exists() or (folder / "phy80211").exists(),
            is_virtual=not (folder / "device").exists() and not (folder / "bonding").exists(),
            description="bridge" if (folder / "bridge").is_dir() else "",
        )
    return found


def _default_interface() -> str | None:
    """The interface of the default route with the lowest metric."""
    routes = []
    for line in Path("/proc/net/route").read_text().splitlines()[1:]:
        name, destination, _, flags, _, _, metric, mask, *_ = line.split()
        wanted = _ROUTE_UP | _ROUTE_GATEWAY
        if destination == mask == "00000000" and int(flags, 16) & wanted == wanted:
            routes.append((int(metric), name))
    return min(routes)[1] if routes else None


def _listening_ports() -> frozenset[int]:
    ports = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except FileNotFoundError:
            continue  # no IPv6
        for line in lines:
            _, local, _, state, *_ = line.split()
            if state == _TCP_LISTEN:
                ports.add(int(local.rpartition(":")[2], 16))
    return frozenset(ports)


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
            if not _may_enter(folder.stat(), account.pw_uid, groups):
                return folder
    return None


def _may_enter(folder: os.stat_result, uid: int, groups: list[int]) -> bool:
    mode = stat.S_IMODE(folder.st_mode)
    if uid == 0:
        return True
    if uid == folder.st_uid:
        return bool(mode & 0o100)
    return bool(mode & 0o010) if folder.st_gid in groups else bool(mode & 0o001)
