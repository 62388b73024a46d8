"""The console connection: its handshake, and bytes both ways."""

from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.unit.client.conftest import Serve
from vmstead.client import CallTimeout, ConnectError, ConnectionLostError
from vmstead.client.shell import ShellConnection

SOON = 0.05
CONNECTED = {"msg": "connected", "id": "shell-1"}


async def echo(socket: web.WebSocketResponse, opening: dict[str, Any]) -> None:
    await socket.send_json(CONNECTED)
    async for message in socket:
        assert isinstance(message.data, bytes), "input must be binary"
        if message.data == b"bye":
            return
        await socket.send_bytes(message.data.upper())


def test_bytes_both_ways(serve: Serve) -> None:
    server = serve(shell=echo)
    for uri in (server.uri, server.tcp_uri, server.tcp_uri + "/api/current"):
        with ShellConnection(uri, "t", 4) as shell:
            assert shell.id == "shell-1"
            assert shell.fileno() >= 0
            assert shell.read(SOON) is None
            shell.write(b"abc")
            assert shell.read() == b"ABC"
            shell.ping()
            assert shell.read(0) is None
            shell.write(b"bye")
            assert shell.read() == b""
            assert shell.read() == b""
            with pytest.raises(ConnectionLostError):
                shell.write(b"more")
    assert server.paths == ["/_shell", "/websocket/shell", "/websocket/shell"]


def test_the_opening_message(serve: Serve) -> None:
    got: list[Any] = []

    async def keep(socket: web.WebSocketResponse, opening: dict[str, Any]) -> None:
        got.append(opening)
        await socket.send_json(CONNECTED)

    with ShellConnection(serve(shell=keep).uri, "the-token", 17):
        pass
    assert got == [{"token": "the-token", "options": {"vm_id": 17}}]


def test_output_that_comes_before_the_handshake_ends(serve: Serve) -> None:
    async def hasty(socket: web.WebSocketResponse, opening: dict[str, Any]) -> None:
        await socket.send_bytes(b"one ")
        await socket.send_str("not json")
        await socket.send_str('{"msg": "something new"}')
        await socket.send_bytes(b"two ")
        await socket.send_json(CONNECTED)
        await socket.send_str("about the console")
        await socket.send_bytes(b"")
        await socket.send_bytes(b"three")

    with ShellConnection(serve(shell=hasty).uri, "t", 4) as shell:
        assert shell.pending()
        assert [shell.read(), shell.read()] == [b"one ", b"two "]
        assert not shell.pending()
        assert [shell.read(), shell.read()] == [b"three", b""]


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"msg": "failed", "error": {"error": 207, "reason": "Invalid token"}}, "Invalid token"),
        ({"msg": "failed", "error": None}, "did not say why"),
        ({"msg": "failed"}, "did not say why"),
    ],
)
def test_refused(serve: Serve, message: dict[str, Any], text: str) -> None:
    async def refuse(socket: web.WebSocketResponse, opening: dict[str, Any]) -> None:
        await socket.send_json(message)
        await socket.receive()

    with pytest.raises(ConnectError, match=text) as caught:
        ShellConnection(serve(shell=refuse).uri, "secret-token", 4)
    assert "secret" not in str(caught.value)


def test_closed_without_a_word(serve: Serve) -> None:
    async def leave(socket: web.WebSocketResponse, opening: dict[str, Any]) -> None:
        pass

    with pytest.raises(ConnectError, match=r"gave no console: The server closed the connection \(1000\)"):
        ShellConnection(serve(shell=leave).uri, "t", 4)


def test_no_console_in_time(serve: Serve) -> None:
    async def wait(socket: web.WebSocketResponse, opening: dict[str, Any]) -> None:
        await socket.receive()

    with pytest.raises(CallTimeout, match="did not open the console in time"):
        ShellConnection(serve(shell=wait).uri, "t", 4, timeout=SOON)


def test_broken(serve: Serve) -> None:
    async def break_off(socket: web.WebSocketResponse, opening: dict[str, Any]) -> None:
        await socket.send_json(CONNECTED)
        await socket.receive()
        transport = socket._req.transport if socket._req is not None else None
        assert transport is not None
        transport.abort()

    with ShellConnection(serve(shell=break_off).uri, "t", 4) as shell:
        shell.write(b"x")
        with pytest.raises(ConnectionLostError):
            shell.read()


def test_tls_data_that_has_left_the_socket(serve: Serve, certificate: Path) -> None:
    async def burst(socket: web.WebSocketResponse, opening: dict[str, Any]) -> None:
        await socket.send_json(CONNECTED)
        await socket.receive()
        for _ in range(200):
            await socket.send_bytes(b"x" * 50)

    server = serve(shell=burst, certificate=certificate)
    with ShellConnection(server.tcp_uri, "t", 4, verify_tls=False) as shell:
        shell.write(b"go")
        count = 0
        while data := shell.read():
            count += len(data)
        assert count == 10_000
