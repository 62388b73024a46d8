"""Displays over WebSockets: tickets, who is let in, and what a viewer who only looks cannot do.

The test plays the guest's side: bytes that arrive there are what the viewer was allowed to say.
"""

import asyncio
import socket
import struct
from base64 import b64decode
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.api.test_auth import account
from tests.harness import PATIENCE, Api, Host, server

KEY = rsa.generate_private_key(public_exponent=65537, key_size=1024)
#: Both protocols of the common kind: a choice of the way to log in, and short headers.
CAPABILITIES = 0b1001


async def running(host: Host, **attributes: Any) -> None:
    await host.api.call("vm.create", {"name": "a", "memory": 64})
    device = {"vm": 1, "attributes": {"dtype": "DISPLAY", **attributes}}
    await host.api.call("vm.device.create", device)
    await host.api.call("vm.start", 1)


async def reader(host: Host, api: Api) -> None:
    """Log a client in that may only look."""
    if host.server.services.accounts.by_name("alice") is None:
        await account(host, "alice", "open sesame", "READONLY_ADMIN")
    assert await api.call("auth.login", "alice", "open sesame")


class Browser:
    """A viewer."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.ws = ws

    @classmethod
    async def open(cls, host: Host, api: Api, origin: str | None = None, **options: Any) -> "Browser":
        ticket = await api.call("vm.get_display_ticket", 1, options)
        return await cls.at(host, ticket["path"], origin)

    @classmethod
    async def at(cls, host: Host, path: str, origin: str | None = None) -> "Browser":
        url = f"{host.tcp_url}{path}"
        return cls(await host.http.ws_connect(url, protocols=["binary"], origin=origin))

    async def closed(self) -> tuple[int | None, str]:
        """How the connection ends."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message = await self.ws.receive()
                if message.type is aiohttp.WSMsgType.CLOSE:
                    return message.data, message.extra or ""
                assert message.type is aiohttp.WSMsgType.BINARY, message


class Guest:
    """The display of a guest: the other end of what was opened last."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    @classmethod
    async def of(cls, host: Host) -> "Guest":
        async with asyncio.timeout(PATIENCE):
            return cls(await host.engine.displays.get())

    async def read(self, count: int) -> bytes:
        loop, data = asyncio.get_running_loop(), b""
        async with asyncio.timeout(PATIENCE):
            while len(data) < count:
                piece = await loop.sock_recv(self.connection, count - len(data))
                assert piece, data
                data += piece
        return data

    async def write(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self.connection, data)


async def spice(browser: Browser, host: Host, channel: int) -> tuple[Guest, bytes]:
    """Open a channel; returns the guest's end, and the password that it was given."""
    body = struct.pack("<IBBIIII", 0, channel, 0, 1, 0, 18, CAPABILITIES)
    await browser.ws.send_bytes(struct.pack("<4sIII", b"REDQ", 2, 2, len(body)) + body)
    guest = await Guest.of(host)
    assert (await guest.read(16 + len(body)))[16:] == body
    key = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    reply = struct.pack("<I162sIIII", 0, key, 1, 0, 178, CAPABILITIES)
    await guest.write(struct.pack("<4sIII", b"REDQ", 2, 2, len(reply)) + reply)
    assert (await browser.ws.receive_bytes(timeout=PATIENCE))[16:] == reply
    await browser.ws.send_bytes(struct.pack("<I", 1) + b"\xff" * 128)
    assert await guest.read(4) == struct.pack("<I", 1)
    oaep = padding.OAEP(padding.MGF1(SHA1()), SHA1(), None)
    return guest, KEY.decrypt(await guest.read(128), oaep)


async def as_user(host: Host, api: Api) -> Api:
    """A client over TCP with all rights: tickets are good where they were asked for."""
    token = await host.api.call("auth.generate_token", 60, {}, False)
    await api.call("auth.login_with_token", token)
    return api


async def test_a_spice_channel_is_logged_in_by_the_server(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await running(host, password="secret")
        await as_user(host, api)
        browser = await Browser.open(host, api)
        guest, password = await spice(browser, host, channel=1)
        assert password == b"\0"
        await guest.write(b"pixels")
        assert await browser.ws.receive_bytes(timeout=PATIENCE) == b"pixels"
        await browser.ws.send_bytes(b"keys")
        assert await guest.read(4) == b"keys"
        guest.connection.close()
        assert await browser.closed() == (1000, "the guest has closed the display")


async def test_who_only_looks_reaches_neither_the_keyboard_nor_the_clipboard_of_spice(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await running(host)
        await reader(host, api)
        ticket = await api.call("vm.get_display_ticket", 1)
        assert ticket["view_only"] is True
        inputs = await Browser.at(host, ticket["path"])
        body = struct.pack("<IBBIIII", 0, 3, 0, 1, 0, 18, CAPABILITIES)
        await inputs.ws.send_bytes(struct.pack("<4sIII", b"REDQ", 2, 2, len(body)) + body)
        assert await inputs.closed() == (1008, "this viewer may not open that channel")
        browser = await Browser.at(host, ticket["path"])
        guest, _ = await spice(browser, host, channel=1)
        clipboard, attach = struct.pack("<HI", 107, 5) + b"paste", struct.pack("<HI", 104, 0)
        await browser.ws.send_bytes(clipboard[:4])
        await browser.ws.send_bytes(clipboard[4:] + attach)
        assert await guest.read(6) == attach


async def test_who_only_looks_types_nothing_over_vnc(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await running(host, type="VNC")
        await reader(host, api)
        browser = await Browser.open(host, api)
        guest = await Guest.of(host)
        await browser.ws.send_bytes(b"RFB 003.008\n\x01\x00")
        assert await guest.read(14) == b"RFB 003.008\n\x01\x01"
        update = struct.pack(">BBHHHH", 3, 0, 0, 0, 640, 480)
        await browser.ws.send_bytes(struct.pack(">BBHI", 4, 1, 0, 65) + update)
        assert await guest.read(10) == update
        await browser.ws.send_bytes(b"\x07")
        assert await browser.closed() == (1008, "message 7 is not known")


async def test_a_spice_display_has_one_viewer_until_another_takes_it_over(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await running(host)
        await as_user(host, api)
        first = await Browser.open(host, api)
        await spice(first, host, channel=1)
        refusal = await api.failure("vm.get_display_ticket", 1)
        assert refusal.errno == 16
        assert "root looks at this display" in refusal.reason
        async with host.connect(over_tcp=True) as other:
            await reader(host, other)
            refusal = await other.failure("vm.get_display_ticket", 1, {"take_over": True})
            assert "who only looks cannot take it over" in refusal.reason
        second = await Browser.open(host, api, take_over=True)
        await asyncio.gather(spice(second, host, channel=1), first.closed())
        assert host.server.services.viewers.of(1)[0].username == "root"


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
async def test_pages_of_other_servers_are_refused(tmp_path: Path, origin: str) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await running(host)
        await as_user(host, api)
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await Browser.open(host, api, origin=origin)
        assert refusal.value.status == 403
        same = host.tcp_url.replace("ws", "http")
        assert (await Browser.open(host, api, origin=same)).ws.protocol == "binary"


async def test_a_ticket_is_for_one_display_and_ends_with_its_session(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await running(host)
        await host.api.call("vm.device.create", {"vm": 1, "attributes": {"dtype": "DISPLAY", "type": "VNC"}})
        gone = (1008, "the ticket is no longer valid, or for something else")
        async with host.connect(over_tcp=True) as api:
            await as_user(host, api)
            path = (await api.call("vm.get_display_ticket", 1))["path"]
            assert path.startswith("/vm/display/1/?ticket=")
            assert await (await Browser.at(host, path.replace("/1/", "/2/"))).closed() == gone
            host.clock.advance(31)
            assert await (await Browser.at(host, path)).closed() == gone
        assert await (await Browser.at(host, "/vm/display/1/?ticket=nonsense")).closed() == gone


async def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await running(host, web=False)
        for params, text in (
            ([9], "VM 9 does not exist"),
            ([1], "Web display is not configured"),
            ([1, {"device": 7}], "VM 1 has no display with the id 7"),
        ):
            assert text in (await host.api.failure("vm.get_display_ticket", *params)).reason
        await host.api.call("vm.poweroff", 1)
        assert "is not running" in (await host.api.failure("vm.get_display_ticket", 1)).reason
        await host.api.call("vm.create", {"name": "b", "memory": 64})
        await host.api.call("vm.start", 2)
        assert "not configured" in (await host.api.failure("vm.get_display_ticket", 2)).reason


async def test_a_ticket_takes_a_role(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await running(host)
        await account(host, "bob", "open sesame", "POOL_READ")
        assert await api.call("auth.login", "bob", "open sesame")
        assert (await api.failure("vm.get_display_ticket", 1)).errno == 13


async def test_a_picture_of_the_screen(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await running(host)
        picture = b64decode(await host.api.call("vm.get_screenshot", 1))
        assert picture.startswith(b"\x89PNG")
        assert struct.unpack(">II", picture[16:24]) == (64, 48)
        await host.api.call("vm.poweroff", 1)
        assert (await host.api.failure("vm.get_screenshot", 1)).errno == 11
        assert "VM 9 does not exist" in (await host.api.failure("vm.get_screenshot", 9)).reason
        async with host.connect(over_tcp=True) as api:
            await account(host, "bob", "open sesame", "POOL_READ")
            assert await api.call("auth.login", "bob", "open sesame")
            assert (await api.failure("vm.get_screenshot", 1)).errno == 13
