"""The start and the end of the host: guests start and stop side by side, and none waits in vain for another."""

import asyncio
from pathlib import Path
from typing import Any

from tests.harness import Host, server
from vmstead.adapters.fake_host import FakeHost
from vmstead.adapters.memory_engine import MemoryEngine, Script
from vmstead.kernel.clock import ManualClock
from vmstead.vm.host import guests_due, start_guests, stop_guests


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


async def test_autostart_vms_start_once_for_each_start_of_the_host(tmp_path: Path) -> None:
    machine = FakeHost()
    async with server(tmp_path, machine=machine) as host:
        for name, autostart in (("a", True), ("b", False), ("c", True)):
            await host.api.call("vm.create", {"name": name, "memory": 64, "autostart": autostart})
    # The server alone comes back: who was stopped stays so.
    async with server(tmp_path, machine=machine) as host:
        assert await states(host) == {"a": "STOPPED", "b": "STOPPED", "c": "STOPPED"}
    machine.boot = "second"
    async with server(tmp_path, machine=machine) as host:
        await host.api.call("core.subscribe", "vm.query")
        for vm in (1, 3):
            await until_running(host, vm)
        assert await states(host) == {"a": "RUNNING", "b": "STOPPED", "c": "RUNNING"}


async def test_a_vm_that_cannot_start_with_the_host_keeps_no_other(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for name in ("large", "small"):
            await host.api.call("vm.create", {"name": name, "memory": 64 if name == "small" else 1 << 20})
        host.machine.boot = "second"
        await start_guests(host.server.services, await guests_due(host.server.services))
        assert await states(host) == {"large": "STOPPED", "small": "RUNNING"}
        # It is not tried again until the host starts anew.
        await host.api.call("vm.stop", 2, {"force": True})
        await start_guests(host.server.services, await guests_due(host.server.services))
        assert host.server.services.memory.get("boot_id") == "second"


async def test_what_a_client_makes_while_guests_are_started_is_left_to_the_client(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        host.machine.boot = "second"
        due = await guests_due(host.server.services)
        await host.api.call("vm.create", {"name": "mine", "memory": 64, "autostart": True})
        await start_guests(host.server.services, due)
        assert await states(host) == {"mine": "STOPPED"}


async def states(host: Host) -> dict[str, str]:
    return {vm["name"]: vm["status"]["state"] for vm in await host.api.call("vm.query")}


async def until_running(host: Host, vm: int) -> None:
    """Wait for a VM. Needs a subscription to vm.query."""

    def runs(event: dict[str, Any]) -> bool:
        return bool(event["id"] == vm and event["fields"]["status"]["state"] == "RUNNING")

    if (await host.api.call("vm.status", vm))["state"] != "RUNNING":
        await host.api.event(runs)
