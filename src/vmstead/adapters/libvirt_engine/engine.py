"""The engine port on libvirt: keeps connected, passes events on, carries out actions."""

import asyncio
import contextlib
import socket
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import libvirt
import structlog

from vmstead.adapters.libvirt_engine import binding
from vmstead.adapters.libvirt_engine.agent import read_interfaces
from vmstead.adapters.libvirt_engine.binding import POWER_STATES, call, close, on_files, on_loop
from vmstead.adapters.libvirt_engine.capabilities import read_capabilities
from vmstead.adapters.libvirt_engine.console import LibvirtConsole
from vmstead.adapters.libvirt_engine.definitions import (
    KEEP_STATE,
    REMOVE_STATE,
    check,
    define,
    look_up,
    undefine_inactive,
)
from vmstead.adapters.libvirt_engine.displays import open_display, take_picture
from vmstead.adapters.libvirt_engine.processes import find_pid
from vmstead.adapters.libvirt_engine.target import Provider, Target
from vmstead.adapters.libvirt_engine.tpm import copy_state, remove_state
from vmstead.adapters.libvirt_engine.usage import read_usage
from vmstead.kernel.clock import Clock, within
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
)

T = TypeVar("T")

log = structlog.get_logger()

#: Seconds between two attempts to connect: the first and the longest pause.
_PAUSES = (0.5, 15.0)
#: Seconds between two signs of life, and how many may be missing.
_KEEPALIVE = (5, 4)
#: Guests whose agents are asked at a time.
_ASKED_AT_A_TIME = 4


class LibvirtEngine:
    """Domains run by libvirt.

    Args:
        provider: finds the libvirt to connect to, anew for each connection.
    """

    def __init__(self, provider: Provider, clock: Clock) -> None:
        self._provider = provider
        self._clock = clock
        self._connection: Any = None
        self._registrations: list[int] = []
        self._target: Target | None = None
        self._info: EngineInfo | None = None
        self._capabilities: Capabilities | None = None
        self._listener: EngineListener | None = None
        self._supervisor: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._pids: dict[str, int | None] = {}
        #: How many events there were of each domain: a look that one of them overtook tells nothing.
        self._heard: Counter[str] = Counter()
        #: Guests that keep their agent's answer back must not take all threads.
        self._asked = asyncio.Semaphore(_ASKED_AT_A_TIME)
        self._looks: set[asyncio.Task[None]] = set()
        #: Events that came before the listing they belong after; None once it is done.
        self._early: list[tuple[str, int, int | None]] | None = None

    @property
    def info(self) -> EngineInfo | None:
        return self._info

    async def open(self, listener: EngineListener) -> None:
        self._listener = listener
        self._supervisor = asyncio.get_running_loop().create_task(
            self._supervise(), name="libvirt connection"
        )

    async def close(self) -> None:
        self._closing.set()
        if self._supervisor is not None:
            await self._supervisor

    # --- the connection ---------------------------------------------------------------------------

    async def _supervise(self) -> None:
        """Stay connected until told to close."""
        assert self._listener is not None
        pause, longest = _PAUSES
        while not self._closing.is_set():
            try:
                lost = await self._connect()
            except EngineError as error:
                log.warning("libvirt is not reachable", reason=str(error), next_attempt=pause)
                self._listener.disconnected(f"libvirt is not reachable: {error}")
                await self._wait_for_closing(pause)
                pause = min(2 * pause, longest)
                continue
            except Exception:
                log.exception("connecting to libvirt failed unexpectedly")
                self._listener.disconnected(
                    "connecting to libvirt failed unexpectedly; the server's log tells more"
                )
                await self._wait_for_closing(longest)
                continue
            pause = _PAUSES[0]
            await self._until_lost_or_closing(lost)
            await self._disconnect()
            if not self._closing.is_set():
                log.warning("the connection to libvirt was lost")
                self._listener.disconnected("the connection to libvirt was lost")

    async def _wait_for_closing(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await within(self._clock, seconds, asyncio.ensure_future(self._closing.wait()))

    async def _until_lost_or_closing(self, lost: asyncio.Event) -> None:
        waits = [asyncio.ensure_future(event.wait()) for event in (lost, self._closing)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _connect(self) -> asyncio.Event:
        """Connect, list, and tell the listener. Returns what is set when the connection is lost."""
        assert self._listener is not None
        binding.start_event_loop()
        target = await self._provider()
        lost = asyncio.Event()
        loop = asyncio.get_running_loop()
        self._early = []
        self._target = target
        self._connection = await call(self._open, target.uri, loop, lost)
        try:
            states, self._info = await call(self._list, target)
        except EngineError:
            await self._disconnect()
            raise
        self._pids = {uuid: state.pid for uuid, state in states.items()}
        log.info("connected to libvirt", uri=target.uri, accelerator=target.accelerator, domains=len(states))
        self._listener.connected(states)
        early, self._early = self._early, None
        for event in early:
            self._on_event(*event)
        for uuid, state in states.items():
            if state.active and target.runs_guests:
                self._look_again(uuid)
        return lost

    def _open(self, uri: str, loop: asyncio.AbstractEventLoop, lost: asyncio.Event) -> Any:
        """Open a connection and register for its events. Runs on a thread."""
        connection = libvirt.open(uri)

        def on_close(*_: object) -> None:
            on_loop(loop, lost.set)

        def on_lifecycle(_: Any, domain: Any, event: int, __: int, ___: object) -> None:
            # The process id is read here, off the loop and before anybody hears of the guest.
            starts = event in (libvirt.VIR_DOMAIN_EVENT_STARTED, libvirt.VIR_DOMAIN_EVENT_RESUMED)
            pid = self._find_pid(domain) if starts else None
            on_loop(loop, self._on_event, domain.UUIDString(), event, pid)

        def on_graphics(_: Any, domain: Any, phase: int, *__: object) -> None:
            if phase == libvirt.VIR_DOMAIN_EVENT_GRAPHICS_INITIALIZE:
                on_loop(loop, self._on_view, domain.UUIDString())

        try:
            self._registrations = [
                connection.domainEventRegisterAny(
                    None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, on_lifecycle, None
                ),
                connection.domainEventRegisterAny(
                    None, libvirt.VIR_DOMAIN_EVENT_ID_GRAPHICS, on_graphics, None
                ),
            ]
            # Drivers that live in this process (test, embed) have no connection that could be lost.
            with contextlib.suppress(libvirt.libvirtError):
                connection.registerCloseCallback(on_close, None)
            binding.keep_alive(connection, *_KEEPALIVE)
        except BaseException:
            connection.close()
            raise
        return connection

    def _list(self, target: Target) -> tuple[dict[str, DomainState], EngineInfo]:
        """Every domain's state, and what is connected. Runs on a thread."""
        states = {}
        for domain in self._connection.listAllDomains():
            active = domain.ID() >= 0
            with contextlib.suppress(libvirt.libvirtError):  # gone since the listing
                states[domain.UUIDString()] = self._state(domain, active=active)
        info = EngineInfo(
            uri=target.uri,
            version=binding.version(self._connection),
            accelerator=target.accelerator,
            accelerator_reason=target.accelerator_reason,
            privileged=target.privileged,
            guest_user=target.guest_user,
            runs_guests=target.runs_guests,
            log_folder=target.log_folder,
            keeps_consoles=target.keeps_consoles,
        )
        return states, info

    def _state(self, domain: Any, *, active: bool) -> DomainState:
        power = POWER_STATES[domain.state()[0]]
        return DomainState(power, active, self._find_pid(domain) if active else None)

    def _find_pid(self, domain: Any) -> int | None:
        if self._target is None or not self._target.runs_guests:
            return None
        return find_pid(domain.name(), domain.UUIDString(), self._target.pid_files)

    async def _disconnect(self) -> None:
        connection, self._connection, self._info = self._connection, None, None
        self._capabilities = None
        for look in self._looks:
            look.cancel()
        if connection is not None:
            running = await self._has_guests(connection)
            await call(close, connection, self._registrations)
            if self._closing.is_set() and self._target is not None and self._target.leave is not None:
                try:
                    await self._target.leave(running)
                except EngineError as error:
                    log.warning("libvirt was not left as it should be", reason=str(error))

    async def _has_guests(self, connection: Any) -> bool:
        """Whether guests run; when in doubt they do."""
        try:
            return bool(await call(connection.numOfDomains))
        except EngineError:
            return True

    def _on_event(self, uuid: str, event: int, pid: int | None) -> None:
        """A life-cycle event arrives on the loop."""
        if self._early is not None:
            self._early.append((uuid, event, pid))
            return
        self._heard[uuid] += 1
        if pid is not None:
            self._pids[uuid] = pid
        state = binding.state_after(event, self._pids.get(uuid))
        if state is None or self._listener is None:
            return
        if not state.active:
            self._pids.pop(uuid, None)
        self._listener.changed(uuid, state)

    def _on_view(self, uuid: str) -> None:
        if self._listener is not None:
            self._listener.viewed(uuid)

    def _look_again(self, uuid: str) -> None:
        """Read a domain's state where no event can be relied on.

        A daemon that was just started lists its guests before it has found them, and is silent about those
        that it does not find. Neither does it send an event for one that is stopped meanwhile.
        """
        task = asyncio.get_running_loop().create_task(self._look(uuid), name=f"look at {uuid}")
        self._looks.add(task)
        task.add_done_callback(self._looks.discard)

    async def _look(self, uuid: str) -> None:
        assert self._listener is not None
        heard = self._heard[uuid]
        try:
            state = await call(self._read, uuid)
        except EngineError:
            return  # the next connection looks anew
        if self._heard[uuid] == heard:
            self._pids[uuid] = state.pid
            self._listener.changed(uuid, state)

    def _read(self, uuid: str) -> DomainState:
        """A domain's state, once libvirt knows it. Runs on a thread."""
        domain = look_up(self._connected(), uuid)
        if domain is None:
            return INACTIVE
        with contextlib.suppress(libvirt.libvirtError):
            # The answer does not matter: it comes when libvirt has done with the guest what it is about to do.
            domain.perfEvents()
        return self._state(domain, active=bool(domain.isActive()))

    # --- actions ----------------------------------------------------------------------------------

    async def capabilities(self) -> Capabilities:
        if self._capabilities is None:
            self._capabilities = await call(read_capabilities, self._connected())
        return self._capabilities

    async def define(self, domain: Domain) -> None:
        logs = self._target.log_folder if self._target is not None else None
        await call(define, self._connected(), domain, logs)

    async def check(self, domain: Domain) -> None:
        await call(check, self._connected(), domain.xml.decode())

    async def undefine(self, uuid: str, *, keep_state: bool = False) -> None:
        def undefine() -> None:
            known = look_up(self._connected(), uuid)
            if known is not None:
                undefine_inactive(known, KEEP_STATE if keep_state else REMOVE_STATE)
            if not keep_state and self._target is not None and self._target.tpm_states is not None:
                # Also that of a domain which was never defined, and what an older libvirt has left.
                remove_state(self._target.tpm_states, uuid)

        await on_files(undefine)

    async def copy_tpm(self, uuid: str, target: str) -> None:
        self._connected()
        assert self._target is not None
        folder = self._target.tpm_states
        if not self._target.runs_guests:
            return
        if folder is None:
            raise EngineError(
                EngineErrorKind.FAILED, "this libvirt keeps its TPMs where they cannot be copied"
            )
        await on_files(copy_state, folder, uuid, target)

    async def start(self, uuid: str, *, paused: bool = False) -> None:
        flags = libvirt.VIR_DOMAIN_START_PAUSED if paused else 0
        await self._on_domain(uuid, lambda domain: domain.createWithFlags(flags))

    async def shutdown(self, uuid: str) -> None:
        await self._on_domain(uuid, lambda domain: domain.shutdown())

    async def destroy(self, uuid: str) -> None:
        await self._on_domain(uuid, lambda domain: domain.destroy())

    async def suspend(self, uuid: str) -> None:
        await self._on_domain(uuid, lambda domain: domain.suspend())

    async def resume(self, uuid: str) -> None:
        def resume(domain: Any) -> None:
            sleeps = domain.state()[0] == libvirt.VIR_DOMAIN_PMSUSPENDED
            domain.pMWakeup() if sleeps else domain.resume()

        await self._on_domain(uuid, resume)

    async def reset(self, uuid: str) -> None:
        await self._on_domain(uuid, lambda domain: domain.reset(0))

    async def guest_interfaces(self, uuid: str) -> list[GuestInterface]:
        async with self._asked:
            return await self._on_domain(uuid, read_interfaces)

    async def usage(self) -> dict[str, GuestCounters]:
        return await call(read_usage, self._connected())

    async def open_display(self, uuid: str, protocol: DisplayProtocol) -> socket.socket:
        return await self._on_domain(uuid, lambda domain: open_display(domain, protocol))

    async def screenshot(self, uuid: str) -> bytes:
        return await self._on_domain(uuid, take_picture)

    async def console(self, uuid: str) -> ConsoleStream:
        self._connected()
        assert self._target is not None
        return await LibvirtConsole.open(self._target.uri, uuid)

    async def _on_domain(self, uuid: str, action: Callable[[Any], T]) -> T:
        try:
            return await call(lambda: action(self._connected().lookupByUUIDString(uuid)))
        except EngineError as error:
            if error.kind in (EngineErrorKind.WRONG_STATE, EngineErrorKind.NO_DOMAIN):
                # What was known of it, by which it was asked for, is not so.
                self._look_again(uuid)
            raise

    def _connected(self) -> Any:
        if self._connection is None:
            raise EngineError(EngineErrorKind.UNREACHABLE, "libvirt is not connected at this moment")
        return self._connection
