"""Which addresses a NAT network has."""

import ipaddress
from collections.abc import Iterator, Sequence

from vmstead.ports.host_network import NetworkError

#: A network that is in use, and where.
Used = tuple[ipaddress.IPv4Network, str]

_PRIVATE = [ipaddress.IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")]
#: Prefixes that make sense: some guests at least, and not a whole class A.
_WIDEST, _NARROWEST = 16, 29


def chosen(wanted: str | None, used: Sequence[Used]) -> ipaddress.IPv4Network:
    """The network that was asked for, or the first free private /24.

    Raises:
        NetworkError: it is none, or overlaps with one that the host uses already.
    """
    if wanted is not None:
        network = _read(wanted)
        for other, where in used:
            if network.overlaps(other):
                raise NetworkError(
                    f"subnet {network} overlaps with {where}; choose another one, or leave --subnet out for a "
                    "free one"
                )
        return network
    for network in _candidates():
        if not any(network.overlaps(other) for other, _ in used):
            return network
    raise NetworkError("every private network overlaps with one that the host uses; choose one with --subnet")


def _read(text: str) -> ipaddress.IPv4Network:
    try:
        network = ipaddress.IPv4Network(text)
    except ValueError as error:
        try:
            meant = ipaddress.IPv4Interface(text).network
        except ValueError:
            raise NetworkError(
                f"subnet {text!r} is not an IPv4 network: {error}; write it like 192.168.100.0/24"
            ) from None
        raise NetworkError(f"subnet {text} is an address in a network; the network is {meant}") from None
    if not _WIDEST <= network.prefixlen <= _NARROWEST:
        raise NetworkError(
            f"subnet {text} has a prefix of {network.prefixlen} bits; it must have {_WIDEST} to {_NARROWEST}, "
            "as 192.168.100.0/24 has"
        )
    if not any(network.subnet_of(private) for private in _PRIVATE):
        raise NetworkError(
            f"subnet {text} is not private, so its addresses are somebody else's; choose one in "
            + ", ".join(map(str, _PRIVATE))
        )
    return network


def _candidates() -> Iterator[ipaddress.IPv4Network]:
    """Networks that few others choose come first."""
    for third in range(100, 255):
        yield ipaddress.IPv4Network((f"192.168.{third}.0", 24))
    for second in range(200, 256):
        for third in range(256):
            yield ipaddress.IPv4Network((f"10.{second}.{third}.0", 24))
