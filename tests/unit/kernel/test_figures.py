"""From counters to figures."""

from dataclasses import replace

import pytest

from vmstead.kernel.figures import (
    GuestFigures,
    HostFigures,
    disk_figures,
    guest_figures,
    host_figures,
    link_figures,
    processor_figures,
)
from vmstead.ports.counters import (
    DiskCounters,
    GuestCounters,
    HostCounters,
    LinkCounters,
    ProcessorCounters,
)

GUEST = GuestCounters(
    cpu_seconds=10,
    processors=4,
    memory=1000,
    resident_memory=900,
    used_memory=500,
    reads=10,
    read_bytes=1000,
    writes=20,
    written_bytes=2000,
    received_bytes=300,
    sent_bytes=400,
)
HOST = HostCounters(
    processors={"cpu": ProcessorCounters(1000, 100), "cpu0": ProcessorCounters(1000, 100)},
    memory=8000,
    available_memory=5000,
    disks={"sda": DiskCounters(1, 100, 2, 200, 1000), "sdb": DiskCounters(0, 0, 0, 0, 0)},
    links={
        "eth0": LinkCounters(True, True, 1000, 1000, 2000),
        "br0": LinkCounters(True, False, 1000, 900, 1900),
    },
)


def test_a_guests_figures_are_those_of_a_second() -> None:
    later = replace(
        GUEST,
        cpu_seconds=14,
        used_memory=600,
        reads=12,
        read_bytes=5000,
        writes=20,
        written_bytes=2500,
        received_bytes=1300,
        sent_bytes=401,
    )
    figures = guest_figures(GUEST, later, 2)
    assert figures == {
        "cpu_usage": 50.0,
        "memory": 1000,
        "memory_resident": 900,
        "memory_used": 600,
        "disk_read_bytes": 2000,
        "disk_write_bytes": 250,
        "disk_read_ops": 1,
        "disk_write_ops": 0,
        "network_received_bytes": 500,
        "network_sent_bytes": 0,
    }
    GuestFigures.model_validate(figures)


def test_what_is_not_told_is_not_made_up() -> None:
    unknown = GuestCounters(cpu_seconds=1)
    figures = guest_figures(unknown, GuestCounters(cpu_seconds=1), 2)
    assert figures["network_received_bytes"] is None
    assert figures["memory_used"] is None
    assert guest_figures(unknown, GUEST, 2)["network_sent_bytes"] is None
    GuestFigures.model_validate(figures)


def test_counters_that_began_anew_and_clocks_that_differ_give_no_nonsense() -> None:
    restarted = GuestCounters(cpu_seconds=0, received_bytes=0, sent_bytes=0)
    figures = guest_figures(GUEST, restarted, 2)
    assert [value for value in figures.values() if value is not None and value < 0] == []
    # More than its processors can do: QEMU itself has worked for it too.
    assert guest_figures(GUEST, replace(GUEST, cpu_seconds=100), 2)["cpu_usage"] == 100.0


def test_the_machines_figures_count_each_byte_once() -> None:
    later = replace(
        HOST,
        processors={"cpu": ProcessorCounters(1200, 150)},
        available_memory=3000,
        disks={"sda": DiskCounters(3, 4100, 2, 200, 2000), "sdb": DiskCounters(0, 0, 1, 400, 0)},
        links={
            "eth0": LinkCounters(True, True, 1000, 5000, 2200),
            "br0": LinkCounters(True, False, 1000, 4900, 2100),
            "eth1": LinkCounters(True, True, 1000, 10**9, 10**9),
        },
    )
    figures = host_figures(HOST, later, 2)
    assert figures == {
        "cpu_usage": 25.0,
        "memory": 8000,
        "memory_used": 5000,
        "disk_read_bytes": 2000,
        "disk_write_bytes": 200,
        "network_received_bytes": 2000,
        "network_sent_bytes": 100,
    }
    HostFigures.model_validate(figures)


def test_processors_and_disks_that_were_plugged_in_meanwhile_wait_for_the_next_time() -> None:
    now = {"cpu": ProcessorCounters(10, 5), "cpu1": ProcessorCounters(10, 5)}
    assert processor_figures({"cpu": ProcessorCounters(0, 0)}, now) == {"cpu": 50.0}
    assert processor_figures({"cpu": ProcessorCounters(10, 5)}, now) == {"cpu": 0.0}
    assert disk_figures({}, HOST.disks, 2) == {
        "busy": 0.0,
        "read_bytes": 0,
        "write_bytes": 0,
        "read_ops": 0,
        "write_ops": 0,
    }


@pytest.mark.parametrize(("busy", "shown"), [(500, 12.5), (2000, 50.0), (9000, 50.0)])
def test_disks_are_as_busy_as_their_average(busy: int, shown: float) -> None:
    before = {"a": DiskCounters(0, 0, 0, 0, 0), "b": DiskCounters(0, 0, 0, 0, 0)}
    now = {"a": DiskCounters(0, 0, 0, 0, busy), "b": DiskCounters(0, 0, 0, 0, 0)}
    assert disk_figures(before, now, 2)["busy"] == shown


def test_interfaces_tell_what_came_since_the_last_time() -> None:
    now = {"eth0": LinkCounters(False, True, 0, 3000, 2000), "new": LinkCounters(True, True, 10, 5, 5)}
    assert link_figures(HOST.links, now, 4) == {
        "eth0": {
            "link_state": "LINK_STATE_DOWN",
            "speed": 0,
            "received_bytes": 2000,
            "sent_bytes": 0,
            "received_bytes_rate": 500,
            "sent_bytes_rate": 0,
        },
        "new": {
            "link_state": "LINK_STATE_UP",
            "speed": 10,
            "received_bytes": 0,
            "sent_bytes": 0,
            "received_bytes_rate": 0,
            "sent_bytes_rate": 0,
        },
    }
