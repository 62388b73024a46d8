"""What has been used so far: by the machine since it was started, by a guest since the guest was.

Counters only grow. How much is used a second is the difference of two readings (``kernel/figures.py``).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ProcessorCounters:
    """A processor's time, in any unit: all of it, and what of it was not idle."""

    total: int
    busy: int


@dataclass(frozen=True, slots=True)
class DiskCounters:
    """A disk's requests and bytes, and the milliseconds in which it had something to do."""

    reads: int
    read_bytes: int
    writes: int
    written_bytes: int
    busy_ms: int


@dataclass(frozen=True, slots=True)
class LinkCounters:
    """A network interface.

    Attributes:
        is_up: it carries traffic.
        is_outward: its traffic leaves the machine, and is not counted by another interface too.
        speed: megabits a second; 0 where that is not known.
    """

    is_up: bool
    is_outward: bool
    speed: int
    received_bytes: int
    sent_bytes: int


@dataclass(frozen=True, slots=True)
class HostCounters:
    """The machine.

    Attributes:
        processors: by the kernel's name: ``cpu`` is all of them together, ``cpu0`` the first.
        temperature: of the hottest processor, in degrees Celsius; None where nothing measures it.
        memory, available_memory: bytes, as they are now.
        disks: whole disks by name.
        links: network interfaces by name, without loopback.
        arc: the statistics of ZFS's cache by their names; empty without ZFS.
    """

    processors: Mapping[str, ProcessorCounters]
    memory: int
    available_memory: int
    temperature: float | None = None
    disks: Mapping[str, DiskCounters] = field(default_factory=dict)
    links: Mapping[str, LinkCounters] = field(default_factory=dict)
    arc: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GuestCounters:
    """An active guest. What the engine does not tell is None.

    Attributes:
        cpu_seconds: time that processors of the host have spent on it.
        processors: how many it has.
        memory: bytes that it was given.
        resident_memory: bytes of the host's memory that it holds.
        used_memory: bytes that it uses itself, without its caches; only a guest with a balloon driver tells.
        received_bytes: what has come in by its network interfaces, ``sent_bytes`` what has gone out.
    """

    cpu_seconds: float
    processors: int = 1
    memory: int | None = None
    resident_memory: int | None = None
    used_memory: int | None = None
    reads: int = 0
    read_bytes: int = 0
    writes: int = 0
    written_bytes: int = 0
    received_bytes: int | None = None
    sent_bytes: int | None = None


class HostCounting(Protocol):
    """The machine's counters. Errors of the operating system come through as ``OSError``."""

    async def counters(self) -> HostCounters:
        """All of them, as they are now."""
