"""What one machine does must not be felt by those who ask about others, and asking must not do anything."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

from tests.harness import server
from vmstead.adapters.memory_engine import MemoryEngine
from vmstead.kernel.clock import ManualClock
from vmstead.ports.engine import Capabilities, Domain, EngineError, EngineErrorKind
from vmstead.rpc.registry import table
from vmstead.surface import NAMESPACES

#: Methods that tell what there is to choose from.
CHOICES = sorted(name for name in table(NAMESPACES) if name.endswith(("_choices", "bootloader_options")))
#: Those of them that only the engine can answer.
OF_THE_ENGINE = {"vm.cpu_model_choices", "vm.guest_architecture_and_machine_choices"}


@dataclass
class StuckEngine(MemoryEngine):
    """An engine that answers no question about what it has, as a daemon that hangs."""

    asked: int = 0
    goes_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def capabilities(self) -> Capabilities:
        self.asked += 1
        await self.goes_on.wait()
        return await super().capabilities()

    async def check(self, domain: Domain) -> None:
        raise EngineError(EngineErrorKind.UNREACHABLE, "the daemon hangs")


async def test_a_domain_that_vanishes_concerns_only_its_own_vm(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for name in ("a", "gone", "c"):
            vm = await host.api.call("vm.create", {"name": name, "memory": 64})
            await host.api.call("vm.start", vm["id"])
        gone = (await host.api.call("vm.get_instance", 2))["uuid"]
        host.engine.forget(gone)
        # Between the listing and the answer: what was known last is told.
        assert [row["name"] for row in await host.api.call("vm.query")] == ["a", "gone", "c"]
        host.engine.reconnect()
        states = {row["name"]: row["status"]["state"] for row in await host.api.call("vm.query")}
        assert states == {"a": "RUNNING", "gone": "STOPPED", "c": "RUNNING"}
        assert await host.api.call("vm.query", [["status.state", "=", "RUNNING"]], {"count": True}) == 2
        await host.api.call("vm.start", 2)


async def test_choices_do_nothing_to_the_engine(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for method in CHOICES:
            await host.api.call(method)
        assert host.engine.calls == []


async def test_choices_wait_for_nothing_while_the_engine_is_away(tmp_path: Path) -> None:
    """No time passes here: what waited, for a connection for instance, would never answer."""
    async with server(tmp_path) as host:
        host.engine.disconnect("the daemon was stopped")
        for method in CHOICES:
            if method in OF_THE_ENGINE:
                assert (await host.api.failure(method)).errno == 113
            else:
                await host.api.call(method)
        assert host.clock.monotonic() == 0
        assert host.engine.calls == []


async def test_choices_that_the_engine_owes_keep_nobody_else_waiting(tmp_path: Path) -> None:
    clock = ManualClock()
    engine = StuckEngine(clock)
    async with server(tmp_path, engine=engine, clock=clock) as host:
        waiting = [host.api.begin(method) for method in sorted(OF_THE_ENGINE)]
        for method in set(CHOICES) - OF_THE_ENGINE:
            await host.api.call(method)
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        await host.api.call("vm.start", 1)
        assert engine.asked == len(OF_THE_ENGINE)
        assert not any(task.done() for task in waiting)
        engine.goes_on.set()
        for task in waiting:
            assert await task
