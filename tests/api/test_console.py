"""The serial console over ``/websocket/shell``."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.test_auth import account
from tests.harness import Host, server
from vmstead.adapters.memory_engine import MemoryConsole


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


async def running(host: Host) -> MemoryConsole:
    vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
    await host.api.call("vm.start", 1)
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
            bound = await host.api.call("auth.generate_token", 60, {"job": 1})
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
