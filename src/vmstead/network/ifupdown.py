"""A bridge over a card that ifupdown configures, or that nobody does where there is no systemd-networkd.

On trial it is made by a file of its own; when it is confirmed that takes the place of what the card had in
``/etc/network/interfaces``. See interfaces(5).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from vmstead.network.cabling import lasting, restored
from vmstead.ports.host_network import (
    Arrive,
    Cable,
    Cabling,
    NetworkError,
    Remove,
    Replace,
    Run,
    Step,
    Write,
)

MAIN = "/etc/network/interfaces"
#: Words that begin a new part of the file.
_BEGINS = re.compile(r"\s*(iface|mapping|rename|template|auto|allow-\S+|no-auto-down|no-scripts|source\S*)\s")
#: What no bridge has, or what makes the card something else.
_NOT_OVER = re.compile(r"wpa-|wireless-|bond-|slaves|bridge[-_]|vlan[-_]|inherits")


@dataclass(frozen=True)
class Stanza:
    """How ifupdown configures an interface: ``iface NAME FAMILY METHOD`` and its options.

    Attributes:
        text: all of it, as it stands in the file.
    """

    family: str
    method: str
    options: tuple[str, ...]
    text: str


def stanzas(text: str, name: str) -> list[Stanza]:
    """Those of an interface, in order."""
    found: list[Stanza] = []
    current: list[str] = []
    for line in [*text.splitlines(keepends=True), "auto \n"]:
        if current and _BEGINS.match(line):
            found.append(_stanza(_without_what_follows(current)))
            current = []
        if re.match(rf"\s*iface\s+{re.escape(name)}\s", line) or current:
            current.append(line)
    return found


def _without_what_follows(lines: list[str]) -> list[str]:
    """Empty lines and comments at the end belong to what comes next."""
    while lines and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
        lines = lines[:-1]
    return lines


def _stanza(lines: list[str]) -> Stanza:
    text = "".join(lines)
    first, *rest = re.sub(r"\\\n", " ", text).splitlines()
    _, _, *words = first.split()
    if len(words) != 2:
        said = first.strip()
        raise NetworkError(f"ifupdown's line {said!r} is not understood; write it as iface NAME inet METHOD")
    options = tuple(line.strip() for line in rest if line.strip() and not line.lstrip().startswith("#"))
    return Stanza(words[0], words[1], options, text)


def place_of(files: Mapping[str, str], name: str) -> str | None:
    """The file in which ifupdown is told of an interface; None where it is not."""
    found = [path for path, text in files.items() if stanzas(text, name)]
    if len(found) > 1:
        raise NetworkError(
            f"ifupdown is told of {name} in {' and in '.join(found)}; put it into one of them and try again"
        )
    return found[0] if found else None


def ours(cabling: Cabling, bridge: str, port: Cable, theirs: Iterable[Stanza]) -> str:
    """What makes the bridge and plugs the card into it, with the card's settings."""
    lines = [
        f"# Written by vmstead network create-bridge; vmstead network delete {bridge} takes it away.",
        f"iface {port.name} inet manual",
    ]
    found = list(theirs) or _generated(cabling, port)
    on_card, over = _divided(found, port.name)
    lines += [f"    {option}" for option in on_card]
    lines += [f"auto {bridge}"]
    for number, (stanza, options) in enumerate(zip(found, over, strict=True)):
        lines.append(f"iface {bridge} {stanza.family} {stanza.method}")
        if number == 0:
            lines += [f"    {each}" for each in _plugging(bridge, port)]
        lines += [f"    {option}" for option in options]
    return "\n".join([*lines, f"# End of {bridge}.", ""])


def _divided(found: list[Stanza], port: str) -> tuple[list[str], list[list[str]]]:
    """Options that name the card stay with it; the others go over."""
    on_card, over = [], []
    for stanza in found:
        for option in stanza.options:
            if _NOT_OVER.match(option):
                raise NetworkError(f"ifupdown has {option!r} for {port}, which no bridge can take over")
        names = [re.search(rf"(?<![\w.]){re.escape(port)}(?![\w.])", option) for option in stanza.options]
        pairs = list(zip(stanza.options, names, strict=True))
        on_card += [option for option, named in pairs if named]
        over.append([option for option, named in pairs if not named])
    return on_card, over


def _plugging(bridge: str, port: Cable) -> Iterator[str]:
    mtu = f" mtu {port.mtu}" if port.mtu != 1500 else ""
    kind = "type bridge stp_state 0 forward_delay 0"
    yield (
        f"pre-up ip link show dev {bridge} >/dev/null 2>&1 || "
        f"ip link add name {bridge} address {port.mac}{mtu} {kind}"
    )
    yield f"pre-up ip link set dev {port.name} master {bridge} up"
    yield f"pre-up ip link set dev {bridge} up"
    yield f"post-down ip link set dev {port.name} nomaster"
    yield f"post-down ip link delete dev {bridge}"


def _generated(cabling: Cabling, port: Cable) -> list[Stanza]:
    """For a card that nobody configures: what it has, or else that the host itself is not on that network."""
    found = [
        Stanza("inet6" if each.is_ipv6 else "inet", "static", (f"address {each.interface}",), "")
        for each in port.addresses
    ]
    if not found:
        return [Stanza("inet", "manual", (), "")]
    last = found[-1]
    routes = [
        f"up ip {'-6' if each.is_ipv6 else '-4'} route replace {each.network} {' '.join(each.words)} dev $IFACE"
        for each in cabling.routes
        if each.link == port.name and each.origin != "kernel"
    ]
    return [*found[:-1], Stanza(last.family, last.method, (*last.options, *routes), "")]


def changed(text: str, port: str, new: str) -> str:
    """The file with this in place of what it says of the card; at its end where it says nothing."""
    found = stanzas(text, port)
    if not found:
        return f"{text.rstrip()}\n\n{new}" if text.strip() else new
    for number, stanza in enumerate(found):
        text = text.replace(stanza.text, new if number == 0 else "", 1)
    return text


def create(
    cabling: Cabling, bridge: str, port: Cable, text: str, trial: str
) -> tuple[list[Step], list[Step]]:
    """Steps that make the bridge until the host is started anew, and those that take it back.

    Args:
        text: what makes the bridge.
        trial: the path of the file that has it meanwhile.
    """
    do: list[Step] = [
        Write(trial, text),
        Run(("ifdown", port.name), needed=False),
        Run(("ip", "address", "flush", "dev", port.name, "scope", "global")),
        Run(("ifup", "-i", trial, bridge)),
        _arrival(cabling, port.name, bridge, needed=True),
        *lasting(cabling, port.name, bridge),
    ]
    undo: list[Step] = [
        Run(("ifdown", "--force", "-i", trial, bridge), needed=False),
        *_unmade(bridge, port),
        *restored(cabling, port.name),
        Remove(trial),
    ]
    return do, undo


def _unmade(bridge: str, port: Cable) -> list[Step]:
    return [
        Run(("ip", "link", "set", "dev", port.name, "nomaster"), needed=False),
        Run(("ip", "link", "delete", "dev", bridge), needed=False),
        Run(("ip", "link", "set", "dev", port.name, "up" if port.is_up else "down"), needed=False),
        # Where it is not told of the card, it does nothing.
        Run(("ifup", "--force", port.name), needed=False),
    ]


def _arrival(cabling: Cabling, source: str, target: str, *, needed: bool) -> Arrive:
    """``ifup`` has waited for the addresses already; what was lent before must be there."""
    lent = any(each.seconds is not None and not each.is_ipv6 for each in cabling.cables[source].addresses)
    return Arrive(target, (), lent, needed=needed)


def keep(path: str, old: str, new: str, trial: str) -> list[Step]:
    """Steps that make the bridge last."""
    return [Replace(path, old, new), Remove(trial)]


def given_back(path: str, text: str, ours: str, theirs: str) -> str:
    """The file with what stood there before the bridge was made, also where that has been done already."""
    if text.count(ours) == 0 and theirs in text:
        return text
    if text.count(ours) != 1:
        raise NetworkError(
            f"{path} has been changed where vmstead had written to it; take the bridge out of it by hand, with "
            f"what stood there before:\n{theirs or '(nothing)'}"
        )
    return text.replace(ours, theirs)


def delete(
    cabling: Cabling, bridge: str, port: Cable, path: str, old: str, new: str
) -> tuple[list[Step], list[Step]]:
    """Steps that give the card back what the bridge has, and those that take that back.

    Args:
        path: the file; ``old`` is its text with the bridge, ``new`` without.
    """
    do: list[Step] = [
        Run(("ifdown", bridge), needed=False),
        Replace(path, old, new),
        *_unmade(bridge, port),
        _arrival(cabling, bridge, port.name, needed=True),
        *lasting(cabling, bridge, port.name),
    ]
    undo: list[Step] = [
        Run(("ifdown", "--force", port.name), needed=False),
        Run(("ip", "address", "flush", "dev", port.name, "scope", "global"), needed=False),
        Replace(path, new, old),
        Run(("ifup", "--force", bridge), needed=False),
        *restored(cabling, bridge),
    ]
    return do, undo
