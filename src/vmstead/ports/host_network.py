"""The network of the host as something to change: what it is, steps that change it, and a change on trial."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Literal, Protocol, TypeAlias

import msgspec


class NetworkError(Exception):
    """The host's network cannot be changed like this. The text names what is in the way, and the way out."""


@dataclass(frozen=True, slots=True)
class CableAddress:
    """An address of an interface.

    Attributes:
        interface: address and prefix, such as ``192.168.1.7/24``.
        broadcast: IPv4's address of everybody, where one is set.
        seconds: how long it is still good for; None for one that has no end. One that was lent has an end.
        metric: that of the route to its network, where one was said.
    """

    interface: str
    broadcast: str | None = None
    seconds: int | None = None
    metric: int | None = None

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.interface


@dataclass(frozen=True, slots=True)
class Route:
    """A way to a network.

    Attributes:
        network: where it leads, such as ``10.0.0.0/8``; ``default`` for everywhere else.
        link: the interface it goes through.
        words: the rest of it, in the words of ``ip route``: ``via 192.168.1.1 metric 100``.
        origin: who made it, as the kernel notes: ``kernel``, ``dhcp``, ``ra``, ``static``, ``boot``, …
    """

    network: str
    link: str
    words: tuple[str, ...] = ()
    origin: str = "boot"
    is_ipv6: bool = False


@dataclass(frozen=True, slots=True)
class Cable:
    """An interface, as far as a bridge over it goes.

    Attributes:
        kind: what its driver calls itself (``bridge``, ``vlan``, ``macvtap``, …); empty for hardware.
        carries: it is of a kind that a bridge can have as a port: Ethernet by wire.
        master: the bridge or bond that it is a port of.
        parent: the interface that it stands on.
    """

    name: str
    kind: str = ""
    mac: str = ""
    mtu: int = 1500
    is_up: bool = True
    carries: bool = True
    master: str | None = None
    parent: str | None = None
    addresses: tuple[CableAddress, ...] = ()


@dataclass(frozen=True, slots=True)
class Cabling:
    """All interfaces by name, and all routes but those to the host's own addresses."""

    cables: Mapping[str, Cable]
    routes: tuple[Route, ...] = ()


@dataclass(frozen=True, slots=True)
class Management:
    """What the programs that configure interfaces say of one.

    Attributes:
        networkd: systemd-networkd's word for it (``configured``, ``unmanaged``, …); None where it does not run.
        network_file: the file by which systemd-networkd does so.
        network_texts: that file's content, and those of its drop-ins after it.
        client_id: the DHCP identity by which systemd-networkd has borrowed the address, in hex digits.
        has_ifupdown: ``ifup`` is installed.
        interfaces: ifupdown's files by path, the main one first.
        network_manager: NetworkManager's word for it; None where it does not run.
    """

    networkd: str | None = None
    network_file: str | None = None
    network_texts: tuple[str, ...] = ()
    client_id: str | None = None
    has_ifupdown: bool = False
    interfaces: Mapping[str, str] = field(default_factory=dict)
    network_manager: str | None = None


class Run(msgspec.Struct, frozen=True, tag=True):
    """Run a program to its end.

    Attributes:
        needed: its failure is a failure of the change; otherwise it does not matter.
    """

    argv: tuple[str, ...]
    needed: bool = True


class Write(msgspec.Struct, frozen=True, tag=True):
    """Have a file with this text, all of it or as it was; the folders above are made."""

    path: str
    text: str


class Remove(msgspec.Struct, frozen=True, tag=True):
    """Have no such file."""

    path: str


class Replace(msgspec.Struct, frozen=True, tag=True):
    """Have another text in a file of somebody else's, unless it has changed meanwhile.

    Attributes:
        old: what is there; empty also where there is no file.
        needed: that it has changed is a failure of the change.
    """

    path: str
    old: str
    new: str
    needed: bool = True


class Arrive(msgspec.Struct, frozen=True, tag=True):
    """Wait until an interface is up and has these addresses.

    Attributes:
        addresses: with their prefixes.
        lent: also any IPv4 address that somebody lends.
        seconds: how long to wait.
        needed: that it does not arrive is a failure of the change.
        ask: a command that has whoever configures the interface do so once more.
        ask_after: seconds after which it is run, again and again.
    """

    link: str
    addresses: tuple[str, ...] = ()
    lent: bool = False
    seconds: float = 30.0
    needed: bool = True
    ask: tuple[str, ...] = ()
    ask_after: float = 10.0


class Hold(msgspec.Struct, frozen=True, tag=True):
    """Have addresses and routes on an interface, and have them stay.

    Whoever configures interfaces is told so and does it in their own time; when they come to it they take away what
    they do not know.

    Attributes:
        steps: what sets them; each is done whatever becomes of the others.
        addresses: those that must stay.
        seconds: for how long they are set again when they are taken away.
    """

    link: str
    steps: tuple[Run, ...]
    addresses: tuple[str, ...]
    seconds: float = 5.0


Step: TypeAlias = Run | Write | Remove | Replace | Arrive | Hold


class Change(msgspec.Struct, frozen=True):
    """A change that can still be taken back.

    Attributes:
        id: tells it from others.
        state: ``applying`` while somebody works on it; ``applied`` once it waits to be confirmed; ``stuck`` when
            it could not be taken back completely.
        deadline: when it is taken back unless it was confirmed, in seconds since the host started.
        undo: what takes it back, from whatever point it has come to.
        keep: what makes it last.
        problems: why it is stuck.
    """

    id: str
    verb: Literal["create", "delete"]
    bridge: str
    port: str
    state: Literal["applying", "applied", "stuck"]
    deadline: float
    undo: tuple[Step, ...]
    keep: tuple[Step, ...]
    problems: tuple[str, ...] = ()


class Kept(msgspec.Struct, frozen=True):
    """What is remembered of a bridge that was made here, to undo it one day.

    Attributes:
        manager: who makes it at each start of the host.
        files: what was written for that: path -> text.
        file: ifupdown: the file in which it stands.
        ours, theirs: ifupdown: what was put there, and what stood there before.
        is_adopted: nobody managed the port before.
    """

    bridge: str
    port: str
    manager: Literal["networkd", "ifupdown"]
    files: dict[str, str] = {}
    file: str | None = None
    ours: str = ""
    theirs: str = ""
    is_adopted: bool = False


class HostNetwork(Protocol):
    """The host's network. What goes wrong is a ``NetworkError``."""

    async def cabling(self) -> Cabling:
        """Interfaces and routes, as they are now."""

    async def management(self, name: str) -> Management:
        """What the programs that configure interfaces say of one."""

    async def perform(self, step: Step) -> None:
        """Do one step. Doing it again changes nothing."""

    async def kept(self) -> Sequence[Kept]:
        """What is remembered of bridges that were made here, by name."""

    def record(self, bridge: str) -> str:
        """The path of what is remembered of a bridge."""


class Trials(Protocol):
    """The change that is on trial on this host, at most one. It is forgotten when the host starts anew."""

    def now(self) -> float:
        """Seconds since the host started, also while it slept."""

    def turn(self, patience: float = 20.0, *, by_force: bool = False) -> AbstractAsyncContextManager[None]:
        """Be the only one who works on the change. Ends by itself with the process.

        Args:
            patience: seconds to wait for whoever works on it.
            by_force: end their process when they take longer; otherwise that is a ``NetworkError``.
        """

    async def read(self) -> Change | None:
        """The change; None where there is none."""

    async def write(self, change: Change | None) -> None:
        """Note the change, or that there is none any more."""

    def bell(self) -> AbstractAsyncContextManager[asyncio.Event]:
        """An event that is set whenever somebody, in whatever process, has noted something."""


class Guards(Protocol):
    """Who takes changes back that nobody confirms."""

    async def post(self, change: str, within: float) -> None:
        """Have a guard watch a change, outside of this process and whatever becomes of it.

        Returns when the guard watches. Called by whoever has the turn, which the guard waits for.

        Args:
            within: seconds after which it ends whoever still works on the change.
        """
