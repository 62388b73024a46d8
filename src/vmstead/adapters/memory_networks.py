"""NAT networks of no host: what commands of an engine without guests find."""

from collections.abc import Sequence
from dataclasses import replace
from xml.etree import ElementTree as ET

from vmstead.ports.engine import EngineError, EngineErrorKind
from vmstead.ports.networks import NatNetwork


class MemoryNetworks:
    """They are there as long as this is.

    Attributes:
        failure: what starting a network fails with, if anything.
    """

    def __init__(self) -> None:
        self._networks: dict[str, NatNetwork] = {}
        self.failure: str | None = None

    def add(self, network: NatNetwork) -> None:
        """Have one that others made."""
        self._networks[network.name] = network

    async def networks(self) -> Sequence[NatNetwork]:
        return [self._networks[name] for name in sorted(self._networks)]

    async def create(self, name: str, document: bytes) -> None:
        try:
            root = ET.fromstring(document)  # noqa: S314 - our own
        except ET.ParseError as error:
            raise EngineError(EngineErrorKind.REFUSED, str(error)) from error
        bridge, ip = root.find("bridge"), root.find("ip")
        if name in self._networks:
            raise EngineError(EngineErrorKind.REFUSED, f"there is a network {name} already")
        if self.failure is not None:
            raise EngineError(EngineErrorKind.FAILED, self.failure)
        assert bridge is not None
        assert ip is not None
        gateway = f"{ip.get('address')}/{ip.get('prefix')}"
        made = NatNetwork(name, root.findtext("uuid", ""), bridge.get("name", ""))
        self._networks[name] = replace(made, gateways=(gateway,))

    async def delete(self, name: str) -> None:
        if self._networks.pop(name, None) is None:
            raise EngineError(EngineErrorKind.FAILED, f"there is no network {name}")
