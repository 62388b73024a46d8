"""The end of the host: every guest is stopped, side by side, and none is waited for in vain."""

import asyncio
from pathlib import Path

from tests.harness import Host, server
from vmstead.adapters.memory_engine import MemoryEngine, Script
from vmstead.kernel.clock import ManualClock
from vmstead.vm.host import stop_guests


async def running(host: Host, name: str, seconds: float | None) -> str:
    vm = await host.api.call("vm.create", {"name": name, "memory": 64, "shutdown_timeout": 30})
    host.engine.scripts[vm["uuid"]] = Script(shutdown_seconds=seconds)
    await host.api.call("vm.start", vm["id"])
    return str(vm["uuid"])


async def test_all_guests_are_stopped_within_the_time_of_the_slowest(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for number in range(5):
            await running(host, f"vm{number}", seconds=20)
        await running(host, "stubborn", seconds=None)
        suspended = await host.api.call("vm.create", {"name": "suspended", "memory": 64})
        await host.api.call("vm.start", suspended["id"])
        await host.api.call("vm.suspend", suspended["id"])
        await host.api.call("vm.create", {"name": "stopped", "memory": 64})
        begin = host.clock.monotonic()
        stopping = asyncio.get_running_loop().create_task(stop_guests(host.server.services))
        await host.pass_time(31)
        await stopping
        assert host.clock.monotonic() - begin < 32
        assert {vm["status"]["state"] for vm in await host.api.call("vm.query")} == {"STOPPED"}


async def test_without_guests_there_is_nothing_to_wait_for(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await stop_guests(host.server.services)
        assert host.clock.monotonic() == 0


async def test_the_setting_makes_the_server_stop_them_at_its_end(tmp_path: Path) -> None:
    clock = ManualClock()
    engine = MemoryEngine(clock)
    for stop, expected in ((False, "RUNNING"), (True, "SHUTOFF")):
        async with server(tmp_path, engine=engine, clock=clock, stop_guests_on_exit=stop) as host:
            uuid = await running(host, f"vm{stop}", seconds=0)
        assert engine.state(uuid).power == expected


async def test_a_guest_that_cannot_be_stopped_keeps_no_other(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        first = await running(host, "a", seconds=0)
        second = await running(host, "b", seconds=0)
        host.engine.forget(first)
        await stop_guests(host.server.services)
        assert host.engine.state(second).power == "SHUTOFF"
