"""What networks there are, for people and programs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from vmstead.network.nat import is_ours
from vmstead.ports.host_network import Cable, Cabling, Change, Kept
from vmstead.ports.networks import NatNetwork


@dataclass(frozen=True)
class Listed:
    """A network.

    Attributes:
        state: ``ON_TRIAL``: it waits to be confirmed, or is about to be deleted; ``STUCK``: that could not be
            taken back completely.
        addresses: the host's own in it, with their prefixes.
        port: the card of a bridge.
        vms: names of the VMs that have a NIC on it.
        is_ours: it was made here, and can be deleted here.
        seconds: ON_TRIAL: how long it can still be confirmed.
    """

    name: str
    kind: Literal["NAT", "BRIDGE"]
    state: Literal["ACTIVE", "INACTIVE", "ON_TRIAL", "STUCK"]
    addresses: tuple[str, ...]
    port: str | None
    vms: tuple[str, ...]
    is_ours: bool
    seconds: float | None = None


def listing(
    cabling: Cabling,
    networks: Sequence[NatNetwork],
    kept: Sequence[Kept],
    change: Change | None,
    now: float,
    users: Mapping[str, Sequence[str]],
) -> list[Listed]:
    """All networks by name: those of libvirt, bridges that were made here, and the one on trial.

    Args:
        users: names of the VMs whose NICs are attached to an interface, by its name.
    """
    found = [
        Listed(
            each.bridge,
            "NAT",
            "ACTIVE" if each.is_active else "INACTIVE",
            each.gateways,
            None,
            tuple(users.get(each.bridge, ())),
            is_ours(each),
        )
        for each in networks
    ]
    ports = {each.bridge: each.port for each in kept}
    if change is not None:
        ports[change.bridge] = change.port
    for bridge, port in ports.items():
        cable = cabling.cables.get(bridge)
        listed = _bridge(bridge, port, cable, tuple(users.get(bridge, ())))
        if change is not None and change.bridge == bridge:
            listed = _on_trial(listed, change, now)
        found.append(listed)
    return sorted(found, key=lambda each: each.name)


def _bridge(bridge: str, port: str, cable: Cable | None, vms: tuple[str, ...]) -> Listed:
    addresses = tuple(each.interface for each in cable.addresses) if cable else ()
    return Listed(bridge, "BRIDGE", "ACTIVE" if cable else "INACTIVE", addresses, port, vms, is_ours=True)


def _on_trial(listed: Listed, change: Change, now: float) -> Listed:
    stuck = change.state == "stuck"
    return Listed(
        listed.name,
        "BRIDGE",
        "STUCK" if stuck else "ON_TRIAL",
        listed.addresses,
        listed.port,
        listed.vms,
        is_ours=True,
        seconds=None if stuck else max(0.0, round(change.deadline - now, 1)),
    )
