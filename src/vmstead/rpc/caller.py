"""Who is calling, and from where."""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: The role that includes every other.
FULL_ADMIN = "FULL_ADMIN"


@dataclass(frozen=True, slots=True)
class Origin:
    """The other end of a connection.

    A unix peer has ``pid``, ``uid`` and ``gid``, told by the kernel; a TCP peer has ``address`` and ``port``.
    ``is_tls`` says that the TCP connection is encrypted; ``local_address`` and ``local_port`` are this end of it.
    """

    pid: int | None = None
    uid: int | None = None
    gid: int | None = None
    address: str = ""
    port: int = 0
    is_tls: bool = False
    local_address: str = ""
    local_port: int = 0

    @property
    def is_unix(self) -> bool:
        return self.uid is not None

    @property
    def is_secure(self) -> bool:
        """What is sent cannot be read on the way: a unix socket, TLS, or loopback."""
        return self.is_local or self.is_tls

    @property
    def is_local(self) -> bool:
        """On this machine."""
        return self.is_unix or _is_loopback(self.address)

    @property
    def network(self) -> str:
        """Where attempts are counted: an IPv4 address, or the /64 that an IPv6 peer can pick addresses from."""
        try:
            ip = ipaddress.ip_address(self.address.partition("%")[0])
        except ValueError:
            return self.address
        if isinstance(ip, ipaddress.IPv4Address):
            return str(ip)
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.IPv6Network((ip, 64), strict=False))

    def same_place(self, other: "Origin") -> bool:
        """Whether a token that was asked for from one may be used from the other."""
        if self.is_unix or other.is_unix:
            return (self.uid, self.gid) == (other.uid, other.gid)
        return self.address == other.address

    def __str__(self) -> str:
        if self.is_unix:
            return f"UNIX socket (pid={self.pid} uid={self.uid} gid={self.gid})"
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def _is_loopback(address: str) -> bool:
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(ip, "ipv4_mapped", None)
    return bool((mapped or ip).is_loopback)


@dataclass(frozen=True, slots=True)
class Grounds:
    """What a login of an account rests on. When it is gone, the login is over.

    Attributes:
        account: the account's id.
        stamp: what identifies the password or key it was made with; None where it took neither.
        key: number of the API key.
        expires_at: seconds since the epoch; None: never.
    """

    account: int
    stamp: object = field(default=None, repr=False)
    key: int | None = None
    expires_at: float | None = None


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who is logged in.

    Attributes:
        username: the account's name.
        roles: everything it may do, with the roles that its roles include.
        credential: how it logged in (``UNIX_SOCKET``, ``LOGIN_PASSWORD``, ``LOGIN_TWOFACTOR``,
            ``LOGIN_ONETIME_PASSWORD``, ``API_KEY``, ``TOKEN``).
        details: what job records and session lists show of it: user name, time of login, name of the key.
        is_internal: this is the machine's root on the unix socket, not an account in the database.
        grounds: what the login rests on; None: on nothing that can go away.
        logins: ids of this login and of those that it was handed on from, the first one first.
        tokens: the tokens it was handed on with.
    """

    username: str
    roles: frozenset[str]
    credential: str
    details: Mapping[str, object]
    is_internal: bool = False
    grounds: Grounds | None = None
    logins: tuple[str, ...] = ()
    tokens: tuple[str, ...] = ()

    @property
    def is_admin(self) -> bool:
        return FULL_ADMIN in self.roles

    def may(self, role: str | None) -> bool:
        """Whether the caller has that role; None asks for no more than being logged in."""
        return role is None or role in self.roles or self.is_admin

    @property
    def credentials(self) -> dict[str, object]:
        """As job records show it."""
        return {"type": self.credential, "data": dict(self.details)}

    def may_all(self, roles: Iterable[str]) -> bool:
        """Whether the caller has every one of these roles: only then may it give them, or touch who has them."""
        return all(self.may(role) for role in roles)
