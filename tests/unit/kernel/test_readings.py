"""One look at everything, whatever of it can be seen."""

import asyncio
from collections.abc import Mapping, Sequence

from tests.harness import settle
from vmstead.adapters.fake_host import FakeHost
from vmstead.adapters.memory_engine import MemoryEngine
from vmstead.kernel.clock import ManualClock
from vmstead.kernel.readings import Readings
from vmstead.kernel.states import States
from vmstead.ports.counters import GuestCounters, HostCounters
from vmstead.ports.engine import DomainState, EngineError, EngineErrorKind, PowerState
from vmstead.ports.pools import Pool
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

POOL = Pool("default", "/mnt/default", 100, 40, is_healthy=True, status="ONLINE")


class Engine(MemoryEngine):
    """One that answers when it is told to."""

    gate: asyncio.Event | None = None
    error: EngineError | None = None
    asked = 0

    async def usage(self) -> dict[str, GuestCounters]:
        self.asked += 1
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return {"a": GuestCounters(1.0)}


class Machine(FakeHost):
    broken = False

    async def counters(self) -> HostCounters:
        if self.broken:
            raise OSError(5, "cannot be read")
        return await super().counters()


class Pools:
    """The one method that is needed."""

    def __init__(self) -> None:
        self.asked = 0
        self.error: VolumeError | None = None

    async def pools(self) -> Sequence[Pool]:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return [POOL]


class Bench:
    def __init__(self, active: Mapping[str, DomainState] | None = None) -> None:
        self.clock = ManualClock(now=500)
        self.states = States(self.clock, lambda *_: None)
        running = {"a": DomainState(PowerState.RUNNING, active=True)}
        self.states.connected(running if active is None else active)
        self.engine, self.machine, self.pools = Engine(self.clock), Machine(), Pools()
        self.readings = Readings(
            self.clock,
            self.states,
            self.engine,
            self.machine,
            self.pools,  # type: ignore[arg-type]
        )
        self.leave = self.readings.want_pools()


async def test_everything_is_in_it() -> None:
    bench = Bench()
    reading = await bench.readings.take()
    assert (reading.at, reading.time) == (0, 500)
    assert reading.guests == {"a": GuestCounters(1.0)}
    assert reading.host is not None
    assert reading.host.memory == bench.machine.total
    assert reading.pools == [POOL]


async def test_the_engine_is_asked_only_when_it_has_something_to_tell() -> None:
    bench = Bench(active={})
    assert (await bench.readings.take()).guests == {}
    running = Bench()
    running.states.disconnected("gone")
    assert (await running.readings.take()).guests == {}
    assert (bench.engine.asked, running.engine.asked) == (0, 0)


async def test_what_fails_is_left_out_and_the_rest_is_there() -> None:
    bench = Bench()
    bench.engine.error = EngineError(EngineErrorKind.UNREACHABLE, "gone")
    reading = await bench.readings.take()
    assert (reading.guests, reading.host is None) == ({}, False)
    bench.machine.broken, bench.engine.error = True, None
    bench.pools.error = VolumeError(VolumeErrorKind.FAILED, "gone")
    bench.clock.advance(20)
    reading = await bench.readings.take()
    assert (set(reading.guests), reading.host, reading.pools) == ({"a"}, None, ())


async def test_pools_are_not_looked_at_every_time() -> None:
    bench = Bench()
    for _ in range(5):
        await bench.readings.take()
        bench.clock.advance(5)
    assert bench.pools.asked == 2
    bench.leave()
    bench.clock.advance(100)
    assert (await bench.readings.take()).pools == ()
    assert bench.pools.asked == 2, "nobody wants to know"


async def test_an_engine_that_does_not_answer_is_not_asked_again_before_it_has() -> None:
    bench = Bench()
    bench.engine.gate = asyncio.Event()
    taking = asyncio.ensure_future(bench.readings.take())
    await settle()
    bench.clock.advance(3)
    reading = await taking
    assert (reading.guests, reading.host is None) == ({}, False)
    assert (await bench.readings.take()).guests == {}
    assert bench.engine.asked == 1
    bench.engine.error = EngineError(EngineErrorKind.FAILED, "nobody waits for it any more")
    bench.engine.gate.set()
    await settle()
    bench.engine.error = bench.engine.gate = None
    assert (await bench.readings.take()).guests == {"a": GuestCounters(1.0)}
