"""What befalls a host: pools that vanish, clocks that jump, engines that say too much. The server goes on."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Api, Host, server
from vmstead.kernel.clock import ManualClock
from vmstead.ports.engine import DomainState, PowerState

MiB = 1024 * 1024
YEARS = 10 * 365 * 86_400.0


class WallClock(ManualClock):
    """Its time of day can be set; what it measures goes on."""

    def set(self, seconds: float) -> None:
        self._epoch += seconds


async def make(api: Api, pool: str) -> int:
    """A machine with disks in a pool."""
    vm: int = (await api.call("vm.create", {"name": "a", "memory": 64}))["id"]
    for attributes in (
        {"dtype": "RAW", "path": f"/mnt/{pool}/a.img", "size": MiB},
        {"dtype": "DISK", "create_zvol": True, "zvol_name": f"{pool}/v", "zvol_volsize": MiB},
    ):
        await api.call("vm.device.create", {"vm": vm, "attributes": attributes})
    return vm


async def test_a_pool_that_vanishes_is_told_of_and_is_used_again_when_it_is_back(tmp_path: Path) -> None:
    folder, elsewhere = tmp_path / "tank", tmp_path / "elsewhere"
    folder.mkdir()
    async with server(tmp_path, pools={"tank": folder}) as host:
        call = host.api.call
        vm = await make(host.api, "tank")
        before = await call("vm.query")
        folder.rename(elsewhere)
        assert {pool["name"]: pool["status"] for pool in await call("pool.query")} == {
            "default": "ONLINE",
            "tank": "OFFLINE",
        }
        alerts = [alert for alert in await call("alert.list") if alert["klass"] == "PoolUnavailable"]
        assert [alert["key"] for alert in alerts] == ["tank"]
        disk = {"dtype": "DISK", "create_zvol": True, "zvol_name": "tank/w", "zvol_volsize": MiB}
        raw = {"dtype": "RAW", "path": "/mnt/tank/b.img", "size": MiB}
        for method, *params in (
            ("vm.start", vm),
            ("vm.clone", vm, "b"),
            ("vm.device.create", {"vm": vm, "attributes": disk}),
            ("vm.device.create", {"vm": vm, "attributes": raw}),
            ("pool.dataset.create", {"name": "tank/w", "type": "VOLUME", "volsize": MiB}),
            ("pool.dataset.create", {"name": "tank/fs"}),
            ("pool.snapshot.create", {"dataset": "tank/v", "name": "s"}),
            ("filesystem.file_receive", "/mnt/tank/x", "aGVsbG8="),
            ("filesystem.mkdir", {"path": "/mnt/tank/x"}),
        ):
            said = (await host.api.failure(method, *params)).reason
            assert "tank" in said, (method, said)
            assert "unexpectedly" not in said, (method, said)
        # Nothing was made in its place, where it would be hidden when the pool is mounted again.
        assert not folder.exists()
        assert await call("vm.query") == before
        assert [each["id"] for each in await call("pool.dataset.query")] == ["default"]
        other = (await call("vm.create", {"name": "c", "memory": 64}))["id"]
        await call("vm.start", other)
        elsewhere.rename(folder)
        await call("vm.start", vm)
        assert "PoolUnavailable" not in {alert["klass"] for alert in await call("alert.list")}
        assert host.server.services.unfinished.all() == []


@pytest.mark.parametrize("seconds", [YEARS, -YEARS])
async def test_a_clock_that_is_set_disturbs_nothing_that_is_under_way(tmp_path: Path, seconds: float) -> None:
    clock = WallClock()
    async with server(tmp_path, clock=clock) as host:
        call = host.api.call
        await call("core.subscribe", "core.get_jobs")
        vm = (await call("vm.create", {"name": "a", "memory": 64, "shutdown_timeout": 20}))["id"]
        await call("vm.start", vm)
        host.engine.script.shutdown_seconds = 15
        job = await call("vm.stop", vm)
        await host.api.event(lambda event: event["fields"]["progress"]["description"].startswith("Waiting"))
        clock.set(seconds)
        await host.pass_time(14)
        assert (await call("vm.status", vm))["state"] == "RUNNING"
        await host.pass_time(2)
        assert (await host.api.job(job))["state"] == "SUCCESS"
        assert (await call("vm.status", vm))["state"] == "STOPPED"
        token = await call("auth.generate_token", 100, {}, False)
        clock.set(-seconds)
        async with host.connect(over_tcp=True) as api:
            assert await api.call("auth.login_with_token", token) is True
        for method, *params in (("vm.stats_history", vm), ("reporting.host_history",), ("core.get_jobs",)):
            await call(method, *params)
        await call("vm.start", vm)
        starts = [["event_data.method", "=", "vm.start"], ["success", "=", True]]
        assert len(await call("audit.query", {"query-filters": starts})) == 2


async def storm(host: Host, uuid: str, times: int) -> None:
    """The engine tells of a guest over and over, as fast as it can."""
    states = host.server.services.states
    running = states.get(uuid)
    paused = DomainState(PowerState.PAUSED, True, running.pid)
    for number in range(times):
        states.changed(uuid, running if number % 2 else paused)
        if number % 10 == 9:
            await asyncio.get_running_loop().run_in_executor(None, lambda: None)


async def test_a_storm_of_events_holds_nobody_up_and_ends_with_the_truth(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
        await host.api.call("vm.start", vm["id"])
        async with host.connect() as follower, host.dial("/api/current") as deaf:
            await follower.call("core.subscribe", "vm.query")
            subscribe = {"jsonrpc": "2.0", "id": 1, "method": "core.subscribe", "params": ["vm.query"]}
            await deaf.send_json(subscribe)
            storming = asyncio.ensure_future(storm(host, vm["uuid"], 6_000))
            answered = 0
            while not storming.done():
                assert await host.api.call("core.ping") == "pong"
                answered += 1
            await storming
            assert answered >= 10
            # Whoever reads has every transition, in order; whoever does not holds up nobody.
            await follower.event(lambda _: len(follower.events) >= 6_000)
            states = [event["fields"]["status"]["state"] for event in follower.events]
            assert states == ["SUSPENDED", "RUNNING"] * 3_000
        assert (await host.api.call("vm.status", vm["id"]))["state"] == "RUNNING"


async def test_an_engine_that_comes_and_goes_all_the_time_leaves_nothing_behind(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
        await host.api.call("vm.start", vm["id"])
        tasks = len(asyncio.all_tasks())
        calls: list[asyncio.Task[Any]] = []
        for _ in range(200):
            host.engine.disconnect("it was killed")
            calls.append(host.api.begin("vm.suspend", vm["id"]))
            await asyncio.wait(calls[-1:])
            host.engine.reconnect()
        reasons = {str(call.exception()) for call in calls}
        assert len(reasons) == 1
        assert "not connected" in reasons.pop()
        await host.idle()
        assert len(asyncio.all_tasks()) <= tasks + 2
        await host.api.call("vm.suspend", vm["id"])
        assert (await host.api.call("vm.status", vm["id"]))["state"] == "SUSPENDED"
