"""The network of a Linux machine, told by the kernel through netlink (pyroute2).

``read_links`` asks; ``links_of`` and ``gateways_of`` make sense of the answers, which are dictionaries whose
``attrs`` are pairs of a name and a value.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from vmstead.adapters.linux_machine import text_of
from vmstead.ports.network import Link, LinkAddress, LinkKind, NetworkSettings

Message = Mapping[str, Any]

_KINDS = {"bridge": LinkKind.BRIDGE, "bond": LinkKind.LINK_AGGREGATION, "vlan": LinkKind.VLAN}
#: Ends of guests and containers: these always, the others when they are plugged into something.
_OF_GUESTS, _OF_GUESTS_WHEN_PLUGGED = {"macvtap", "ipvtap", "ifb"}, {"veth", "tun"}
_FLAGS = {
    0x1: "UP",
    0x2: "BROADCAST",
    0x8: "LOOPBACK",
    0x10: "POINTOPOINT",
    0x40: "RUNNING",
    0x80: "NOARP",
    0x100: "PROMISC",
    0x200: "ALLMULTI",
    0x400: "MASTER",
    0x800: "SLAVE",
    0x1000: "MULTICAST",
}
_LOOPBACK = 0x8
_IS_UP = {"UP": True, "DOWN": False, "LOWERLAYERDOWN": False, "NOTPRESENT": False}
_BOND_MODES = (
    "balance-rr",
    "active-backup",
    "balance-xor",
    "broadcast",
    "802.3ad",
    "balance-tlb",
    "balance-alb",
)
_HASH_POLICIES = ("layer2", "layer3+4", "layer2+3")
_LACP_RATES = ("slow", "fast")
#: Lifetime of an address that has no end.
_FOREVER = 0xFFFFFFFF
#: What stands in resolv.conf where systemd-resolved asks on behalf of everybody, and where it tells whom.
_STUB, _BEHIND_STUB = "127.0.0.53", "systemd/resolve/resolv.conf"


def read_links(sys: Path) -> list[Link]:
    """The interfaces, by name. Raises OSError."""
    from pyroute2 import IPRoute

    with IPRoute() as kernel:
        links, addresses = list(kernel.get_links()), list(kernel.get_addr())
    return links_of(links, addresses, sys / "class/net")


def read_gateways() -> list[str]:
    """Where packets go for which there is no other route. Raises OSError."""
    from pyroute2 import IPRoute

    with IPRoute() as kernel:
        return gateways_of(kernel.get_default_routes())


def links_of(messages: Iterable[Message], addresses: Iterable[Message], net: Path) -> list[Link]:
    """Interfaces, from the kernel's messages about links and addresses.

    Args:
        net: sysfs's folder of interfaces, which knows how fast they are.
    """
    known = {message["index"]: _attributes(message) for message in messages}
    flags = {message["index"]: message["flags"] for message in messages}
    members: dict[int, list[int]] = {}
    for index, link in known.items():
        if "IFLA_MASTER" in link and not _is_of_guests(link):
            members.setdefault(link["IFLA_MASTER"], []).append(index)
    owned: dict[int, list[LinkAddress]] = {}
    for message in addresses:
        owned.setdefault(message["index"], []).append(_address(message))
    found = [
        Link(
            **_basics(link, flags[index], net),
            addresses=tuple(owned.get(index, ())),
            members=tuple(sorted(known[each]["IFLA_IFNAME"] for each in members.get(index, ()))),
            learns=all(_learns(known[each]) for each in members.get(index, ())),
            parent=_name(known, link.get("IFLA_LINK")) if _kind(link) == "vlan" else None,
            **_details(link),
        )
        for index, link in known.items()
        if not flags[index] & _LOOPBACK and not _is_of_guests(link)
    ]
    return sorted(found, key=lambda link: link.name)


def _attributes(message: Message | None) -> dict[str, Any]:
    return dict(message["attrs"]) if message else {}


def _kind(link: Message) -> str | None:
    """What the driver calls itself; None for hardware."""
    kind: str | None = _attributes(link.get("IFLA_LINKINFO")).get("IFLA_INFO_KIND")
    return kind


def _is_of_guests(link: Message) -> bool:
    kind = _kind(link)
    return kind in _OF_GUESTS or (kind in _OF_GUESTS_WHEN_PLUGGED and "IFLA_MASTER" in link)


def _basics(link: Message, flags: int, net: Path) -> dict[str, Any]:
    kind, name = _kind(link), link["IFLA_IFNAME"]
    return {
        "name": name,
        "kind": LinkKind.PHYSICAL if kind is None else _KINDS.get(kind, LinkKind.UNKNOWN),
        "mac": link.get("IFLA_ADDRESS") or "",
        "permanent_mac": link.get("IFLA_PERM_ADDRESS"),
        "mtu": link["IFLA_MTU"],
        "flags": tuple(word for bit, word in _FLAGS.items() if flags & bit),
        "is_up": _IS_UP.get(link.get("IFLA_OPERSTATE", "")),
        "description": link.get("IFLA_IFALIAS") or "",
        "speed": _speed(net / name / "speed"),
        "rx_queues": link.get("IFLA_NUM_RX_QUEUES", 1),
        "tx_queues": link.get("IFLA_NUM_TX_QUEUES", 1),
    }


def _speed(file: Path) -> int | None:
    """Megabits a second; interfaces that are down, and many that are virtual, do not know."""
    text = text_of(file)
    return int(text) if text.isdecimal() and int(text) > 0 else None


def _details(link: Message) -> dict[str, Any]:
    """What only some kinds have."""
    data = _attributes(_attributes(link.get("IFLA_LINKINFO")).get("IFLA_INFO_DATA"))
    kind = _kind(link)
    if kind == "bridge":
        return {"has_stp": bool(data.get("IFLA_BR_STP_STATE"))}
    if kind == "vlan":
        return {"tag": data.get("IFLA_VLAN_ID")}
    if kind == "bond":
        return {
            "mode": _word(_BOND_MODES, data.get("IFLA_BOND_MODE")),
            "hash_policy": _word(_HASH_POLICIES, data.get("IFLA_BOND_XMIT_HASH_POLICY")),
            "lacp_rate": _word(_LACP_RATES, data.get("IFLA_BOND_AD_LACP_RATE")),
        }
    return {}


def _word(words: tuple[str, ...], number: int | None) -> str | None:
    return words[number] if number is not None and number < len(words) else None


def _learns(port: Message) -> bool:
    data = _attributes(_attributes(port.get("IFLA_LINKINFO")).get("IFLA_INFO_SLAVE_DATA"))
    return bool(data.get("IFLA_BRPORT_LEARNING", True))


def _name(known: Mapping[int, Message], index: int | None) -> str | None:
    """An interface's name; None for one in another network namespace."""
    link = known.get(index) if index is not None else None
    return link["IFLA_IFNAME"] if link is not None else None


def _address(message: Message) -> LinkAddress:
    address = _attributes(message)
    lifetime = address.get("IFA_CACHEINFO", {}).get("ifa_valid", _FOREVER)
    return LinkAddress(
        # Of a point-to-point link the other one is the far end.
        address=address.get("IFA_LOCAL") or address["IFA_ADDRESS"],
        prefix=message["prefixlen"],
        broadcast=address.get("IFA_BROADCAST"),
        is_lasting=lifetime == _FOREVER,
    )


def gateways_of(routes: Iterable[Message]) -> list[str]:
    """Gateways of default routes, IPv4 first, then by what the kernel prefers; each once."""
    found = []
    for message in routes:
        route = _attributes(message)
        hops = [route, *(_attributes(hop) for hop in route.get("RTA_MULTIPATH") or ())]
        metric = route.get("RTA_PRIORITY", 0)
        found += [(message["family"], metric, hop["RTA_GATEWAY"]) for hop in hops if "RTA_GATEWAY" in hop]
    return list(dict.fromkeys(gateway for _, _, gateway in sorted(found)))


def read_names(etc: Path, run: Path) -> NetworkSettings:
    """Whom the machine asks for names, and which it knows by itself."""
    told = _resolver(text_of(etc / "resolv.conf"))
    if told.nameservers == (_STUB,):
        told = _resolver(text_of(run / _BEHIND_STUB))
    hosts = []
    for line in text_of(etc / "hosts").splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        # What every machine calls itself says nothing of this one.
        if names and not address.startswith(("127.", "::1", "fe00:", "ff02:", "ff00:")):
            hosts.append(" ".join((address, *names)))
    return NetworkSettings(nameservers=told.nameservers, domains=told.domains, hosts=tuple(hosts))


def _resolver(text: str) -> NetworkSettings:
    servers: list[str] = []
    domains: list[str] = []
    for line in text.splitlines():
        word, *rest = line.split() or [""]
        if word == "nameserver":
            servers += rest[:1]
        elif word in ("search", "domain"):
            domains = [each for each in rest if each != "."]
    return NetworkSettings(nameservers=tuple(servers), domains=tuple(domains))
