"""``/metrics`` and ``/healthz``: what they tell, and whom."""

import asyncio
import base64
from pathlib import Path

import aiohttp
import pytest

from tests.api.test_auth import account, api_key
from tests.harness import Host, server, settle
from tests.unit.web.test_exposition import samples
from vmstead.adapters.memory_engine import MemoryEngine
from vmstead.kernel.clock import ManualClock
from vmstead.ports.counters import GuestCounters


class Asked(MemoryEngine):
    """Counts how often it is asked what guests use, and answers when it may."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.questions = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def usage(self) -> dict[str, GuestCounters]:
        self.questions += 1
        await self.may_answer.wait()
        return {**await super().usage()}


async def ask(host: Host, path: str = "/metrics", **headers: str) -> tuple[int, str]:
    url = host.tcp_url.replace("ws:", "http:") + path
    async with host.http.get(
        url, headers={name.replace("_", "-"): each for name, each in headers.items()}
    ) as got:
        return got.status, await got.text()


async def on_the_socket(host: Host) -> dict[str, dict[tuple[str, ...], float]]:
    async with (
        aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(host.config.socket))) as http,
        http.get("http://localhost/metrics") as got,
    ):
        assert (got.status, got.headers["Cache-Control"]) == (200, "no-store")
        return samples(await got.read())


async def test_calls_jobs_events_and_connections_are_counted(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as stranger:
        for _ in range(3):
            await host.api.call("core.ping")
        await stranger.failure("vm.query")
        await stranger.failure("made.up")
        await host.api.failure("vm.get_instance", 9)
        await host.api.call("core.subscribe", "core.get_jobs")
        vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
        await host.api.job(await host.api.call("vm.stop", vm["id"]))
        found = await on_the_socket(host)
        calls = found["vmstead_calls_total"]
        assert calls["core.ping", "ok"] == 3
        assert calls["vm.query", "denied"] == calls["unknown", "refused"] == 1
        assert calls["vm.get_instance", "refused"] == calls["vm.stop", "ok"] == 1
        assert not [method for method, _ in calls if "made" in method]
        assert found["vmstead_call_duration_seconds_count"]["core.ping",] == 3
        assert sum(found["vmstead_jobs_ended_total"].values()) == 1
        assert found["vmstead_jobs"] == {("waiting",): 0, ("running",): 0}
        assert found["vmstead_events_sent_total"][()] >= 3
        assert found["vmstead_connections"] == {("unix",): 1, ("tcp",): 1}
        assert found["vmstead_engine_connected"] == {(): 1}


async def test_calls_within_a_bulk_and_those_that_are_too_many_are_counted(tmp_path: Path) -> None:
    async with server(tmp_path, login_rate=1) as host, host.connect(over_tcp=True) as stranger:
        await host.api.call("core.subscribe", "core.get_jobs")
        await host.api.job(await host.api.call("core.bulk", "vm.get_instance", [[1], [2]]))
        await stranger.call("core.ping")
        await stranger.failure("core.ping")
        calls = (await on_the_socket(host))["vmstead_calls_total"]
        assert calls["vm.get_instance", "refused"] == 2
        assert calls["core.ping", "limited"] == 1


async def test_a_guest_is_told_of_while_it_is_active_and_nothing_is_read_unasked(tmp_path: Path) -> None:
    clock = ManualClock()
    engine = Asked(clock)
    async with server(tmp_path, engine=engine, clock=clock, history=0) as host:
        vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
        await host.api.call("vm.create", {"name": "b", "memory": 64})
        found = await on_the_socket(host)
        assert found["vmstead_vm_active"] == {("1", "a"): 0, ("2", "b"): 0}
        await host.api.call("vm.start", vm["id"])
        await host.pass_time(100)
        assert engine.questions == 0
        found = await on_the_socket(host)
        assert engine.questions == 1
        assert found["vmstead_vms"]["running",] == 1
        assert found["vmstead_vm_cpu_seconds_total"] == {("1", "a"): 25.0}
        assert found["vmstead_vm_memory_bytes"] == {("1", "a"): 64 * 1024**2}
        assert found["vmstead_pool_size_bytes"]["default",] > 0


async def test_who_asks_at_the_same_time_gets_the_same_reading(tmp_path: Path) -> None:
    clock = ManualClock()
    engine = Asked(clock)
    async with server(tmp_path, engine=engine, clock=clock, history=0) as host:
        vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
        await host.api.call("vm.start", vm["id"])
        engine.may_answer.clear()
        asked = [asyncio.ensure_future(on_the_socket(host)) for _ in range(3)]
        async with asyncio.timeout(20):
            while not engine.questions:
                await settle()
            # One who goes away does not take it from the others.
            asked[0].cancel()
            engine.may_answer.set()
            await asyncio.gather(*asked[1:])
        assert engine.questions <= 2
        await on_the_socket(host)


async def test_without_a_login_or_the_roles_nothing_is_told(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        reader = await api_key(host, await account(host, "prometheus", None, "REPORTING_READ", "VM_READ"))
        other = await api_key(host, await account(host, "other", None, "VM_READ"), "other")
        await account(host, "people", "open sesame", "READONLY_ADMIN")
        password = base64.b64encode(b"people:open sesame").decode()
        wrong = base64.b64encode(b"people:wrong").decode()
        for header, expected in (
            ("", 401),
            (f"Bearer {reader}", 200),
            (f"Bearer {other}", 403),
            (f"Bearer {reader}x", 401),
            (f"Basic {password}", 200),
            (f"Basic {wrong}", 401),
            ("Basic ?", 400),
            ("Token made-up", 403),
            ("Digest x", 401),
        ):
            status, text = await ask(host, **({"Authorization": header} if header else {}))
            assert status == expected, header
            assert ("vmstead_vms" in text) is (expected == 200)
            assert "Bearer KEY" in text or expected not in (401, 403)


async def test_guessing_keys_is_slow(tmp_path: Path) -> None:
    async with server(tmp_path, login_rate=2) as host:
        seen = [(await ask(host, Authorization="Bearer 1-wrong"))[0] for _ in range(3)]
        assert seen == [401, 401, 429]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, 200),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:1"}, 200),
        ({"Host": "evil.example.org"}, 401),
        ({"Host": "127.0.0.1.evil.example.org"}, 401),
        ({"Host": "]["}, 401),
        ({"X_Forwarded_For": "192.0.2.1"}, 401),
        ({"Forwarded": "for=192.0.2.1"}, 401),
        ({"Origin": "https://evil.example.org"}, 403),
    ],
)
async def test_where_it_is_open_it_is_so_for_this_machine_alone(
    tmp_path: Path, headers: dict[str, str], expected: int
) -> None:
    async with server(tmp_path, open_metrics=True) as host:
        assert (await ask(host, **headers))[0] == expected


async def test_figures_can_be_read_while_the_engine_is_away(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        host.engine.disconnect("it went away")
        assert (await on_the_socket(host))["vmstead_engine_connected"] == {(): 0}


async def test_health_tells_when_what_is_stored_cannot_be_read(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        assert (await ask(host, "/healthz"))[0] == 200
        database = host.server.services.vms._database
        reader = database._reader
        database._reader = database._writer.__class__(":memory:")
        try:
            status, text = await ask(host, "/healthz")
        finally:
            database._reader.close()
            database._reader = reader
        assert (status, "database not readable" in text) == (503, True)
