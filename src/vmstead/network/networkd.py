"""A bridge over a card that systemd-networkd configures, or that nobody does.

On trial its files lie in /run, which no restart of the host survives; when it is confirmed they go to /etc.
See systemd.network(5) and systemd.netdev(5).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from vmstead.network.cabling import lasting, restored
from vmstead.ports.host_network import (
    Arrive,
    Cable,
    CableAddress,
    Cabling,
    Management,
    NetworkError,
    Remove,
    Route,
    Run,
    Step,
    Write,
)

ETC, RUN = "/etc/systemd/network", "/run/systemd/network"
#: Files are taken in the order of their names, the first that matches.
_PREFIX = "0-vmstead-"
_RELOAD = Run(("networkctl", "reload"))
#: What of a card's settings is about the card and not about who the host is on its network.
_OF_THE_CARD = {
    *("VLAN", "MACVLAN", "MACVTAP", "IPVLAN", "IPVTAP", "VXLAN", "LLDP", "EmitLLDP", "BindCarrier"),
    *("IgnoreCarrierLoss", "ConfigureWithoutCarrier"),
}
_SECTIONS_OF_THE_CARD = re.compile(
    r"Link|QDisc|.*Queueing.*|.*Shaper.*|.*TokenBucket.*|TrafficControl.*|SR-IOV"
)
_ALREADY = {"Bridge", "Bond", "VRF", "BatmanAdvanced"}


@dataclass
class Section:
    """A part of a file of systemd's, with its lines as they are."""

    name: str
    lines: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join((f"[{self.name}]", *self.lines, ""))

    def values(self, key: str) -> Iterator[str]:
        """What is given for a key, in order."""
        for line in self.lines:
            name, _, value = line.partition("=")
            if name.strip() == key:
                yield value.strip()


def sections(text: str) -> list[Section]:
    """A file's parts. Comments go; a line that goes on is one line."""
    found: list[Section] = []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        line = line.strip()
        if line.startswith("[") and line.endswith("]"):
            found.append(Section(line[1:-1]))
        elif line and line[0] not in "#;" and found:
            found[-1].lines.append(line)
    return found


def files_for(cabling: Cabling, bridge: str, port: Cable, management: Management) -> dict[str, str]:
    """What systemd-networkd has to be told, by the names of the files.

    Raises:
        NetworkError: the card's own file says what no bridge can have, or comes first.
    """
    _check(management, bridge, port)
    theirs = [each for text in management.network_texts for each in sections(text)]
    of_bridge, of_port = _divided(theirs)
    if not theirs:
        of_bridge = _generated(port.addresses, [each for each in cabling.routes if each.link == port.name])
    of_bridge += _identity(management, theirs)
    device = Section("NetDev", [f"Name={bridge}", "Kind=bridge", f"MACAddress={port.mac}"])
    if port.mtu != 1500:
        device.lines.append(f"MTUBytes={port.mtu}")
    plugged = [
        Section("Match", [f"Name={port.name}"]),
        Section("Network", [f"Bridge={bridge}", "LinkLocalAddressing=no", "DHCP=no", "IPv6AcceptRA=no"]),
        # The host is on the network by its bridge; the card has nothing to wait for.
        Section("Link", ["RequiredForOnline=no"]),
        *of_port,
    ]
    return {
        f"{_PREFIX}{bridge}.netdev": _text(
            # Guests and what is behind the card are no loop, and nobody waits half a minute to find that out.
            [device, Section("Bridge", ["STP=no", "ForwardDelaySec=0"])]
        ),
        f"{_PREFIX}{bridge}.network": _text([Section("Match", [f"Name={bridge}"]), *of_bridge]),
        f"{_PREFIX}{bridge}-port.network": _text(plugged),
    }


def _check(management: Management, bridge: str, port: Cable) -> None:
    path = management.network_file
    if path is not None and path.rpartition("/")[2] <= f"{_PREFIX}{bridge}-port.network":
        raise NetworkError(
            f"{path} comes before every file that vmstead could write for {port.name}; give it a name that "
            "begins with a number, such as 10-"
        )


def _text(parts: Iterable[Section]) -> str:
    head = "# Written by vmstead network create-bridge; vmstead network delete takes it away.\n"
    return head + "\n".join(map(str, parts))


def _divided(theirs: list[Section]) -> tuple[list[Section], list[Section]]:
    """The card's settings: those that go over to the bridge, and those that stay with the card."""
    over, stay = [], []
    for section in theirs:
        if section.name == "Match":
            continue
        if section.name == "Network":
            kept = [line for line in section.lines if _key(line) in _OF_THE_CARD]
            for line in section.lines:
                if _key(line) in _ALREADY:
                    raise NetworkError(
                        f"systemd-networkd has {line} for it: it is a port of something already"
                    )
            moved = [line for line in section.lines if line not in kept]
            over += [Section("Network", moved)] if moved else []
            stay += [Section("Network", kept)] if kept else []
        elif section.name == "Link":
            kept = [line for line in section.lines if _key(line) not in ("RequiredForOnline", "Unmanaged")]
            moved = [line for line in section.lines if _key(line) == "RequiredForOnline"]
            over += [Section("Link", moved)] if moved else []
            stay += [Section("Link", kept)] if kept else []
        elif _SECTIONS_OF_THE_CARD.fullmatch(section.name):
            stay.append(section)
        else:
            over.append(section)
    return over, stay


def _key(line: str) -> str:
    return line.partition("=")[0].strip()


def _generated(addresses: Iterable[CableAddress], routes: Iterable[Route]) -> list[Section]:
    """For a card that nobody configures: what it has, or else that the host itself is not on that network."""
    made = [Section("Address", [f"Address={each.interface}"]) for each in addresses]
    made += [Section("Route", list(_route_lines(each))) for each in routes if each.origin != "kernel"]
    if made:
        return [Section("Network", ["IPv6AcceptRA=yes"]), *made]
    return [
        Section("Network", ["LinkLocalAddressing=no", "DHCP=no", "IPv6AcceptRA=no"]),
        Section("Link", ["RequiredForOnline=no"]),
    ]


def _route_lines(route: Route) -> Iterator[str]:
    everywhere = "::/0" if route.is_ipv6 else "0.0.0.0/0"
    yield f"Destination={everywhere if route.network == 'default' else route.network}"
    names = {
        "via": "Gateway",
        "src": "PreferredSource",
        "metric": "Metric",
        "table": "Table",
        "scope": "Scope",
    }
    words = [word for word in route.words if word not in ("onlink", "inet", "inet6")]
    for word, value in zip(words[::2], words[1::2], strict=True):
        yield f"{names[word]}={value}"
    if "onlink" in route.words:
        yield "GatewayOnLink=yes"


def _identity(management: Management, theirs: Iterable[Section]) -> list[Section]:
    """Whoever lends addresses must know the host again, which by default is told by the interface's name.

    RFC 4361: the identity is 255, four bytes for the interface, and those of the host.
    """
    said = [
        each for section in theirs for each in (*section.values("ClientIdentifier"), *section.values("IAID"))
    ]
    known = management.client_id
    if known is None or said or not re.fullmatch("ff[0-9a-f]{8,}", known):
        return []
    number = int(known[2:10], 16)
    return [Section("DHCPv4", [f"IAID={number}"])]


def arrival(cabling: Cabling, source: str, target: str, texts: Iterable[str], *, needed: bool) -> Arrive:
    """Wait until systemd-networkd has done with an interface what it had done with another.

    Args:
        texts: what it is told for ``target``.
    """
    told = {address for text in texts for section in sections(text) for address in section.values("Address")}
    addresses = cabling.cables[source].addresses
    lasting = tuple(each.interface for each in addresses if each.seconds is None and each.interface in told)
    lent = any(each.seconds is not None and not each.is_ipv6 for each in addresses)
    # It does so by itself after a reload. Told to while it is about to, it may take the address away that it has
    # just got and never set it again (252): so only when nothing has come for long.
    ask = ("networkctl", "reconfigure", target)
    return Arrive(target, lasting, lent, 30.0 if needed else 15.0, needed, ask)


def create(
    cabling: Cabling, bridge: str, port: Cable, files: dict[str, str], theirs: Iterable[str]
) -> tuple[list[Step], list[Step]]:
    """Steps that make the bridge until the host is started anew, and those that take it back.

    Args:
        theirs: what systemd-networkd is told for the card.
    """
    do: list[Step] = [
        *(Write(f"{RUN}/{name}", text) for name, text in files.items()),
        _RELOAD,
        arrival(cabling, port.name, bridge, files.values(), needed=True),
        Run(("ip", "address", "flush", "dev", port.name, "scope", "global")),
        *lasting(cabling, port.name, bridge),
    ]
    undo: list[Step] = [
        *(Remove(f"{folder}/{name}") for folder in (RUN, ETC) for name in files),
        *_unmade(bridge, port, needed=False),
        *_if_any(arrival(cabling, port.name, port.name, theirs, needed=False)),
        *restored(cabling, port.name),
    ]
    return do, undo


def _if_any(step: Arrive) -> list[Step]:
    """The step, where there is anything to wait for: a card that was off stays off."""
    return [step] if step.addresses or step.lent else []


def _unmade(bridge: str, port: Cable, *, needed: bool) -> list[Step]:
    """Take the bridge from the card. While it is still told to plug it in, systemd-networkd does so again.

    A card that leaves a bridge it finds anew, and configures as it is told by then.

    Args:
        needed: it is no use to go on where systemd-networkd does not take that in.
    """
    return [
        Run(_RELOAD.argv, needed=needed),
        Run(("ip", "link", "set", "dev", port.name, "nomaster"), needed=False),
        Run(("ip", "link", "delete", "dev", bridge), needed=False),
        Run(("ip", "link", "set", "dev", port.name, "up" if port.is_up else "down"), needed=False),
    ]


def keep(files: dict[str, str]) -> list[Step]:
    """Steps that make the bridge last. What is told stays the same, so nothing is told anew."""
    return [
        *(Write(f"{ETC}/{name}", text) for name, text in files.items()),
        *(Remove(f"{RUN}/{name}") for name in files),
    ]


def delete(
    cabling: Cabling, bridge: str, port: Cable, files: dict[str, str], *, is_adopted: bool
) -> tuple[list[Step], list[Step]]:
    """Steps that give the card back what the bridge has, and those that take that back.

    Args:
        is_adopted: nobody configures the card without the bridge.
    """
    texts = list(files.values())
    do: list[Step] = [
        *(Remove(f"{ETC}/{name}") for name in files),
        # Of a bridge that nobody has made only files are left, also where systemd-networkd is not used any more.
        *_unmade(bridge, port, needed=cabling.cables[bridge].kind == "bridge"),
        arrival(cabling, bridge, port.name, () if is_adopted else texts, needed=True),
        *lasting(cabling, bridge, port.name),
    ]
    undo: list[Step] = [
        *(Write(f"{ETC}/{name}", text) for name, text in files.items()),
        Run(_RELOAD.argv, needed=False),
        arrival(cabling, bridge, bridge, texts, needed=False),
        Run(("ip", "address", "flush", "dev", port.name, "scope", "global"), needed=False),
        *restored(cabling, bridge),
    ]
    return do, undo
