"""Pages of other servers cannot connect; programs and the server's own pages can."""

from pathlib import Path

import aiohttp
import pytest

from tests.harness import Host, server


async def connects(host: Host, origin: str | None, *, over_tcp: bool = True, as_host: str = "") -> bool:
    """Whether a WebSocket is let in that says it belongs to a page of that origin."""
    headers = ({"Origin": origin} if origin is not None else {}) | ({"Host": as_host} if as_host else {})
    try:
        async with host.dial("/api/current", over_tcp=over_tcp, headers=headers, ssl=False) as socket:
            await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "core.ping"})
            return bool((await socket.receive_json())["result"] == "pong")
    except aiohttp.WSServerHandshakeError as refused:
        return refused.status != 403


async def test_programs_name_no_page_or_the_address_they_connect_to(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        own = host.tcp_url.replace("ws:", "http:")
        assert await connects(host, None)
        assert await connects(host, own)
        assert await connects(host, own.upper().replace("HTTP", "http"))


@pytest.mark.parametrize(
    "origin",
    [
        *("http://evil.example", "https://127.0.0.1", "http://127.0.0.1", "http://127.0.0.1:1"),
        *("null", "", "file://", "http://", "http://[", "http://127.0.0.1:99999", "ws://127.0.0.1"),
    ],
)
async def test_pages_of_others_are_refused(tmp_path: Path, origin: str) -> None:
    async with server(tmp_path) as host:
        assert not await connects(host, origin)
        assert await host.api.call("core.ping") == "pong"


async def test_a_page_is_known_by_the_name_it_was_asked_for(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for origin, name, good in (
            ("http://vm.example", "vm.example", True),
            ("http://vm.example:80", "vm.example", True),
            ("http://vm.example", "vm.example:80", True),
            # A proxy in front has taken the encryption off.
            ("https://vm.example", "vm.example", True),
            ("https://vm.example", "vm.example:443", True),
            ("http://[::1]:6080", "[::1]:6080", True),
            ("http://vm.example:6080", "vm.example", False),
            ("http://vm.example.evil", "vm.example", False),
            ("http://vm.example@evil.example", "vm.example", False),
        ):
            assert await connects(host, origin, as_host=name) is good, origin


async def test_where_the_server_encrypts_an_unencrypted_page_is_not_its_own(tmp_path: Path) -> None:
    async with server(tmp_path, tls=True) as host:
        own = host.tcp_url.replace("wss:", "https:")
        assert await connects(host, own)
        assert not await connects(host, own.replace("https:", "http:"))
        assert not await connects(host, "http://vm.example", as_host="vm.example")


async def test_others_can_be_allowed(tmp_path: Path) -> None:
    async with server(tmp_path, origins=("https://vm.example", "http://localhost:4200/")) as host:
        for origin, good in (
            ("https://vm.example", True),
            ("https://vm.example:443", True),
            ("http://localhost:4200", True),
            ("http://vm.example", False),
            ("https://localhost:4200", False),
            ("https://a.vm.example", False),
        ):
            assert await connects(host, origin) is good, origin


async def test_nobody_asks_on_a_unix_socket(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for origin in ("http://localhost", "http://evil.example", "null"):
            assert await connects(host, origin, over_tcp=False)
        assert await connects(host, None, over_tcp=False, as_host="anything at all")


async def test_every_other_address_is_closed_to_them_too(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        base = host.tcp_url.replace("ws:", "http:")
        headers = {"Origin": "http://evil.example"}
        for path in ("/websocket", "/websocket/shell", "/_shell", "/_download/1", "/healthz", "/nowhere"):
            async with host.http.get(base + path, headers=headers) as response:
                assert response.status == 403, path
                assert "setting origins" in await response.text()
        async with host.http.post(f"{base}/_upload", headers=headers) as response:
            assert response.status == 403
