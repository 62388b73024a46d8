"""The engine: whatever runs domains (libvirt in the product, a dictionary in tests).

A domain is known by its uuid here, never by its name or by a VM id; names may change. Nothing assumes that
the engine runs on this machine.
"""

import enum
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, TypeAlias

from vmstead.ports.counters import GuestCounters

#: What a display speaks.
DisplayProtocol: TypeAlias = Literal["spice", "vnc"]


class PowerState(enum.StrEnum):
    """A domain's state, with the names of libvirt's ``virDomainState``, which the API shows as they are."""

    NOSTATE = "NOSTATE"
    RUNNING = "RUNNING"
    BLOCKED = "BLOCKED"
    PAUSED = "PAUSED"
    SHUTDOWN = "SHUTDOWN"
    SHUTOFF = "SHUTOFF"
    CRASHED = "CRASHED"
    PMSUSPENDED = "PMSUSPENDED"


@dataclass(frozen=True, slots=True)
class DomainState:
    """What the engine knows of a domain at a moment.

    Attributes:
        power: libvirt's state.
        active: a guest process exists. A crashed or paused domain can be active.
        pid: process id of the guest on the engine's machine; None while inactive or where unknown.
    """

    power: PowerState
    active: bool
    pid: int | None = None


#: A domain the engine does not know, or knows only by definition.
INACTIVE = DomainState(PowerState.SHUTOFF, active=False)


@dataclass(frozen=True, slots=True)
class Domain:
    """A domain to define: ``xml`` is a complete libvirt document with this uuid and name in it."""

    uuid: str
    name: str
    xml: bytes


class EngineErrorKind(enum.Enum):
    """What went wrong, as far as a use case acts on it."""

    UNREACHABLE = "unreachable"
    NO_DOMAIN = "no such domain"
    WRONG_STATE = "wrong state"
    NO_AGENT = "no answer from the guest's agent"
    REFUSED = "configuration refused"
    FAILED = "failed"


class EngineError(Exception):
    """The engine could not do what it was asked. The text is the engine's own, fit for a log or a client."""

    def __init__(self, kind: EngineErrorKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """What the engine is, once it is connected.

    Attributes:
        uri: where it is, as libvirt writes it.
        version: for people, such as ``libvirt 9.0.0``.
        accelerator: ``kvm`` or ``tcg``: what new domains will run on.
        accelerator_reason: why not KVM; None with KVM.
        privileged: it can make network devices (bridge ports, macvtap) and hand out host devices.
        guest_user: name of the user that guest processes run as; None where it is the server's own.
        runs_guests: domains are real processes; false for an engine that only pretends.
        log_folder: where guests' logs are, as ``<domain>.log``; None where they cannot be read.
        keeps_consoles: it appends what guests write to their serial ports to a file of this machine, where a
            document names one.
    """

    uri: str
    version: str
    accelerator: str
    accelerator_reason: str | None
    privileged: bool
    guest_user: str | None
    runs_guests: bool = True
    log_folder: Path | None = None
    keeps_consoles: bool = False


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What guests can be made of.

    Attributes:
        machines: machine types by architecture, with the names that stand for the newest of a kind.
        cpu_models: models that a guest's processor can be, by name.
    """

    machines: Mapping[str, Sequence[str]]
    cpu_models: Sequence[str]


@dataclass(frozen=True, slots=True)
class GuestInterface:
    """A network interface as the guest itself tells of it. Anything may be in it: it is checked by who uses it.

    Attributes:
        mac: empty where it has none.
        addresses: IP addresses, each with the bits of its network's part.
    """

    name: str
    mac: str = ""
    addresses: tuple[tuple[str, int], ...] = ()


class EngineListener(Protocol):
    """Who is told what happens to domains. All calls come on the event loop, in order."""

    def connected(self, states: Mapping[str, DomainState]) -> None:
        """The engine is (again) connected; ``states`` has every domain it knows, by uuid."""

    def disconnected(self, reason: str) -> None:
        """The connection is lost; what was known stays the best guess until ``connected``."""

    def changed(self, uuid: str, state: DomainState) -> None:
        """A domain changed its state."""

    def viewed(self, uuid: str) -> None:
        """Somebody has opened a display of a domain, and given its password if it has one."""


class ConsoleStream(Protocol):
    """The two-way byte stream of a domain's serial console. One reader at a time."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Yields what the guest writes, until the guest stops or ``close`` is called."""

    async def write(self, data: bytes) -> None:
        """Send to the guest; waits while its input buffer is full."""

    async def close(self) -> None:
        """Give the console back. Safe to call twice."""


class Engine(Protocol):
    """Runs domains. Every method raises ``EngineError``; none blocks the event loop.

    ``start`` returns when the guest process runs, the other actions when the engine has accepted them. Their
    effect on the state reaches the listener, also when somebody else caused it.
    """

    @property
    def info(self) -> EngineInfo | None:
        """What is connected now; None while nothing is."""

    async def open(self, listener: EngineListener) -> None:
        """Begin to connect, and keep connecting, in the background. Called once."""

    async def close(self) -> None:
        """Let go. Guests keep running."""

    async def capabilities(self) -> Capabilities:
        """What guests can be made of here. Asked of the engine once for each connection: that can take seconds."""

    async def define(self, domain: Domain) -> None:
        """Make the domain known, replacing an inactive definition with the same uuid.

        Raises EngineError REFUSED when the document asks for what the engine does not have.
        """

    async def check(self, domain: Domain) -> None:
        """Whether the engine has what the document asks for; nothing changes, and no file needs to be there.

        Raises EngineError REFUSED when a start would fail because of the document. An engine that cannot tell
        says nothing.
        """

    async def undefine(self, uuid: str, *, keep_state: bool = False) -> None:
        """Forget an inactive domain and, unless it is kept, the firmware and TPM state that belong to it.

        Unknown: no error. WRONG_STATE, when the domain is active.
        """

    async def copy_tpm(self, uuid: str, target: str) -> None:
        """Give a domain that is not there yet the TPM state that another one has; nothing where there is none.

        ``undefine`` removes it again. FAILED where the engine cannot get at it.
        """

    async def start(self, uuid: str, *, paused: bool = False) -> None:
        """Start a defined, inactive domain; with ``paused`` its processors halt before their first step."""

    async def shutdown(self, uuid: str) -> None:
        """Ask the guest to power off (guest agent if there is one, else the power button)."""

    async def destroy(self, uuid: str) -> None:
        """Stop the guest process now."""

    async def suspend(self, uuid: str) -> None:
        """Halt the virtual processors; memory stays."""

    async def resume(self, uuid: str) -> None:
        """Let them run again; wakes a guest that sleeps (PMSUSPENDED) too."""

    async def reset(self, uuid: str) -> None:
        """Press the reset button: the guest starts anew at once, in the same process."""

    async def guest_interfaces(self, uuid: str) -> Sequence[GuestInterface]:
        """What the guest's agent tells of its network. NO_AGENT when none answers within a few seconds."""

    async def usage(self) -> Mapping[str, GuestCounters]:
        """What each active domain has used, by uuid, asked of the engine in one go.

        A guest that cannot answer now is left out, and so is one of which the engine tells nothing.
        """

    async def open_display(self, uuid: str, protocol: DisplayProtocol) -> socket.socket:
        """A new connection to a display of an active domain, as that of a viewer whose password was right.

        The socket does not block, and belongs to the caller. FAILED where the guest has no such display, or the
        engine has no way to it.
        """

    async def screenshot(self, uuid: str) -> bytes:
        """What an active domain's first screen shows, as a PNG image. FAILED where it has no screen."""

    async def console(self, uuid: str) -> ConsoleStream:
        """Open the first serial console of an active domain, taking it from a dead holder."""
