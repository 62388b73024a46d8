"""The services of a server, wired together."""

from functools import partial
from pathlib import Path

from vmstead.adapters import readiness
from vmstead.adapters.all_pools import Storage
from vmstead.adapters.certificate import ServerCertificate
from vmstead.adapters.console_files import ConsoleFiles
from vmstead.adapters.engine_choice import CONSOLES
from vmstead.config import Config
from vmstead.ctx import Services
from vmstead.kernel.bus import Bus
from vmstead.kernel.clock import Clock
from vmstead.kernel.consoles import Consoles
from vmstead.kernel.counts import Counts
from vmstead.kernel.jobs import Jobs
from vmstead.kernel.ledger import Ledger
from vmstead.kernel.locks import Locks
from vmstead.kernel.measuring import Measuring
from vmstead.kernel.states import States
from vmstead.kernel.tasks import Tasks
from vmstead.kernel.viewers import Viewers
from vmstead.ports.engine import DomainState, Engine
from vmstead.ports.host import Host
from vmstead.ports.images import Images
from vmstead.rpc.caller import Caller
from vmstead.rpc.dispatch import owner_of
from vmstead.rpc.registry import table
from vmstead.rpc.sessions import Sessions
from vmstead.rpc.sources import Sources
from vmstead.rpc.throttle import Throttle
from vmstead.rpc.tokens import Tokens
from vmstead.store.accounts import AccountStore
from vmstead.store.alerts import AlertStore
from vmstead.store.audit import AuditStore
from vmstead.store.db import Database
from vmstead.store.factors import FactorStore
from vmstead.store.files import KEY
from vmstead.store.groups import GroupStore
from vmstead.store.journal import Journal
from vmstead.store.memory import MemoryStore
from vmstead.store.seal import Seal
from vmstead.store.unfinished import UnfinishedStore
from vmstead.store.vms import VmStore
from vmstead.surface import EVENT_ROLES, NAMESPACES, SOURCES
from vmstead.system import (
    accounts,
    audit,
)
from vmstead.vm import (
    events,
    halting,
    holding,
)
from vmstead.vm.model import HUGE_PAGES

#: Folder of job logs in that of the state.
JOB_LOGS = "jobs"


class _Reactions:
    """What parts of the server tell others, which are not there yet when those are made."""

    services: Services

    def state(self, uuid: str, old: DomainState, new: DomainState) -> None:
        """A domain has changed."""
        if new.active and not old.active:
            self._watch(uuid)
        events.state_changed(self.services, uuid, new)
        if new.active is not old.active:
            self.services.measuring.check()

    def _watch(self, uuid: str) -> None:
        """Read the console of a VM of this server's. Those of others are not taken from them."""
        if self.services.vms.id_of_uuid(uuid) is not None:
            self.services.consoles.watch(uuid)

    def viewed(self, uuid: str) -> None:
        """Somebody looks at a guest's display."""
        self.services.tasks.start(holding.viewed(self.services, uuid), name=f"a look at {uuid}")

    def connected(self) -> None:
        """The engine is there (again). Guests went on while it was away; their consoles did not."""
        for uuid in self.services.states.active():
            self._watch(uuid)
        self.services.tasks.start(halting.resume_left(self.services), name="letting halted guests go on")

    def renewed(self, caller: Caller) -> Caller | None:
        """Somebody who is logged in, with the rights of now."""
        return accounts.renewed(self.services, caller)

    def entries_kept(self) -> float:
        """Seconds that entries of the audit log are kept."""
        return audit.kept_for(self.services)


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
    later = _Reactions()
    bus, tasks, console_logs = Bus(), Tasks(), ConsoleFiles(config.state / CONSOLES)
    memory, account_store = MemoryStore(database), AccountStore(database)
    seal = Seal(config.state / KEY)
    trail = AuditStore(journal, clock, config.audit_entries, later.entries_kept)
    tokens, idle = Tokens(clock, later.renewed), config.session_idle * 60 or None
    states = States(clock, later.state, later.connected, later.viewed)
    measuring = Measuring(clock, tasks, states, engine, host, stored.pools, config.history * 60)
    later.services = Services(
        config=config,
        clock=clock,
        bus=bus,
        counts=Counts(),
        jobs=Jobs(clock, bus, owner_of, config.state / JOB_LOGS),
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
        promised_pages={name: Ledger() for name in HUGE_PAGES},
        consoles=Consoles(engine, console_logs),
        console_logs=console_logs,
        viewers=Viewers(),
        examine=partial(readiness.examine, config, host, zfs=stored.zfs),
        tokens=tokens,
        sessions=Sessions(clock, bus, tokens, trail, later.renewed, lambda: account_store.version, idle),
        groups=GroupStore(database),
        factors=FactorStore(database, seal),
        trail=trail,
        throttle=Throttle(clock, trail.knows),
        certificate_digest=ServerCertificate(config.certificate).digest,
        tasks=tasks,
        measuring=measuring,
        sources=Sources(SOURCES, lambda: later.services),
        methods=table(NAMESPACES),
        event_roles=EVENT_ROLES,
    )
    return later.services


def pools(config: Config) -> dict[str, Path]:
    """The folder of every pool that is one; there is always a pool ``default``."""
    found = {"default": config.state / "pools" / "default", **config.pools}
    return {name: folder for name, folder in found.items() if name not in config.zfs_pools}
