"""Addresses and ranges of ports: how they are written, and what is said of others."""

import pytest

from vmstead.addresses import Address, PortRange, read_address, read_display_ports


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0.0.0.0:80", Address("0.0.0.0", 80)),
        ("[::1]:6080", Address("::1", 6080)),
        ("host.example:0", Address("host.example", 0)),
    ],
)
def test_an_address_is_written_as_it_is_read(text: str, address: Address) -> None:
    assert read_address(text) == address
    assert str(address) == text


@pytest.mark.parametrize(("text", "address"), [("none", None), ("", None), (":6080", Address("", 6080))])
def test_it_may_be_every_address_or_none(text: str, address: Address | None) -> None:
    assert read_address(text) == address


@pytest.mark.parametrize(
    "value",
    ["6080", 6080, "host:", "host:65536", "host:x", "host:-1", "::1", "::1:6080", "[]:80", True, ["a:1"]],
)
def test_what_is_no_address(value: object) -> None:
    with pytest.raises(ValueError, match=r'HOST:PORT is expected, such as .* or \[::1\]:6080, or "none"'):
        read_address(value)


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [("127.9.9.9", True), ("::1", True), ("localhost", True), ("::", False), ("fe80::1%eth0", False)],
)
def test_which_only_programs_on_this_machine_can_reach(host: str, is_loopback: bool) -> None:
    assert Address(host, 80).is_loopback is is_loopback


@pytest.mark.parametrize(
    ("text", "ports"), [("5900-5902", [5900, 5901, 5902]), ("65534-65535", [65534, 65535])]
)
def test_ports_are_written_as_they_are_read(text: str, ports: list[int]) -> None:
    found = read_display_ports(text)
    assert (found, [*found], str(found)) == (PortRange(ports[0], ports[-1]), ports, text)


@pytest.mark.parametrize(
    "value", [5900, "5900", "5900-5900", "5950-5900", "5899-5999", "5900-65536", "-5900", "5900-", True, None]
)
def test_what_are_no_ports_for_displays(value: object) -> None:
    with pytest.raises(
        ValueError, match="two ports or more from 5900 to 65535 are expected, such as 5900-59"
    ):
        read_display_ports(value)
