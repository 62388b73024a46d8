"""What ``ip -json`` says, and the same in the words of ``ip`` again."""

import ipaddress
from typing import Any

from vmstead.network.cabling import (
    address_step,
    cabling_of,
    lasting,
    networks_of,
    restored,
)
from vmstead.ports.host_network import Cable, CableAddress, Cabling, Hold, Route

#: As iproute2 6.1 prints them, without what nobody asks for.
LINKS: list[dict[str, Any]] = [
    {"ifname": "lo", "flags": ["LOOPBACK", "UP"], "mtu": 65536, "link_type": "loopback", "addr_info": []},
    {
        "ifname": "enp1s0",
        "flags": ["BROADCAST", "MULTICAST", "UP", "LOWER_UP"],
        "mtu": 9000,
        "link_type": "ether",
        "address": "52:54:00:00:00:01",
        "addr_info": [
            {
                "family": "inet",
                "local": "192.168.1.7",
                "prefixlen": 24,
                "broadcast": "192.168.1.255",
                "metric": 1024,
                "scope": "global",
                "dynamic": True,
                "valid_life_time": 3000,
            },
            {
                "family": "inet",
                "local": "10.1.0.2",
                "prefixlen": 16,
                "scope": "global",
                "valid_life_time": 4294967295,
            },
            {
                "family": "inet6",
                "local": "2001:db8::7",
                "prefixlen": 64,
                "scope": "global",
                "valid_life_time": 4294967295,
            },
            {
                "family": "inet6",
                "local": "2001:db8::5054:ff:fe00:1",
                "prefixlen": 64,
                "scope": "global",
                "dynamic": True,
                "mngtmpaddr": True,
                "valid_life_time": 600,
            },
            {
                "family": "inet6",
                "local": "fe80::1",
                "prefixlen": 64,
                "scope": "link",
                "valid_life_time": 4294967295,
            },
        ],
    },
    {
        "ifname": "macvtap0",
        "link": "enp1s0",
        "flags": ["BROADCAST"],
        "mtu": 1500,
        "link_type": "ether",
        "linkinfo": {"info_kind": "macvtap"},
        "addr_info": [],
    },
    {
        "ifname": "enp2s0",
        "flags": ["BROADCAST"],
        "mtu": 1500,
        "link_type": "ether",
        "master": "lan0",
        "linkinfo": {"info_slave_kind": "bridge"},
        "addr_info": [],
    },
]
IPV4: list[dict[str, Any]] = [
    {
        "dst": "default",
        "gateway": "192.168.1.1",
        "dev": "enp1s0",
        "protocol": "dhcp",
        "prefsrc": "192.168.1.7",
        "metric": 1024,
        "flags": [],
    },
    {
        "dst": "192.168.1.0/24",
        "dev": "enp1s0",
        "protocol": "kernel",
        "scope": "link",
        "prefsrc": "192.168.1.7",
        "flags": [],
    },
    {"dst": "10.9.0.0/16", "gateway": "10.1.0.1", "dev": "enp1s0", "flags": ["onlink"]},
    {"dst": "10.1.0.1", "dev": "enp1s0", "protocol": "static", "scope": "link", "flags": []},
    {
        "type": "local",
        "dst": "192.168.1.7",
        "dev": "enp1s0",
        "table": "local",
        "protocol": "kernel",
        "flags": [],
    },
    {"type": "blackhole", "dst": "10.66.0.0/16", "protocol": "static", "flags": []},
]
IPV6: list[dict[str, Any]] = [
    {"dst": "default", "gateway": "fe80::99", "dev": "enp1s0", "protocol": "ra", "metric": 1024, "flags": []},
    {
        "dst": "2001:db8:9::/48",
        "gateway": "fe80::98",
        "dev": "enp1s0",
        "protocol": "static",
        "metric": 1024,
        "flags": [],
    },
]
CABLING = cabling_of(LINKS, IPV4, IPV6)


def words(steps: Any) -> list[str]:
    return [" ".join(step.argv) for step in steps]


def test_what_there_is() -> None:
    lo, card, tap, port = CABLING.cables.values()
    assert (lo.carries, card.carries, tap.carries, port.carries) == (False, True, False, True)
    assert card == Cable(
        "enp1s0",
        mac="52:54:00:00:00:01",
        mtu=9000,
        addresses=(
            CableAddress("192.168.1.7/24", "192.168.1.255", 3000, 1024),
            CableAddress("10.1.0.2/16"),
            CableAddress("2001:db8::7/64"),
        ),
    )
    assert (tap.kind, tap.parent) == ("macvtap", "enp1s0")
    assert (port.master, port.is_up) == ("lan0", False)
    assert Route("10.9.0.0/16", "enp1s0", ("via", "10.1.0.1", "onlink")) in CABLING.routes
    # Neither the host's own addresses nor what leads nowhere.
    assert len(CABLING.routes) == 6


def test_what_lasts_goes_over() -> None:
    (step,) = lasting(CABLING, "enp1s0", "lan0")
    assert isinstance(step, Hold)
    assert (step.link, step.addresses) == ("lan0", ("10.1.0.2/16", "2001:db8::7/64"))
    assert words(step.steps) == [
        "ip -4 address replace 10.1.0.2/16 dev lan0",
        "ip -6 address replace 2001:db8::7/64 dev lan0",
        "ip -4 route replace 10.1.0.1 scope link dev lan0 proto static",
        "ip -4 route replace 10.9.0.0/16 via 10.1.0.1 onlink dev lan0 proto boot",
        "ip -6 route replace 2001:db8:9::/48 via fe80::98 metric 1024 dev lan0 proto static",
    ]


def test_everything_is_restored_also_what_was_lent() -> None:
    (step,) = restored(CABLING, "enp1s0")
    assert isinstance(step, Hold)
    assert (step.link, step.addresses) == ("enp1s0", ("10.1.0.2/16", "2001:db8::7/64"))
    assert words(step.steps) == [
        "ip -4 address replace 192.168.1.7/24 brd 192.168.1.255 metric 1024"
        " valid_lft 3000 preferred_lft 3000 dev enp1s0",
        "ip -4 address replace 10.1.0.2/16 dev enp1s0",
        "ip -6 address replace 2001:db8::7/64 dev enp1s0",
        "ip -4 route replace 10.1.0.1 scope link dev enp1s0 proto static",
        "ip -4 route replace default via 192.168.1.1 src 192.168.1.7 metric 1024 dev enp1s0 proto dhcp",
        "ip -4 route replace 10.9.0.0/16 via 10.1.0.1 onlink dev enp1s0 proto boot",
        "ip -6 route replace 2001:db8:9::/48 via fe80::98 metric 1024 dev enp1s0 proto static",
    ]
    assert [each.needed for each in step.steps] == [False, True, True, False, False, False, False]


def test_an_address_in_words() -> None:
    step = address_step("lan0", CableAddress("10.0.0.1/8", "10.255.255.255"), needed=True)
    assert " ".join(step.argv) == "ip -4 address replace 10.0.0.1/8 brd 10.255.255.255 dev lan0"


def test_networks_that_are_in_use_and_where() -> None:
    found = networks_of(CABLING)
    assert (ipaddress.IPv4Network("192.168.1.0/24"), "192.168.1.7/24, an address of enp1s0") in found
    assert (
        ipaddress.IPv4Network("10.9.0.0/16"),
        "10.9.0.0/16, which is reached through enp1s0",
    ) in found
    assert not [network for network, _ in found if network.prefixlen == 0]


def test_where_there_is_nothing_nothing_is_held() -> None:
    bare = Cabling({"enp1s0": Cable("enp1s0")})
    assert lasting(bare, "enp1s0", "lan0") == restored(bare, "enp1s0") == []
