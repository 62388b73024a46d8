"""What needs somebody's attention, found by looking: each source is asked, and says what is so now."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from vmstead.ctx import Services
from vmstead.devices import load
from vmstead.ports.pools import Pool
from vmstead.ports.volumes import VolumeError
from vmstead.store.alerts import NOT_STARTED, Note

_GiB = 1024**3
#: Percent of a pool that may be taken before it is told of, and before it is urgent.
_FULL, _URGENT = 90, 95
#: Bytes below which no further guest finds memory.
_LITTLE_MEMORY = _GiB // 2
#: Bytes of room that the server's own files should find.
_LITTLE_ROOM = 64 * 1024**2


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is so and should not be.

    Attributes:
        kind: the API's word for things of the kind.
        subject: what it is about; with the kind it makes the alert the same one the next time.
        level: NOTICE, WARNING, ERROR or CRITICAL.
        text: for people, with the way out.
    """

    kind: str
    subject: str
    level: str
    text: str


async def look(services: Services) -> list[Finding]:
    """Everything that is so now. A source that cannot be asked is told of, and keeps no other."""
    found: list[Finding] = []
    for name, source in _SOURCES.items():
        try:
            found += await source(services)
        except (OSError, VolumeError) as error:
            found.append(Finding("CheckFailed", name, "WARNING", f"{name} cannot be looked at: {error}"))
    return found


def happened(services: Services, notes: Mapping[tuple[str, str], Note]) -> Iterator[Finding]:
    """What happened and still matters: a guest was not started and does not run yet."""
    for (kind, subject), note in notes.items():
        row = services.vms.by_id(int(subject)) if kind == NOT_STARTED else None
        if note.event is None or row is None or services.states.get(row["uuid"]).active:
            continue
        reason = str(note.event["reason"]).strip()
        yield Finding(kind, subject, "ERROR", f"VM {subject} ({row['name']}) was not started: {reason}")


async def _engine(services: Services) -> list[Finding]:
    states, info = services.states, services.engine.info
    if not states.is_connected or info is None:
        text = f"no virtual machine can be started or stopped: {states.disconnected_reason}"
        return [Finding("EngineNotConnected", "engine", "CRITICAL", text)]
    if info.runs_guests and info.accelerator != "kvm":
        text = f"guests are emulated, which is slow: {info.accelerator_reason}"
        return [Finding("GuestsAreEmulated", "engine", "NOTICE", text)]
    return []


async def _displays(services: Services) -> list[Finding]:
    active = services.states.active()
    running = {row["id"]: row["name"] for row in services.vms.all() if row["uuid"] in active}
    return [
        Finding("DisplayWithoutPassword", str(row["id"]), "WARNING", f"VM {vm} ({running[vm]}): {caution}")
        for row in services.vms.all_devices()
        if (vm := row["vm"]) in running and (caution := load(row["attributes"]).caution)
    ]


async def _pools(services: Services) -> list[Finding]:
    return pool_findings(await services.pools.pools())


def pool_findings(pools: Sequence[Pool]) -> list[Finding]:
    """Pools that cannot be used, and those that soon cannot."""
    found = []
    for pool in pools:
        more = f" ({pool.problem})" if pool.problem else ""
        if pool.status == "DEGRADED":
            text = f"the pool {pool.name} is DEGRADED: it works, and the next failure may end that{more}"
            found.append(Finding("PoolDegraded", pool.name, "ERROR", text))
        elif not pool.is_healthy:
            text = f"the pool {pool.name} is {pool.status}: disks and images in it cannot be used{more}"
            found.append(Finding("PoolUnavailable", pool.name, "CRITICAL", text))
        elif pool.size and (taken := 100 * (pool.size - pool.free) // pool.size) >= _FULL:
            text = f"the pool {pool.name} is {taken} % full; guests halt when it has no room left"
            level = "CRITICAL" if taken >= _URGENT else "WARNING"
            found.append(Finding("PoolNearlyFull", pool.name, level, text))
    return found


async def _state(services: Services) -> list[Finding]:
    folder, failure = services.config.state, services.memory.failure
    if failure is not None:
        text = f"the last change could not be stored in {folder}: {failure}; look after its disk"
        return [Finding("StateNotWritten", "state", "CRITICAL", text)]
    found = await asyncio.to_thread(os.statvfs, folder)
    free = found.f_bavail * found.f_frsize
    if free >= _LITTLE_ROOM:
        return []
    text = f"{folder} has room for {free // 1024} KiB more; when it is full nothing can be changed"
    return [Finding("StateNearlyFull", "state", "CRITICAL", text)]


async def _memory(services: Services) -> list[Finding]:
    memory = await services.host.memory()
    if memory.available >= _LITTLE_MEMORY:
        return []
    text = f"only {memory.available / _GiB:.1f} of {memory.total / _GiB:.1f} GiB of memory are available"
    return [Finding("LittleMemory", "host", "WARNING", text)]


async def _firmware(services: Services) -> list[Finding]:
    needing = [row["id"] for row in services.vms.all() if row["bootloader"] == "UEFI"]
    if not needing or any(name.startswith("OVMF_CODE") for name in await services.host.firmware()):
        return []
    text = f"there are no UEFI images, so {len(needing)} virtual machines cannot start: apt-get install ovmf"
    return [Finding("NoFirmware", "host", "ERROR", text)]


_SOURCES: dict[str, Callable[[Services], Awaitable[list[Finding]]]] = {
    "the engine": _engine,
    "displays": _displays,
    "pools": _pools,
    "memory": _memory,
    "the server's state": _state,
    "firmware": _firmware,
}
