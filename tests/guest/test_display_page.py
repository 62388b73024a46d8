"""Displays of real guests through the server, as browsers open them: SPICE and VNC, without a password."""

import struct
from base64 import b64decode
from typing import Any, Self

import aiohttp
from yarl import URL

from tests.guest.guests import Host, host
from tests.guest.test_life import raw_guest

#: Both protocols of the common kind: a choice of the way to log in, and short headers.
CAPABILITIES = 0b1001


async def displays(here: Host, vm: int) -> dict[str, int]:
    found = {}
    for kind in ("SPICE", "VNC"):
        attributes = {"dtype": "DISPLAY", "type": kind, "password": "sesame"}
        device = await here.call("vm.device.create", {"vm": vm, "attributes": attributes})
        found[kind] = device["id"]
    return found


class Viewer:
    """A viewer that holds the API's connection too, with which its ticket ends."""

    def __init__(self, here: Host, vm: int) -> None:
        self.here, self.vm = here, vm
        self.seen = b""

    async def __aenter__(self) -> Self:
        path = self.here.uri.removeprefix("ws+unix://")
        self.http = aiohttp.ClientSession(connector=aiohttp.UnixConnector(path))
        self.api = await self.http.ws_connect("ws://localhost/api/current")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.close()

    async def call(self, method: str, *params: Any) -> Any:
        await self.api.send_json({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
        answer = await self.api.receive_json(timeout=30)
        assert "result" in answer, answer
        return answer["result"]

    async def open(self, **options: Any) -> aiohttp.ClientWebSocketResponse:
        ticket = await self.call("vm.get_display_ticket", self.vm, options)
        self.seen = b""
        return await self.http.ws_connect(URL(f"ws://localhost{ticket['path']}"), protocols=["binary"])

    async def read(self, socket: aiohttp.ClientWebSocketResponse, count: int) -> bytes:
        while len(self.seen) < count:
            message = await socket.receive(timeout=30)
            assert message.type is aiohttp.WSMsgType.BINARY, message
            self.seen += message.data
        taken, self.seen = self.seen[:count], self.seen[count:]
        return taken


async def log_in_spice(viewer: Viewer, socket: aiohttp.ClientWebSocketResponse, channel: int) -> int:
    """Open a channel as a browser does; what it sends as password is nonsense."""
    body = struct.pack("<IBBIIII", 0, channel, 0, 1, 0, 18, CAPABILITIES)
    await socket.send_bytes(struct.pack("<4sIII", b"REDQ", 2, 2, len(body)) + body)
    magic, _, _, size = struct.unpack("<4sIII", await viewer.read(socket, 16))
    assert magic == b"REDQ"
    await viewer.read(socket, size)
    await socket.send_bytes(struct.pack("<I", 1) + bytes(128))
    result: int = struct.unpack("<I", await viewer.read(socket, 4))[0]
    return result


async def test_displays_with_passwords_are_opened_without_them() -> None:
    with host() as here:
        async with here.serving():
            vm = await raw_guest(here)
            ids = await displays(here, vm)
            await here.call("vm.start", vm)
            async with Viewer(here, vm) as viewer:
                picture = b64decode(await viewer.call("vm.get_screenshot", vm))
                assert picture.startswith(b"\x89PNG")
                assert struct.unpack(">II", picture[16:24]) > (600, 300)

                socket = await viewer.open(device=ids["VNC"])
                assert await viewer.read(socket, 12) == b"RFB 003.008\n"
                await socket.send_bytes(b"RFB 003.008\n")
                assert await viewer.read(socket, 2) == b"\x01\x01"
                await socket.send_bytes(b"\x01\x01")
                assert (await viewer.read(socket, 8))[:4] == bytes(4)
                await socket.close()

                socket = await viewer.open(device=ids["SPICE"])
                assert await log_in_spice(viewer, socket, channel=1) == 0
                kind, _ = struct.unpack("<HI", await viewer.read(socket, 6))
                assert kind == 103  # the main channel's greeting
                await here.call("vm.poweroff", vm)
                while not socket.closed:
                    await socket.receive(timeout=30)
                assert socket.close_code == 1000


async def test_a_guest_that_waits_begins_when_a_browser_looks() -> None:
    with host() as here:
        async with here.serving():
            vm = await raw_guest(here)
            attributes = {"dtype": "DISPLAY", "wait": True}
            await here.call("vm.device.create", {"vm": vm, "attributes": attributes})
            await here.call("vm.start", vm)
            assert (await here.status(vm))["state"] == "SUSPENDED"
            async with Viewer(here, vm) as viewer:
                socket = await viewer.open()
                assert await log_in_spice(viewer, socket, channel=1) == 0
                with here.console(vm) as console:
                    console.log_in()
            await here.call("vm.poweroff", vm)
