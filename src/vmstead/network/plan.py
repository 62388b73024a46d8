"""What to do for a bridge, what takes that back, and what makes it last: from facts to steps, without effects."""

from dataclasses import dataclass, replace

import msgspec

from vmstead.network import ifupdown, networkd
from vmstead.network.managers import manager_of
from vmstead.network.names import check_name
from vmstead.ports.host_network import (
    Cable,
    Cabling,
    Kept,
    Management,
    NetworkError,
    Remove,
    Replace,
    Step,
    Write,
)

#: Interfaces of guests that stand on a card, and with which it cannot be the port of a bridge.
_ON_TOP = {"macvtap", "macvlan", "ipvlan", "ipvtap"}
_TRIALS = "/run/vmstead/network"


@dataclass(frozen=True)
class Plan:
    """The steps of a change.

    Attributes:
        do: what makes it so, until the host starts anew.
        undo: what takes it back, whichever of the other steps have been done.
        keep: what makes it last.
    """

    do: tuple[Step, ...]
    undo: tuple[Step, ...]
    keep: tuple[Step, ...]


def check_port(cabling: Cabling, bridge: str, port: str) -> Cable:
    """The card, if it can be the port of a new bridge.

    Raises:
        NetworkError: it cannot, or the bridge's name is taken.
    """
    check_name(bridge, cabling)
    card = cabling.cables.get(port)
    if card is None:
        there = ", ".join(name for name, each in sorted(cabling.cables.items()) if each.carries)
        raise NetworkError(f"there is no interface {port}; there is {there or 'none that could be used'}")
    if card.master is not None:
        raise NetworkError(f"{port} is a port of {card.master} already; attach guests to that")
    if not card.carries:
        what = f"a {card.kind}" if card.kind else "no Ethernet by wire"
        raise NetworkError(f"{port} is {what}, which no bridge can have as a port")
    guests = [each.name for each in cabling.cables.values() if each.parent == port and each.kind in _ON_TOP]
    if guests:
        raise NetworkError(
            f"guests use {port} at this moment, by {', '.join(guests)}; shut down the VMs with a NIC on it first"
        )
    return card


def plan_create(
    cabling: Cabling, management: Management, bridge: str, port: str, record: str
) -> tuple[Plan, Kept]:
    """A bridge over a card, with the card's addresses and routes.

    Args:
        record: the path of what is remembered of it.

    Raises:
        NetworkError: it cannot be made; the text says what to do instead.
    """
    card = check_port(cabling, bridge, port)
    manager, is_adopted = manager_of(management, bridge, card)
    if manager == "networkd":
        if is_adopted:
            management = replace(management, network_texts=())
        files = networkd.files_for(cabling, bridge, card, management)
        do, undo = networkd.create(cabling, bridge, card, files, management.network_texts)
        keep = networkd.keep(files)
        kept = Kept(bridge, port, manager, files=files, is_adopted=is_adopted)
    else:
        path = ifupdown.place_of(management.interfaces, port) or ifupdown.MAIN
        old = management.interfaces.get(path, "")
        theirs = ifupdown.stanzas(old, port)
        ours = ifupdown.ours(cabling, bridge, card, theirs)
        trial, new = f"{_TRIALS}/{bridge}.interfaces", ifupdown.changed(old, port, ours)
        do, undo = ifupdown.create(cabling, bridge, card, ours, trial)
        undo = [Replace(path, new, old, needed=False), *undo]
        keep = ifupdown.keep(path, old, new, trial)
        before = "".join(each.text for each in theirs)
        kept = Kept(bridge, port, manager, file=path, ours=ours, theirs=before, is_adopted=is_adopted)
    remembered = Write(record, _json(kept))
    return Plan(tuple(do), (Remove(record), *undo), (remembered, *keep)), kept


def plan_delete(cabling: Cabling, management: Management, kept: Kept, record: str) -> Plan:
    """Take a bridge away that was made here, and give its card back what it has.

    Raises:
        NetworkError: somebody has changed what was written for it.
    """
    card, bridge = cabling.cables.get(kept.port), kept.bridge
    if card is None or bridge not in cabling.cables:
        # Nothing of it is left but what is written down: the card has gone, or nobody has made the bridge.
        cabling = Cabling(
            {bridge: Cable(bridge), kept.port: Cable(kept.port), **cabling.cables}, cabling.routes
        )
        card = cabling.cables[kept.port]
    if kept.manager == "networkd":
        do, undo = networkd.delete(cabling, bridge, card, kept.files, is_adopted=kept.is_adopted)
    else:
        path = kept.file or ifupdown.MAIN
        old = management.interfaces.get(path, "")
        new = ifupdown.given_back(path, old, kept.ours, kept.theirs)
        do, undo = ifupdown.delete(cabling, bridge, card, path, old, new)
    return Plan(tuple(do), tuple(undo), (Remove(record),))


def _json(kept: Kept) -> str:
    return msgspec.json.format(msgspec.json.encode(kept)).decode() + "\n"
