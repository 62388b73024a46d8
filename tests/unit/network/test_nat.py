"""NAT networks, on an engine and a host that are pretended."""

import ipaddress

import pytest

from vmstead.adapters.fake_host_network import FakeHostNetwork
from vmstead.adapters.memory_networks import MemoryNetworks
from vmstead.network.nat import create_nat, delete_nat, document, is_ours, uuid_of
from vmstead.ports.host_network import Cable, CableAddress, Cabling, NetworkError
from vmstead.ports.networks import NatNetwork

CARD = Cable("enp1s0", addresses=(CableAddress("192.168.100.7/24"),))
THEIRS = NatNetwork("default", "6695eb01-f6a4-8304-79aa-97f2502e193f", "virbr0", ("192.168.101.1/24",), False)


def place() -> tuple[MemoryNetworks, FakeHostNetwork]:
    networks = MemoryNetworks()
    networks.add(THEIRS)
    return networks, FakeHostNetwork(Cabling({"enp1s0": CARD}))


def test_the_document() -> None:
    text = document("lab0", ipaddress.IPv4Network("10.20.30.0/24")).decode()
    assert text.replace("\n", "").replace("  ", "") == (
        "<network><name>lab0</name><uuid>f2c928cf-b309-5c77-a398-08f50a1b6343</uuid>"
        '<forward mode="nat" /><bridge name="lab0" stp="off" delay="0" /><domain name="lab0" localOnly="yes" />'
        '<ip address="10.20.30.1" prefix="24"><dhcp><range start="10.20.30.2" end="10.20.30.254" /></dhcp></ip>'
        "</network>"
    )


async def test_addresses_of_the_host_and_of_networks_that_are_off_are_left_alone() -> None:
    networks, host = place()
    made = await create_nat(networks, host, "lab0", None)
    assert made.gateways == ("192.168.102.1/24",)
    assert is_ours(made)
    assert [each.name for each in await networks.networks()] == ["default", "lab0"]
    with pytest.raises(
        NetworkError, match=r"overlaps with 192\.168\.101\.1/24, the network default of libvirt"
    ):
        await create_nat(networks, host, "lab1", "192.168.101.0/25")


@pytest.mark.parametrize("name", ["default", "virbr0"])
async def test_names_of_networks_and_bridges_are_taken(name: str) -> None:
    networks, host = place()
    with pytest.raises(NetworkError, match="libvirt has network default on bridge virbr0 already"):
        await create_nat(networks, host, name, None)


async def test_what_the_engine_says_is_told() -> None:
    networks, host = place()
    networks.failure = "dnsmasq: address already in use"
    with pytest.raises(
        NetworkError, match="could not make the network lab0: dnsmasq: address already in use"
    ):
        await create_nat(networks, host, "lab0", None)
    gone = NatNetwork("lab1", uuid_of("lab1"), "lab1")
    with pytest.raises(NetworkError, match="could not delete the network lab1: there is no network lab1"):
        await delete_nat(networks, host, gone, {})


async def test_one_that_is_used_or_of_others_stays() -> None:
    networks, host = place()
    made = await create_nat(networks, host, "lab0", None)
    with pytest.raises(
        NetworkError, match="default was not made by vmstead; delete it with: virsh net-destroy"
    ):
        await delete_nat(networks, host, THEIRS, {})
    with pytest.raises(NetworkError, match="lab0 is what NICs of web01, db01 are attached to"):
        await delete_nat(networks, host, made, {"lab0": ["web01", "db01"]})
    host.present = Cabling(
        {"vnet3": Cable("vnet3", master="lab0"), "lab0-nic": Cable("lab0-nic", master="lab0")}
    )
    with pytest.raises(NetworkError, match=r"^vnet3 is plugged into lab0"):
        await delete_nat(networks, host, made, {"enp1s0": ["web01"]})
    host.present = Cabling({"lab0-nic": Cable("lab0-nic", master="lab0")})
    await delete_nat(networks, host, made, {})
    assert [each.name for each in await networks.networks()] == ["default"]
