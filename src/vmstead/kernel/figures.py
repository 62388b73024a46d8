"""Figures from counters: what the machine and its guests use now. Pure."""

from collections.abc import Mapping
from typing import TypeAlias

from vmstead.kernel.model import Field, Model
from vmstead.ports.counters import (
    DiskCounters,
    GuestCounters,
    HostCounters,
    LinkCounters,
    ProcessorCounters,
)

#: A figure that is not known is None.
Figures: TypeAlias = dict[str, int | float | None]


class GuestFigures(Model):
    """What a guest uses. Bytes and operations are those of a second; null is what the engine does not tell."""

    cpu_usage: float = Field(description="Percent of all its processors.")
    memory: int | None = Field(description="Bytes of memory that it has now.")
    memory_resident: int | None = Field(description="Bytes of the host's memory that it holds.")
    memory_used: int | None = Field(description="Bytes that it uses itself, as its balloon driver tells.")
    disk_read_bytes: int = Field(description="Read from its disks.")
    disk_write_bytes: int = Field(description="Written to its disks.")
    disk_read_ops: int = Field(description="Reads.")
    disk_write_ops: int = Field(description="Writes.")
    network_received_bytes: int | None = Field(description="Come in by its network interfaces.")
    network_sent_bytes: int | None = Field(description="Gone out by them.")


class HostFigures(Model):
    """What the machine uses. Bytes are those of a second."""

    cpu_usage: float | None = Field(description="Percent of all its processors.")
    memory: int = Field(description="Bytes of memory that it has.")
    memory_used: int = Field(description="Bytes of it that nobody else could have.")
    disk_read_bytes: int = Field(description="Read from its disks.")
    disk_write_bytes: int = Field(description="Written to its disks.")
    network_received_bytes: int = Field(description="Come in by interfaces that lead out of it.")
    network_sent_bytes: int = Field(description="Gone out by them.")


#: The names, in the order of the values.
GUEST_FIGURES = tuple(GuestFigures.model_fields)
HOST_FIGURES = tuple(HostFigures.model_fields)


def guest_figures(before: GuestCounters, now: GuestCounters, seconds: float) -> Figures:
    """What a guest has used in the time between two readings, as ``GuestFigures``."""
    spent = max(0.0, now.cpu_seconds - before.cpu_seconds)
    values = (
        _percent(spent, seconds * now.processors),
        now.memory,
        now.resident_memory,
        now.used_memory,
        _rate(before.read_bytes, now.read_bytes, seconds),
        _rate(before.written_bytes, now.written_bytes, seconds),
        _rate(before.reads, now.reads, seconds),
        _rate(before.writes, now.writes, seconds),
        _rate(before.received_bytes, now.received_bytes, seconds),
        _rate(before.sent_bytes, now.sent_bytes, seconds),
    )
    return dict(zip(GUEST_FIGURES, values, strict=True))


def host_figures(before: HostCounters, now: HostCounters, seconds: float) -> Figures:
    """What the machine has used in the time between two readings, as ``HostFigures``."""
    disks = disk_figures(before.disks, now.disks, seconds)
    links = [(before.links.get(name, each), each) for name, each in now.links.items() if each.is_outward]
    values = (
        processor_figures(before.processors, now.processors).get("cpu"),
        now.memory,
        now.memory - now.available_memory,
        disks["read_bytes"],
        disks["write_bytes"],
        sum(_rate_of(old.received_bytes, each.received_bytes, seconds) for old, each in links),
        sum(_rate_of(old.sent_bytes, each.sent_bytes, seconds) for old, each in links),
    )
    return dict(zip(HOST_FIGURES, values, strict=True))


def processor_figures(
    before: Mapping[str, ProcessorCounters], now: Mapping[str, ProcessorCounters]
) -> dict[str, float]:
    """Percent of each processor's time that was not idle, by its name."""
    return {
        name: _percent(each.busy - before[name].busy, each.total - before[name].total)
        for name, each in now.items()
        if name in before
    }


def disk_figures(
    before: Mapping[str, DiskCounters], now: Mapping[str, DiskCounters], seconds: float
) -> dict[str, float]:
    """Bytes and operations of all disks together in a second, and how busy one is on average, in percent."""
    pairs = [(before[name], each) for name, each in now.items() if name in before]
    busy = [_percent(after.busy_ms - each.busy_ms, seconds * 1000) for each, after in pairs]
    return {
        "busy": round(sum(busy) / len(busy), 1) if busy else 0.0,
        "read_bytes": sum(_rate_of(each.read_bytes, after.read_bytes, seconds) for each, after in pairs),
        "write_bytes": sum(
            _rate_of(each.written_bytes, after.written_bytes, seconds) for each, after in pairs
        ),
        "read_ops": sum(_rate_of(each.reads, after.reads, seconds) for each, after in pairs),
        "write_ops": sum(_rate_of(each.writes, after.writes, seconds) for each, after in pairs),
    }


def link_figures(
    before: Mapping[str, LinkCounters], now: Mapping[str, LinkCounters], seconds: float
) -> dict[str, dict[str, object]]:
    """Each interface's bytes since the reading before, and those of a second. ``speed`` is megabits a second."""
    figures: dict[str, dict[str, object]] = {}
    for name, each in now.items():
        old = before.get(name, each)
        figures[name] = {
            "link_state": "LINK_STATE_UP" if each.is_up else "LINK_STATE_DOWN",
            "speed": each.speed,
            "received_bytes": max(0, each.received_bytes - old.received_bytes),
            "sent_bytes": max(0, each.sent_bytes - old.sent_bytes),
            "received_bytes_rate": _rate_of(old.received_bytes, each.received_bytes, seconds),
            "sent_bytes_rate": _rate_of(old.sent_bytes, each.sent_bytes, seconds),
        }
    return figures


def _rate(before: int | None, now: int | None, seconds: float) -> int | None:
    return None if before is None or now is None else _rate_of(before, now, seconds)


def _rate_of(before: int, now: int, seconds: float) -> int:
    """Of a second. A counter that has begun anew has not gone backwards."""
    return round(max(0, now - before) / seconds)


def _percent(part: float, whole: float) -> float:
    return round(min(100.0, max(0.0, 100 * part / whole)), 1) if whole > 0 else 0.0
