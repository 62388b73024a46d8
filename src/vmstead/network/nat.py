"""NAT networks: made, looked at and deleted."""

import ipaddress
import uuid
from collections.abc import Mapping, Sequence

from vmstead.kernel.xml import el, to_bytes
from vmstead.network.cabling import networks_of
from vmstead.network.names import check_name
from vmstead.network.subnets import Used, chosen
from vmstead.ports.engine import EngineError
from vmstead.ports.host_network import HostNetwork, NetworkError
from vmstead.ports.networks import NatNetwork, NatNetworks

#: A network that was made here is known by its uuid: older versions of libvirt keep no other mark.
_OURS = uuid.UUID("3c1de0b4-5f0e-4c5c-9d5e-7c1b8f6f2a61")


def uuid_of(name: str) -> str:
    """The uuid of the network of that name, if it was made here."""
    return str(uuid.uuid5(_OURS, name))


def is_ours(network: NatNetwork) -> bool:
    """Whether it was made here."""
    return network.uuid == uuid_of(network.name)


def document(name: str, subnet: ipaddress.IPv4Network) -> bytes:
    """The network for libvirt: the host has the first address and lends the others, and knows guests by name.

    See https://libvirt.org/formatnetwork.html.
    """
    gateway, first, last = subnet[1], subnet[2], subnet[-2]
    return to_bytes(
        el(
            "network",
            el("name", name),
            el("uuid", uuid_of(name)),
            el("forward", mode="nat"),
            # A bridge that only guests are on has no loops to look for, and they need not wait for that.
            el("bridge", name=name, stp="off", delay=0),
            # Names that it does not know are not asked for elsewhere: they would be of a domain of nobody's.
            el("domain", name=name, localOnly=True),
            el(
                "ip",
                el("dhcp", el("range", start=first, end=last)),
                address=gateway,
                prefix=subnet.prefixlen,
            ),
        )
    )


async def create_nat(networks: NatNetworks, host: HostNetwork, name: str, wanted: str | None) -> NatNetwork:
    """Make a network that lasts.

    Args:
        wanted: its addresses, such as ``192.168.100.0/24``; None: a free /24.

    Raises:
        NetworkError: the name or the addresses are taken, or the engine refuses.
    """
    cabling, others = await host.cabling(), await networks.networks()
    for each in others:
        if name in (each.name, each.bridge):
            raise NetworkError(
                f"libvirt has network {each.name} on bridge {each.bridge} already; use another name"
            )
    check_name(name, cabling)
    subnet = chosen(wanted, [*networks_of(cabling), *_used(others)])
    try:
        await networks.create(name, document(name, subnet))
    except EngineError as error:
        raise NetworkError(f"libvirt could not make the network {name}: {error}") from error
    return NatNetwork(name, uuid_of(name), name, (f"{subnet[1]}/{subnet.prefixlen}",))


def _used(networks: Sequence[NatNetwork]) -> list[Used]:
    """Also those of networks that are not started now."""
    return [
        (ipaddress.IPv4Interface(gateway).network, f"{gateway}, the network {each.name} of libvirt")
        for each in networks
        for gateway in each.gateways
        if ":" not in gateway
    ]


async def delete_nat(
    networks: NatNetworks, host: HostNetwork, network: NatNetwork, users: Mapping[str, Sequence[str]]
) -> None:
    """Delete a network that was made here.

    Args:
        users: names of the VMs whose NICs are attached to an interface, by its name.

    Raises:
        NetworkError: a VM uses it, something is plugged into it, or others made it.
    """
    if not is_ours(network):
        raise NetworkError(
            f"{network.name} was not made by vmstead; delete it with: "
            f"virsh net-destroy {network.name} && virsh net-undefine {network.name}"
        )
    check_unused(network.bridge, users.get(network.bridge, ()))
    cabling = await host.cabling()
    plugged = [each.name for each in cabling.cables.values() if each.master == network.bridge]
    # Older versions of libvirt keep the bridge up with a port that leads nowhere.
    plugged = [name for name in plugged if name != f"{network.bridge}-nic"]
    if plugged:
        raise NetworkError(
            f"{', '.join(plugged)} is plugged into {network.bridge}: a guest on it runs; shut it down first"
        )
    try:
        await networks.delete(network.name)
    except EngineError as error:
        raise NetworkError(f"libvirt could not delete the network {network.name}: {error}") from error


def check_unused(bridge: str, vms: Sequence[str]) -> None:
    """Refuse while NICs of VMs are attached to a bridge."""
    if vms:
        raise NetworkError(
            f"{bridge} is what NICs of {', '.join(vms)} are attached to; attach them to something else first: "
            f"vmstead vm devices set {vms[0]} NIC nic_attach=..."
        )
