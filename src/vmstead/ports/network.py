"""The machine's network: its interfaces with their addresses, its routes, and whom it asks for names."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class LinkKind(enum.StrEnum):
    """What an interface is, with the API's words."""

    PHYSICAL = "PHYSICAL"
    BRIDGE = "BRIDGE"
    LINK_AGGREGATION = "LINK_AGGREGATION"
    VLAN = "VLAN"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """An IP address of an interface.

    Attributes:
        prefix: how many of its bits are the network's.
        broadcast: the address that reaches everybody on the link; IPv4 only.
        is_lasting: it has no end; one that was lent (DHCP, router advertisements) has.
    """

    address: str
    prefix: int
    broadcast: str | None = None
    is_lasting: bool = True

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.address


@dataclass(frozen=True, slots=True)
class Link:
    """An interface.

    Attributes:
        mac: its hardware address; empty where it has none.
        permanent_mac: the one it was made with; None where that is not known.
        flags: the kernel's words for its state, such as ``UP`` and ``RUNNING``.
        is_up: something is at the other end; None where the interface cannot tell.
        description: what its administrator has called it.
        speed: megabits a second; None where that is not known.
        members: ports of a bridge or of a link aggregation.
        has_stp: BRIDGE: it speaks the spanning tree protocol.
        learns: BRIDGE: it remembers which address is behind which port.
        parent, tag: VLAN: the interface below, and the number in the frames.
        mode, hash_policy, lacp_rate: LINK_AGGREGATION: as the kernel's bonding driver calls them.
    """

    name: str
    kind: LinkKind = LinkKind.PHYSICAL
    mac: str = ""
    permanent_mac: str | None = None
    mtu: int = 1500
    flags: tuple[str, ...] = ()
    is_up: bool | None = None
    description: str = ""
    speed: int | None = None
    rx_queues: int = 1
    tx_queues: int = 1
    addresses: tuple[LinkAddress, ...] = ()
    members: tuple[str, ...] = ()
    has_stp: bool = False
    learns: bool = True
    parent: str | None = None
    tag: int | None = None
    mode: str | None = None
    hash_policy: str | None = None
    lacp_rate: str | None = None


@dataclass(frozen=True, slots=True)
class NetworkSettings:
    """What is beyond the interfaces.

    Attributes:
        gateways: where packets go for which there is no other route, the preferred ones first.
        nameservers: whom the machine asks for names.
        domains: what is tried after a name that is not found, the machine's own domain first.
        hosts: names that it knows by itself, as lines of an address and its names.
    """

    gateways: tuple[str, ...] = ()
    nameservers: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()


class NetworkFacts(Protocol):
    """The machine's network, read when asked. Errors of the operating system come through as ``OSError``."""

    async def links(self) -> Sequence[Link]:
        """Interfaces by name, without loopback and the ends that belong to guests and containers."""

    async def network_settings(self) -> NetworkSettings:
        """Gateways, name servers and names."""
