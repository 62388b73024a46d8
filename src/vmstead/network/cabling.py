"""What ``ip -json`` says, as values; and the same in the words of ``ip`` again."""

import ipaddress
from collections.abc import Iterable, Mapping
from typing import Any

from vmstead.ports.host_network import Cable, CableAddress, Cabling, Hold, Route, Run, Step

#: Kinds of interfaces that a bridge can have as a port; hardware has none.
_CARRY = {"", "vlan", "bond", "veth", "dummy", "team"}
#: What ``ip`` prints of a time without end.
_FOREVER = 0xFFFFFFFF
#: Routes of these kinds are the kernel's own business.
_KERNELS = {"local", "broadcast", "multicast", "anycast"}


def cabling_of(
    links: Iterable[Mapping[str, Any]], ipv4: Iterable[Mapping[str, Any]], ipv6: Iterable[Mapping[str, Any]]
) -> Cabling:
    """All of it.

    Args:
        links: what ``ip -json -details address show`` prints.
        ipv4, ipv6: what ``ip -4 -json route show table all`` prints, and the same with ``-6``.
    """
    cables = {each["ifname"]: _cable(each) for each in links if each.get("ifname")}
    routes = [*_routes(ipv4, is_ipv6=False), *_routes(ipv6, is_ipv6=True)]
    return Cabling(cables, tuple(routes))


def _cable(link: Mapping[str, Any]) -> Cable:
    kind = link.get("linkinfo", {}).get("info_kind", "")
    return Cable(
        name=link["ifname"],
        kind=kind,
        mac=link.get("address", ""),
        mtu=link["mtu"],
        is_up="UP" in link["flags"],
        carries=link.get("link_type") == "ether" and kind in _CARRY,
        master=link.get("master"),
        parent=link.get("link"),
        addresses=tuple(_address(each) for each in link.get("addr_info", ()) if _counts(each)),
    )


def _counts(address: Mapping[str, Any]) -> bool:
    """Whether it is one to care for: not what the kernel and routers give out by themselves."""
    return address.get("scope") != "link" and not address.get("mngtmpaddr") and not address.get("temporary")


def _address(address: Mapping[str, Any]) -> CableAddress:
    left = address.get("valid_life_time", _FOREVER)
    return CableAddress(
        f"{address['local']}/{address['prefixlen']}",
        address.get("broadcast"),
        None if left == _FOREVER else left,
        address.get("metric"),
    )


def _routes(routes: Iterable[Mapping[str, Any]], *, is_ipv6: bool) -> Iterable[Route]:
    for each in routes:
        if each.get("type", "unicast") in _KERNELS or each.get("table") == "local" or "dev" not in each:
            continue
        words: list[str] = []
        if "gateway" in each:
            words += ["via", each["gateway"]]
        elif "via" in each:
            words += ["via", each["via"]["family"], each["via"]["host"]]
        for key, word in (("prefsrc", "src"), ("metric", "metric"), ("table", "table"), ("scope", "scope")):
            if key in each and not (is_ipv6 and key == "scope"):
                words += [word, str(each[key])]
        words += ["onlink"] if "onlink" in each.get("flags", ()) else []
        yield Route(each["dst"], each["dev"], tuple(words), each.get("protocol", "boot"), is_ipv6)


def address_step(link: str, address: CableAddress, *, needed: bool) -> Run:
    """Have an address on an interface."""
    words = ["brd", address.broadcast] if address.broadcast else []
    words += ["metric", str(address.metric)] if address.metric is not None else []
    if address.seconds is not None:
        words += ["valid_lft", str(address.seconds), "preferred_lft", str(address.seconds)]
    family = "-6" if address.is_ipv6 else "-4"
    return Run(("ip", family, "address", "replace", address.interface, *words, "dev", link), needed)


def route_step(link: str, route: Route, *, needed: bool) -> Run:
    """Have a route through an interface."""
    family = "-6" if route.is_ipv6 else "-4"
    words = (route.network, *route.words, "dev", link, "proto", route.origin)
    return Run(("ip", family, "route", "replace", *words), needed)


def lasting(cabling: Cabling, source: str, target: str) -> list[Step]:
    """Have those addresses and routes of one interface on another that nobody has lent, where there are any."""
    addresses = [each for each in cabling.cables[source].addresses if each.seconds is None]
    routes = [each for each in _own(cabling, source) if each.origin not in ("dhcp", "ra")]
    steps = (
        *(address_step(target, each, needed=True) for each in addresses),
        *(route_step(target, each, needed=True) for each in routes),
    )
    return [Hold(target, steps, tuple(each.interface for each in addresses))] if steps else []


def restored(cabling: Cabling, link: str) -> list[Step]:
    """Have the addresses and routes of an interface on it again, those that were lent too, where it had any.

    Where whoever configures it has done so already, they change nothing; where that fails, they are what is left.
    """
    found = cabling.cables[link].addresses
    steps = (
        *(address_step(link, each, needed=each.seconds is None) for each in found),
        *(route_step(link, each, needed=False) for each in _own(cabling, link) if each.origin != "ra"),
    )
    kept = tuple(each.interface for each in found if each.seconds is None)
    return [Hold(link, steps, kept)] if steps else []


def _own(cabling: Cabling, link: str) -> list[Route]:
    """Routes that do not come with an address, those first over which others go."""
    found = [each for each in cabling.routes if each.link == link and each.origin != "kernel"]
    return sorted(found, key=lambda each: "via" in each.words)


def networks_of(cabling: Cabling) -> list[tuple[ipaddress.IPv4Network, str]]:
    """Every IPv4 network that the host has an address in or a route to, with where it was seen."""
    found = []
    for cable in cabling.cables.values():
        for address in cable.addresses:
            if not address.is_ipv6:
                network = ipaddress.IPv4Interface(address.interface).network
                found.append((network, f"{address.interface}, an address of {cable.name}"))
    for route in cabling.routes:
        if not route.is_ipv6 and route.network not in ("default", "0.0.0.0/0"):
            network = ipaddress.IPv4Network(route.network, strict=False)
            found.append((network, f"{route.network}, which is reached through {route.link}"))
    return found
