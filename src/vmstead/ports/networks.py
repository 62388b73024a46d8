"""Networks that the engine keeps: a bridge of their own, with addresses, names and NAT for those on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class NatNetwork:
    """A network behind the host's address.

    Attributes:
        uuid: as the engine writes it.
        bridge: the bridge's name.
        gateways: the host's own addresses in it with their prefixes, such as ``192.168.100.1/24``.
        is_active: the bridge is there.
        starts: it is there again after the host has started anew.
    """

    name: str
    uuid: str
    bridge: str
    gateways: tuple[str, ...] = ()
    is_active: bool = True
    starts: bool = True


class NatNetworks(Protocol):
    """The engine's NAT networks. What it refuses is an ``EngineError``."""

    async def networks(self) -> Sequence[NatNetwork]:
        """All of them, by name, also those that others made."""

    async def create(self, name: str, document: bytes) -> None:
        """Define a network of that name, start it now and with the host: all of that, or nothing.

        Args:
            document: libvirt's XML.
        """

    async def delete(self, name: str) -> None:
        """Stop a network and forget it."""
