"""What Linux tells of a machine: made-up folders for what this one does not have, and this one itself."""

import os
import socket
import stat
from pathlib import Path

import pytest

from tests.daemons import state_folder
from vmstead.adapters.linux_host import LinuxHost, may_enter
from vmstead.ports.host import Interface, Memory

#: A user that every machine has, and whom nothing belongs to.
NOBODY = "nobody"


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "proc/net").mkdir(parents=True)
    return tmp_path / "proc"


@pytest.fixture
def net(tmp_path: Path) -> Path:
    (tmp_path / "sys/class/net").mkdir(parents=True)
    return tmp_path / "sys/class/net"


@pytest.fixture
def host(tmp_path: Path, proc: Path, net: Path) -> LinuxHost:
    del net
    return LinuxHost(tmp_path / "OVMF", proc=proc, sys=tmp_path / "sys")


# --- memory and processes ---------------------------------------------------------------------------


async def test_memory_is_what_programs_could_be_given(host: LinuxHost, proc: Path) -> None:
    (proc / "meminfo").write_text(
        "MemTotal:        8000000 kB\nMemFree:          100000 kB\nMemAvailable:    5000000 kB\n"
        "HugePages_Total:       0\nHugepagesize:       2048 kB\n"
    )
    assert await host.memory() == Memory(total=8_000_000 * 1024, available=5_000_000 * 1024)


async def test_what_the_cache_of_zfs_would_give_up_is_told(host: LinuxHost, proc: Path) -> None:
    (proc / "meminfo").write_text("MemTotal: 100 kB\nMemAvailable: 40 kB\n")
    (proc / "spl/kstat/zfs").mkdir(parents=True)
    table = proc / "spl/kstat/zfs/arcstats"
    head = "13 1 0x01 147 39984 1 2\nname                            type data\n"
    for size, minimum, cache in ((5000, 2000, 3000), (1000, 2000, 0)):
        table.write_text(
            f"{head}size                            4    {size}\nc_min                           4    {minimum}\n"
        )
        assert (await host.memory()).cache == cache


async def test_huge_pages_that_are_promised_to_somebody_are_not_free(host: LinuxHost, tmp_path: Path) -> None:
    assert await host.huge_pages() == {}
    for size, free, reserved in ((2048, 7, 2), (1048576, 1, 0)):
        folder = tmp_path / f"sys/kernel/mm/hugepages/hugepages-{size}kB"
        folder.mkdir(parents=True)
        (folder / "free_hugepages").write_text(f"{free}\n")
        (folder / "resv_hugepages").write_text(f"{reserved}\n")
    assert await host.huge_pages() == {2 * 1024**2: 5, 1024**3: 1}


async def test_processes_are_told_in_bytes_and_gone_ones_left_out(host: LinuxHost, proc: Path) -> None:
    for pid, content in ((7, "500 30 10 1 0 20 0\n"), (8, "0 0 0 0 0 0 0\n"), (9, "")):
        (proc / str(pid)).mkdir()
        (proc / str(pid) / "statm").write_text(content)
    page = os.sysconf("SC_PAGE_SIZE")
    assert await host.resident({"a": 7, "b": 8, "ended": 9, "gone": 10}) == {"a": 30 * page, "b": 0}


async def test_a_start_of_the_host_has_a_name(host: LinuxHost, proc: Path) -> None:
    (proc / "sys/kernel/random").mkdir(parents=True)
    (proc / "sys/kernel/random/boot_id").write_text("8d1e5c4e-0c6f-4a79-9d2b-1d3c0a5f6b7e\n")
    assert await host.boot_id() == "8d1e5c4e-0c6f-4a79-9d2b-1d3c0a5f6b7e"


# --- interfaces -------------------------------------------------------------------------------------


def interface(net: Path, name: str, *folders: str, uevent: str = "") -> Path:
    folder = net / name
    folder.mkdir()
    (folder / "uevent").write_text(f"{uevent}INTERFACE={name}\nIFINDEX=2\n")
    for each in folders:
        (folder / each).mkdir(parents=True)
    return folder


async def test_each_kind_of_interface_is_known_by_what_the_kernel_says_of_it(
    host: LinuxHost, net: Path
) -> None:
    interface(net, "lo")
    interface(net, "eth0", "device")
    interface(net, "wlan0", "device", "wireless")
    interface(net, "wlan1", "device", "phy80211", uevent="DEVTYPE=wlan\n")
    interface(net, "tap0")
    interface(net, "switch", "bridge", uevent="DEVTYPE=bridge\n")
    interface(net, "br-lan")
    interface(net, "bond0", "bonding", uevent="DEVTYPE=bond\n")
    interface(net, "eth0.10", uevent="DEVTYPE=vlan\n")
    # Not an interface, though it lies among them.
    (net / "bonding_masters").write_text("bond0\n")
    assert await host.interfaces() == {
        "eth0": Interface("eth0"),
        "wlan0": Interface("wlan0", is_wireless=True),
        "wlan1": Interface("wlan1", is_wireless=True),
        "tap0": Interface("tap0", is_virtual=True),
        "switch": Interface("switch", is_bridge=True, is_virtual=True, description="bridge"),
        "br-lan": Interface("br-lan", is_virtual=True),
        "bond0": Interface("bond0"),
        "eth0.10": Interface("eth0.10"),
    }


async def test_a_port_of_a_bridge_knows_its_bridge(host: LinuxHost, net: Path) -> None:
    interface(net, "br0", "bridge")
    (interface(net, "eth0", "device", "brport") / "brport/bridge").symlink_to("../../br0")
    (interface(net, "tap0", "brport") / "brport/bridge").symlink_to("../../br0")
    found = await host.interfaces()
    assert {name: each.bridge for name, each in found.items()} == {"br0": None, "eth0": "br0", "tap0": "br0"}


async def test_a_port_of_a_bond_is_not_an_interface_of_its_own(host: LinuxHost, net: Path) -> None:
    interface(net, "bond0", "bonding")
    interface(net, "eth0", "device", "bonding_slave")
    interface(net, "eth1", "device")
    assert list(await host.interfaces()) == ["bond0", "eth1"]


async def test_interfaces_are_told_by_name(host: LinuxHost, net: Path) -> None:
    for name in ("eth1", "br0", "eth0"):
        interface(net, name)
    assert list(await host.interfaces()) == ["br0", "eth0", "eth1"]


# --- the default route ------------------------------------------------------------------------------

HEAD = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"


def route(
    name: str, destination: str = "00000000", flags: str = "0003", metric: int = 0, mask: str = ""
) -> str:
    mask = mask or destination
    return f"{name}\t{destination}\t010200C0\t{flags}\t0\t0\t{metric}\t{mask}\t0\t0\t0\n"


@pytest.mark.parametrize(
    ("routes", "name"),
    [
        ([], None),
        ([route("eth0")], "eth0"),
        ([route("eth0", "000200C0", mask="00FFFFFF")], None),
        # Half of everything is not everything.
        ([route("tun0", "00000000", mask="00000080"), route("eth0")], "eth0"),
        ([route("wlan0", metric=600), route("eth0", metric=100), route("eth1", metric=1000)], "eth0"),
        ([route("wlan0", metric=20), route("eth0", metric=100)], "wlan0"),
        # It is down; it leads to nobody.
        ([route("eth0", flags="0002"), route("eth1", metric=9)], "eth1"),
        ([route("*", flags="0201")], None),
        # A tunnel has one machine at its other end, and no gateway.
        ([route("ppp0", flags="0001"), route("eth0", metric=9)], "eth0"),
    ],
)
async def test_the_default_route_is_the_best_of_those_that_lead_somewhere(
    host: LinuxHost, proc: Path, routes: list[str], name: str | None
) -> None:
    (proc / "net/route").write_text("".join([HEAD, *routes]))
    assert await host.default_interface() == name


# --- ports ------------------------------------------------------------------------------------------


def connection(local: str, state: str) -> str:
    return (
        f"   0: {local} 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 483 1\n"
    )


async def test_ports_are_those_on_which_something_listens_at_any_address(host: LinuxHost, proc: Path) -> None:
    head = (
        "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    )
    (proc / "net/tcp").write_text(
        head
        + connection("00000000:170C", "0A")
        + connection("0100007F:170D", "0A")
        # Connected, and on the way out.
        + connection("0100007F:170E", "01")
        + connection("0100007F:170F", "06")
    )
    (proc / "net/tcp6").write_text(
        head
        + connection("00000000000000000000000000000000:170C", "0A")
        + connection("00000000000000000000000001000000:FFFF", "0A")
    )
    assert await host.listening_ports() == {5900, 5901, 65535}
    (proc / "net/tcp6").unlink()
    assert await host.listening_ports() == {5900, 5901}


# --- firmware ---------------------------------------------------------------------------------------


async def test_images_are_what_lies_in_the_folder_at_the_moment(host: LinuxHost, tmp_path: Path) -> None:
    assert await host.firmware() == frozenset()
    (tmp_path / "OVMF").mkdir()
    assert await host.firmware() == frozenset()
    (tmp_path / "OVMF/OVMF_CODE.fd").touch()
    (tmp_path / "OVMF/OVMF_VARS.fd").symlink_to("elsewhere")
    assert await host.firmware() == {"OVMF_CODE.fd", "OVMF_VARS.fd"}


# --- this machine -----------------------------------------------------------------------------------


async def test_this_machine_is_told_too() -> None:
    host = LinuxHost()
    memory = await host.memory()
    assert 0 < memory.available <= memory.total
    resident = await host.resident({"self": os.getpid(), "none": 2**22 + 1})
    assert list(resident) == ["self"]
    assert 2**20 < resident["self"] < memory.total
    assert await host.cpus() >= 1
    boot = await host.boot_id()
    assert len(boot) == 36
    assert await host.boot_id() == boot
    assert "lo" not in await host.interfaces()
    assert await host.default_interface() in {None, *await host.interfaces()}


async def test_a_port_is_taken_once_something_listens_on_it() -> None:
    host = LinuxHost()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        assert port not in await host.listening_ports()
        listener.listen()
        assert port in await host.listening_ports()


# --- the way of other users -------------------------------------------------------------------------


async def test_the_first_folder_that_is_closed_to_a_user_is_in_the_way(host: LinuxHost) -> None:
    with state_folder() as folder:
        way = folder / "a/b/c"
        way.mkdir(parents=True)
        for each in (folder / "a", folder / "a/b", way):
            each.chmod(0o755)
        assert await host.unreachable_for(NOBODY, way) is None
        (folder / "a/b").chmod(0o700)
        assert await host.unreachable_for(NOBODY, way) == folder / "a/b"
        (folder / "a").chmod(0o744)
        assert await host.unreachable_for(NOBODY, way) == folder / "a"
        # What lies at its end need not be entered.
        assert await host.unreachable_for(NOBODY, folder / "a") is None
        assert await host.unreachable_for("root", way) is None
        assert await host.unreachable_for("no-such-user", way) is None


async def test_what_is_not_there_yet_is_not_in_the_way(host: LinuxHost) -> None:
    with state_folder() as folder:
        assert await host.unreachable_for(NOBODY, folder / "a/b/c") is None
        folder.chmod(0o700)
        assert await host.unreachable_for(NOBODY, folder / "a/b/c") == folder


async def test_the_way_goes_through_links(host: LinuxHost) -> None:
    with state_folder() as folder:
        (folder / "closed/pool").mkdir(parents=True)
        (folder / "pool").symlink_to("closed/pool")
        (folder / "closed").chmod(0o711)
        (folder / "closed/pool").chmod(0o711)
        assert await host.unreachable_for(NOBODY, folder / "pool/disk") is None
        (folder / "closed").chmod(0o700)
        found = await host.unreachable_for(NOBODY, folder / "pool/disk")
        assert found == folder / "closed"


@pytest.mark.parametrize(
    ("mode", "uid", "groups", "allowed"),
    [
        (0o100, 7, [7], True),
        (0o600, 7, [7], False),
        # An owner is not helped by what others may.
        (0o011, 7, [70], False),
        (0o010, 8, [8, 70], True),
        (0o060, 8, [8, 70], False),
        # Nor is a member of the group.
        (0o701, 8, [8, 70], False),
        (0o770, 8, [8], False),
        (0o001, 8, [8], True),
        (0o006, 8, [8], False),
        (0o000, 0, [0], True),
    ],
)
def test_the_first_of_owner_group_and_others_that_is_meant_decides(
    mode: int, uid: int, groups: list[int], allowed: bool
) -> None:
    folder = os.stat_result((stat.S_IFDIR | mode, 0, 0, 1, 7, 70, 0, 0, 0, 0))
    assert may_enter(folder, uid, groups) is allowed
