"""Many clients at once, and some who ask for too much. Everything is on loopback, and every loop has an end."""

import asyncio
import contextlib
import itertools
import json
import resource
import ssl
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.clients.served import Served, served

#: Seconds for all of a test's clients together.
PATIENCE = 120


@pytest.fixture(autouse=True)
def descriptors() -> None:
    """Both ends of every connection are this test's; usually a program may have 1024."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Client:
    """One of many: it calls, and reads until the answer is there."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._ids = itertools.count()
        self.events: list[Any] = []

    async def call(self, method: str, *params: Any) -> Any:
        """The result of a call, which must succeed."""
        number = next(self._ids)
        await self.socket.send_json({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
        while (frame := json.loads(await self.socket.receive_str())).get("id") != number:
            self.events.append(frame)
        return frame["result"]

    async def event(self) -> Any:
        """The next event."""
        return self.events.pop(0) if self.events else json.loads(await self.socket.receive_str())


@asynccontextmanager
async def clients(where: dict[str, Any], unix: int, tcp: int) -> AsyncIterator[list[Client]]:
    """So many clients, connected and logged in all at once."""
    trusting = ssl.create_default_context(cafile=where["verify"]) if where["verify"] is not True else True
    async with AsyncExitStack() as stack:
        local = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(where["socket"], limit=0))
        )
        remote = await stack.enter_async_context(
            aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=trusting))
        )

        async def enter(http: aiohttp.ClientSession, uri: str) -> Client:
            return Client(await http.ws_connect(uri))

        async def enter_and_login() -> Client:
            client = await enter(remote, where["uri"])
            assert await client.call("auth.login_with_api_key", where["api_key"]) is True
            return client

        entering = [
            *(enter(local, "ws://localhost/api/current") for _ in range(unix)),
            *(enter_and_login() for _ in range(tcp)),
        ]
        all_of_them = await asyncio.gather(*entering)
        try:
            yield all_of_them
        finally:
            await asyncio.gather(*(client.socket.close() for client in all_of_them))


async def of_each(calls: Iterable[Any]) -> list[Any]:
    return list(await asyncio.gather(*calls))


def descriptors_of(server: Served) -> int:
    return len(list(Path(f"/proc/{server.pid}/fd").iterdir()))


@pytest.mark.parametrize(("unix", "tcp", "options"), [(500, 500, []), (0, 200, ["--tls"])], ids=["ws", "wss"])
async def test_many_clients_at_once_are_all_served(
    tmp_path: Path, unix: int, tcp: int, options: list[str]
) -> None:
    async with asyncio.timeout(PATIENCE), served(tmp_path / "s", "--login-rate", "9999", *options) as server:
        before = descriptors_of(server)
        async with clients(server.where, unix, tcp) as everybody:
            assert len(everybody) == unix + tcp
            assert set(await of_each(client.call("core.ping") for client in everybody)) == {"pong"}
            await of_each(client.call("core.subscribe", "vm.query") for client in everybody)
            await everybody[0].call("vm.create", {"name": "seen", "memory": 64})
            events = await of_each(client.event() for client in everybody)
            assert {event["params"]["fields"]["name"] for event in events} == {"seen"}
            rows = await of_each(client.call("vm.query", [], {"count": True}) for client in everybody)
            assert set(rows) == {1}
            assert descriptors_of(server) >= before + unix + tcp
        async with clients(server.where, 1, 0) as (client,):
            # Nothing is left of those who have gone.
            while descriptors_of(server) > before + 5:
                assert await client.call("core.ping") == "pong"


async def test_a_client_that_sends_ten_thousand_calls_is_held_to_its_limits(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        served(tmp_path / "s") as server,
        clients(server.where, 2, 0) as (greedy, other),
    ):
        sending = asyncio.ensure_future(pipeline(greedy, 10_000))
        # Others are answered meanwhile.
        for _ in range(20):
            assert await other.call("vm.query") == []
        frames = [json.loads(await greedy.socket.receive_str()) for _ in range(10_000)]
        await sending
        assert sorted(frame["id"] for frame in frames) == [*range(10_000)]
        refused = [frame["error"] for frame in frames if "error" in frame]
        assert {error["code"] for error in refused} <= {-32000}
        assert sum("result" in frame for frame in frames) >= 20
        assert await greedy.call("core.ping") == "pong"


async def test_a_client_that_never_reads_what_it_asked_for_is_cut_off(tmp_path: Path) -> None:
    async with (
        asyncio.timeout(PATIENCE),
        served(tmp_path / "s") as server,
        clients(server.where, 2, 0) as (deaf, other),
    ):
        vm = await other.call("vm.create", {"name": "large", "memory": 64, "description": "x" * 1000})
        for _ in range(20):
            await other.call("vm.device.create", {"vm": vm["id"], "attributes": {"dtype": "NIC"}})
        with contextlib.suppress(ConnectionError):
            await pipeline(deaf, 30_000, "vm.query")
        # What had been sent can still be read; then the connection ends without a word.
        with contextlib.suppress(aiohttp.ClientError, TypeError):
            while True:
                await deaf.socket.receive_str()
        assert deaf.socket.closed
        assert len(await other.call("vm.query")) == 1


async def pipeline(client: Client, calls: int, method: str = "core.ping") -> None:
    for number in range(calls):
        await client.socket.send_str(f'{{"jsonrpc":"2.0","id":{number},"method":"{method}"}}')


async def test_clients_that_come_back_find_what_they_have_started(tmp_path: Path) -> None:
    async with asyncio.timeout(PATIENCE), served(tmp_path / "s") as server:
        async with clients(server.where, 20, 0) as everybody:
            for number, client in enumerate(everybody, start=1):
                await client.call("vm.create", {"name": f"vm{number}", "memory": 64})
                await client.call("vm.start", number)

            async def start_and_leave(number: int, client: Client) -> None:
                call = {"id": 99, "method": "vm.stop", "params": [number, {"force": True}]}
                await client.socket.send_json({"jsonrpc": "2.0", **call})
                await client.socket.close()

            await of_each(start_and_leave(number, client) for number, client in enumerate(everybody, 1))
        async with clients(server.where, 1, 0) as (client,):
            ended = [["method", "=", "vm.stop"], ["state", "nin", ["WAITING", "RUNNING"]]]
            # What was sent just before the end of a connection may be read after this one is open.
            while await client.call("core.get_jobs", ended, {"count": True}) < 20:
                assert await client.call("core.ping") == "pong"
            jobs = await client.call("core.get_jobs", [["method", "=", "vm.stop"]])
            assert sorted(job["arguments"][0] for job in jobs) == [*range(1, 21)]
            assert {job["state"] for job in jobs} == {"SUCCESS"}
            off = await client.call("vm.query", [["status.state", "=", "STOPPED"]], {"count": True})
            assert off == 20
