"""Who configures an interface, and what to do by hand where that is nobody whom this program knows."""

from typing import Literal

from vmstead.network import ifupdown
from vmstead.ports.host_network import Cable, Management, NetworkError

#: ``True`` as second part: nobody has configured the card before.
Manager = tuple[Literal["networkd", "ifupdown"], bool]

_NETPLAN = "/run/systemd/network/10-netplan-"


def manager_of(management: Management, bridge: str, port: Cable) -> Manager:
    """Who is to make a bridge over the card.

    Raises:
        NetworkError: one who is not supported, or several, or nobody who could.
    """
    place = ifupdown.place_of(management.interfaces, port.name) if management.has_ifupdown else None
    by_networkd = management.networkd not in (None, "unmanaged")
    claims = [
        name
        for name, claimed in (
            ("systemd-networkd", by_networkd),
            ("ifupdown", place is not None),
            ("NetworkManager", management.network_manager not in (None, "unmanaged")),
        )
        if claimed
    ]
    if len(claims) > 1:
        raise NetworkError(
            f"{port.name} is configured by {' and by '.join(claims)}; leave it to one of them first"
        )
    if (management.network_file or "").startswith(_NETPLAN):
        raise NetworkError(_by_netplan(bridge, port))
    if claims == ["NetworkManager"]:
        raise NetworkError(_by_network_manager(bridge, port))
    if claims == ["systemd-networkd"]:
        if management.networkd in ("pending", "initialized", "configuring") and not management.network_file:
            raise NetworkError(f"systemd-networkd is about to configure {port.name}; try again in a moment")
        if management.network_file and not management.network_texts:
            raise NetworkError(
                f"systemd-networkd configures {port.name} by {management.network_file}, which is not there any "
                "more; have it look anew with: networkctl reload"
            )
        return "networkd", False
    if claims == ["ifupdown"]:
        return "ifupdown", False
    return _adopted(management, port)


def _adopted(management: Management, port: Cable) -> Manager:
    if any(each.seconds is not None and not each.is_ipv6 for each in port.addresses):
        raise NetworkError(
            f"{port.name} has a borrowed address, and neither systemd-networkd nor ifupdown nor NetworkManager "
            "says that it has got it; have one of the first two configure the interface, and try again"
        )
    if management.networkd is not None:
        return "networkd", True
    if management.has_ifupdown:
        return "ifupdown", True
    raise NetworkError(
        "nobody here would make the bridge again when the host starts: neither systemd-networkd runs nor is "
        "ifupdown installed; start one with: systemctl enable --now systemd-networkd"
    )


def _by_netplan(bridge: str, port: Cable) -> str:
    return (
        f"{port.name} is configured by netplan, which vmstead leaves alone. By hand: in the file below "
        f"/etc/netplan, have {port.name} with dhcp4: false and without addresses, and add\n"
        f"  bridges:\n    {bridge}:\n      interfaces: [{port.name}]\n      macaddress: {port.mac}\n"
        "      parameters: {stp: false, forward-delay: 0}\n"
        f"      (and what {port.name} had: dhcp4, addresses, routes, nameservers)\n"
        "then run: netplan try"
    )


def _by_network_manager(bridge: str, port: Cable) -> str:
    return (
        f"{port.name} is configured by NetworkManager, which vmstead leaves alone. By hand, at the machine "
        "itself:\n"
        f"  nmcli connection add type bridge ifname {bridge} con-name {bridge} bridge.stp no "
        f"bridge.mac-address {port.mac}\n"
        f"  nmcli connection add type ethernet ifname {port.name} con-name {bridge}-port master {bridge}\n"
        f"  nmcli connection down CONNECTION-OF-{port.name}; nmcli connection up {bridge}-port\n"
        f"and give {bridge} the addresses that {port.name} had, unless it gets them by DHCP"
    )
