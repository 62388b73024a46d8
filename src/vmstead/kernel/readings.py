"""One look at everything that is counted: the machine, its guests, the pools."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import structlog

from vmstead.kernel.clock import Clock, within
from vmstead.kernel.states import States
from vmstead.ports.counters import GuestCounters, HostCounters
from vmstead.ports.engine import Engine, EngineError
from vmstead.ports.host import Host
from vmstead.ports.pools import Pool, Pools
from vmstead.ports.volumes import VolumeError

T = TypeVar("T")

log = structlog.get_logger()

#: Seconds that each part gets; what takes longer is left out, and asked again only when it has answered.
_PATIENCE = 3.0
#: Seconds for which what is known of pools is good enough.
_POOLS = 15.0


@dataclass(frozen=True, slots=True)
class Reading:
    """What was counted.

    Attributes:
        at: when, on the monotonic clock.
        time: when, in seconds since the epoch.
        host: None where the machine could not be read.
        guests: by uuid.
        pools: empty unless somebody wants them.
    """

    at: float
    time: float
    host: HostCounters | None
    guests: Mapping[str, GuestCounters]
    pools: Sequence[Pool]


class Readings:
    """Looks at everything. What fails or takes too long is missing in that look."""

    def __init__(self, clock: Clock, states: States, engine: Engine, host: Host, pools: Pools) -> None:
        self._clock = clock
        self._states = states
        self._engine = engine
        self._host = host
        self._pools = pools
        self._known_pools: Sequence[Pool] = ()
        self._pools_at = float("-inf")
        self._pools_wanted = 0
        self._slow: set[str] = set()

    def want_pools(self) -> Callable[[], None]:
        """Have pools looked at too, which takes longer than the rest, until the returned function is called."""
        self._pools_wanted += 1

        def stop() -> None:
            self._pools_wanted -= 1

        return stop

    async def take(self) -> Reading:
        """Have a look. Never fails."""
        now = self._clock.monotonic()
        if self._pools_wanted and now - self._pools_at >= _POOLS:
            self._known_pools = await self._part("pools", self._pools.pools) or ()
            self._pools_at = now
        guests: Mapping[str, GuestCounters] | None = None
        # No question to the engine that is answered by nobody.
        if self._states.is_connected and self._states.active():
            guests = await self._part("guests", self._engine.usage)
        host = await self._part("host", self._host.counters)
        # What the counters stand for is the moment after which nothing else was waited for.
        return Reading(
            self._clock.monotonic(),
            self._clock.now(),
            host,
            guests or {},
            self._known_pools if self._pools_wanted else (),
        )

    async def _part(self, name: str, ask: Callable[[], Awaitable[T]]) -> T | None:
        if name in self._slow:
            return None
        answer = asyncio.ensure_future(ask())
        try:
            return await within(self._clock, _PATIENCE, asyncio.shield(answer))
        except TimeoutError:
            log.warning("what is used could not be read in time", part=name)
            self._slow.add(name)
            answer.add_done_callback(lambda _: self._answered(name, answer))
        except (EngineError, VolumeError, OSError, ValueError) as error:
            log.debug("what is used could not be read", part=name, reason=str(error))
        return None

    def _answered(self, name: str, answer: "asyncio.Future[T]") -> None:
        """What was given up has come to an end after all; how does not matter any more."""
        self._slow.discard(name)
        if not answer.cancelled():
            answer.exception()
