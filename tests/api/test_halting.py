"""Guests that halt for a snapshot go on afterwards, whatever happens to the call, the server or the engine."""

from dataclasses import dataclass
from pathlib import Path

from tests.harness import Host, server
from vmstead.adapters.memory_engine import MemoryEngine
from vmstead.kernel.clock import ManualClock
from vmstead.ports.engine import PowerState


@dataclass
class LosingEngine(MemoryEngine):
    """An engine that loses its connection when guests are to go on."""

    loses: bool = False

    async def resume(self, uuid: str) -> None:
        if self.loses:
            self.loses = False
            self.disconnect("the daemon is gone")
        await super().resume(uuid)


async def running_guest(host: Host, *volumes: str) -> str:
    """A guest that runs with these volumes and halts for snapshots; its uuid."""
    vm = await host.api.call("vm.create", {"name": "a", "memory": 64, "suspend_on_snapshot": True})
    for name in volumes:
        disk = {"dtype": "DISK", "create_zvol": True, "zvol_name": name, "zvol_volsize": 512}
        await host.api.call("vm.device.create", {"vm": vm["id"], "attributes": disk})
    await host.api.call("vm.start", vm["id"])
    uuid: str = vm["uuid"]
    return uuid


async def test_a_guest_goes_on_when_the_engine_is_back(tmp_path: Path) -> None:
    clock = ManualClock()
    engine = LosingEngine(clock)
    async with server(tmp_path, engine=engine, clock=clock) as host:
        uuid = await running_guest(host, "default/a")
        engine.loses = True
        await host.api.call("pool.snapshot.create", {"dataset": "default/a", "name": "s"})
        assert engine.state(uuid).power is PowerState.PAUSED
        engine.reconnect()
        await host.server.services.states.until(uuid, lambda state: state.power is PowerState.RUNNING, 10)


async def test_a_guest_that_a_killed_server_left_halted_goes_on(tmp_path: Path) -> None:
    clock = ManualClock()
    engine = LosingEngine(clock)
    async with server(tmp_path, engine=engine, clock=clock) as host:
        uuid = await running_guest(host, "default/a")
        engine.loses = True
        await host.api.call("pool.snapshot.create", {"dataset": "default/a", "name": "s"})
    # The engine outlives the server, and what is halted stays so.
    assert engine.state(uuid).power is PowerState.PAUSED
    async with server(tmp_path, engine=engine, clock=clock) as host:
        await host.server.services.states.until(uuid, lambda state: state.power is PowerState.RUNNING, 10)
        # It is forgotten: who suspends it now wants it suspended.
        await host.api.call("vm.suspend", 1)
    async with server(tmp_path, engine=engine, clock=clock) as host:
        assert (await host.api.call("vm.status", 1))["state"] == "SUSPENDED"


async def test_a_guest_that_somebody_suspended_stays_suspended(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await running_guest(host, "default/a")
        await host.api.call("vm.suspend", 1)
        await host.api.call("pool.snapshot.create", {"dataset": "default/a", "name": "s"})
        assert (await host.api.call("vm.status", 1))["state"] == "SUSPENDED"


async def test_of_two_snapshots_at_once_each_has_the_guest_halted(tmp_path: Path) -> None:
    """The first to end would otherwise let it go on under the other."""
    async with server(tmp_path) as host:
        uuid = await running_guest(host, "default/a", "default/b")
        calls = [
            host.api.begin("pool.snapshot.create", {"dataset": dataset, "name": "s"})
            for dataset in ("default/a", "default/b")
        ]
        for call in calls:
            await call
        actions = [action for action, each in host.engine.calls if each == uuid and action != "console"]
        assert actions == ["start", "suspend", "resume", "suspend", "resume"]
        assert (await host.api.call("vm.status", 1))["state"] == "RUNNING"


async def test_a_guest_that_is_gone_meanwhile_keeps_nothing(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        uuid = await running_guest(host, "default/a")
        host.engine.scripts.clear()
        call = host.api.begin("pool.snapshot.create", {"dataset": "default/a", "name": "s"})
        await host.server.services.states.until(uuid, lambda state: state.power is PowerState.PAUSED, 10)
        host.engine.crash(uuid)
        await call
        assert host.server.services.memory.get("halted_guests") == "[]"
