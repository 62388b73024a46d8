"""Encrypted connections, and what is said to those who do not encrypt."""

import asyncio
import json
import ssl
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.harness import PATIENCE, Host, server, settle
from tests.unit.client.certificate import self_signed
from vmstead.app import StartupError
from vmstead.kernel.clock import ManualClock


def port_of(host: Host) -> int:
    return int(host.tcp_url.rpartition(":")[2])


def today() -> ManualClock:
    """Clients look at the calendar."""
    return ManualClock(time.time())


def trusting(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate)


async def ping(host: Host, context: ssl.SSLContext) -> object:
    async with host.dial("/api/current", over_tcp=True, ssl=context) as socket:
        await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "core.ping"})
        return json.loads(await socket.receive_str())["result"]


async def plainly(host: Host, data: bytes) -> bytes:
    """What is answered to bytes that are not encrypted, until the connection is closed or quiet."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
    writer.write(data)
    async with asyncio.timeout(PATIENCE):
        answer = await reader.read(65536)
    writer.close()
    return answer


async def test_a_server_that_is_asked_to_makes_its_own_certificate(tmp_path: Path) -> None:
    async with server(tmp_path, tls=True, clock=today()) as host:
        assert host.server.addresses[1].startswith("wss://127.0.0.1:")
        own = host.config.state / "certificate.pem"
        assert await ping(host, trusting(own)) == "pong"
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await ping(host, ssl.create_default_context())
        content = own.read_bytes()
    async with server(tmp_path, tls=True, clock=today()) as host:
        assert own.read_bytes() == content


async def test_a_certificate_that_is_given_is_the_one_that_is_shown(tmp_path: Path) -> None:
    given = self_signed(tmp_path / "both.pem")
    async with server(tmp_path, tls_cert=given) as host:
        assert await ping(host, trusting(given)) == "pong"
        assert not (host.config.state / "certificate.pem").exists()


@pytest.mark.parametrize("other", [{"tls": True}, {"tls_cert": Path("/x.pem")}])
async def test_settings_that_contradict_each_other_are_not_guessed_at(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    with pytest.raises(StartupError, match=r"^plain_http is set, and so is tls or tls_cert"):
        async with server(tmp_path, plain_http=True, **other):
            pass


async def test_a_browser_without_tls_is_sent_to_the_same_address_with_it(tmp_path: Path) -> None:
    async with server(tmp_path, tls=True, clock=today()) as host:
        answer = await plainly(host, b"GET /ui/vms?x=1 HTTP/1.1\r\nHost: vm.example:6080\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 308 ")
        assert b"\r\nLocation: https://vm.example:6080/ui/vms?x=1\r\n" in answer


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /api/current HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        b"POST /_upload HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n",
        b"GET / HTTP/1.0\r\n\r\n",
    ],
)
async def test_programs_without_tls_are_told_what_is_spoken(tmp_path: Path, request_: bytes) -> None:
    async with server(tmp_path, tls=True, clock=today()) as host:
        answer = await plainly(host, request_)
        assert b" 400 " in answer.splitlines()[0]
        assert b"connect with https:// or wss://" in answer


async def test_nonsense_and_silence_hold_nobody_up(tmp_path: Path) -> None:
    async with server(tmp_path, tls=True, clock=today()) as host:
        assert b"400" in await plainly(host, b"\x00\x01nonsense\r\n\r\n")
        # A handshake that is none.
        await plainly(host, b"\x16\x03\x01\xff\xff" + b"\0" * 100)
        silent = [await asyncio.open_connection("127.0.0.1", port_of(host)) for _ in range(20)]
        _, gone = await asyncio.open_connection("127.0.0.1", port_of(host))
        gone.close()
        own = host.config.state / "certificate.pem"
        assert await ping(host, trusting(own)) == "pong"
        # Whoever says nothing is cut off.
        await settle()
        host.clock.advance(16)
        for reader, writer in silent:
            async with asyncio.timeout(PATIENCE):
                assert await reader.read() == b""
            writer.close()


async def test_it_stops_while_somebody_says_nothing(tmp_path: Path) -> None:
    async with server(tmp_path, tls=True, clock=today()) as host:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(host))
        await settle()
    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b""
    writer.close()


async def test_keys_are_accepted_where_connections_are_encrypted(tmp_path: Path) -> None:
    async with server(tmp_path, tls=True, clock=today()) as host:
        own = host.config.state / "certificate.pem"
        async with host.dial("/api/current", over_tcp=True, ssl=trusting(own)) as socket:
            call = {"jsonrpc": "2.0", "id": 1, "method": "auth.mechanism_choices"}
            await socket.send_json(call)
            assert "API_KEY_PLAIN" in json.loads(await socket.receive_str())["result"]
