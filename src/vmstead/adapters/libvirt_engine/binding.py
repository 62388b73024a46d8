"""libvirt's binding made safe: its threads, its errors, its numbers.

libvirt calls block, so they run on a pool of threads. Its events arrive on one thread of their own, which
runs libvirt's event loop for as long as the process lives.
"""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import libvirt

from vmstead.ports.engine import DomainState, EngineError, EngineErrorKind, PowerState

T = TypeVar("T")

#: virDomainState in the binding's numbering.
POWER_STATES = {
    libvirt.VIR_DOMAIN_NOSTATE: PowerState.NOSTATE,
    libvirt.VIR_DOMAIN_RUNNING: PowerState.RUNNING,
    libvirt.VIR_DOMAIN_BLOCKED: PowerState.BLOCKED,
    libvirt.VIR_DOMAIN_PAUSED: PowerState.PAUSED,
    libvirt.VIR_DOMAIN_SHUTDOWN: PowerState.SHUTDOWN,
    libvirt.VIR_DOMAIN_SHUTOFF: PowerState.SHUTOFF,
    libvirt.VIR_DOMAIN_CRASHED: PowerState.CRASHED,
    libvirt.VIR_DOMAIN_PMSUSPENDED: PowerState.PMSUSPENDED,
}
#: What a life-cycle event says of the domain: its state, and whether it has a process.
#: Being defined or undefined changes nothing that is watched here.
_AFTER_EVENT = {
    libvirt.VIR_DOMAIN_EVENT_STARTED: (PowerState.RUNNING, True),
    libvirt.VIR_DOMAIN_EVENT_SUSPENDED: (PowerState.PAUSED, True),
    libvirt.VIR_DOMAIN_EVENT_RESUMED: (PowerState.RUNNING, True),
    libvirt.VIR_DOMAIN_EVENT_STOPPED: (PowerState.SHUTOFF, False),
    libvirt.VIR_DOMAIN_EVENT_SHUTDOWN: (PowerState.SHUTDOWN, True),
    libvirt.VIR_DOMAIN_EVENT_PMSUSPENDED: (PowerState.PMSUSPENDED, True),
    libvirt.VIR_DOMAIN_EVENT_CRASHED: (PowerState.CRASHED, True),
}
_KINDS = {
    libvirt.VIR_ERR_NO_DOMAIN: EngineErrorKind.NO_DOMAIN,
    libvirt.VIR_ERR_OPERATION_INVALID: EngineErrorKind.WRONG_STATE,
    libvirt.VIR_ERR_AGENT_UNRESPONSIVE: EngineErrorKind.NO_AGENT,
    libvirt.VIR_ERR_AGENT_UNSYNCED: EngineErrorKind.NO_AGENT,
    libvirt.VIR_ERR_XML_ERROR: EngineErrorKind.REFUSED,
    libvirt.VIR_ERR_XML_DETAIL: EngineErrorKind.REFUSED,
    libvirt.VIR_ERR_XML_INVALID_SCHEMA: EngineErrorKind.REFUSED,
    libvirt.VIR_ERR_CONFIG_UNSUPPORTED: EngineErrorKind.REFUSED,
    libvirt.VIR_ERR_INVALID_ARG: EngineErrorKind.REFUSED,
    libvirt.VIR_ERR_NO_CONNECT: EngineErrorKind.UNREACHABLE,
    libvirt.VIR_ERR_INVALID_CONN: EngineErrorKind.UNREACHABLE,
    libvirt.VIR_ERR_RPC: EngineErrorKind.UNREACHABLE,
    libvirt.VIR_ERR_AUTH_FAILED: EngineErrorKind.UNREACHABLE,
}

#: How libvirt's own protocol says that the other end is gone: while it reads, and before it writes.
_ENDS_OF_CONNECTION = {libvirt.VIR_ERR_SYSTEM_ERROR, libvirt.VIR_ERR_INTERNAL_ERROR}

_loop_thread: threading.Thread | None = None
_threads = ThreadPoolExecutor(16, thread_name_prefix="libvirt")


def start_event_loop() -> None:
    """Run libvirt's event loop; must happen before the first connection is opened. Safe to call again."""
    global _loop_thread  # noqa: PLW0603 - libvirt has one event loop a process, and it cannot be ended
    if _loop_thread is not None:
        return
    libvirt.virEventRegisterDefaultImpl()
    # libvirt prints errors by itself otherwise; they all come as exceptions too.
    libvirt.registerErrorHandler(lambda *_: None, None)
    _loop_thread = threading.Thread(target=_run_event_loop, name="libvirt-events", daemon=True)
    _loop_thread.start()


def _run_event_loop() -> None:
    while True:
        libvirt.virEventRunDefaultImpl()


async def call(function: Callable[..., T], *arguments: Any) -> T:
    """Run a libvirt call on the pool.

    Raises:
        EngineError: whatever libvirt raised, in the port's terms.
    """
    return await asyncio.get_running_loop().run_in_executor(_threads, translated, function, *arguments)


def translated(function: Callable[..., T], *arguments: Any) -> T:
    """Run a libvirt call here, with its errors in the port's terms."""
    try:
        return function(*arguments)
    except libvirt.libvirtError as error:
        raise engine_error(error) from error


def keep_alive(connection: Any, interval: int, count: int) -> bool:
    """Have a connection end when the other side gives no sign of life ``count`` times, every ``interval`` seconds.

    False where there is no other side: drivers that live in this process (test, embed) say so.
    """
    try:
        connection.setKeepAlive(interval, count)
    except libvirt.libvirtError:
        return False
    return True


def engine_error(error: libvirt.libvirtError) -> EngineError:
    """A libvirt error in the port's terms."""
    code, domain = error.get_error_code(), error.get_error_domain()
    if domain == libvirt.VIR_FROM_RPC and code in _ENDS_OF_CONNECTION:
        kind = EngineErrorKind.UNREACHABLE
    else:
        kind = _KINDS.get(code, EngineErrorKind.FAILED)
    return EngineError(kind, error.get_error_message() or str(error))


def is_no_domain(error: libvirt.libvirtError) -> bool:
    """Whether the error says that there is no such domain."""
    return bool(error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN)


def state_after(event: int, pid: int | None) -> DomainState | None:
    """A domain's state after a life-cycle event; None when the event does not concern it."""
    known = _AFTER_EVENT.get(event)
    if known is None:
        return None
    power, active = known
    return DomainState(power, active, pid if active else None)


def version(connection: Any) -> str:
    """The daemon's own version. QEMU's is not asked for: libvirt would examine every QEMU there is first."""
    number = connection.getLibVersion()
    return f"libvirt {number // 1_000_000}.{number // 1000 % 1000}.{number % 1000}"


def close(connection: Any, registrations: list[int]) -> None:
    """Close a connection. What is registered at it would keep it open otherwise."""
    for step in (
        *(partial(connection.domainEventDeregisterAny, each) for each in registrations),
        connection.unregisterCloseCallback,
        connection.close,
    ):
        with contextlib.suppress(libvirt.libvirtError):
            step()


def on_loop(loop: asyncio.AbstractEventLoop, function: Callable[..., object], *arguments: object) -> None:
    """Call back on the server's loop, unless that has ended already."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(function, *arguments)


async def on_files(function: Callable[..., T], *arguments: object) -> T:
    """Run on libvirt's threads something that also works on files of its."""
    try:
        return await call(function, *arguments)
    except OSError as error:
        raise EngineError(EngineErrorKind.FAILED, f"{error.filename}: {error.strerror}") from error
