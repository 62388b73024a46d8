"""ifupdown's file, with a bridge in place of a card, and as it was."""

import pytest

from vmstead.network import ifupdown
from vmstead.ports.host_network import (
    Cable,
    CableAddress,
    Cabling,
    Hold,
    NetworkError,
    Remove,
    Replace,
    Route,
    Run,
    Write,
)

CARD = Cable("enp1s0", mac="52:54:00:00:00:01", addresses=(CableAddress("10.0.0.2/24"),))
CABLING = Cabling({"enp1s0": CARD}, (Route("default", "enp1s0", ("via", "10.0.0.1")),))
TEXT = """# This file describes the network interfaces.
source /etc/network/interfaces.d/*

auto lo
iface lo inet loopback

# The card at the front
allow-hotplug enp1s0
iface enp1s0 inet static
    address 10.0.0.2/24
    # Who leads out
    gateway 10.0.0.1
    dns-nameservers 10.0.0.53 \\
        10.0.0.54
    post-up ethtool -K enp1s0 tso off
    post-up echo enp1s0.5 is another

# The same in another language
iface enp1s0 inet6 auto

iface enp1s0.5 inet manual
"""
PLUGGING = """    pre-up ip link show dev lan0 >/dev/null 2>&1 || ip link add name lan0 address 52:54:00:00:00:01 \
type bridge stp_state 0 forward_delay 0
    pre-up ip link set dev enp1s0 master lan0 up
    pre-up ip link set dev lan0 up
    post-down ip link set dev enp1s0 nomaster
    post-down ip link delete dev lan0
"""
OURS = f"""# Written by vmstead network create-bridge; vmstead network delete lan0 takes it away.
iface enp1s0 inet manual
    post-up ethtool -K enp1s0 tso off
auto lan0
iface lan0 inet static
{PLUGGING}    address 10.0.0.2/24
    gateway 10.0.0.1
    dns-nameservers 10.0.0.53          10.0.0.54
    post-up echo enp1s0.5 is another
iface lan0 inet6 auto
# End of lan0.
"""


def test_the_cards_settings_go_over_but_for_those_that_name_it() -> None:
    found = ifupdown.stanzas(TEXT, "enp1s0")
    assert [(each.family, each.method) for each in found] == [("inet", "static"), ("inet6", "auto")]
    assert ifupdown.ours(CABLING, "lan0", CARD, found) == OURS


def test_the_rest_of_the_file_stays_as_it_is_and_all_comes_back() -> None:
    found = ifupdown.stanzas(TEXT, "enp1s0")
    new = ifupdown.changed(TEXT, "enp1s0", OURS)
    assert new.count(OURS) == 1
    assert new.replace(OURS, "") == TEXT.replace(found[0].text, "").replace(found[1].text, "")
    back = ifupdown.given_back("/etc/x", new, OURS, "".join(each.text for each in found))
    assert ifupdown.stanzas(back, "enp1s0") == found
    assert ifupdown.stanzas(back, "lan0") == []


def test_what_somebody_has_changed_is_not_given_back() -> None:
    new = ifupdown.changed(TEXT, "enp1s0", OURS).replace("gateway 10.0.0.1", "gateway 10.0.0.9")
    theirs = "".join(each.text for each in ifupdown.stanzas(TEXT, "enp1s0"))
    with pytest.raises(NetworkError, match="/etc/x has been changed where vmstead had written"):
        ifupdown.given_back("/etc/x", new, OURS, theirs)
    with pytest.raises(NetworkError, match="/etc/x has been changed where vmstead had written"):
        ifupdown.given_back("/etc/x", OURS + OURS, OURS, "")


def test_what_was_given_back_before_a_power_cut_is_so_still() -> None:
    (first, second) = (each.text for each in ifupdown.stanzas(TEXT, "enp1s0"))
    assert ifupdown.given_back("/etc/x", TEXT, OURS, first) == TEXT
    assert ifupdown.given_back("/etc/x", TEXT, OURS, second) == TEXT
    assert ifupdown.given_back("/etc/x", "auto lo\n", OURS, "") == "auto lo\n"


def test_a_card_that_nobody_configures() -> None:
    assert ifupdown.ours(CABLING, "lan0", CARD, []).partition("auto lan0\n")[2] == (
        f"iface lan0 inet static\n{PLUGGING}    address 10.0.0.2/24\n"
        "    up ip -4 route replace default via 10.0.0.1 dev $IFACE\n# End of lan0.\n"
    )
    bare = Cable("enp1s0", mac="52:54:00:00:00:01")
    text = ifupdown.ours(Cabling({"enp1s0": bare}), "lan0", bare, [])
    assert text.partition("auto lan0\n")[2] == f"iface lan0 inet manual\n{PLUGGING}# End of lan0.\n"
    assert ifupdown.changed("auto lo\n", "enp1s0", text) == f"auto lo\n\n{text}"
    assert ifupdown.changed("", "enp1s0", text) == text


def test_two_addresses_have_two_stanzas_and_the_bridge_is_made_once() -> None:
    card = Cable("enp1s0", mtu=9000, addresses=(CableAddress("10.0.0.2/24"), CableAddress("2001:db8::2/64")))
    text = ifupdown.ours(Cabling({"enp1s0": card}), "lan0", card, [])
    assert text.count("iface lan0 inet static") == text.count("iface lan0 inet6 static") == 1
    assert text.count("master lan0") == 1
    assert " mtu 9000 type bridge" in text


@pytest.mark.parametrize(
    "option", ["wpa-ssid home", "bond-slaves none", "bridge_ports eth0", "vlan-raw-device x"]
)
def test_what_no_bridge_can_be_is_refused(option: str) -> None:
    found = ifupdown.stanzas(f"iface enp1s0 inet dhcp\n  {option}\n", "enp1s0")
    with pytest.raises(NetworkError, match=f"{option}.* which no bridge can take over"):
        ifupdown.ours(CABLING, "lan0", CARD, found)


@pytest.mark.parametrize(
    "line", ["iface enp1s0", "iface enp1s0 inet", "iface enp1s0 inet dhcp inherits office"]
)
def test_a_line_that_is_not_understood_is_refused(line: str) -> None:
    with pytest.raises(NetworkError, match="is not understood; write it as iface NAME inet METHOD"):
        ifupdown.stanzas(f"{line}\n", "enp1s0")


def test_in_which_file_it_stands() -> None:
    files = {"/etc/network/interfaces": "auto lo\n", "/etc/network/interfaces.d/x": TEXT}
    assert ifupdown.place_of(files, "enp1s0") == "/etc/network/interfaces.d/x"
    assert ifupdown.place_of(files, "enp9s0") is None
    files["/etc/network/interfaces"] = "iface enp1s0 inet dhcp\n"
    with pytest.raises(NetworkError, match="ifupdown is told of enp1s0 in /etc/network/interfaces and in "):
        ifupdown.place_of(files, "enp1s0")


def test_the_steps_and_what_takes_them_back() -> None:
    do, undo = ifupdown.create(CABLING, "lan0", CARD, OURS, "/run/t")
    assert do[0] == Write("/run/t", OURS)
    assert do.index(Run(("ifdown", "enp1s0"), needed=False)) < do.index(Run(("ifup", "-i", "/run/t", "lan0")))
    assert undo[0] == Run(("ifdown", "--force", "-i", "/run/t", "lan0"), needed=False)
    assert undo[-1] == Remove("/run/t")
    assert Run(("ifup", "--force", "enp1s0"), needed=False) in undo
    assert ifupdown.keep("/etc/x", "a", "b", "/run/t") == [Replace("/etc/x", "a", "b"), Remove("/run/t")]
    bridge = Cable("lan0", addresses=CARD.addresses)
    both = Cabling({"lan0": bridge, "enp1s0": Cable("enp1s0", master="lan0")})
    do, undo = ifupdown.delete(both, "lan0", both.cables["enp1s0"], "/etc/x", "b", "a")
    assert Replace("/etc/x", "b", "a") in do
    assert Replace("/etc/x", "a", "b") in undo
    on_card = Run(("ip", "-4", "address", "replace", "10.0.0.2/24", "dev", "enp1s0"))
    assert do[-1] == Hold("enp1s0", (on_card,), ("10.0.0.2/24",))
