"""Figures in Prometheus's form, read back as Prometheus reads them."""

from dataclasses import replace

from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from vmstead.kernel.counts import BOUNDS, OK, Counts
from vmstead.ports.counters import GuestCounters
from vmstead.ports.pools import Pool
from vmstead.web.exposition import Guest, Snapshot, exposed

ODD = 'a "b"\\\n{c="d"} 1'


def snapshot() -> Snapshot:
    counts = Counts()
    counts.called("core.ping", OK, BOUNDS[0])
    counts.called("core.ping", OK, BOUNDS[-1] + 1)
    return Snapshot(
        version="1.2",
        methods=counts.methods,
        events=7,
        jobs={"waiting": 1, "running": 2},
        ended={"success": 3},
        connections={"unix": 1, "tcp": 4},
        opened={"unix": 5, "tcp": 6},
        is_connected=True,
        guests=[
            Guest(1, ODD, "RUNNING", GuestCounters(1.5, 2, memory=1024, reads=8, sent_bytes=9)),
            Guest(2, "off", "STOPPED", None),
        ],
        pools=[Pool("default", "/mnt/default", 10, 4, is_healthy=True, status="ONLINE")],
    )


def samples(text: bytes) -> dict[str, dict[tuple[str, ...], float]]:
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels.values())] = sample.value
    return found


def test_everything_is_read_back_as_it_was() -> None:
    text, content_type = exposed(snapshot(), "")
    assert content_type.startswith("text/plain; version=0.0.4")
    found = samples(text)
    assert found["vmstead_build_info"] == {("1.2",): 1}
    assert found["vmstead_calls_total"] == {("core.ping", "ok"): 2}
    assert found["vmstead_call_duration_seconds_count"] == {("core.ping",): 2}
    buckets = [*found["vmstead_call_duration_seconds_bucket"].values()]
    assert buckets == [1.0] * len(BOUNDS) + [2.0]
    assert found["vmstead_events_sent_total"] == {(): 7}
    assert found["vmstead_jobs"] == {("waiting",): 1, ("running",): 2}
    assert found["vmstead_jobs_ended_total"] == {("success",): 3}
    assert found["vmstead_connections"] == {("unix",): 1, ("tcp",): 4}
    assert found["vmstead_connections_opened_total"] == {("unix",): 5, ("tcp",): 6}
    assert found["vmstead_pool_free_bytes"] == {("default",): 4}


def test_machines_are_told_of_by_id_and_name_whatever_the_name() -> None:
    found = samples(exposed(snapshot(), "")[0])
    assert found["vmstead_vms"] == {("running",): 1, ("suspended",): 0, ("stopped",): 1}
    assert found["vmstead_vm_active"] == {("1", ODD): 1, ("2", "off"): 0}
    assert found["vmstead_vm_cpu_seconds_total"] == {("1", ODD): 1.5}
    assert found["vmstead_vm_memory_bytes"] == {("1", ODD): 1024}
    # What the engine does not tell is left out rather than zero.
    assert "vmstead_vm_memory_used_bytes" not in found
    assert "vmstead_vm_network_received_bytes_total" not in found
    assert found["vmstead_vm_network_sent_bytes_total"] == {("1", ODD): 9}


def test_the_process_tells_of_itself() -> None:
    found = samples(exposed(snapshot(), "")[0])
    assert found["process_open_fds"][()] > 0
    assert found["process_resident_memory_bytes"][()] > 1_000_000


def test_who_accepts_open_metrics_gets_it() -> None:
    text, content_type = exposed(replace(snapshot(), guests=[]), "application/openmetrics-text;version=1.0.0")
    assert content_type.startswith("application/openmetrics-text")
    families = openmetrics.text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call]
    names = {family.name for family in families}
    assert {"vmstead_calls", "vmstead_call_duration_seconds", "process_cpu_seconds"} <= names
