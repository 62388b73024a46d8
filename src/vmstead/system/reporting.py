"""``reporting.*``: what the machine uses now, as a stream of events, and what it has used lately."""

from collections.abc import Callable, Mapping
from typing import Any

from vmstead.ctx import Ctx, Services
from vmstead.kernel.figures import (
    GuestFigures,
    HostFigures,
    disk_figures,
    link_figures,
    processor_figures,
)
from vmstead.kernel.history import INTERVAL, columns_of, figures_of_guests
from vmstead.kernel.model import Field, Model
from vmstead.kernel.readings import Reading
from vmstead.ports.counters import HostCounters
from vmstead.rpc.registry import Namespace
from vmstead.rpc.sources import Ended, Send, Source

reporting = Namespace("reporting")


class RealtimeArguments(Model):
    """How often to tell."""

    interval: int = Field(2, ge=2, le=3600, description="Seconds between two events.")


class DiskUse(Model):
    """All disks of the machine together, in a second."""

    busy: float = Field(description="Percent of the time in which a disk had something to do, on average.")
    read_bytes: int = Field(description="Bytes read.")
    write_bytes: int = Field(description="Bytes written.")
    read_ops: int = Field(description="Reads.")
    write_ops: int = Field(description="Writes.")


class MemoryUse(Model):
    """Memory of the machine, in bytes."""

    arc_size: int = Field(description="What ZFS's cache holds.")
    arc_free_memory: int = Field(description="What ZFS counts as free.")
    arc_available_memory: int = Field(description="What ZFS could still take.")
    physical_memory_total: int = Field(description="All of it.")
    physical_memory_available: int = Field(description="What could be given to programs.")


class ProcessorUse(Model):
    """A processor, or all of them together."""

    usage: float = Field(description="Percent of its time.")
    temp: float | None = Field(description="Degrees Celsius of the hottest; null where nothing measures it.")


class InterfaceUse(Model):
    """A network interface of the machine."""

    link_state: str = Field(description="LINK_STATE_UP or LINK_STATE_DOWN.")
    speed: int = Field(description="Megabits a second; 0 where that is not known.")
    received_bytes: int = Field(description="Bytes come in since the event before.")
    sent_bytes: int = Field(description="Bytes gone out since the event before.")
    received_bytes_rate: int = Field(description="Bytes come in, in a second.")
    sent_bytes_rate: int = Field(description="Bytes gone out, in a second.")


class PoolUse(Model):
    """A pool, in bytes."""

    available: int = Field(description="What it can still take.")
    used: int = Field(description="What it holds.")
    total: int = Field(description="Both.")


class Realtime(Model):
    """What the machine and its guests use now."""

    cpu: dict[str, ProcessorUse] = Field(description="cpu: all processors together; cpu0 and so on: each.")
    disks: DiskUse = Field(description="Its disks.")
    interfaces: dict[str, InterfaceUse] = Field(description="Its network interfaces, by name.")
    memory: MemoryUse = Field(description="Its memory.")
    zfs: dict[str, int] = Field(description="ZFS's cache: accesses of each kind in a second, and hits.")
    pools: dict[str, PoolUse] = Field(description="Its pools, by name.")
    virtual_machines: dict[str, GuestFigures] = Field(description="Active virtual machines, by id.")


def _begin(services: Services, arguments: RealtimeArguments, send: Send, _: Ended) -> Callable[[], None]:
    def receive(before: Reading, now: Reading) -> None:
        if before.host is not None and now.host is not None:
            send(realtime(before.host, now.host, before, now) | _guests(services, before, now))

    return services.measuring.watch(arguments.interval, receive, pools=True)


#: The stream of what is used now. See https://api.truenas.com, ``reporting.realtime``.
REALTIME = Source(
    name="reporting.realtime",
    role="REPORTING_READ",
    description="What the machine and its guests use now.",
    arguments=RealtimeArguments,
    fields=Realtime,
    begin=_begin,
)


def _guests(services: Services, before: Reading, now: Reading) -> dict[str, object]:
    ids = services.vms.ids()
    figures = figures_of_guests(before, now)
    return {"virtual_machines": {str(ids[uuid]): each for uuid, each in figures.items() if uuid in ids}}


def realtime(old: HostCounters, new: HostCounters, before: Reading, now: Reading) -> dict[str, Any]:
    """What the machine has used between two readings, as ``Realtime`` without the guests."""
    seconds = now.at - before.at
    return {
        "cpu": {
            name: {"usage": usage, "temp": new.temperature if name == "cpu" else None}
            for name, usage in processor_figures(old.processors, new.processors).items()
        },
        "disks": disk_figures(old.disks, new.disks, seconds),
        "interfaces": link_figures(old.links, new.links, seconds),
        "memory": {
            "arc_size": new.arc.get("size", 0),
            "arc_free_memory": new.arc.get("memory_free_bytes", 0),
            "arc_available_memory": new.arc.get("memory_available_bytes", 0),
            "physical_memory_total": new.memory,
            "physical_memory_available": new.available_memory,
        },
        "zfs": arc_figures(old.arc, new.arc, seconds),
        "pools": {
            pool.name: {"available": pool.free, "used": pool.size - pool.free, "total": pool.size}
            for pool in now.pools
        },
    }


def arc_figures(old: Mapping[str, int], new: Mapping[str, int], seconds: float) -> dict[str, int]:
    """ZFS's cache in a second; zeros without ZFS. A demand is what a program waits for."""

    def rate(*names: str) -> int:
        return round(sum(max(0, new.get(name, 0) - old.get(name, 0)) for name in names) / seconds)

    figures: dict[str, int] = {}
    accesses: dict[str, int] = {}
    for kind in ("data", "metadata"):
        counts = {
            "hit": rate(f"demand_{kind}_hits"),
            "io_hit": rate(f"demand_{kind}_iohits"),
            "miss": rate(f"demand_{kind}_misses"),
        }
        accesses[kind] = sum(counts.values())
        plural = {"hit": "hits", "io_hit": "io_hits", "miss": "misses"}
        figures |= {f"demand_{kind}_{plural[each]}_per_second": count for each, count in counts.items()}
        figures |= {
            f"demand_{kind}_{each}_percentage": _percent(count, accesses[kind])
            for each, count in counts.items()
        }
    hits, misses = rate("l2_hits"), rate("l2_misses")
    return {
        "demand_accesses_per_second": sum(accesses.values()),
        **{f"demand_{kind}_accesses_per_second": count for kind, count in accesses.items()},
        **figures,
        "l2arc_hits_per_second": hits,
        "l2arc_misses_per_second": misses,
        "total_l2arc_accesses_per_second": hits + misses,
        "l2arc_access_hit_percentage": _percent(hits, hits + misses),
        "l2arc_miss_percentage": _percent(misses, hits + misses),
        "bytes_read_per_second_from_the_l2arc": rate("l2_read_bytes"),
        "bytes_written_per_second_to_the_l2arc": rate("l2_write_bytes"),
    }


def _percent(part: int, whole: int) -> int:
    return round(100 * part / whole) if whole else 0


HostHistory = columns_of(
    HostFigures,
    "HostHistory",
    "Figures of the machine over time, with one value for each point in each list.",
)


@reporting.method(role="REPORTING_READ", returns=HostHistory)
async def host_history(ctx: Ctx) -> dict[str, object]:
    """What the machine has used lately: of the times at which a guest was active or somebody watched."""
    return {"interval": INTERVAL, **ctx.measuring.history.host(ctx.clock.now())}
