"""Where to listen: addresses and ports as settings have them."""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen for TCP connections."""

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only programs on this machine can connect to it."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class PortRange:
    """TCP ports from ``first`` to ``last``."""

    first: int
    last: int

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.first, self.last + 1))

    def __str__(self) -> str:
        return f"{self.first}-{self.last}"


#: The ports that displays can have.
DISPLAY_PORTS = PortRange(5900, 65535)

#: An IPv6 address stands in brackets: in ``::1:6080`` nobody can tell where it ends.
_HOST_AND_PORT = re.compile(r"(\[(?P<ipv6>[^\[\]]+)\]|(?P<host>[^\[\]:]*)):(?P<port>[0-9]{1,5})")
_PORTS = re.compile(r"([0-9]{1,5})-([0-9]{1,5})")


def read_address(value: object) -> Address | None:
    """The address of a text such as ``127.0.0.1:6080`` or ``[::1]:6080``; None for "none" and an empty one.

    Raises:
        ValueError: it is something else.
    """
    if value in ("", "none"):
        return None
    match = _HOST_AND_PORT.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match["port"]) > 65535:
        raise ValueError('HOST:PORT is expected, such as 127.0.0.1:6080 or [::1]:6080, or "none"')
    return Address(match["host"] or match["ipv6"] or "", int(match["port"]))


def read_display_ports(value: object) -> PortRange:
    """The ports of a text such as ``5900-5999``.

    Raises:
        ValueError: it is something else, or not two ports or more that displays can have.
    """
    match = _PORTS.fullmatch(value) if isinstance(value, str) else None
    ports = PortRange(*map(int, match.groups())) if match else None
    if ports is None or not DISPLAY_PORTS.first <= ports.first < ports.last <= DISPLAY_PORTS.last:
        raise ValueError(
            f"two ports or more from {DISPLAY_PORTS.first} to {DISPLAY_PORTS.last} are expected, such as 5900-5999"
        )
    return ports
