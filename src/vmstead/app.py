"""The server put together: settings in, a running server out. The only place that knows every part."""

import asyncio
import contextlib
import fcntl
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import structlog

from vmstead import editions
from vmstead.adapters import readiness
from vmstead.adapters.all_pools import Storage, storage
from vmstead.adapters.certificate import ServerCertificate
from vmstead.adapters.console_files import ConsoleFiles
from vmstead.adapters.engine_choice import CONSOLES, make_engine
from vmstead.adapters.linux_host import LinuxHost
from vmstead.adapters.qemu_img import QemuImg
from vmstead.adapters.server_tls import ServerTls, TlsError
from vmstead.adapters.zfs.programs import THIS_HOST, ZfsHost
from vmstead.config import Config
from vmstead.ctx import Services
from vmstead.kernel.bus import Bus
from vmstead.kernel.clock import Clock, SystemClock
from vmstead.kernel.consoles import Consoles
from vmstead.kernel.jobs import COLLECTION, Jobs
from vmstead.kernel.ledger import Ledger
from vmstead.kernel.locks import Locks
from vmstead.kernel.measuring import Measuring
from vmstead.kernel.states import States
from vmstead.kernel.tasks import Tasks
from vmstead.kernel.viewers import Viewers
from vmstead.ports.engine import DomainState, Engine
from vmstead.ports.host import Host
from vmstead.ports.images import Images
from vmstead.ports.volumes import Volumes
from vmstead.rpc.caller import Caller
from vmstead.rpc.dispatch import owner_of
from vmstead.rpc.registry import Namespace, table
from vmstead.rpc.sessions import Sessions
from vmstead.rpc.sources import Source, Sources
from vmstead.rpc.throttle import Throttle
from vmstead.rpc.tokens import Tokens
from vmstead.storage import dataset, encryption, filesystem, permissions, pool, snapshot
from vmstead.storage import events as storage_events
from vmstead.store.accounts import AccountStore
from vmstead.store.alerts import AlertStore
from vmstead.store.audit import AuditStore
from vmstead.store.db import Database, DatabaseError, open_database
from vmstead.store.factors import FactorStore
from vmstead.store.groups import GroupStore
from vmstead.store.journal import Journal, open_journal
from vmstead.store.memory import MemoryStore
from vmstead.store.seal import Seal
from vmstead.store.unfinished import UnfinishedStore
from vmstead.store.vms import VmStore
from vmstead.system import (
    account_events,
    accounts,
    alert,
    api_keys,
    audit,
    auth,
    bulk,
    catalogue,
    core,
    disk,
    groups,
    network,
    privileges,
    product,
    reporting,
    service,
    sessions,
    settings,
    transfer,
    twofactor,
    user_secrets,
    users,
)
from vmstead.system import info as system_info
from vmstead.system import readiness as host_readiness
from vmstead.vm import (
    choices,
    clone,
    console_log,
    crud,
    device,
    display,
    events,
    guest_network,
    halting,
    holding,
    host_power,
    images,
    info,
    lifecycle,
    memory_info,
    stats,
)
from vmstead.vm import host as host_end
from vmstead.vm.recovery import clean_up
from vmstead.web.application import Application
from vmstead.web.ratelimit import RateLimit
from vmstead.web.server import WebServer

log = structlog.get_logger()

#: All that clients can call. A module has a namespace of its own; several may share a name.
NAMESPACES: list[Namespace] = [
    crud.vm,
    clone.vm,
    lifecycle.vm,
    info.vm,
    console_log.vm,
    memory_info.vm,
    guest_network.vm,
    stats.vm,
    display.vm,
    device.vm_device,
    choices.vm_device,
    images.vm,
    images.vm_device,
    filesystem.filesystem,
    permissions.filesystem,
    pool.pool,
    dataset.pool_dataset,
    encryption.pool_dataset,
    snapshot.pool_snapshot,
    auth.auth,
    sessions.auth,
    twofactor.twofactor,
    users.user,
    user_secrets.user,
    groups.group,
    privileges.privilege,
    api_keys.api_key,
    audit.audit,
    core.core,
    bulk.core,
    catalogue.core,
    transfer.core,
    product.system,
    product.failover,
    product.truenas,
    product.vmstead,
    system_info.system,
    settings.general,
    settings.advanced,
    settings.ntpserver,
    network.interface,
    network.general,
    network.configuration,
    disk.disk,
    service.service,
    host_power.system,
    alert.alert,
    reporting.reporting,
    host_readiness.system,
]

#: Collections with arguments, which are told of while somebody has subscribed.
SOURCES: list[Source] = [reporting.REALTIME, stats.STATS]

#: What subscribing takes, for every collection.
EVENT_ROLES: dict[str, str | None] = {
    **events.ROLES,
    **host_power.ROLES,
    **alert.ROLES,
    **storage_events.ROLES,
    **account_events.ROLES,
    COLLECTION: None,
    **{each.name: each.role for each in SOURCES},
}

#: Folder in that of the state.
_JOB_LOGS = "jobs"
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


def build(
    config: Config,
    database: Database,
    journal: Journal,
    engine: Engine,
    stored: Storage,
    host: Host,
    clock: Clock,
    images: Images,
) -> Services:
    """The services, wired together."""
    bus, tasks, console_logs = Bus(), Tasks(), ConsoleFiles(config.state / CONSOLES)
    consoles = Consoles(engine, console_logs)
    memory = MemoryStore(database)
    seal = Seal(config.state / "secret.key")
    account_store = AccountStore(database)
    trail = AuditStore(journal, clock, config.audit_entries, lambda: audit.kept_for(services))

    def renewed(caller: Caller) -> Caller | None:
        return accounts.renewed(services, caller)

    tokens = Tokens(clock, renewed)
    idle = config.session_idle * 60 or None

    def on_state(uuid: str, old: DomainState, new: DomainState) -> None:
        if new.active and not old.active:
            consoles.watch(uuid)
        events.state_changed(services, uuid, new)
        if new.active is not old.active:
            services.measuring.check()

    def on_viewed(uuid: str) -> None:
        services.tasks.start(holding.viewed(services, uuid), name=f"a look at {uuid}")

    def on_connected() -> None:
        # Guests went on while the connection was away; their consoles did not.
        consoles.watch_all(states.active())
        services.tasks.start(halting.resume_left(services), name="letting halted guests go on")

    states = States(clock, on_state, on_connected, on_viewed)
    measuring = Measuring(clock, tasks, states, engine, host, stored.pools, config.history * 60)
    services = Services(
        config=config,
        clock=clock,
        bus=bus,
        jobs=Jobs(clock, bus, owner_of, config.state / _JOB_LOGS),
        locks=Locks(clock),
        states=states,
        engine=engine,
        host=host,
        volumes=stored.volumes,
        images=images,
        files=stored.files,
        pools=stored.pools,
        vms=VmStore(database, seal),
        accounts=account_store,
        unfinished=UnfinishedStore(database),
        memory=memory,
        alerts=AlertStore(memory),
        promised_memory=Ledger(),
        consoles=consoles,
        console_logs=console_logs,
        viewers=Viewers(),
        examine=partial(readiness.examine, config, host, zfs=stored.zfs),
        tokens=tokens,
        sessions=Sessions(clock, bus, tokens, trail, renewed, lambda: account_store.version, idle),
        groups=GroupStore(database),
        factors=FactorStore(database, seal),
        trail=trail,
        throttle=Throttle(clock, trail.knows),
        certificate_digest=ServerCertificate(config.certificate).digest,
        tasks=tasks,
        measuring=measuring,
        sources=Sources(SOURCES, lambda: services),
        methods=table(NAMESPACES),
        event_roles=EVENT_ROLES,
    )
    return services


def pools(config: Config) -> dict[str, Path]:
    """The folder of every pool that is one; there is always a pool ``default``."""
    found = {"default": config.state / "pools" / "default", **config.pools}
    return {name: folder for name, folder in found.items() if name not in config.zfs_pools}


def _open_state(config: Config, stack: AsyncExitStack) -> tuple[Database, Journal]:
    """Make the state folder, claim it for this process, and open what is stored in it."""
    state = config.state
    try:
        state.parent.mkdir(parents=True, exist_ok=True)
        for folder in (state, state / "nvram", state / "pools", state / "pools" / "default"):
            _make_passable(folder)
        lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StartupError(
            f"the state folder {state} cannot be used: {error.strerror}; choose another with --state"
        ) from error
    stack.callback(os.close, lock)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StartupError(
            f"another server is using {state}; stop it, or choose another folder with --state"
        ) from None
    # Jobs end with the server that they ran in.
    shutil.rmtree(state / _JOB_LOGS, ignore_errors=True)
    if config.is_default_state and os.geteuid() == 0 and "default" not in config.zfs_pools:
        _link_default_pool(state)
    try:
        database = open_database(state / "vmstead.db")
        stack.callback(database.close)
        journal = open_journal(state / "audit.db", "audit_migrations")
    except (OSError, DatabaseError) as error:
        raise StartupError(f"the database below {state} cannot be opened: {error}") from error
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
