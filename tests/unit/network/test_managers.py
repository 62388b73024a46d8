"""Who makes a bridge over a card, and what is said where nobody can."""

import pytest

from vmstead.network.managers import manager_of
from vmstead.ports.host_network import Cable, CableAddress, Management, NetworkError

CARD = Cable("enp1s0", mac="52:54:00:00:00:01")
BORROWED = Cable("enp1s0", addresses=(CableAddress("10.0.0.2/24", None, 3600),))
INTERFACES = {"/etc/network/interfaces": "iface enp1s0 inet dhcp\n"}
FILE = "/etc/systemd/network/10-lan.network"


@pytest.mark.parametrize(
    ("management", "manager"),
    [
        (Management("configured", FILE, ("",)), ("networkd", False)),
        (Management("configured", FILE, ("",), has_ifupdown=True), ("networkd", False)),
        (Management("unmanaged", has_ifupdown=True, interfaces=INTERFACES), ("ifupdown", False)),
        (
            Management(None, has_ifupdown=True, interfaces=INTERFACES, network_manager="unmanaged"),
            ("ifupdown", False),
        ),
        # Nobody's: whoever is there takes it over.
        (Management("unmanaged", has_ifupdown=True), ("networkd", True)),
        (Management(None, has_ifupdown=True), ("ifupdown", True)),
    ],
)
def test_who_it_is(management: Management, manager: tuple[str, bool]) -> None:
    assert manager_of(management, "lan0", CARD) == manager


@pytest.mark.parametrize(
    ("management", "text"),
    [
        (
            Management("configured", FILE, has_ifupdown=True, interfaces=INTERFACES),
            "enp1s0 is configured by systemd-networkd and by ifupdown; leave it to one of them",
        ),
        (
            Management(network_manager="connected"),
            "NetworkManager, which vmstead leaves alone.(.|\n)*nmcli connection add",
        ),
        (
            Management("configured", "/run/systemd/network/10-netplan-enp1s0.network"),
            "netplan, which vmstead leaves alone.(.|\n)*interfaces: .enp1s0.(.|\n)*netplan try",
        ),
        (Management("configured", FILE), "10-lan.network, which is not there any more; .*networkctl reload"),
        (Management("pending"), "is about to configure enp1s0; try again"),
        (Management(), "neither systemd-networkd runs nor is ifupdown installed"),
    ],
)
def test_what_is_refused_and_the_way_out(management: Management, text: str) -> None:
    with pytest.raises(NetworkError, match=text):
        manager_of(management, "lan0", CARD)


def test_an_address_that_somebody_unknown_has_borrowed_is_left_alone() -> None:
    with pytest.raises(NetworkError, match="enp1s0 has a borrowed address, and neither"):
        manager_of(Management("unmanaged"), "lan0", BORROWED)
    assert manager_of(Management("configured", FILE, ("",)), "lan0", BORROWED) == ("networkd", False)
