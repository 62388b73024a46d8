"""The machine's counters, from /proc and /sys. See proc(5) and the kernel's admin-guide/iostats.rst."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from vmstead.ports.counters import DiskCounters, HostCounters, LinkCounters, ProcessorCounters
from vmstead.ports.host import Memory

#: Bytes of what ``diskstats`` calls a sector, whatever the disk has.
_SECTOR = 512
#: Drivers that measure processors.
_SENSORS = frozenset({"coretemp", "cpu_thermal", "k10temp", "zenpower"})
#: Where ZFS tells of its cache.
_ARC = "spl/kstat/zfs/arcstats"
#: What an interface that passes on the traffic of others has in its folder.
_MARKS = ("bonding", "bridge", "tun_flags")


def counters(proc: Path, sys: Path) -> HostCounters:
    """All counters now. Raises OSError."""
    memory = read_memory(proc)
    return HostCounters(
        processors=dict(_processors(proc / "stat")),
        memory=memory.total,
        available_memory=memory.available,
        temperature=max(_temperatures(sys / "class/hwmon"), default=None),
        disks=dict(_disks(proc / "diskstats", sys / "block")),
        links=_links(sys / "class/net"),
        arc=_arc(proc / _ARC),
    )


def read_memory(proc: Path) -> Memory:
    """Memory now. Raises OSError."""
    values = {}
    for line in (proc / "meminfo").read_text().splitlines():
        name, _, rest = line.partition(":")
        values[name] = int(rest.split()[0]) * 1024
    # Unlike other caches, ZFS's does not count as available.
    arc = _arc(proc / _ARC)
    cache = max(0, arc.get("size", 0) - arc.get("c_min", 0))
    return Memory(values["MemTotal"], values["MemAvailable"], cache)


def read_huge_pages(sys: Path) -> dict[int, int]:
    """How many huge pages nobody uses, by their size in bytes. Raises OSError."""
    found = {}
    for folder in (sys / "kernel/mm/hugepages").glob("hugepages-*kB"):
        free, reserved = (int((folder / name).read_text()) for name in ("free_hugepages", "resv_hugepages"))
        # Those that are reserved are somebody's, who has not touched them yet.
        found[int(folder.name.removeprefix("hugepages-").removesuffix("kB")) * 1024] = free - reserved
    return found


def _processors(table: Path) -> Iterator[tuple[str, ProcessorCounters]]:
    for line in table.read_text().splitlines():
        name, *rest = line.split()
        if not name.startswith("cpu"):
            return
        # Time of guests is in the first two already.
        user, nice, system, idle, waiting, *others = map(int, rest[:8])
        total = user + nice + system + idle + waiting + sum(others)
        yield name, ProcessorCounters(total, total - idle - waiting)


def _temperatures(folder: Path) -> Iterator[float]:
    for sensor in folder.glob("hwmon*"):
        with contextlib.suppress(OSError, ValueError):
            if (sensor / "name").read_text().strip() in _SENSORS:
                for file in sensor.glob("temp*_input"):
                    yield int(file.read_text()) / 1000


def _disks(table: Path, devices: Path) -> Iterator[tuple[str, DiskCounters]]:
    """Those of real disks: partitions, and what is made of disks, would count the same bytes again."""
    for line in table.read_text().splitlines():
        _, _, name, *rest = line.split()
        if not (devices / name.replace("/", "!") / "device").exists():
            continue
        reads, _, read, _, writes, _, written, _, _, busy, *_ = map(int, rest)
        yield name, DiskCounters(reads, read * _SECTOR, writes, written * _SECTOR, busy)


def _links(folder: Path) -> dict[str, LinkCounters]:
    links = [each for each in sorted(folder.iterdir()) if each.name != "lo" and each.is_dir()]
    outward = {each for each in links if (each / "device").exists()}
    if not outward:  # within a container
        outward = {each for each in links if not any((each / mark).exists() for mark in _MARKS)}
    found = {}
    for each in links:
        with contextlib.suppress(OSError, ValueError):  # gone since the listing
            received, sent = (
                int((each / "statistics" / name).read_text()) for name in ("rx_bytes", "tx_bytes")
            )
            is_up = (each / "operstate").read_text().strip() in ("up", "unknown")
            found[each.name] = LinkCounters(is_up, each in outward, _speed(each), received, sent)
    return found


def _speed(link: Path) -> int:
    # An interface without a wire has no speed: reading it fails, or gives -1.
    with contextlib.suppress(OSError, ValueError):
        return max(0, int((link / "speed").read_text()))
    return 0


def _arc(table: Path) -> dict[str, int]:
    try:
        lines = table.read_text().splitlines()[2:]
    except FileNotFoundError:
        return {}
    rows = (line.split() for line in lines)
    return {row[0]: int(row[2]) for row in rows if len(row) == 3}
