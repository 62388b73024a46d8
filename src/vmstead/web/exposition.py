"""Figures in the form that Prometheus reads. Made of a snapshot, on a thread, when somebody asks.

The library of Prometheus writes the text and reads the process's own figures; it is loaded by the first who asks,
and none of its counters are used: each would cost a call more than the plain numbers of ``kernel/counts.py`` do.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING

from vmstead.kernel.counts import BOUNDS, MethodCounts
from vmstead.ports.counters import GuestCounters
from vmstead.ports.pools import Pool

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric


@dataclass(frozen=True)
class Guest:
    """A virtual machine. ``used`` is None while it is not active, and where the engine does not tell."""

    id: int
    name: str
    state: str
    used: GuestCounters | None


@dataclass(frozen=True)
class Snapshot:
    """What there is to tell at a moment.

    Attributes:
        methods: calls by method.
        jobs, ended: jobs that have not ended, and those that have, by state.
        connections, opened: WebSockets by what they come over: those there are, and all that there were.
        is_connected: the engine is there.
    """

    version: str
    methods: Mapping[str, MethodCounts]
    events: int
    jobs: Mapping[str, int]
    ended: Mapping[str, int]
    connections: Mapping[str, int]
    opened: Mapping[str, int]
    is_connected: bool
    guests: Sequence[Guest]
    pools: Sequence[Pool]


def exposed(snapshot: Snapshot, accept: str) -> tuple[bytes, str]:
    """The text, and its content type: that of OpenMetrics for who accepts it, else the older one."""
    from prometheus_client.exposition import choose_encoder

    encode, content_type = choose_encoder(accept)
    return encode(_Everything(snapshot)), content_type


class _Everything:
    """All figures, as the library wants to be given them."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable["Metric"]:
        from prometheus_client import GCCollector, ProcessCollector
        from prometheus_client.registry import CollectorRegistry

        yield from _of_the_server(self._snapshot)
        yield from _of_guests(self._snapshot.guests)
        yield from _of_pools(self._snapshot.pools)
        # Registering reads them once; nobody asks a registry of its own afterwards.
        own = CollectorRegistry()
        yield from ProcessCollector(registry=own).collect()
        yield from GCCollector(registry=own).collect()


def _of_the_server(snapshot: Snapshot) -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

    yield _labelled(
        GaugeMetricFamily("vmstead_build_info", "The version that runs.", labels=["version"]),
        {snapshot.version: 1},
    )
    yield GaugeMetricFamily(
        "vmstead_engine_connected", "1 while the engine is there.", value=int(snapshot.is_connected)
    )
    calls = CounterMetricFamily(
        "vmstead_calls",
        "Calls that have ended; one that became a job ended when the job was there.",
        labels=["method", "outcome"],
    )
    durations = HistogramMetricFamily(
        "vmstead_call_duration_seconds", "What calls took, from when their turn had come.", labels=["method"]
    )
    names = [*map(str, BOUNDS), "+Inf"]
    for method, counts in sorted(snapshot.methods.items()):
        for outcome, number in sorted(counts.outcomes.items()):
            calls.add_metric([method, outcome], number)
        buckets = list(zip(names, map(float, accumulate(counts.buckets)), strict=True))
        durations.add_metric([method], buckets=buckets, sum_value=counts.seconds)
    yield calls
    yield durations
    yield CounterMetricFamily(
        "vmstead_events_sent", "Notifications that were sent to clients.", value=snapshot.events
    )
    yield _labelled(
        GaugeMetricFamily("vmstead_jobs", "Jobs that have not ended.", labels=["state"]), snapshot.jobs
    )
    yield _labelled(
        CounterMetricFamily("vmstead_jobs_ended", "Jobs that have ended.", labels=["state"]), snapshot.ended
    )
    yield _labelled(
        GaugeMetricFamily("vmstead_connections", "WebSockets of clients.", labels=["transport"]),
        snapshot.connections,
    )
    yield _labelled(
        CounterMetricFamily(
            "vmstead_connections_opened", "WebSockets that clients have opened.", labels=["transport"]
        ),
        snapshot.opened,
    )


#: What is told of each guest: the name, whether it only grows, what it says, and the counter that it comes from.
_GUEST_FIGURES = (
    ("cpu_seconds", True, "Time that processors of the host have spent on it.", "cpu_seconds"),
    ("processors", False, "Processors that it has.", "processors"),
    ("memory_bytes", False, "Memory that it has.", "memory"),
    ("memory_resident_bytes", False, "Memory of the host that it holds.", "resident_memory"),
    ("memory_used_bytes", False, "Memory that it uses, as its balloon driver tells.", "used_memory"),
    ("disk_reads", True, "Reads from its disks.", "reads"),
    ("disk_read_bytes", True, "Bytes read from its disks.", "read_bytes"),
    ("disk_writes", True, "Writes to its disks.", "writes"),
    ("disk_written_bytes", True, "Bytes written to its disks.", "written_bytes"),
    ("network_received_bytes", True, "Bytes come in by its network interfaces.", "received_bytes"),
    ("network_sent_bytes", True, "Bytes gone out by its network interfaces.", "sent_bytes"),
)


def _of_guests(guests: Sequence[Guest]) -> Iterator["Metric"]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    states = dict.fromkeys(("RUNNING", "SUSPENDED", "STOPPED"), 0)
    for guest in guests:
        states[guest.state] = states.get(guest.state, 0) + 1
    yield _labelled(
        GaugeMetricFamily("vmstead_vms", "Virtual machines, by state.", labels=["state"]),
        {state.lower(): number for state, number in states.items()},
    )
    labels = ["id", "name"]
    up = GaugeMetricFamily("vmstead_vm_active", "1 while the virtual machine is not off.", labels=labels)
    for guest in guests:
        up.add_metric([str(guest.id), guest.name], int(guest.state != "STOPPED"))
    yield up
    told = [guest for guest in guests if guest.used is not None]
    for name, grows, text, attribute in _GUEST_FIGURES:
        kind = CounterMetricFamily if grows else GaugeMetricFamily
        family = kind(f"vmstead_vm_{name}", text, labels=labels)
        for guest in told:
            value = getattr(guest.used, attribute)
            if value is not None:
                family.add_metric([str(guest.id), guest.name], value)
        yield family


def _of_pools(pools: Sequence[Pool]) -> Iterator["Metric"]:
    from prometheus_client.core import GaugeMetricFamily

    for name, text, values in (
        ("size_bytes", "What the pool can hold.", {pool.name: pool.size for pool in pools}),
        ("free_bytes", "What it can still take.", {pool.name: pool.free for pool in pools}),
        ("healthy", "1 while nothing is wrong with it.", {pool.name: int(pool.is_healthy) for pool in pools}),
    ):
        yield _labelled(GaugeMetricFamily(f"vmstead_pool_{name}", text, labels=["pool"]), values)


def _labelled(family: "Metric", values: Mapping[str, int]) -> "Metric":
    """A family with one label, and its value for each."""
    for label, value in values.items():
        family.add_metric([label], value)  # type: ignore[attr-defined]
    return family
