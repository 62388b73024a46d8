"""The server put together: settings in, a running server out. The only place that knows every part."""

import asyncio
import contextlib
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from vmstead import editions
from vmstead.adapters.all_pools import storage
from vmstead.adapters.engine_choice import make_engine
from vmstead.adapters.linux_host import LinuxHost
from vmstead.adapters.qemu_img import QemuImg
from vmstead.adapters.server_tls import ServerTls, TlsError
from vmstead.adapters.zfs.programs import THIS_HOST, ZfsHost
from vmstead.config import Config
from vmstead.ctx import Services
from vmstead.kernel.clock import Clock, SystemClock
from vmstead.ports.engine import Engine
from vmstead.ports.host import Host
from vmstead.ports.images import Images
from vmstead.ports.volumes import Volumes
from vmstead.store.db import Database, DatabaseError
from vmstead.store.files import claim, open_settings, open_trail
from vmstead.store.journal import Journal
from vmstead.store.restore import take_back
from vmstead.system import (
    alert,
)
from vmstead.vm import host as host_end
from vmstead.vm.recovery import clean_up
from vmstead.web.application import Application
from vmstead.web.ratelimit import RateLimit
from vmstead.web.server import WebServer
from vmstead.wiring import JOB_LOGS, build, pools

log = structlog.get_logger()

#: Seconds that calls under way get to end when the server stops.
_PATIENCE = 5.0
#: Hosts to listen on that are no names of this machine.
_ANYWHERE = ("", "0.0.0.0", "::")  # noqa: S104 - compared, not listened on


class StartupError(Exception):
    """The server cannot start. The text says what is in the way, and the way out."""


@dataclass
class Server:
    """A running server.

    Attributes:
        services: what its methods work with.
        addresses: where it accepts connections, as URIs for clients.
    """

    services: Services
    addresses: list[str]


@asynccontextmanager
async def running(
    config: Config,
    *,
    engine: Engine | None = None,
    volumes: Volumes | None = None,
    images: Images | None = None,
    host: Host | None = None,
    clock: Clock | None = None,
    zfs: ZfsHost = THIS_HOST,
) -> AsyncIterator[Server]:
    """Run a server during the block.

    Each part can be given; what is not is made from the settings.

    Raises:
        StartupError: something is in the way.
    """
    clock = clock or SystemClock()
    async with AsyncExitStack() as stack:
        database, journal = _open_state(config, stack)
        engine = engine or make_engine(config, clock)
        stored = storage(pools(config), config.roots, config.zfs_pools, zfs)
        if volumes is not None:
            stored = replace(stored, volumes=volumes)
        services = build(
            config,
            database,
            journal,
            engine,
            stored,
            host or LinuxHost(),
            clock,
            images or QemuImg(),
        )
        application = Application(
            *(services, os.geteuid(), RateLimit(clock, config.login_rate)),
            editions=(editions.CURRENT, *editions.NUMBERED),
            legacy=editions.LEGACY,
        )
        web = WebServer(application)
        stack.push_async_callback(services.trail.flush)
        # The engine connects while clients are already being answered; what needs it waits for it.
        stack.push_async_callback(engine.close)
        await engine.open(services.states)
        stack.push_async_callback(services.consoles.close)
        stack.push_async_callback(services.jobs.close)
        stack.push_async_callback(services.tasks.close, _PATIENCE)
        stack.callback(services.measuring.close)
        stack.push_async_callback(web.close)
        if config.stop_guests_on_exit:
            stack.push_async_callback(host_end.stop_guests, services)
        await services.trail.forget_oldest()
        await clean_up(services)
        due = await host_end.guests_due(services)
        services.tasks.start(host_end.start_guests(services, due), name="starting guests")
        watch = alert.Watch(services)
        stack.callback(watch.stop)
        watch.start()
        await web.open()
        yield Server(services, await _listen(web, config, services, stack))


def _open_state(config: Config, stack: AsyncExitStack) -> tuple[Database, Journal]:
    """Make the state folder, claim it for this process, and open what is stored in it."""
    state = config.state
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        for folder in (state, state / "nvram", state / "pools", state / "pools" / "default"):
            _make_passable(folder)
        stack.callback(os.close, claim(state))
        take_back(state)
    except BlockingIOError:
        raise StartupError(
            f"another server is using {state}; stop it, or choose another folder with --state"
        ) from None
    except OSError as error:
        raise StartupError(
            f"the state folder {state} cannot be used: {error.strerror}; choose another with --state"
        ) from error
    # Jobs end with the server that they ran in.
    shutil.rmtree(state / JOB_LOGS, ignore_errors=True)
    if config.is_default_state and os.geteuid() == 0 and "default" not in config.zfs_pools:
        _link_default_pool(state)
    try:
        database = open_settings(state)
        stack.callback(database.close)
        journal = open_trail(state)
    except (OSError, DatabaseError) as error:
        raise StartupError(f"the database below {state} cannot be used: {error}") from error
    stack.callback(journal.close)
    return database, journal


def _make_passable(folder: Path) -> None:
    """Make a folder, if it is not there, that guests can go through but not list, whatever the umask is."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir()
        folder.chmod(0o711)


def _link_default_pool(state: Path) -> None:
    """Let people and programs on this host find the pool under the names that the API has for it."""
    root = state / "pools" / "default"
    for name, target in ((Path("/mnt/default"), root), (Path("/dev/zvol/default"), root / ".volumes")):
        # The name may be somebody else's, or there may be nowhere to put it.
        with contextlib.suppress(OSError):
            name.parent.mkdir(exist_ok=True)
            name.symlink_to(target)


async def _listen(web: WebServer, config: Config, services: Services, stack: AsyncExitStack) -> list[str]:
    addresses = []
    try:
        await web.listen_unix(config.socket)
        addresses.append(f"ws+unix://{config.socket}")
        if config.listen is not None:
            tls = await _tls(config, services, stack)
            bound = await web.listen_tcp(config.listen, tls)
            addresses.append(f"{'wss' if tls else 'ws'}://{bound}/api/current")
    except OSError as error:
        where = error.filename or config.listen
        raise StartupError(f"cannot listen on {where}: {error.strerror}") from error
    return addresses


async def _tls(config: Config, services: Services, stack: AsyncExitStack) -> ssl.SSLContext | None:
    """What TCP connections are encrypted with; None where they are not."""
    if config.plain_http and (config.tls or config.tls_cert is not None):
        raise StartupError("plain_http is set, and so is tls or tls_cert: leave out one or the other")
    if config.certificate is None:
        return None

    async def names() -> list[str]:
        from vmstead.adapters.own_certificate import names_of_this_machine

        hosts = [config.listen.host] if config.listen is not None else []
        known = await asyncio.to_thread(names_of_this_machine)
        all_known = [*known, *await services.host.addresses(), *hosts]
        return [name for name in dict.fromkeys(all_known) if name not in _ANYWHERE]

    its_own = config.tls_cert is None
    tls = ServerTls(config.certificate, config.tls_key, names=names if its_own else None)
    try:
        await tls.refresh(services.clock.now())
    except TlsError as error:
        raise StartupError(str(error)) from error
    tls.keep_fresh(services.clock, services.tasks)
    stack.callback(tls.close)
    return tls.context
