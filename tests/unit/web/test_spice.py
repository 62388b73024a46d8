"""SPICE as far as the server takes part in it."""

import struct

import pytest

from vmstead.web.spice import (
    Link,
    MainFilter,
    SpiceError,
    client_link,
    link_size,
    login,
    server_link,
    ticket_size,
)

FULL = Link(b"", 1, 0)
MINI = Link(b"", 1, 0b1001)


@pytest.mark.parametrize(
    ("header", "text"),
    [
        (struct.pack("<4sIII", b"HTTP", 2, 2, 18), "not SPICE"),
        (struct.pack("<4sIII", b"REDQ", 2, 2, 3), "impossible length"),
        (struct.pack("<4sIII", b"REDQ", 2, 2, 1 << 30), "impossible length"),
    ],
)
def test_what_is_no_link_is_refused(header: bytes, text: str) -> None:
    with pytest.raises(SpiceError, match=text):
        link_size(header)


def test_a_link_without_capabilities_logs_in_the_old_way() -> None:
    link = client_link(b"", struct.pack("<IBBIII", 0, 2, 0, 0, 0, 18))
    assert (link.channel, link.capabilities, ticket_size(link)) == (2, 0, 128)
    with pytest.raises(SpiceError, match="ends before its capabilities"):
        client_link(b"", struct.pack("<IBBIII", 0, 2, 0, 1, 0, 18))


def test_a_display_that_refuses_is_told() -> None:
    with pytest.raises(SpiceError, match="refused the link with error 7"):
        server_link(b"", struct.pack("<I162sIII", 7, b"", 0, 0, 178))
    with pytest.raises(SpiceError, match="refused the link"):
        server_link(b"", b"short")
    with pytest.raises(SpiceError, match="key cannot be used"):
        login(FULL, Link(b"", 0, 0, b"no key"))


@pytest.mark.parametrize("step", [1, 5, 1000])
def test_the_filter_does_not_care_where_pieces_end(step: int) -> None:
    looks, clipboard = struct.pack("<HI", 104, 3) + b"abc", struct.pack("<HI", 107, 4) + b"text"
    said = looks + clipboard + looks + struct.pack("<HI", 105, 0) + looks
    watched = MainFilter(MINI, MINI)
    passed = b"".join(watched.feed(said[at : at + step]) for at in range(0, len(said), step))
    assert passed == 3 * looks


def test_long_headers_are_read_unless_both_sides_know_short_ones() -> None:
    looks, agent = struct.pack("<QHII", 1, 101, 1, 0) + b"x", struct.pack("<QHII", 2, 106, 1, 0) + b"y"
    assert MainFilter(MINI, FULL).feed(looks + agent + looks) == looks + looks
