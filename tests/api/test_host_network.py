"""``interface.*`` and ``network.*``: the host's network as clients read it."""

from dataclasses import replace
from pathlib import Path

from tests.api.answers import needs_role, shaped
from tests.harness import server
from vmstead.adapters.fake_host import FakeHost
from vmstead.ports.machine import Machine, ServiceState
from vmstead.ports.network import Link, LinkAddress, LinkKind, NetworkSettings

MAC = "02:00:00:00:00:07"
HOST = [
    Link(
        "bond0",
        LinkKind.LINK_AGGREGATION,
        mac=MAC,
        members=("eth0", "eth1"),
        mode="802.3ad",
        hash_policy="layer2+3",
        lacp_rate="fast",
    ),
    Link("br0", LinkKind.BRIDGE, members=("eth2",), has_stp=True, learns=False),
    Link(
        "eth2",
        mac=MAC,
        permanent_mac="02:00:00:00:00:08",
        mtu=9000,
        flags=("UP", "RUNNING"),
        is_up=True,
        description="uplink",
        speed=1000,
        rx_queues=4,
        tx_queues=2,
        addresses=(
            LinkAddress("192.0.2.10", 24, "192.0.2.255"),
            LinkAddress("198.51.100.9", 24, is_lasting=False),
            LinkAddress("2001:db8::10", 64, is_lasting=False),
            LinkAddress("fe80::1", 64),
        ),
    ),
    Link("eth3", is_up=False),
    Link("vlan5", LinkKind.VLAN, parent="bond0", tag=5),
]


async def test_an_interface_is_told_with_everything_known_of_it(tmp_path: Path) -> None:
    async with server(tmp_path, machine=FakeHost(plugged=HOST)) as host:
        found = await shaped(host, "interface.get_instance", "eth2")
        assert found == {
            "id": "eth2",
            "name": "eth2",
            "fake": False,
            "type": "PHYSICAL",
            "state": {
                "name": "eth2",
                "orig_name": "eth2",
                "description": "uplink",
                "mtu": 9000,
                "cloned": False,
                "flags": ["UP", "RUNNING"],
                "nd6_flags": [],
                "capabilities": [],
                "supported_media": [],
                "link_state": "LINK_STATE_UP",
                "media_type": "",
                "media_subtype": "",
                "active_media_type": "Ethernet",
                "active_media_subtype": "1000Mb/s",
                "media_options": None,
                "link_address": MAC,
                "permanent_link_address": "02:00:00:00:00:08",
                "hardware_link_address": "02:00:00:00:00:08",
                "rx_queues": 4,
                "tx_queues": 2,
                "aliases": [
                    {"type": "LINK", "address": MAC},
                    {"type": "INET", "address": "192.0.2.10", "netmask": 24, "broadcast": "192.0.2.255"},
                    {"type": "INET", "address": "198.51.100.9", "netmask": 24},
                    {"type": "INET6", "address": "2001:db8::10", "netmask": 64},
                    {"type": "INET6", "address": "fe80::1", "netmask": 64},
                ],
                "vrrp_config": None,
            },
            "aliases": [{"type": "INET", "address": "192.0.2.10", "netmask": 24}],
            "ipv4_dhcp": True,
            "ipv6_auto": True,
            "description": "uplink",
            "mtu": 9000,
        }


async def test_each_kind_of_interface_has_fields_of_its_own(tmp_path: Path) -> None:
    async with server(tmp_path, machine=FakeHost(plugged=HOST)) as host:
        rows = {row["id"]: row for row in await shaped(host, "interface.query")}
        assert {name: row["type"] for name, row in rows.items()} == {
            "bond0": "LINK_AGGREGATION",
            "br0": "BRIDGE",
            "eth2": "PHYSICAL",
            "eth3": "PHYSICAL",
            "vlan5": "VLAN",
        }
        bridge = {name: rows["br0"][name] for name in ("bridge_members", "stp", "enable_learning")}
        assert bridge == {"bridge_members": ["eth2"], "stp": True, "enable_learning": False}
        assert rows["br0"]["state"]["link_state"] == "LINK_STATE_UNKNOWN"
        assert rows["eth3"]["state"]["link_state"] == "LINK_STATE_DOWN"
        bond = rows["bond0"]
        assert (bond["lag_protocol"], bond["lag_ports"]) == ("LACP", ["eth0", "eth1"])
        assert (bond["xmit_hash_policy"], bond["lacpdu_rate"]) == ("LAYER2+3", "FAST")
        assert [port["name"] for port in bond["state"]["ports"]] == ["eth0", "eth1"]
        vlan = rows["vlan5"]
        assert (vlan["vlan_parent_interface"], vlan["vlan_tag"]) == ("bond0", 5)
        assert (vlan["state"]["parent"], vlan["state"]["tag"]) == ("bond0", 5)
        chosen = await host.api.call("interface.query", [["type", "=", "BRIDGE"]], {"select": ["id"]})
        assert chosen == [{"id": "br0"}]


async def test_interfaces_take_a_role_and_proper_questions(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await needs_role(
            host, "NETWORK_INTERFACE_READ", ("interface.query",), ("interface.get_instance", "eth0")
        )
        failure = await host.api.failure("interface.get_instance", "eth9")
        assert failure.data["extra"] == [[None, "Interface eth9 does not exist", 2]]
        assert (await host.api.failure("interface.get_instance", 1)).attributes == ["id"]
        assert (await host.api.failure("interface.query", [["id"]])).code == -32602


async def test_what_the_network_comes_to(tmp_path: Path) -> None:
    beyond = NetworkSettings(gateways=("192.0.2.1", "2001:db8::1"), nameservers=("192.0.2.53",))
    async with server(tmp_path, machine=FakeHost(plugged=HOST, beyond=beyond)) as host:
        assert await shaped(host, "network.general.summary") == {
            "ips": {
                "eth2": {
                    "IPV4": ["192.0.2.10/24", "198.51.100.9/24"],
                    "IPV6": ["2001:db8::10/64", "fe80::1/64"],
                }
            },
            "default_routes": ["192.0.2.1", "2001:db8::1"],
            "nameservers": ["192.0.2.53"],
        }
        await needs_role(
            host, "NETWORK_GENERAL_READ", ("network.general.summary",), ("network.configuration.config",)
        )


async def test_names_and_gateways(tmp_path: Path) -> None:
    beyond = NetworkSettings(
        gateways=("192.0.2.1", "2001:db8::1"),
        nameservers=("192.0.2.53", "192.0.2.54"),
        domains=("a.example", "b.example"),
        hosts=("192.0.2.7 nas",),
    )
    machine = FakeHost(itself=Machine("host1"), beyond=beyond)
    machine.units["avahi-daemon"] = ServiceState(runs=True, pids=(7,))
    async with server(tmp_path, machine=machine) as host:
        found = await shaped(host, "network.configuration.config")
        now = {
            "ipv4gateway": "192.0.2.1",
            "ipv6gateway": "2001:db8::1",
            "nameserver1": "192.0.2.53",
            "nameserver2": "192.0.2.54",
            "nameserver3": "",
            "hosts": ["192.0.2.7 nas"],
        }
        assert found == {
            "id": 1,
            "hostname": "host1",
            "hostname_local": "host1",
            "domain": "a.example",
            "domains": ["b.example"],
            **now,
            "httpproxy": "",
            "service_announcement": {"mdns": True, "netbios": False, "wsd": False},
            "activity": {"type": "DENY", "activities": []},
            "state": now,
        }
        machine.itself = Machine("host1.own.example")
        machine.beyond = replace(beyond, gateways=(), domains=())
        found = await shaped(host, "network.configuration.config")
        assert (found["hostname"], found["domain"], found["domains"]) == ("host1", "own.example", [])
        assert (found["ipv4gateway"], found["ipv6gateway"]) == ("", "")
