"""Which addresses a NAT network has."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmstead.network.subnets import chosen
from vmstead.ports.host_network import NetworkError

USED = [(ipaddress.IPv4Network("192.168.100.0/22"), "192.168.100.9/22, an address of enp1s0")]


def test_the_first_that_is_free() -> None:
    assert str(chosen(None, [])) == "192.168.100.0/24"
    assert str(chosen(None, USED)) == "192.168.104.0/24"
    all_of_them = [(ipaddress.IPv4Network("192.168.0.0/16"), "a route")]
    assert str(chosen(None, all_of_them)) == "10.200.0.0/24"


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        ("192.168.101.0/24", "subnet 192.168.101.0/24 overlaps with 192.168.100.9/22, an address of enp1s0"),
        ("192.168.0.0/16", "subnet 192.168.0.0/16 overlaps with 192.168.100.9/22"),
        ("10.0.0.1/24", "subnet 10.0.0.1/24 is an address in a network; the network is 10.0.0.0/24"),
        ("10.0.0.0/8", "prefix of 8 bits; it must have 16 to 29"),
        ("10.0.0.0/30", "prefix of 30 bits"),
        ("8.8.8.0/24", "subnet 8.8.8.0/24 is not private"),
        ("fd00::/64", "is not an IPv4 network"),
        ("lab", "subnet 'lab' is not an IPv4 network: .*; write it like 192.168.100.0/24"),
    ],
)
def test_what_is_refused(wanted: str, text: str) -> None:
    with pytest.raises(NetworkError, match=text):
        chosen(wanted, USED)


def test_what_is_asked_for() -> None:
    assert str(chosen("172.16.5.0/29", USED)) == "172.16.5.0/29"


def test_where_nothing_is_free_it_is_said() -> None:
    everything = [(ipaddress.IPv4Network("0.0.0.0/1"), "a"), (ipaddress.IPv4Network("128.0.0.0/1"), "b")]
    with pytest.raises(NetworkError, match="choose one with --subnet"):
        chosen(None, everything)


@given(st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(17, 32)), max_size=20))
def test_what_is_chosen_overlaps_with_nothing(numbers: list[tuple[int, int]]) -> None:
    used = [(ipaddress.IPv4Network((number, bits), strict=False), "used") for number, bits in numbers]
    network = chosen(None, used)
    assert network.is_private
    assert not any(network.overlaps(other) for other, _ in used)
