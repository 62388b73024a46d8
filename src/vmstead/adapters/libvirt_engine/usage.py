"""What guests have used, from libvirt's statistics of all of them in one call.

See https://libvirt.org/html/libvirt-libvirt-domain.html#virConnectGetAllDomainStats for the names.
"""

from collections.abc import Mapping
from typing import Any

import libvirt

from vmstead.ports.counters import GuestCounters

_WANTED = (
    libvirt.VIR_DOMAIN_STATS_CPU_TOTAL
    | libvirt.VIR_DOMAIN_STATS_VCPU
    | libvirt.VIR_DOMAIN_STATS_BALLOON
    | libvirt.VIR_DOMAIN_STATS_BLOCK
    | libvirt.VIR_DOMAIN_STATS_INTERFACE
)
#: One guest that is busy with something else does not keep the others waiting.
_HOW = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE | libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_NOWAIT


def read_usage(connection: Any) -> dict[str, GuestCounters]:
    """What each active guest has used, by uuid."""
    found = {}
    for domain, values in connection.getAllDomainStats(_WANTED, _HOW):
        # Drivers without real guests tell nothing.
        if "cpu.time" in values:
            found[domain.UUIDString()] = counters_from(values)
    return found


def counters_from(values: Mapping[str, Any]) -> GuestCounters:
    """One guest's statistics in the port's terms."""
    usable, unused = values.get("balloon.usable"), values.get("balloon.unused")
    # The guest's kernel tells what it could give away, an older one only what nobody uses at all.
    free, own = unused if usable is None else usable, values.get("balloon.available")
    return GuestCounters(
        cpu_seconds=values["cpu.time"] / 1e9,
        processors=values.get("vcpu.current", 1),
        memory=_bytes(values.get("balloon.current")),
        resident_memory=_bytes(values.get("balloon.rss")),
        used_memory=None if own is None or free is None else max(0, own - free) * 1024,
        reads=_total(values, "block", "rd.reqs") or 0,
        read_bytes=_total(values, "block", "rd.bytes") or 0,
        writes=_total(values, "block", "wr.reqs") or 0,
        written_bytes=_total(values, "block", "wr.bytes") or 0,
        received_bytes=_total(values, "net", "rx.bytes"),
        sent_bytes=_total(values, "net", "tx.bytes"),
    )


def _bytes(kibibytes: int | None) -> int | None:
    return None if kibibytes is None else kibibytes * 1024


def _total(values: Mapping[str, Any], kind: str, name: str) -> int | None:
    """Of all devices of a kind; None where it is told of none."""
    keys = (f"{kind}.{number}.{name}" for number in range(values.get(f"{kind}.count", 0)))
    told = [values[key] for key in keys if key in values]
    return sum(told) if told else None
