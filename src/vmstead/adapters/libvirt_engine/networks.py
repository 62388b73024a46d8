"""libvirt's NAT networks."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from xml.etree import ElementTree as ET

import libvirt

from vmstead.adapters.libvirt_engine.binding import call, start_event_loop
from vmstead.ports.engine import EngineError, EngineErrorKind
from vmstead.ports.networks import NatNetwork


class LibvirtNetworks:
    """Those of a connection."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def at(cls, uri: str) -> AsyncIterator["LibvirtNetworks"]:
        """Connect to a libvirt during the block. Raises EngineError."""
        start_event_loop()
        connection = await call(libvirt.open, uri)
        try:
            yield cls(connection)
        finally:
            with contextlib.suppress(libvirt.libvirtError):
                await call(connection.close)

    async def networks(self) -> Sequence[NatNetwork]:
        found = await call(self._read)
        return sorted(found, key=lambda each: each.name)

    def _read(self) -> list[NatNetwork]:
        found = []
        for network in self._connection.listAllNetworks():
            # It may be gone since it was listed.
            with contextlib.suppress(libvirt.libvirtError):
                document = ET.fromstring(network.XMLDesc())  # noqa: S314 - libvirt's own
                forward, bridge = document.find("forward"), document.find("bridge")
                if forward is not None and forward.get("mode", "nat") == "nat" and bridge is not None:
                    found.append(
                        NatNetwork(
                            name=network.name(),
                            uuid=network.UUIDString(),
                            bridge=bridge.get("name", ""),
                            gateways=tuple(map(_gateway, document.findall("ip"))),
                            is_active=bool(network.isActive()),
                            starts=bool(network.autostart()),
                        )
                    )
        return found

    async def create(self, name: str, document: bytes) -> None:
        await call(self._create, name, document.decode())

    def _create(self, name: str, document: str) -> None:
        # Before it is defined, because that is a change already, also to one that is there.
        if name in self._connection.listNetworks() + self._connection.listDefinedNetworks():
            raise EngineError(EngineErrorKind.REFUSED, f"there is a network {name} already")
        network = self._connection.networkDefineXML(document)
        try:
            network.create()
            network.setAutostart(1)
        except BaseException:
            with contextlib.suppress(libvirt.libvirtError):
                if network.isActive():
                    network.destroy()
            network.undefine()
            raise

    async def delete(self, name: str) -> None:
        await call(self._delete, name)

    def _delete(self, name: str) -> None:
        network = self._connection.networkLookupByName(name)
        if network.isActive():
            network.destroy()
        network.undefine()


def _gateway(ip: ET.Element) -> str:
    prefix = ip.get("prefix")
    if prefix is None:
        mask = ip.get("netmask", "255.255.255.255")
        prefix = str(sum(int(part).bit_count() for part in mask.split(".")))
    return f"{ip.get('address', '')}/{prefix}"
