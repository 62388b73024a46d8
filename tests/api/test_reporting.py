"""What is used now, and what was used lately: ``reporting.realtime``, ``vm.stats`` and their histories."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.harness import PATIENCE, Api, Host, server
from vmstead.adapters.fake_host import FakeHost
from vmstead.adapters.memory_engine import MemoryEngine
from vmstead.kernel.clock import ManualClock
from vmstead.ports.counters import DiskCounters, GuestCounters, HostCounters, LinkCounters, ProcessorCounters
from vmstead.system.reporting import Realtime
from vmstead.system.secrets import hash_password
from vmstead.vm.stats import GuestHistory, Stats

USED = HostCounters(
    processors={"cpu": ProcessorCounters(100, 50), "cpu0": ProcessorCounters(100, 50)},
    memory=0,
    available_memory=0,
    temperature=45.5,
    disks={"sda": DiskCounters(10, 1000, 10, 1000, 100)},
    links={"eth0": LinkCounters(True, True, 1000, 500, 500)},
)
LATER = replace(
    USED,
    processors={"cpu": ProcessorCounters(200, 70), "cpu0": ProcessorCounters(200, 70)},
    disks={"sda": DiskCounters(12, 5096, 10, 1000, 1100)},
    links={"eth0": LinkCounters(True, True, 1000, 2500, 500)},
)


async def running_vm(host: Host, name: str = "a") -> int:
    vm = await host.api.call("vm.create", {"name": name, "memory": 64})
    await host.api.call("vm.start", vm["id"])
    return int(vm["id"])


def of(api: Api, collection: str) -> list[dict[str, Any]]:
    return [event for event in api.events if event.get("collection") == collection and "msg" in event]


async def events(host: Host, collection: str, count: int, api: Api | None = None) -> list[dict[str, Any]]:
    """So many of the next events, for which as much time passes as it takes: pools are looked at on a thread."""
    api = api or host.api
    before = len(of(api, collection))
    async with asyncio.timeout(PATIENCE):
        while len(of(api, collection)) < before + count:
            await host.pass_time(1)
    return of(api, collection)[before : before + count]


async def login(host: Host, api: Api, *roles: str) -> None:
    accounts = host.server.services.accounts
    await accounts.write(accounts.add("ann", await hash_password("pw"), list(roles), "", 0))
    assert await api.call("auth.login", "ann", "pw")


async def test_the_machine_is_told_of_as_clients_of_truenas_read_it(tmp_path: Path) -> None:
    machine = FakeHost(used=USED)
    async with server(tmp_path, machine=machine) as host:
        await host.api.call("core.subscribe", "reporting.realtime")
        await events(host, "reporting.realtime", 1)
        machine.used = LATER
        [event] = await events(host, "reporting.realtime", 1)
        assert (event["msg"], "id" in event) == ("added", False)
        fields = event["fields"]
        Realtime.model_validate(fields)
        assert fields["cpu"] == {
            "cpu": {"usage": 20.0, "temp": 45.5},
            "cpu0": {"usage": 20.0, "temp": None},
        }
        assert fields["disks"] == {
            "busy": 50.0,
            "read_bytes": 2048,
            "write_bytes": 0,
            "read_ops": 1,
            "write_ops": 0,
        }
        assert fields["interfaces"] == {
            "eth0": {
                "link_state": "LINK_STATE_UP",
                "speed": 1000,
                "received_bytes": 2000,
                "sent_bytes": 0,
                "received_bytes_rate": 1000,
                "sent_bytes_rate": 0,
            }
        }
        assert fields["memory"]["physical_memory_total"] == machine.total
        assert fields["memory"]["physical_memory_available"] == machine.available
        assert fields["virtual_machines"] == {}
        # Pools are looked at on a thread, for which this clock may be too fast.
        while not fields["pools"]:
            [event] = await events(host, "reporting.realtime", 1)
            fields = event["fields"]
        assert set(fields["pools"]["default"]) == {"available", "used", "total"}


async def test_guests_are_told_of_by_their_ids(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await running_vm(host)
        await host.api.call("vm.create", {"name": "idle", "memory": 64})
        await host.api.call("core.subscribe", "vm.stats")
        await host.api.call("core.subscribe", "reporting.realtime")
        [event] = await events(host, "vm.stats", 1)
        Stats.model_validate(event["fields"])
        expected = {
            "cpu_usage": 25.0,
            "memory": 64 * 1024**2,
            "memory_resident": 32 * 1024**2,
            "memory_used": 16 * 1024**2,
            "disk_read_bytes": 512 * 1024,
            "disk_write_bytes": 256 * 1024,
            "disk_read_ops": 8,
            "disk_write_ops": 4,
            "network_received_bytes": 128 * 1024,
            "network_sent_bytes": 64 * 1024,
        }
        assert event["fields"] == {"virtual_machines": {f"{vm}": expected}}
        [realtime] = await events(host, "reporting.realtime", 1)
        assert realtime["fields"]["virtual_machines"] == {f"{vm}": expected}
        await host.api.call("vm.suspend", vm)
        _, event = await events(host, "vm.stats", 2)
        assert event["fields"]["virtual_machines"][f"{vm}"]["cpu_usage"] == 0.0
        await host.api.call("vm.poweroff", vm)
        [event] = await events(host, "vm.stats", 1)
        assert event["fields"] == {"virtual_machines": {}}


async def test_one_guest_can_be_asked_for_until_it_is_deleted(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        first, second = await running_vm(host, "a"), await running_vm(host, "b")
        name = f'vm.stats:{{"interval": 4, "id": {second}}}'
        await host.api.call("core.subscribe", name)
        told = await events(host, name, 2)
        assert [list(event["fields"]["virtual_machines"]) for event in told] == [["2"], ["2"]]
        await host.api.call("vm.delete", first, {"force": True})
        await host.api.call("vm.delete", second, {"force": True})
        ended = await host.api.frame(lambda frame: frame.get("method") == "notify_unsubscribed")
        assert ended["params"]["collection"] == name
        assert ended["params"]["error"]["reason"] == "[ENOENT] None: VM 2 does not exist"
        assert host.server.services.sources.running == 0


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        (
            'reporting.realtime:{"interval": 1}',
            [["interval", "Input should be greater than or equal to 2", 22]],
        ),
        ('vm.stats:{"id": 9}', [[None, "VM 9 does not exist", 2]]),
        ('vm.stats:{"id": "9"}', [["id", "Input should be a valid integer", 22]]),
    ],
)
async def test_wrong_arguments_end_the_stream_and_the_call_still_answers(
    tmp_path: Path, name: str, extra: list[Any]
) -> None:
    async with server(tmp_path) as host:
        at = len(host.api.frames)
        id = await host.api.call("core.subscribe", name)
        assert isinstance(id, str)
        ended, answer = host.api.frames[at:]
        assert answer["result"] == id
        assert "id" not in ended
        assert ended["method"] == "notify_unsubscribed"
        assert ended["params"]["collection"] == name
        error = ended["params"]["error"]
        assert (error["error"], error["errname"], error["trace"], error["extra"]) == (
            22,
            "EINVAL",
            None,
            extra,
        )
        assert await host.api.call("core.unsubscribe", id) is None


async def test_whoever_ends_a_stream_is_told_that_it_has_ended(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        id = await host.api.call("core.subscribe", "reporting.realtime")
        await events(host, "reporting.realtime", 1)
        seen = len(of(host.api, "reporting.realtime"))
        await host.api.call("core.unsubscribe", id)
        assert host.api.frames[-2] == {
            "jsonrpc": "2.0",
            "method": "notify_unsubscribed",
            "params": {"collection": "reporting.realtime", "error": None},
        }
        await host.pass_time(10)
        assert len(of(host.api, "reporting.realtime")) == seen


async def test_figures_take_their_roles_and_end_with_the_login(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        vm = await running_vm(host)
        await login(host, api, "VM_READ")
        assert (await api.failure("core.subscribe", "reporting.realtime")).errno == 13
        assert (await api.failure("reporting.host_history")).errno == 13
        await api.call("core.subscribe", "vm.stats")
        assert "time" in await api.call("vm.stats_history", vm)
        await events(host, "vm.stats", 1, api)
        await api.call("auth.logout")
        seen = len(of(api, "vm.stats"))
        await host.pass_time(10)
        assert len(of(api, "vm.stats")) == seen
        assert host.server.services.sources.running == 0
    async with server(tmp_path / "other") as host, host.connect(over_tcp=True) as api:
        await login(host, api, "DATASET_READ")
        assert (await api.failure("core.subscribe", "vm.stats")).errno == 13
        assert (await api.failure("vm.stats_history", 1)).errno == 13


class Counting(MemoryEngine):
    """One that counts how often it is asked what is used."""

    asked = 0

    async def usage(self) -> dict[str, GuestCounters]:
        self.asked += 1
        return await super().usage()


async def test_the_engine_is_asked_once_for_all_and_not_at_all_for_nobody(tmp_path: Path) -> None:
    clock = ManualClock()
    engine = Counting(clock)
    async with server(tmp_path, engine=engine, clock=clock, history=0) as host:
        await running_vm(host)
        await host.pass_time(100)
        assert engine.asked == 0
        async with host.connect() as second:
            for api in (host.api, second):
                await api.call("core.subscribe", "vm.stats")
                await api.call("core.subscribe", "reporting.realtime")
            await events(host, "vm.stats", 1)
            before = engine.asked
            await events(host, "vm.stats", 10)
            # What was asked last may not have arrived yet.
            assert 9 <= engine.asked - before <= 11
            assert len(of(second, "vm.stats")) >= 9
        # One of them has gone without a word; the other still watches.
        before = engine.asked
        await events(host, "reporting.realtime", 5)
        assert 4 <= engine.asked - before <= 6


async def test_a_page_that_is_opened_later_has_a_chart(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await running_vm(host)
        for _ in range(20):
            await host.pass_time(10)
        history = await host.api.call("vm.stats_history", vm)
        GuestHistory.model_validate(history)
        assert history["interval"] == 10
        assert len(history["time"]) >= 5
        assert set(history["cpu_usage"]) == {25}
        assert set(history["disk_read_bytes"]) == {512 * 1024}
        assert {len(column) for column in history.values() if isinstance(column, list)} == {
            len(history["time"])
        }
        machine = await host.api.call("reporting.host_history")
        assert machine["time"] == history["time"]
        assert set(machine["memory"]) == {host.machine.total}
        assert (await host.api.failure("vm.stats_history", 9)).data["extra"][0][2] == 2
        assert (await host.api.failure("vm.stats_history", "1")).code == -32602
        assert (await host.api.failure("reporting.host_history", 1)).attributes == [""]


class Watched(FakeHost):
    """One that counts how often it is read."""

    reads = 0

    async def counters(self) -> HostCounters:
        self.reads += 1
        return await super().counters()


async def test_no_guest_and_nobody_to_see_it_is_nothing_to_do(tmp_path: Path) -> None:
    machine = Watched()
    async with server(tmp_path, machine=machine) as host:
        await host.pass_time(1000)
        assert machine.reads == 0
        vm = await running_vm(host)
        await host.pass_time(100)
        assert 9 <= machine.reads <= 12
        await host.api.call("vm.poweroff", vm)
        before = machine.reads
        await host.pass_time(1000)
        assert machine.reads == before
