"""What systemd-networkd is told of a bridge, and what of the card's own settings goes over to it."""

import pytest

from vmstead.network import networkd
from vmstead.ports.host_network import (
    Arrive,
    Cable,
    CableAddress,
    Cabling,
    Hold,
    Management,
    NetworkError,
    Remove,
    Route,
    Run,
    Write,
)

CARD = Cable("enp1s0", mac="52:54:00:00:00:01", addresses=(CableAddress("10.0.0.2/24"),))
CABLING = Cabling({"enp1s0": CARD}, (Route("default", "enp1s0", ("via", "10.0.0.1"), "static"),))
ASK = ("networkctl", "reconfigure")
TEXT = """# The card at the front
[Match]
Name=en*
[Link]
MTUBytes=9000
RequiredForOnline=routable
[Network]
DHCP=yes
VLAN=vlan5
DNS=10.0.0.53 \\
  10.0.0.54
[Address]
Address=10.0.0.2/24
[DHCPv4]
UseMTU=yes
[QDisc]
Parent=ingress
"""


def files(management: Management, card: Cable = CARD, cabling: Cabling = CABLING) -> list[str]:
    """Device, bridge and port, without the first line."""
    found = networkd.files_for(cabling, "lan0", card, management)
    assert list(found) == ["0-vmstead-lan0.netdev", "0-vmstead-lan0.network", "0-vmstead-lan0-port.network"]
    return [text.partition("\n")[2] for text in found.values()]


def managed(text: str = TEXT, client_id: str | None = None) -> Management:
    return Management("configured", "/etc/systemd/network/10-lan.network", (text,), client_id)


def test_who_the_host_is_goes_over_and_what_the_card_is_stays() -> None:
    device, bridge, port = files(managed())
    assert device == (
        "[NetDev]\nName=lan0\nKind=bridge\nMACAddress=52:54:00:00:00:01\n\n[Bridge]\nSTP=no\nForwardDelaySec=0\n"
    )
    assert bridge == (
        "[Match]\nName=lan0\n\n[Link]\nRequiredForOnline=routable\n\n"
        "[Network]\nDHCP=yes\nDNS=10.0.0.53    10.0.0.54\n\n"
        "[Address]\nAddress=10.0.0.2/24\n\n[DHCPv4]\nUseMTU=yes\n"
    )
    assert port == (
        "[Match]\nName=enp1s0\n\n[Network]\nBridge=lan0\nLinkLocalAddressing=no\nDHCP=no\nIPv6AcceptRA=no\n\n"
        "[Link]\nRequiredForOnline=no\n\n[Link]\nMTUBytes=9000\n\n[Network]\nVLAN=vlan5\n\n[QDisc]\nParent=ingress\n"
    )


def test_drop_ins_come_after_the_file() -> None:
    management = Management(
        "configured", "/etc/systemd/network/10-lan.network", (TEXT, "[Network]\nDHCP=no\n")
    )
    _, bridge, _ = files(management)
    assert bridge.index("DHCP=yes") < bridge.index("DHCP=no")


def test_who_lends_addresses_knows_the_host_again() -> None:
    borrowed = "ff00aabbcc00020000ab11"
    _, bridge, _ = files(managed(client_id=borrowed))
    assert bridge.endswith(f"[DHCPv4]\nIAID={0x00AABBCC}\n")
    # Where it has told its hardware address, or says itself what to tell, nothing changes.
    for management in (
        managed(client_id="01525400000001"),
        managed(TEXT + "[DHCPv4]\nClientIdentifier=mac\n", client_id=borrowed),
    ):
        assert "IAID" not in files(management)[1]


def test_a_card_that_nobody_configures() -> None:
    _, bridge, _ = files(Management("unmanaged"))
    assert bridge == (
        "[Match]\nName=lan0\n\n[Network]\nIPv6AcceptRA=yes\n\n[Address]\nAddress=10.0.0.2/24\n\n"
        "[Route]\nDestination=0.0.0.0/0\nGateway=10.0.0.1\n"
    )
    bare = Cable("enp1s0", mac="52:54:00:00:00:01", mtu=9000)
    device, bridge, _ = files(Management("unmanaged"), bare, Cabling({"enp1s0": bare}))
    assert "MTUBytes=9000\n" in device
    assert bridge == (
        "[Match]\nName=lan0\n\n[Network]\nLinkLocalAddressing=no\nDHCP=no\nIPv6AcceptRA=no\n\n"
        "[Link]\nRequiredForOnline=no\n"
    )


def test_routes_with_everything() -> None:
    route = Route(
        "2001:db8::/48",
        "enp1s0",
        ("via", "fe80::1", "src", "2001:db8::7", "metric", "9", "table", "7", "onlink"),
        is_ipv6=True,
    )
    _, bridge, _ = files(Management("unmanaged"), CARD, Cabling({"enp1s0": CARD}, (route,)))
    assert bridge.endswith(
        "[Route]\nDestination=2001:db8::/48\nGateway=fe80::1\nPreferredSource=2001:db8::7\nMetric=9\nTable=7\n"
        "GatewayOnLink=yes\n"
    )


def test_a_card_that_belongs_to_something_else_is_refused() -> None:
    with pytest.raises(NetworkError, match="systemd-networkd has Bond=bond0 for it"):
        files(managed("[Match]\nName=en*\n[Network]\nBond=bond0\n"))


@pytest.mark.parametrize("name", ["0-first.network", "-.network"])
def test_a_file_that_comes_first_is_refused(name: str) -> None:
    with pytest.raises(NetworkError, match="comes before every file that vmstead could write"):
        files(Management("configured", f"/etc/systemd/network/{name}", (TEXT,)))


def test_the_steps_and_what_takes_them_back() -> None:
    told = networkd.files_for(CABLING, "lan0", CARD, managed())
    do, undo = networkd.create(CABLING, "lan0", CARD, told, (TEXT,))
    assert [step.path for step in do if isinstance(step, Write)] == [
        f"/run/systemd/network/{name}" for name in told
    ]
    assert Arrive("lan0", ("10.0.0.2/24",), ask=(*ASK, "lan0")) in do
    assert do.index(Run(("networkctl", "reload"))) == 3
    removed = [step.path for step in undo if isinstance(step, Remove)]
    assert removed == [f"{folder}/systemd/network/{name}" for folder in ("/run", "/etc") for name in told]
    # First it forgets the bridge, and would put the card into it again otherwise.
    assert undo[len(removed)] == Run(("networkctl", "reload"), needed=False)
    assert Arrive("enp1s0", ("10.0.0.2/24",), False, 15.0, False, (*ASK, "enp1s0")) in undo
    last = undo[-1]
    assert isinstance(last, Hold)
    assert [*last.steps] == [
        Run(("ip", "-4", "address", "replace", "10.0.0.2/24", "dev", "enp1s0"), True),
        Run(
            (
                "ip",
                "-4",
                "route",
                "replace",
                "default",
                "via",
                "10.0.0.1",
                "dev",
                "enp1s0",
                "proto",
                "static",
            ),
            False,
        ),
    ]


def test_a_card_that_was_off_is_off_again_and_not_waited_for() -> None:
    card = Cable("enp1s0", is_up=False)
    _, undo = networkd.create(Cabling({"enp1s0": card}), "lan0", card, {}, ())
    assert Run(("ip", "link", "set", "dev", "enp1s0", "down"), needed=False) in undo
    assert not [step for step in undo if isinstance(step, Arrive)]


def test_what_is_kept_is_written_before_what_was_on_trial_goes() -> None:
    steps = networkd.keep({"a": "text"})
    assert steps == [Write("/etc/systemd/network/a", "text"), Remove("/run/systemd/network/a")]


@pytest.mark.parametrize(("is_adopted", "addresses"), [(False, ("10.0.0.2/24",)), (True, ())])
def test_deleting_gives_the_card_what_the_bridge_has(is_adopted: bool, addresses: tuple[str, ...]) -> None:
    bridge = Cable("lan0", kind="bridge", addresses=CARD.addresses)
    card = Cable("enp1s0", master="lan0")
    told = {"0-vmstead-lan0.network": "[Address]\nAddress=10.0.0.2/24\n"}
    both = Cabling({"lan0": bridge, "enp1s0": card})
    do, undo = networkd.delete(both, "lan0", card, told, is_adopted=is_adopted)
    assert do[:2] == [Remove("/etc/systemd/network/0-vmstead-lan0.network"), Run(("networkctl", "reload"))]
    assert Arrive("enp1s0", addresses, ask=(*ASK, "enp1s0")) in do
    set_on = {
        name: Run(("ip", "-4", "address", "replace", "10.0.0.2/24", "dev", name)) for name in both.cables
    }
    assert do[-1] == Hold("enp1s0", (set_on["enp1s0"],), ("10.0.0.2/24",))
    assert undo[0] == Write("/etc/systemd/network/0-vmstead-lan0.network", told["0-vmstead-lan0.network"])
    assert undo[-1] == Hold("lan0", (set_on["lan0"],), ("10.0.0.2/24",))


def test_what_is_left_of_a_bridge_that_nobody_has_made_goes_without_systemd_networkd() -> None:
    both = Cabling({"lan0": Cable("lan0"), "enp1s0": CARD})
    do, _ = networkd.delete(both, "lan0", CARD, {}, is_adopted=True)
    assert do[0] == Run(("networkctl", "reload"), needed=False)
