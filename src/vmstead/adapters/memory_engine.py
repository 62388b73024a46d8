"""An engine without guests: domains are entries in a dictionary that behave as their script says.

For tests and for authors of clients. It checks what a real engine would refuse and reports states as one
would, with process ids that belong to nobody.
"""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree.ElementTree import Element, ParseError, fromstring

from vmstead.adapters.memory_usage import Running, usage_of
from vmstead.kernel.clock import Clock
from vmstead.kernel.png import png
from vmstead.ports.counters import GuestCounters
from vmstead.ports.engine import (
    INACTIVE,
    Capabilities,
    ConsoleStream,
    DisplayProtocol,
    Domain,
    DomainState,
    EngineError,
    EngineErrorKind,
    EngineInfo,
    EngineListener,
    GuestInterface,
    PowerState,
)


@dataclass
class Script:
    """How a guest behaves.

    Attributes:
        shutdown_seconds: how long it takes to shut down; None: it ignores the power button.
        fails_to_start: the error that starting it ends with, which is of the kind ``failure``.
        interfaces: what its agent tells of its network; None: it has none.
    """

    shutdown_seconds: float | None = 0.0
    fails_to_start: str | None = None
    failure: EngineErrorKind = EngineErrorKind.FAILED
    interfaces: list[GuestInterface] | None = None


@dataclass
class _Entry:
    domain: Domain
    state: DomainState = INACTIVE
    console: "MemoryConsole | None" = None
    running: Running = field(default_factory=Running)
    displays: list[socket.socket] = field(default_factory=list)

    def close_displays(self) -> None:
        while self.displays:
            self.displays.pop().close()


@dataclass
class MemoryEngine:
    """The engine port in memory.

    Attributes:
        script: behaviour of the guests that have none of their own in ``scripts``, which is keyed by uuid.
        refused: what is wrong with documents, by a text that they have.
        displays: the guests' ends of displays that were opened, for tests to speak at.
        calls: the actions that were asked for, for tests to look at: ``("start", uuid)``.
    """

    clock: Clock
    script: Script = field(default_factory=Script)
    scripts: dict[str, Script] = field(default_factory=dict)
    calls: list[tuple[str, str]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    displays: "asyncio.Queue[socket.socket]" = field(default_factory=asyncio.Queue)
    #: The machines that it has, by architecture.
    machines: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {"x86_64": ("pc", "pc-i440fx-9.2", "pc-q35-6.2", "pc-q35-9.2", "q35")}
    )
    _domains: dict[str, _Entry] = field(default_factory=dict)
    _listener: EngineListener | None = None
    _pids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(4_000_000))
    _info: EngineInfo | None = None

    @property
    def info(self) -> EngineInfo | None:
        return self._info

    async def open(self, listener: EngineListener) -> None:
        self._listener = listener
        self.reconnect()

    async def close(self) -> None:
        self._info = None
        for entry in self._domains.values():
            entry.close_displays()

    # --- for tests: what happens without being asked for --------------------------------------------

    def disconnect(self, reason: str) -> None:
        """Lose the connection."""
        self._info = None
        if self._listener is not None:
            self._listener.disconnected(reason)

    def reconnect(self) -> None:
        """Have it (again)."""
        self._info = EngineInfo(
            "memory",
            "memory",
            "tcg",
            "no guest runs at all",
            True,
            None,
            runs_guests=False,
            keeps_consoles=True,
        )
        if self._listener is not None:
            self._listener.connected({uuid: entry.state for uuid, entry in self._domains.items()})

    def document(self, uuid: str) -> bytes:
        """The XML that a domain was last defined with."""
        return self._domains[uuid].domain.xml

    def state(self, uuid: str) -> DomainState:
        """What the engine itself says of a domain."""
        return self._domains[uuid].state

    def forget(self, uuid: str) -> None:
        """Lose a domain without a word, as a daemon that was restored from a backup may."""
        del self._domains[uuid]

    def power_off_by_guest(self, uuid: str) -> None:
        """The guest powers itself off."""
        self._set(uuid, PowerState.SHUTDOWN, active=True)
        self._stop(uuid)

    def view(self, uuid: str) -> None:
        """Somebody opens a display."""
        if self._listener is not None:
            self._listener.viewed(uuid)

    def crash(self, uuid: str) -> None:
        """The guest's process dies."""
        self._stop(uuid)

    # --- the port -----------------------------------------------------------------------------------

    async def capabilities(self) -> Capabilities:
        self._require_connection()
        return Capabilities(self.machines, ("EPYC", "Nehalem", "qemu64"))

    async def check(self, domain: Domain) -> None:
        self._require_connection()
        _parsed(domain)
        for text, reason in self.refused.items():
            if text.encode() in domain.xml:
                raise EngineError(EngineErrorKind.REFUSED, reason)

    async def define(self, domain: Domain) -> None:
        self._require_connection()
        document = _parsed(domain)
        if document.findtext("uuid") != domain.uuid or document.findtext("name") != domain.name:
            raise EngineError(EngineErrorKind.REFUSED, "the document is about another domain")
        known = self._domains.get(domain.uuid)
        if any(
            entry.domain.name == domain.name for uuid, entry in self._domains.items() if uuid != domain.uuid
        ):
            raise EngineError(
                EngineErrorKind.FAILED, f"domain {domain.name!r} already exists with another uuid"
            )
        if known is not None and known.state.active and known.domain.name != domain.name:
            raise EngineError(EngineErrorKind.WRONG_STATE, "the domain is active")
        if known is None:
            self._domains[domain.uuid] = _Entry(domain)
        else:
            known.domain = domain

    async def undefine(self, uuid: str, *, keep_state: bool = False) -> None:
        self._require_connection()
        entry = self._domains.get(uuid)
        if entry is not None and entry.state.active:
            raise EngineError(EngineErrorKind.WRONG_STATE, "the domain is active")
        self._domains.pop(uuid, None)

    async def copy_tpm(self, uuid: str, target: str) -> None:
        self._require_connection()

    async def start(self, uuid: str, *, paused: bool = False) -> None:
        entry = self._find(uuid, "start", active=False)
        script = self.scripts.get(uuid, self.script)
        if script.fails_to_start is not None:
            raise EngineError(script.failure, script.fails_to_start)
        entry.console, entry.running = MemoryConsole(_console_log(entry.domain)), Running()
        power = PowerState.PAUSED if paused else PowerState.RUNNING
        self._set(uuid, power, active=True, pid=next(self._pids))

    async def shutdown(self, uuid: str) -> None:
        entry = self._find(uuid, "shutdown", active=True)
        if entry.state.power is not PowerState.RUNNING:
            raise EngineError(EngineErrorKind.WRONG_STATE, "domain is not running")
        pid = entry.state.pid

        def obey() -> None:
            # The guest that heard of it, not the one that was started after that was gone.
            if entry.state.pid == pid:
                self.power_off_by_guest(uuid)

        seconds = self.scripts.get(uuid, self.script).shutdown_seconds
        if seconds == 0:
            asyncio.get_running_loop().call_soon(obey)
        elif seconds is not None:
            self.clock.call_later(seconds, obey)

    async def destroy(self, uuid: str) -> None:
        self._find(uuid, "destroy", active=True)
        self._stop(uuid)

    async def suspend(self, uuid: str) -> None:
        entry = self._find(uuid, "suspend", active=True)
        if entry.state.power is not PowerState.RUNNING:
            raise EngineError(EngineErrorKind.WRONG_STATE, "domain is not running")
        self._set(uuid, PowerState.PAUSED, active=True)

    async def resume(self, uuid: str) -> None:
        entry = self._find(uuid, "resume", active=True)
        if entry.state.power is PowerState.RUNNING:
            raise EngineError(EngineErrorKind.WRONG_STATE, "domain is already running")
        self._set(uuid, PowerState.RUNNING, active=True)

    async def reset(self, uuid: str) -> None:
        self._find(uuid, "reset", active=True)

    async def guest_interfaces(self, uuid: str) -> list[GuestInterface]:
        self._find(uuid, "guest_interfaces", active=True)
        interfaces = self.scripts.get(uuid, self.script).interfaces
        if interfaces is None:
            raise EngineError(EngineErrorKind.NO_AGENT, "the guest's agent is not connected")
        return list(interfaces)

    async def usage(self) -> dict[str, GuestCounters]:
        self._require_connection()
        now = self.clock.monotonic()
        return {
            uuid: usage_of(_parsed(entry.domain), entry.running.seconds(now))
            for uuid, entry in self._domains.items()
            if entry.state.active
        }

    async def open_display(self, uuid: str, protocol: DisplayProtocol) -> socket.socket:
        entry = self._find(uuid, "display", active=True)
        graphics = _parsed(entry.domain).iterfind("devices/graphics")
        if protocol not in {element.get("type") for element in graphics}:
            text = f"the guest was started without a {protocol} display"
            raise EngineError(EngineErrorKind.FAILED, text)
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        entry.displays.append(theirs)
        self.displays.put_nowait(theirs)
        return ours

    async def screenshot(self, uuid: str) -> bytes:
        self._find(uuid, "screenshot", active=True)
        width, height = 64, 48
        return png(width, height, bytes(3 * width * height))  # nobody has drawn anything

    async def console(self, uuid: str) -> ConsoleStream:
        entry = self._find(uuid, "console", active=True)
        if entry.console is None or entry.console.closed:
            entry.console = MemoryConsole(_console_log(entry.domain))
        return entry.console

    # --- inside -------------------------------------------------------------------------------------

    def _require_connection(self) -> None:
        if self._info is None:
            raise EngineError(EngineErrorKind.UNREACHABLE, "the engine is not connected at this moment")

    def _find(self, uuid: str, action: str, *, active: bool) -> _Entry:
        self._require_connection()
        self.calls.append((action, uuid))
        entry = self._domains.get(uuid)
        if entry is None:
            raise EngineError(EngineErrorKind.NO_DOMAIN, f"no domain with matching uuid '{uuid}'")
        if entry.state.active is not active:
            raise EngineError(
                EngineErrorKind.WRONG_STATE,
                "domain is not running" if active else "domain is already running",
            )
        return entry

    def _stop(self, uuid: str) -> None:
        entry = self._domains.get(uuid)
        if entry is None or not entry.state.active:
            return
        if entry.console is not None:
            entry.console.end()
        entry.close_displays()
        self._set(uuid, PowerState.SHUTOFF, active=False)

    def _set(self, uuid: str, power: PowerState, *, active: bool, pid: int | None = None) -> None:
        entry = self._domains.get(uuid)
        if entry is None or (active and pid is None and not entry.state.active):
            return
        entry.state = DomainState(power, active, (pid or entry.state.pid) if active else None)
        entry.running.switch(self.clock.monotonic(), on=power is PowerState.RUNNING)
        if self._listener is not None and self._info is not None:
            self._listener.changed(uuid, entry.state)


class MemoryConsole:
    """A console that echoes what is typed, as a terminal in its plainest form does.

    Args:
        log: the file that all output is appended to, read or not.
    """

    def __init__(self, log: Path | None = None) -> None:
        self._log = log
        self._output: asyncio.Queue[bytes] = asyncio.Queue()
        #: It was given back or its guest is gone.
        self.closed = False
        #: Whether the guest takes what is typed. A halted one does not.
        self.takes_input = asyncio.Event()
        self.takes_input.set()

    def print(self, data: bytes) -> None:
        """The guest writes something."""
        if self._log is not None:
            with self._log.open("ab") as file:
                file.write(data)
        # What is written while nobody reads does not wait for the next reader.
        if not self.closed:
            self._output.put_nowait(data)

    def end(self) -> None:
        """The guest is gone."""
        self.closed = True
        self.takes_input.set()
        self._output.put_nowait(b"")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while data := await self._output.get():
            yield data

    async def write(self, data: bytes) -> None:
        await self.takes_input.wait()
        if self.closed:
            raise EngineError(EngineErrorKind.WRONG_STATE, "the console is closed")
        self.print(data.replace(b"\r", b"\r\n"))

    async def close(self) -> None:
        self.end()


def _console_log(domain: Domain) -> Path | None:
    """The file that the document wants the console's output in."""
    log = _parsed(domain).find("devices/serial/log")
    return Path(log.attrib["file"]) if log is not None else None


def _parsed(domain: Domain) -> Element:
    try:
        return fromstring(domain.xml)  # noqa: S314 - written by this program
    except ParseError as error:
        raise EngineError(EngineErrorKind.REFUSED, f"not well-formed: {error}") from None
