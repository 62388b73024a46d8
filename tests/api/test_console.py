"""The serial console over ``/websocket/shell``."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.test_auth import account
from tests.harness import Host, server, settle
from vmstead.adapters.memory_engine import MemoryConsole, MemoryEngine
from vmstead.kernel.clock import ManualClock
from vmstead.kernel.consoles import MOST_VIEWERS
from vmstead.ports.engine import Domain


@asynccontextmanager
async def shell(host: Host, path: str = "/websocket/shell") -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    connector = aiohttp.UnixConnector(str(host.config.socket))
    async with (
        aiohttp.ClientSession(connector=connector) as http,
        http.ws_connect(f"ws://localhost{path}", timeout=aiohttp.ClientWSTimeout(ws_close=5)) as socket,
    ):
        yield socket


async def opened(
    host: Host, socket: aiohttp.ClientWebSocketResponse, vm: Any = 1, token: str | None = None
) -> Any:
    token = token or await host.api.call("auth.generate_token")
    await socket.send_json({"token": token, "options": {"vm_id": vm}})
    return await socket.receive_json(timeout=10)


async def output(socket: aiohttp.ClientWebSocketResponse, until: bytes) -> bytes:
    seen = b""
    while until not in seen:
        message = await socket.receive(timeout=10)
        assert message.type is aiohttp.WSMsgType.BINARY, message
        seen += message.data
    return seen


async def until(reached: Callable[[], bool]) -> None:
    """Let everything run until something is so."""
    async with asyncio.timeout(10):
        while not reached():
            await asyncio.to_thread(lambda: None)
            await settle()


async def running(host: Host) -> MemoryConsole:
    await host.api.call("vm.create", {"name": "a", "memory": 64})
    await host.api.call("vm.start", 1)
    return await console_of(host)


async def console_of(host: Host) -> MemoryConsole:
    """The guest's end of its console."""
    (vm,) = await host.api.call("vm.query")
    console = await host.engine.console(vm["uuid"])
    assert isinstance(console, MemoryConsole)
    return console


@pytest.mark.parametrize("path", ["/websocket/shell", "/_shell"])
async def test_what_the_guest_writes_is_seen_and_what_is_typed_arrives(tmp_path: Path, path: str) -> None:
    async with server(tmp_path) as host:
        console = await running(host)
        async with shell(host, path) as socket:
            greeting = await opened(host, socket)
            assert greeting["msg"] == "connected"
            assert len(greeting["id"]) == 36
            console.print(b"login: ")
            assert await output(socket, b"login: ") == b"login: "
            await socket.send_bytes(b"root\r")
            assert await output(socket, b"root\r\n") == b"root\r\n"
            await socket.send_str("typed as text\r")
            await output(socket, b"typed as text\r\n")
            await socket.send_bytes(b"\x1d")
            await output(socket, b"\x1d")


async def test_a_later_viewer_sees_what_was_written_before_and_both_see_what_comes(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        console = await running(host)
        console.print(b"booting\r\n")
        async with shell(host) as first, shell(host) as second:
            await opened(host, first)
            await output(first, b"booting")
            await opened(host, second)
            await output(second, b"booting")
            console.print(b"more")
            assert await output(first, b"more") == b"more"
            assert await output(second, b"more") == b"more"


async def test_the_viewer_is_sent_away_when_the_guest_stops(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        console = await running(host)
        async with shell(host) as socket:
            await opened(host, socket)
            console.print(b"bye")
            await output(socket, b"bye")
            await host.api.call("vm.poweroff", 1)
            message = await socket.receive(timeout=10)
            assert message.type is aiohttp.WSMsgType.CLOSE
            assert (message.data, message.extra) == (1000, "the guest has stopped")
        # The next start has a new console.
        await host.api.call("vm.start", 1)
        async with shell(host) as socket:
            assert (await opened(host, socket))["msg"] == "connected"


async def test_a_wrong_token_can_be_tried_again(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await running(host)
        async with shell(host) as socket:
            await socket.send_str("not json")
            await socket.send_json({"options": {"vm_id": 1}})
            refusal = await opened(host, socket, token="nonsense")
            assert refusal == {"msg": "failed", "error": {"error": 207, "reason": "Invalid token"}}
            bound = await host.api.call("auth.generate_token", 60, {"for": 1})
            assert (await opened(host, socket, token=bound))["msg"] == "failed"
            assert (await opened(host, socket))["msg"] == "connected"


@pytest.mark.parametrize(
    ("vm", "text"), [(9, "VM 9 does not exist"), ("1", "does not exist"), (None, "vm_id")]
)
async def test_unknown_vms_are_told(tmp_path: Path, vm: Any, text: str) -> None:
    async with server(tmp_path) as host, shell(host) as socket:
        await running(host)
        refusal = await opened(host, socket, vm)
        assert refusal["msg"] == "failed"
        assert text in refusal["error"]["reason"]
        assert (await socket.receive(timeout=10)).type is aiohttp.WSMsgType.CLOSE


async def test_a_vm_that_does_not_run_has_no_console(tmp_path: Path) -> None:
    async with server(tmp_path) as host, shell(host) as socket:
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        refusal = await opened(host, socket)
        assert refusal["error"]["reason"].startswith("no console of VM 1 (a): ")


async def test_reading_is_not_enough_for_a_console(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await running(host)
        await account(host, "alice", "open sesame", "READONLY_ADMIN")
        await api.call("auth.login", "alice", "open sesame")
        token = await api.call("auth.generate_token", 60, {}, False)
        async with shell(host) as socket:
            refusal = await opened(host, socket, token=token)
            assert refusal["error"] == {"error": 13, "reason": "the role VM_WRITE is required for a console"}


async def test_a_viewer_that_leaves_disturbs_nobody(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        console = await running(host)
        async with shell(host) as stays:
            await opened(host, stays)
            async with shell(host) as leaves:
                await opened(host, leaves)
            console.print(b"still here")
            assert await output(stays, b"still here") == b"still here"
            await stays.send_bytes(b"x")
            await output(stays, b"x")
        assert json.dumps(await host.api.call("core.ping")) == '"pong"'


async def test_frames_are_no_larger_than_those_of_truenas(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        console = await running(host)
        async with shell(host) as socket:
            await opened(host, socket)
            console.print(b"x" * 5000)
            seen: list[int] = []
            while sum(seen) < 5000:
                seen.append(len((await socket.receive(timeout=10)).data))
            assert max(seen) == 1024


async def test_the_output_of_before_is_there_after_a_restart_and_so_is_that_of_between(
    tmp_path: Path,
) -> None:
    engine = MemoryEngine(ManualClock())
    async with server(tmp_path, engine=engine) as host:
        console = await running(host)
        async with shell(host) as socket:
            await opened(host, socket)
            console.print(b"before, ")
            await output(socket, b"before, ")
    console.print(b"between, ")
    async with server(tmp_path, engine=engine) as host, shell(host) as socket:
        await opened(host, socket)
        (await console_of(host)).print(b"after")
        assert await output(socket, b"after") == b"before, between, after"
        await host.api.call("vm.poweroff", 1)
        await host.api.call("vm.start", 1)
        async with shell(host) as another:
            await opened(host, another)
            (await console_of(host)).print(b"a new run")
            assert await output(another, b"run") == b"a new run"


async def test_who_stops_the_server_sends_the_viewers_away(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        host = await stack.enter_async_context(server(tmp_path))
        await running(host)
        async with shell(host) as socket:
            await opened(host, socket)
            closing = asyncio.ensure_future(stack.aclose())
            message = await socket.receive(timeout=10)
            assert (message.data, message.extra) == (1000, "the server is stopping")
            async with asyncio.timeout(3):
                await closing


async def test_a_viewer_that_takes_nothing_is_cut_off_and_nobody_waits_for_it(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        console = await running(host)
        async with shell(host) as stays, shell(host) as stalls:
            await opened(host, stays)
            await opened(host, stalls)
            transport = stalls._response.connection.transport  # type: ignore[union-attr]
            assert transport is not None
            transport.pause_reading()
            line = b"0123456789" * 102 + b"\r\n"
            for _ in range(20):
                console.print(line * 64)
                assert await output(stays, line) is not None
            await until(lambda: host.clock.next_timer is not None)
            await host.pass_time(120)
            transport.resume_reading()
            while (message := await stalls.receive(timeout=10)).type is aiohttp.WSMsgType.BINARY:
                pass
            assert message.type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
            console.print(b"still here")
            await output(stays, b"still here")


async def test_typing_more_than_the_guest_takes_waits_and_ends_when_it_takes_nothing(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        console = await running(host)
        async with shell(host) as socket:
            await opened(host, socket)
            console.takes_input.clear()
            for _ in range(5):
                await socket.send_bytes(b"x" * 30_000)
            await until(lambda: host.clock.next_timer is not None)
            await host.pass_time(61)
            message = await socket.receive(timeout=10)
            assert (message.data, message.extra) == (1008, "the guest does not take what is typed")
        async with shell(host) as socket:
            console.takes_input.set()
            await opened(host, socket)
            await socket.send_bytes(b"y" * 150_000 + b"\r")
            assert (await output(socket, b"\n")).count(b"y") == 150_000


async def test_the_size_of_a_terminal_can_be_told(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await running(host)
        async with shell(host) as socket:
            greeting = await opened(host, socket)
            assert await host.api.call("core.resize_shell", greeting["id"], 132, 43) is None
            viewer = host.server.services.consoles.viewer(greeting["id"])
            assert viewer is not None
            assert viewer.size == (132, 43)
            for cols, rows in ((0, 24), (80, 0), (80, 65536), ("80", 24)):
                assert (await host.api.failure("core.resize_shell", greeting["id"], cols, rows)).errno == 22
        for unknown in (greeting["id"], "nonsense"):
            failure = await host.api.failure("core.resize_shell", unknown, 80, 24)
            assert (failure.errno, failure.reason) == (2, "[ENOENT] Shell does not exist")
        async with host.connect(over_tcp=True) as api:
            assert (await api.failure("core.resize_shell", "nonsense", 80, 24)).errno == 207


async def test_the_log_of_a_console_can_be_read_whether_the_guest_runs_or_not(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        console = await running(host)
        assert await host.api.call("vm.console_log", 1) == ""
        console.print(b"first run \xff\x1b[6n")
        assert await host.api.call("vm.console_log", 1) == "first run \N{REPLACEMENT CHARACTER}"
        await host.api.call("vm.poweroff", 1)
        assert (await host.api.call("vm.console_log", 1)).startswith("first run")
        await host.api.call("vm.start", 1)
        (await console_of(host)).print(b"second run")
        assert await host.api.call("vm.console_log", 1) == "second run"
        assert (await host.api.call("vm.console_log", 1, {"previous": True})).startswith("first run")
        assert (await host.api.failure("vm.console_log", 9)).errno == 22
        assert (await host.api.failure("vm.console_log", 1, {"nonsense": 1})).attributes == [
            "options.nonsense"
        ]
        await account(host, "alice", "open sesame", "READONLY_ADMIN")
        await api.call("auth.login", "alice", "open sesame")
        assert (await api.failure("vm.console_log", 1)).errno == 13


async def test_a_deleted_vm_leaves_no_log_and_a_vm_without_a_log_starts(tmp_path: Path) -> None:
    consoles = tmp_path / "state" / "consoles"
    async with server(tmp_path) as host:
        console = await running(host)
        console.print(b"a secret")
        assert len(list(consoles.rglob("*.log"))) == 1
        await host.api.call("vm.delete", 1, {"force": True})
        assert list(consoles.iterdir()) == []
        consoles.rmdir()
        consoles.write_text("in the way")
        await host.api.call("vm.create", {"name": "b", "memory": 64})
        await host.api.call("vm.start", 2)
        async with shell(host) as socket:
            await opened(host, socket, 2)
            (await console_of(host)).print(b"no log, but a console")
            await output(socket, b"but a console")


async def test_the_thirty_third_viewer_is_told_why_it_cannot_be_served(tmp_path: Path) -> None:
    async with server(tmp_path) as host, AsyncExitStack() as stack:
        await running(host)
        token = await host.api.call("auth.generate_token")
        for _ in range(MOST_VIEWERS):
            socket = await stack.enter_async_context(shell(host))
            assert (await opened(host, socket, token=token))["msg"] == "connected"
        async with shell(host) as socket:
            refusal = await opened(host, socket, token=token)
            assert refusal["error"]["error"] == 16
            assert "has 32 viewers" in refusal["error"]["reason"]


async def test_the_consoles_of_guests_of_others_are_left_to_them(tmp_path: Path) -> None:
    """Several programs, and several servers, may share a libvirt; a console has one reader."""
    async with server(tmp_path) as host:
        uuid = "0b3f9e2a-6b52-4d5c-8f2e-3d6a1c9e7b40"
        document = f"<domain><name>theirs</name><uuid>{uuid}</uuid></domain>"
        await host.engine.define(Domain(uuid, "theirs", document.encode()))
        await host.engine.start(uuid)
        theirs = await host.engine.console(uuid)
        assert isinstance(theirs, MemoryConsole)
        # What is done about the first has been done when the second is read.
        mine = await running(host)
        async with shell(host) as socket:
            await opened(host, socket)
            theirs.print(b"for them")
            mine.print(b"for me")
            await output(socket, b"for me")
        async with asyncio.timeout(10):
            assert await anext(aiter(theirs)) == b"for them"
