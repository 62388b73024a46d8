"""What a use case gets: the services of the server, and the call that it serves."""

import dataclasses
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from vmstead.config import Config
from vmstead.errors import NotAuthenticated
from vmstead.kernel.bus import Bus
from vmstead.kernel.clock import Clock
from vmstead.kernel.consoles import Consoles
from vmstead.kernel.counts import Counts
from vmstead.kernel.jobs import Job, Jobs
from vmstead.kernel.ledger import Ledger
from vmstead.kernel.locks import Locks
from vmstead.kernel.measuring import Measuring
from vmstead.kernel.pipes import Pipe
from vmstead.kernel.states import States
from vmstead.kernel.tasks import Tasks
from vmstead.kernel.viewers import Viewers
from vmstead.ports.console_logs import ConsoleLogs
from vmstead.ports.engine import Engine
from vmstead.ports.files import Files
from vmstead.ports.host import Host
from vmstead.ports.images import Images
from vmstead.ports.pools import Pools
from vmstead.ports.readiness import Examine
from vmstead.ports.volumes import Volumes
from vmstead.rpc.caller import Caller
from vmstead.rpc.registry import Method
from vmstead.rpc.session import Session
from vmstead.rpc.sessions import Sessions
from vmstead.rpc.sources import Sources
from vmstead.rpc.throttle import Throttle
from vmstead.rpc.tokens import Tokens
from vmstead.store.accounts import AccountStore
from vmstead.store.alerts import AlertStore
from vmstead.store.audit import AuditStore
from vmstead.store.factors import FactorStore
from vmstead.store.groups import GroupStore
from vmstead.store.memory import MemoryStore
from vmstead.store.unfinished import UnfinishedStore
from vmstead.store.vms import VmStore


@dataclass(frozen=True)
class Services:
    """Everything that lives as long as the server."""

    config: Config
    clock: Clock
    bus: Bus
    counts: Counts
    jobs: Jobs
    locks: Locks
    states: States
    engine: Engine
    host: Host
    volumes: Volumes
    images: Images
    files: Files
    pools: Pools
    vms: VmStore
    accounts: AccountStore
    unfinished: UnfinishedStore
    memory: MemoryStore
    alerts: AlertStore
    promised_memory: Ledger
    promised_pages: Mapping[str, Ledger]
    consoles: Consoles
    console_logs: ConsoleLogs
    viewers: Viewers
    examine: Examine
    tokens: Tokens
    sessions: Sessions
    groups: GroupStore
    factors: FactorStore
    trail: AuditStore
    throttle: Throttle
    #: What clients bind their logins to (RFC 5929); None where connections are not encrypted.
    certificate_digest: Callable[[], Awaitable[bytes | None]]
    tasks: Tasks
    measuring: Measuring
    #: Collections that are told of while somebody has subscribed.
    sources: Sources
    #: Everything that can be called, by name.
    methods: Mapping[str, Method]
    #: Role that subscribing to each collection takes.
    event_roles: Mapping[str, str | None]


@dataclass(frozen=True)
class Ctx(Services):
    """The services, for one call on one connection. ``job`` is set while the body of a job runs."""

    session: Session
    job: Job | None = None

    @property
    def caller(self) -> Caller:
        """Who calls. Raises NotAuthenticated when nobody is logged in (only public methods can see that)."""
        caller = self.session.caller
        if caller is None:
            raise NotAuthenticated
        return caller

    @property
    def has_pipe(self) -> bool:
        """Whether the job was called with something to write to or to read from."""
        return self.job is not None and self.job.pipe is not None

    @property
    def pipe(self) -> Pipe:
        """What the job reads or writes; only for methods that have one."""
        assert self.job is not None
        assert self.job.pipe is not None
        return self.job.pipe

    def in_job(self, job: Job) -> "Ctx":
        """The same call, going on as a job."""
        return dataclasses.replace(self, job=job)

    async def log(self, text: str) -> None:
        """Write lines to the job's log; a job without one, and what is no job, has nowhere to write them to."""
        if self.job is not None and self.job.log is not None:
            await self.job.log.write(text)

    def progress(self, percent: int, status: str = "") -> None:
        """Report how far a job is; outside a job nobody is there to tell."""
        if self.job is not None:
            self.job.progress(percent, status)
