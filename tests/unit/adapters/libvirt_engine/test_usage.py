"""libvirt's statistics in the port's terms."""

from vmstead.adapters.libvirt_engine.usage import counters_from
from vmstead.ports.counters import GuestCounters

#: As libvirt 9 tells of a guest with two disks and two interfaces, one of which QEMU serves by itself.
TOLD = {
    "cpu.time": 12_500_000_000,
    "vcpu.current": 2,
    "vcpu.maximum": 2,
    "balloon.current": 2048,
    "balloon.maximum": 4096,
    "balloon.available": 2000,
    "balloon.usable": 1500,
    "balloon.unused": 1000,
    "balloon.rss": 900,
    "net.count": 2,
    "net.0.name": "vnet0",
    "net.0.rx.bytes": 100,
    "net.0.tx.bytes": 200,
    "block.count": 2,
    "block.0.rd.reqs": 1,
    "block.0.rd.bytes": 1024,
    "block.0.wr.reqs": 2,
    "block.0.wr.bytes": 2048,
    "block.1.rd.reqs": 3,
    "block.1.rd.bytes": 10,
    "block.1.wr.reqs": 4,
    "block.1.wr.bytes": 20,
}


def test_all_disks_and_interfaces_count_and_memory_is_in_bytes() -> None:
    assert counters_from(TOLD) == GuestCounters(
        cpu_seconds=12.5,
        processors=2,
        memory=2048 * 1024,
        resident_memory=900 * 1024,
        used_memory=500 * 1024,
        reads=4,
        read_bytes=1034,
        writes=6,
        written_bytes=2068,
        received_bytes=100,
        sent_bytes=200,
    )


def test_an_older_kernel_in_the_guest_tells_less() -> None:
    told = {key: value for key, value in TOLD.items() if key != "balloon.usable"}
    assert counters_from(told).used_memory == 1000 * 1024
    del told["balloon.available"]
    assert counters_from(told).used_memory is None


def test_what_is_not_told_is_unknown_or_nothing() -> None:
    assert counters_from({"cpu.time": 0, "net.count": 1, "block.count": 1}) == GuestCounters(0.0)
