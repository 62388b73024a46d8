"""``interface.*`` and ``network.*``: the host's network as it is. It is configured by the host's own means."""

from typing import Any, Literal

from vmstead.ctx import Ctx
from vmstead.errors import host_errors
from vmstead.kernel.model import Field, Model
from vmstead.ports.machine import ServiceNames
from vmstead.ports.network import Link, LinkAddress, LinkKind
from vmstead.query import Query
from vmstead.rpc.queries import QueryOptions
from vmstead.rpc.registry import Namespace
from vmstead.system.rows import instance

interface = Namespace("interface")
general = Namespace("network.general")
configuration = Namespace("network.configuration")

_LAG_PROTOCOLS = {
    "802.3ad": "LACP",
    "active-backup": "FAILOVER",
    "balance-xor": "LOADBALANCE",
    "balance-rr": "ROUNDROBIN",
}
_LINK_STATES = {True: "LINK_STATE_UP", False: "LINK_STATE_DOWN", None: "LINK_STATE_UNKNOWN"}
#: Programs that announce the host to its neighbours, by the API's words for what they speak.
_ANNOUNCERS = {
    "mdns": ServiceNames(("avahi-daemon.service",), ("avahi-daemon",)),
    "netbios": ServiceNames(("nmbd.service",), ("nmbd",)),
    "wsd": ServiceNames(("wsdd.service", "wsdd2.service"), ("wsdd", "wsdd2")),
}


class Alias(Model):
    """An address."""

    type: Literal["INET", "INET6"] = Field(description="IPv4 or IPv6.")
    address: str = Field(description="The address.")
    netmask: int = Field(description="How many of its bits are the network's.")


class StateAlias(Model):
    """An address that an interface has now."""

    type: Literal["LINK", "INET", "INET6"] = Field(description="Hardware address, IPv4 or IPv6.")
    address: str = Field(description="The address.")
    netmask: int | None = Field(None, description="INET, INET6: how many of its bits are the network's.")
    broadcast: str | None = Field(None, description="INET: the address that reaches everybody.")


class Port(Model):
    """A port of a link aggregation."""

    name: str = Field(description="The interface.")
    flags: list[str] = Field(description="Nothing more is told of it.")


class State(Model):
    """How an interface does."""

    name: str = Field(description="Its name.")
    orig_name: str = Field(description="The same.")
    description: str = Field(description="What its administrator calls it.")
    mtu: int = Field(description="Bytes of the largest packet.")
    cloned: bool = Field(description="No hardware is behind it.")
    flags: list[str] = Field(description="The kernel's words for its state.")
    nd6_flags: list[str] = Field(description="None is told of.")
    capabilities: list[str] = Field(description="None is told of.")
    link_state: str = Field(description="LINK_STATE_UP, LINK_STATE_DOWN or LINK_STATE_UNKNOWN.")
    media_type: str = Field(description="Not told.")
    media_subtype: str = Field(description="Not told.")
    active_media_type: str = Field(description="Ethernet, where it is and its speed is known.")
    active_media_subtype: str = Field(description="How fast it is, such as 1000Mb/s.")
    supported_media: list[str] = Field(description="None is told of.")
    media_options: None = Field(description="None is told of.")
    link_address: str = Field(description="Its hardware address.")
    permanent_link_address: str | None = Field(description="The one it was made with, where that is known.")
    hardware_link_address: str = Field(description="The same, else its hardware address.")
    rx_queues: int = Field(description="Queues for what comes in.")
    tx_queues: int = Field(description="Queues for what goes out.")
    aliases: list[StateAlias] = Field(description="Its addresses.")
    vrrp_config: None = Field(description="It shares no address with another machine.")
    protocol: str | None = Field(None, description="LINK_AGGREGATION: as lag_protocol.")
    ports: list[Port] = Field([], description="LINK_AGGREGATION: its ports.")
    xmit_hash_policy: str | None = Field(None, description="LINK_AGGREGATION: how packets are spread.")
    lacpdu_rate: str | None = Field(None, description="LINK_AGGREGATION: SLOW or FAST.")
    parent: str | None = Field(None, description="VLAN: the interface below.")
    tag: int | None = Field(None, description="VLAN: its number.")
    pcp: int | None = Field(None, description="VLAN: priority; not told.")


class InterfaceShape(Model):
    """An interface of the host."""

    id: str = Field(description="Its name.")
    name: str = Field(description="Its name.")
    fake: bool = Field(description="It is one.")
    type: LinkKind = Field(description="What it is.")
    state: State = Field(description="How it does.")
    aliases: list[Alias] = Field(description="Addresses that are set by hand.")
    ipv4_dhcp: bool = Field(description="It has an IPv4 address that was lent.")
    ipv6_auto: bool = Field(description="It has an IPv6 address that was lent.")
    description: str = Field(description="What its administrator calls it.")
    mtu: int | None = Field(description="Bytes of the largest packet.")
    bridge_members: list[str] = Field([], description="BRIDGE: its ports, without those of guests.")
    stp: bool = Field(False, description="BRIDGE: it speaks the spanning tree protocol.")
    enable_learning: bool = Field(True, description="BRIDGE: it remembers which address is where.")
    lag_protocol: str | None = Field(None, description="LINK_AGGREGATION: LACP, FAILOVER, … or NONE.")
    lag_ports: list[str] = Field([], description="LINK_AGGREGATION: its ports.")
    xmit_hash_policy: str | None = Field(None, description="LINK_AGGREGATION: how packets are spread.")
    lacpdu_rate: str | None = Field(None, description="LINK_AGGREGATION: SLOW or FAST.")
    vlan_parent_interface: str | None = Field(None, description="VLAN: the interface below.")
    vlan_tag: int | None = Field(None, description="VLAN: its number.")
    vlan_pcp: int | None = Field(None, description="VLAN: priority; not told.")


def interface_entry(link: Link) -> dict[str, Any]:
    """An interface as clients read it."""
    usable = [each for each in link.addresses if not each.address.startswith("fe80:")]
    return {
        "id": link.name,
        "name": link.name,
        "fake": False,
        "type": str(link.kind),
        "state": _state(link),
        "aliases": [_alias(each) for each in usable if each.is_lasting],
        "ipv4_dhcp": any(not (each.is_ipv6 or each.is_lasting) for each in usable),
        "ipv6_auto": any(each.is_ipv6 and not each.is_lasting for each in usable),
        "description": link.description,
        "mtu": link.mtu,
        **_details(link),
    }


def _state(link: Link) -> dict[str, Any]:
    hardware = [{"type": "LINK", "address": link.mac}] if link.mac else []
    more: dict[str, Any] = {}
    if link.kind is LinkKind.LINK_AGGREGATION:
        lag = _details(link)
        more = {
            "protocol": lag["lag_protocol"],
            "ports": [{"name": name, "flags": []} for name in link.members],
            "xmit_hash_policy": lag["xmit_hash_policy"],
            "lacpdu_rate": lag["lacpdu_rate"],
        }
    elif link.kind is LinkKind.VLAN:
        more = {"parent": link.parent, "tag": link.tag, "pcp": None}
    return {
        "name": link.name,
        "orig_name": link.name,
        "description": link.description,
        "mtu": link.mtu,
        "cloned": link.kind is not LinkKind.PHYSICAL,
        "flags": list(link.flags),
        **{name: [] for name in ("nd6_flags", "capabilities", "supported_media")},
        "link_state": _LINK_STATES[link.is_up],
        "media_type": "",
        "media_subtype": "",
        "active_media_type": "Ethernet" if link.speed else "",
        "active_media_subtype": f"{link.speed}Mb/s" if link.speed else "",
        "media_options": None,
        "link_address": link.mac,
        "permanent_link_address": link.permanent_mac,
        "hardware_link_address": link.permanent_mac or link.mac,
        "rx_queues": link.rx_queues,
        "tx_queues": link.tx_queues,
        "aliases": [*hardware, *(_alias(each, with_broadcast=True) for each in link.addresses)],
        "vrrp_config": None,
        **more,
    }


def _alias(address: LinkAddress, *, with_broadcast: bool = False) -> dict[str, Any]:
    found = {
        "type": "INET6" if address.is_ipv6 else "INET",
        "address": address.address,
        "netmask": address.prefix,
    }
    return (
        {**found, "broadcast": address.broadcast}
        if with_broadcast and address.broadcast is not None
        else found
    )


def _details(link: Link) -> dict[str, Any]:
    """What only some kinds have."""
    if link.kind is LinkKind.BRIDGE:
        return {"bridge_members": list(link.members), "stp": link.has_stp, "enable_learning": link.learns}
    if link.kind is LinkKind.VLAN:
        return {"vlan_parent_interface": link.parent, "vlan_tag": link.tag, "vlan_pcp": None}
    if link.kind is LinkKind.LINK_AGGREGATION:
        return {
            "lag_protocol": _LAG_PROTOCOLS.get(link.mode or "", "NONE"),
            "lag_ports": list(link.members),
            "xmit_hash_policy": link.hash_policy.upper() if link.hash_policy else None,
            "lacpdu_rate": link.lacp_rate.upper() if link.lacp_rate else None,
        }
    return {}


async def _entries(ctx: Ctx) -> list[dict[str, Any]]:
    with host_errors("the host's interfaces cannot be listed"):
        return [interface_entry(link) for link in await ctx.host.links()]


@interface.query(role="NETWORK_INTERFACE_READ", returns=InterfaceShape)
async def query(ctx: Ctx, query: Query) -> object:
    """The interfaces of the host by name, without loopback and the ends that belong to guests."""
    return query.apply(await _entries(ctx))


@interface.method(role="NETWORK_INTERFACE_READ", returns=InterfaceShape)
async def get_instance(ctx: Ctx, id: str, options: QueryOptions = {}) -> object:  # noqa: B006
    """One interface. Options are those of ``interface.query``. Fails with ENOENT when there is none."""
    return instance("Interface", await _entries(ctx), "id", id, options)


class Addresses(Model):
    """The addresses of an interface, each with the length of its network's part."""

    IPV4: list[str] = Field([], description="Such as 192.0.2.10/24; left out where there is none.")
    IPV6: list[str] = Field([], description="Such as 2001:db8::10/64; left out where there is none.")


class Summary(Model):
    """What the host's network comes to."""

    ips: dict[str, Addresses] = Field(description="Addresses by interface.")
    default_routes: list[str] = Field(description="Gateways, the preferred one first.")
    nameservers: list[str] = Field(description="Whom the host asks for names.")


@general.method(role="NETWORK_GENERAL_READ", returns=Summary)
async def summary(ctx: Ctx) -> dict[str, Any]:
    """Addresses, gateways and name servers that are in use now."""
    with host_errors("the host's network cannot be looked at"):
        links, beyond = await ctx.host.links(), await ctx.host.network_settings()
    ips: dict[str, dict[str, list[str]]] = {}
    for link in links:
        for each in link.addresses:
            kind = "IPV6" if each.is_ipv6 else "IPV4"
            ips.setdefault(link.name, {}).setdefault(kind, []).append(f"{each.address}/{each.prefix}")
    return {
        "ips": ips,
        "default_routes": list(beyond.gateways),
        "nameservers": list(beyond.nameservers),
    }


class Announcement(Model):
    """How the host tells its neighbours of itself: by programs of its own, not by this server."""

    netbios: bool = Field(description="nmbd runs.")
    mdns: bool = Field(description="avahi-daemon runs.")
    wsd: bool = Field(description="wsdd runs.")


class Activity(Model):
    """What this server may connect to: nothing is forbidden, and nothing is done."""

    type: Literal["DENY"] = Field(description="The list says what is forbidden.")
    activities: list[str] = Field(description="Nothing.")


class Now(Model):
    """What is in use."""

    ipv4gateway: str = Field(description="The preferred IPv4 gateway.")
    ipv6gateway: str = Field(description="The preferred IPv6 gateway.")
    nameserver1: str = Field(description="The first name server.")
    nameserver2: str = Field(description="The second.")
    nameserver3: str = Field(description="The third.")
    hosts: list[str] = Field(description="Names that the host knows by itself.")


class Configuration(Model):
    """The host's names and gateways. What there is none of is empty."""

    id: int = Field(description="1.")
    hostname: str = Field(description="The host's name, without its domain.")
    hostname_local: str = Field(description="The same.")
    domain: str = Field(description="Its domain.")
    domains: list[str] = Field(description="What else is tried after a name that is not found.")
    ipv4gateway: str = Field(description="The preferred IPv4 gateway.")
    ipv6gateway: str = Field(description="The preferred IPv6 gateway.")
    nameserver1: str = Field(description="The first name server.")
    nameserver2: str = Field(description="The second.")
    nameserver3: str = Field(description="The third.")
    httpproxy: str = Field(description="Empty: this server fetches nothing.")
    hosts: list[str] = Field(description="Names that the host knows by itself, after their address.")
    service_announcement: Announcement = Field(description="How it tells its neighbours of itself.")
    activity: Activity = Field(description="What this server may connect to.")
    state: Now = Field(description="What is in use: the same, as nothing is kept here.")


@configuration.method(role="NETWORK_GENERAL_READ", returns=Configuration)
async def config(ctx: Ctx) -> dict[str, Any]:
    """The host's names, gateways and name servers, as they are in use now."""
    with host_errors("the host's network cannot be looked at"):
        machine, beyond = await ctx.host.machine(), await ctx.host.network_settings()
        announcers = await ctx.host.services(_ANNOUNCERS)
    name, _, domain = machine.hostname.partition(".")
    servers = [*beyond.nameservers, "", "", ""]
    now = {
        "ipv4gateway": next((each for each in beyond.gateways if ":" not in each), ""),
        "ipv6gateway": next((each for each in beyond.gateways if ":" in each), ""),
        **{f"nameserver{number}": servers[number - 1] for number in (1, 2, 3)},
        "hosts": list(beyond.hosts),
    }
    domain = domain or (beyond.domains[0] if beyond.domains else "")
    return {
        "id": 1,
        "hostname": name,
        "hostname_local": name,
        "domain": domain,
        "domains": [each for each in beyond.domains if each != domain],
        **now,
        "httpproxy": "",
        "service_announcement": {word: state.runs for word, state in announcers.items()},
        "activity": {"type": "DENY", "activities": []},
        "state": now,
    }
