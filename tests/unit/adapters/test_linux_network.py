"""Interfaces and routes from what the kernel says of them, recorded and live."""

import sys
from pathlib import Path
from typing import Any

import pytest

from vmstead.adapters.linux_network import gateways_of, links_of, read_names
from vmstead.kernel.run import run
from vmstead.ports.network import Link, LinkAddress, LinkKind, NetworkSettings


def link(index: int, name: str, flags: int = 0x1043, kind: str | None = None, **more: Any) -> dict[str, Any]:
    """A message about an interface. ``data`` and ``port`` are what its kind has, and that of its master."""
    info = [("IFLA_INFO_KIND", kind)] if kind else []
    for key, attribute in (("data", "IFLA_INFO_DATA"), ("port", "IFLA_INFO_SLAVE_DATA")):
        if key in more:
            info.append((attribute, {"attrs": list(more.pop(key).items())}))  # type: ignore[arg-type]
    attributes = {"IFLA_IFNAME": name, "IFLA_MTU": 1500, "IFLA_OPERSTATE": "UP", **more}
    pairs = [*attributes.items(), ("IFLA_LINKINFO", {"attrs": info})]
    return {"index": index, "flags": flags, "attrs": pairs}


def address(index: int, prefix: int, **attributes: Any) -> dict[str, Any]:
    return {"index": index, "prefixlen": prefix, "attrs": list(attributes.items())}


def test_each_kind_of_interface_has_what_belongs_to_it(tmp_path: Path) -> None:
    (tmp_path / "eth0").mkdir()
    (tmp_path / "eth0/speed").write_text("1000\n")
    (tmp_path / "eth1").mkdir()
    (tmp_path / "eth1/speed").write_text("-1\n")
    found = links_of(
        [
            link(1, "lo", 0x49),
            link(
                2,
                "eth0",
                0x1843,
                IFLA_MASTER=4,
                IFLA_ADDRESS="02:00:00:00:00:02",
                IFLA_PERM_ADDRESS="02:00:00:00:00:02",
                IFLA_IFALIAS="uplink",
                IFLA_NUM_RX_QUEUES=8,
                port={"IFLA_BRPORT_LEARNING": 0},
            ),
            link(3, "eth1", 0x1002, IFLA_OPERSTATE="DOWN", IFLA_MASTER=5),
            link(4, "br0", kind="bridge", data={"IFLA_BR_STP_STATE": 1}),
            link(
                5,
                "bond0",
                kind="bond",
                data={
                    "IFLA_BOND_MODE": 4,
                    "IFLA_BOND_XMIT_HASH_POLICY": 2,
                    "IFLA_BOND_AD_LACP_RATE": 1,
                },
            ),
            link(6, "bond0.5", kind="vlan", IFLA_LINK=5, data={"IFLA_VLAN_ID": 5}),
            link(7, "wg0", 0xD1, kind="wireguard", IFLA_OPERSTATE="UNKNOWN"),
            link(8, "eth9.7", kind="vlan", IFLA_LINK=99, data={"IFLA_VLAN_ID": 7}),
        ],
        [
            address(4, 24, IFA_ADDRESS="192.0.2.10", IFA_LOCAL="192.0.2.10", IFA_BROADCAST="192.0.2.255"),
            address(4, 64, IFA_ADDRESS="2001:db8::10", IFA_CACHEINFO={"ifa_valid": 86399}),
            address(7, 32, IFA_ADDRESS="10.0.0.2", IFA_LOCAL="10.0.0.1"),
            address(1, 8, IFA_ADDRESS="127.0.0.1"),
        ],
        tmp_path,
    )
    up = ("UP", "BROADCAST", "RUNNING", "MULTICAST")
    assert found == [
        Link(
            "bond0",
            LinkKind.LINK_AGGREGATION,
            flags=up,
            is_up=True,
            members=("eth1",),
            mode="802.3ad",
            hash_policy="layer2+3",
            lacp_rate="fast",
        ),
        Link("bond0.5", LinkKind.VLAN, flags=up, is_up=True, parent="bond0", tag=5),
        Link(
            "br0",
            LinkKind.BRIDGE,
            flags=up,
            is_up=True,
            addresses=(
                LinkAddress("192.0.2.10", 24, "192.0.2.255"),
                LinkAddress("2001:db8::10", 64, is_lasting=False),
            ),
            members=("eth0",),
            has_stp=True,
            learns=False,
        ),
        Link(
            "eth0",
            mac="02:00:00:00:00:02",
            permanent_mac="02:00:00:00:00:02",
            flags=("UP", "BROADCAST", "RUNNING", "SLAVE", "MULTICAST"),
            is_up=True,
            description="uplink",
            speed=1000,
            rx_queues=8,
        ),
        Link("eth1", flags=("BROADCAST", "MULTICAST"), is_up=False),
        Link("eth9.7", LinkKind.VLAN, flags=up, is_up=True, tag=7),
        Link(
            "wg0",
            LinkKind.UNKNOWN,
            flags=("UP", "POINTOPOINT", "RUNNING", "NOARP"),
            addresses=(LinkAddress("10.0.0.1", 32),),
        ),
    ]


def test_ends_of_guests_and_containers_are_left_out(tmp_path: Path) -> None:
    messages = [
        link(1, "br0", kind="bridge"),
        link(2, "vnet0", kind="tun", IFLA_MASTER=1),
        link(3, "veth1", kind="veth", IFLA_MASTER=1),
        link(4, "macvtap0", kind="macvtap"),
        link(5, "tun0", kind="tun"),
        link(6, "eth0", kind="veth"),
    ]
    found = links_of(messages, [], tmp_path)
    assert [(each.name, each.kind, each.members) for each in found] == [
        ("br0", LinkKind.BRIDGE, ()),
        ("eth0", LinkKind.UNKNOWN, ()),
        ("tun0", LinkKind.UNKNOWN, ()),
    ]


def test_gateways_come_in_the_order_in_which_they_are_preferred() -> None:
    def route(family: int, **attributes: Any) -> dict[str, Any]:
        return {"family": family, "attrs": list(attributes.items())}

    hops = [{"attrs": [("RTA_GATEWAY", "2001:db8::2")]}, {"attrs": [("RTA_OIF", 3)]}]
    routes = [
        route(10, RTA_PRIORITY=1024, RTA_MULTIPATH=hops),
        route(2, RTA_PRIORITY=600, RTA_GATEWAY="192.0.2.1"),
        route(2, RTA_GATEWAY="198.51.100.1"),
        route(2, RTA_PRIORITY=700, RTA_GATEWAY="198.51.100.1"),
        route(2, RTA_OIF=2),
    ]
    assert gateways_of(routes) == ["198.51.100.1", "192.0.2.1", "2001:db8::2"]


@pytest.mark.parametrize(
    ("resolver", "expected"),
    [
        ("nameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch a.example b.example\n", True),
        # Somebody asks on behalf of everybody: it tells elsewhere whom.
        ("nameserver 127.0.0.53\noptions edns0\nsearch .\n", True),
        ("", False),
    ],
)
def test_whom_it_asks_for_names(tmp_path: Path, resolver: str, expected: bool) -> None:
    (tmp_path / "systemd/resolve").mkdir(parents=True)
    behind = "nameserver 192.0.2.53\nnameserver 2001:db8::53\ndomain a.example b.example\n"
    (tmp_path / "systemd/resolve/resolv.conf").write_text(behind)
    (tmp_path / "resolv.conf").write_text(resolver)
    (tmp_path / "hosts").write_text(
        "127.0.1.1 me\n::1 localhost\nff02::1 ip6-allnodes\n192.0.2.7  nas nas.example # disks\n192.0.2.8\n\n"
    )
    settings = NetworkSettings((), ("192.0.2.53", "2001:db8::53"), ("a.example", "b.example"))
    found = read_names(tmp_path, tmp_path)
    assert found.hosts == ("192.0.2.7 nas nas.example",)
    assert (found.nameservers, found.domains) == (
        (settings.nameservers, settings.domains) if expected else ((), ())
    )


_LOOK = """
import asyncio
from vmstead.adapters.linux_host import LinuxHost
async def look():
    host = LinuxHost()
    for link in await host.links():
        print(link.name, link.kind, link.mtu, link.members, link.has_stp, link.is_up, link.addresses)
    print((await host.network_settings()).gateways)
asyncio.run(look())
"""
_MAKE = """
ip link add br0 type bridge stp_state 1
ip link add ifb0 type ifb 2>/dev/null
ip tuntap add vnet0 mode tap && ip link set vnet0 master br0
ip link set br0 mtu 1400 up
ip addr add 192.0.2.1/24 dev br0
ip addr add 2001:db8::1/64 dev br0 valid_lft 3000 preferred_lft 3000 nodad
ip route add default via 192.0.2.254
"""


async def test_the_kernel_itself_is_understood() -> None:
    """In a network of its own, which ends with the command."""
    script = f'{_MAKE}\nexec "$@"'
    apart = ["unshare", "--map-root-user", "--net"]
    told = await run([*apart, "sh", "-ec", script, "sh", sys.executable, "-c", _LOOK])
    bridge, gateways = told.decode().splitlines()
    assert bridge.startswith("br0 BRIDGE 1400 () True False (")
    assert "LinkAddress(address='192.0.2.1', prefix=24, broadcast=None, is_lasting=True)" in bridge
    assert "LinkAddress(address='2001:db8::1', prefix=64, broadcast=None, is_lasting=False)" in bridge
    assert gateways == "('192.0.2.254',)"
