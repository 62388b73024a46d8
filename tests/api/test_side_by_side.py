"""Many calls at once on one connection: in which order they are carried out, and what becomes of those who wait."""

import asyncio
import base64
import json
from pathlib import Path

import pytest

from tests.harness import PATIENCE, Host, server


def framed(method: str, *params: object) -> bytes:
    """A call as a client sends it. The mask is all zeros, which leaves the text as it is."""
    text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode().ljust(126)
    return bytes([0x81, 0x80 | 126, *len(text).to_bytes(2), 0, 0, 0, 0]) + text


#: The frame of somebody who goes.
GOODBYE = bytes([0x88, 0x80, 0, 0, 0, 0])


async def send_and_go(host: Host, *frames: bytes) -> None:
    """A client that sends all of these at once and is gone."""
    reader, writer = await asyncio.open_unix_connection(host.config.socket)
    key = base64.b64encode(bytes(16)).decode()
    writer.write(
        "GET /api/current HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
    )
    async with asyncio.timeout(PATIENCE):
        assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
    writer.write(b"".join(frames))
    await writer.drain()
    writer.close()


@pytest.mark.parametrize("last", [(), (GOODBYE,)], ids=["without a word", "with a word"])
async def test_all_that_was_sent_before_a_client_went_is_carried_out(
    tmp_path: Path, last: tuple[bytes, ...]
) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "vm.query")
        # Each waits for the disk, and there are more than run at a time; pings between them wait for nothing.
        calls = [framed("vm.create", {"name": f"a{number:02}", "memory": 64}) for number in range(15)]
        frames = [frame for call in calls for frame in (call, framed("core.ping"))]
        await send_and_go(host, *frames, *last)
        await host.api.event(lambda event: event["fields"]["name"] == "a14")
        names = {event["fields"]["name"] for event in host.api.events if event["msg"] == "added"}
        assert names == {f"a{number:02}" for number in range(15)}


async def test_what_waits_for_nothing_is_answered_in_order_however_much_there_is(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        calls = [host.api.begin("vm.query", [["id", "=", number]]) for number in range(100)]
        assert await asyncio.gather(*calls) == [[]] * 100
        ids = [frame["id"] for frame in host.api.frames]
        assert ids == sorted(ids, key=lambda each: int(each[1:]))


async def test_a_call_that_waits_keeps_no_other_waiting(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
        async with host.server.services.locks.edit(("vm", vm["id"]), "VM 1 is being looked at"):
            update = host.api.begin("vm.update", vm["id"], {"description": "b"})
            for _ in range(30):
                assert await host.api.call("core.ping") == "pong"
            assert not update.done()
        assert (await update)["description"] == "b"


async def test_a_client_that_sends_much_at_once_leaves_turns_to_others(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect() as other:
        many = [host.api.begin("core.ping") for _ in range(2000)]
        single = other.begin("core.ping")
        assert await single == "pong"
        assert not all(call.done() for call in many)
        await asyncio.gather(*many)
