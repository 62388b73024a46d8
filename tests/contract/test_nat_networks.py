"""Every keeper of NAT networks does what the port says."""

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from vmstead.adapters.libvirt_engine.networks import LibvirtNetworks
from vmstead.adapters.memory_networks import MemoryNetworks
from vmstead.network.nat import document, is_ours, uuid_of
from vmstead.ports.engine import EngineError
from vmstead.ports.networks import NatNetwork, NatNetworks

_SUBNET = ipaddress.IPv4Network("10.20.30.0/24")


@asynccontextmanager
async def keeper(kind: str) -> AsyncIterator[NatNetworks]:
    """One of a kind, with the network that libvirt brings along."""
    if kind == "memory":
        networks = MemoryNetworks()
        networks.add(NatNetwork("default", "6695eb01-f6a4-8304-79aa-97f2502e193f", "virbr0"))
        yield networks
    else:
        async with LibvirtNetworks.at("test:///default") as connected:
            yield connected


kinds = pytest.mark.parametrize("kind", ["memory", "libvirt"])


@kinds
async def test_one_that_was_made_is_there_until_it_is_deleted(kind: str) -> None:
    async with keeper(kind) as networks:
        await networks.create("lab0", document("lab0", _SUBNET))
        default, made = await networks.networks()
        assert (default.name, default.bridge, is_ours(default)) == ("default", "virbr0", False)
        assert made == NatNetwork("lab0", uuid_of("lab0"), "lab0", ("10.20.30.1/24",))
        assert is_ours(made)
        await networks.delete("lab0")
        assert [each.name for each in await networks.networks()] == ["default"]


@kinds
async def test_one_that_is_there_is_not_made_again(kind: str) -> None:
    async with keeper(kind) as networks:
        await networks.create("lab0", document("lab0", _SUBNET))
        other = ipaddress.IPv4Network("10.20.31.0/24")
        with pytest.raises(EngineError, match="there is a network lab0 already"):
            await networks.create("lab0", document("lab0", other))
        (found,) = [each for each in await networks.networks() if each.name == "lab0"]
        assert found.gateways == ("10.20.30.1/24",)
        await networks.delete("lab0")


@kinds
async def test_nothing_comes_of_what_is_no_document_and_of_a_name_of_nobody(kind: str) -> None:
    async with keeper(kind) as networks:
        with pytest.raises(EngineError):
            await networks.create("lab0", b"<network><name>lab0</name>")
        with pytest.raises(EngineError):
            await networks.delete("lab0")
        assert [each.name for each in await networks.networks()] == ["default"]
