"""What the kernel counts: made-up folders, and this machine itself."""

from pathlib import Path

import pytest

from vmstead.adapters.linux_counters import counters
from vmstead.adapters.linux_host import LinuxHost
from vmstead.ports.counters import DiskCounters, LinkCounters, ProcessorCounters

STAT = """\
cpu  100 10 50 800 40 5 5 0 30 0
cpu0 50 5 25 400 20 3 2 0 15 0
intr 12345 0 0
ctxt 99
"""
DISKSTATS = """\
   8       0 sda 10 1 200 5 20 2 400 6 0 700 800 0 0 0 0 1 2
   8       1 sda1 10 1 200 5 20 2 400 6 0 700 800 0 0 0 0 1 2
   7       0 loop0 1 0 2 0 0 0 0 0 0 0 0
 259       0 cciss/c0d0 1 0 2 0 3 0 4 0 0 5 0
"""
ARC = """\
13 1 0x01 123 33456 1234567 7654321
name                            type data
hits                            4    1000
size                            4    2048
"""


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    folder = tmp_path / "proc"
    folder.mkdir()
    (folder / "stat").write_text(STAT)
    (folder / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable: 40 kB\n")
    (folder / "diskstats").write_text(DISKSTATS)
    return folder


@pytest.fixture
def sys(tmp_path: Path) -> Path:
    folder = tmp_path / "sys"
    for name in ("sda/device", "cciss!c0d0/device", "loop0", "sda/sda1"):
        (folder / "block" / name).mkdir(parents=True)
    (folder / "class/net").mkdir(parents=True)
    return folder


def link(sys: Path, name: str, received: int, sent: int, *, mark: str = "", **files: str) -> None:
    folder = sys / "class/net" / name
    (folder / "statistics").mkdir(parents=True)
    (folder / "statistics/rx_bytes").write_text(f"{received}\n")
    (folder / "statistics/tx_bytes").write_text(f"{sent}\n")
    for file, text in {"operstate": "up\n", **files}.items():
        (folder / file).write_text(text)
    if mark:
        (folder / mark).mkdir()


def test_waiting_for_disks_is_idle_and_guests_are_counted_once(proc: Path, sys: Path) -> None:
    assert counters(proc, sys).processors == {
        "cpu": ProcessorCounters(total=1010, busy=170),
        "cpu0": ProcessorCounters(total=505, busy=85),
    }


def test_disks_are_whole_ones_and_count_bytes(proc: Path, sys: Path) -> None:
    assert counters(proc, sys).disks == {
        "sda": DiskCounters(reads=10, read_bytes=102400, writes=20, written_bytes=204800, busy_ms=700),
        "cciss/c0d0": DiskCounters(1, 1024, 3, 2048, 5),
    }


def test_interfaces_with_a_device_lead_out(proc: Path, sys: Path) -> None:
    link(sys, "lo", 1, 1)
    link(sys, "eth0", 100, 200, mark="device", speed="1000\n")
    link(sys, "br0", 90, 190, mark="bridge", speed="1000\n", operstate="down\n")
    link(sys, "vnet0", 5, 6, speed="-1\n", operstate="unknown\n")
    assert counters(proc, sys).links == {
        "br0": LinkCounters(False, False, 1000, 90, 190),
        "eth0": LinkCounters(True, True, 1000, 100, 200),
        "vnet0": LinkCounters(True, False, 0, 5, 6),
    }


def test_in_a_container_all_lead_out_that_pass_nothing_on(proc: Path, sys: Path) -> None:
    link(sys, "eth0", 100, 200)
    link(sys, "br0", 90, 190, mark="bridge")
    link(sys, "tap0", 5, 6, mark="tun_flags")
    found = counters(proc, sys).links
    assert {name for name, each in found.items() if each.is_outward} == {"eth0"}


def test_the_hottest_processor_is_told(proc: Path, sys: Path) -> None:
    assert counters(proc, sys).temperature is None
    for number, (name, value) in enumerate((("coretemp", "51500"), ("nvme", "80000"), ("k10temp", "49000"))):
        folder = sys / f"class/hwmon/hwmon{number}"
        folder.mkdir(parents=True)
        (folder / "name").write_text(f"{name}\n")
        (folder / "temp1_input").write_text(f"{value}\n")
    (sys / "class/hwmon/hwmon9").mkdir()
    assert counters(proc, sys).temperature == 51.5


def test_zfs_is_told_of_where_it_is(proc: Path, sys: Path) -> None:
    assert counters(proc, sys).arc == {}
    (proc / "spl/kstat/zfs").mkdir(parents=True)
    (proc / "spl/kstat/zfs/arcstats").write_text(ARC)
    assert counters(proc, sys).arc == {"hits": 1000, "size": 2048}


async def test_this_machine_can_be_read_and_its_counters_do_not_fall() -> None:
    before, now = await LinuxHost().counters(), await LinuxHost().counters()
    assert now.memory > now.available_memory > 0
    assert "cpu" in now.processors
    assert all(now.processors[name].total >= each.total for name, each in before.processors.items())
    assert all(now.disks[name].reads >= each.reads for name, each in before.disks.items())
    assert all(now.links[name].sent_bytes >= each.sent_bytes for name, each in before.links.items())
