"""Recorded conversations of TrueNAS's clients, held with this server: the same answers, in the same order."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.conversations import NAMES, conversation, differences, filled_in
from tests.api.test_auth import account, api_key
from tests.harness import PATIENCE, Host, server


async def prepare(host: Host, tank: Path, given: str) -> str:
    """The machine of the recordings; returns the key of somebody who may do everything."""
    for name in ("one.iso", "two.iso"):
        (tank / name).write_bytes(b"\0" * 2048)
    await host.api.call("vm.create", {"name": "testvm", "description": "seed", "memory": 512})
    disk = {"dtype": "DISK", "type": "VIRTIO", "create_zvol": True, "zvol_volsize": 1 << 20}
    for attributes in (
        {**disk, "zvol_name": "tank/disk0"},
        {"dtype": "NIC", "type": "VIRTIO"},
        {"dtype": "DISPLAY", "bind": "0.0.0.0", "password": "pw"},
    ):
        await host.api.call("vm.device.create", {"vm": 1, "attributes": attributes})
    if given == "running":
        await host.api.call("vm.start", 1)
    return await api_key(host, await account(host))


class Held:
    """A conversation that is being held."""

    def __init__(self, host: Host, socket: aiohttp.ClientWebSocketResponse, key: str) -> None:
        self._host = host
        self._socket = socket
        self._known: dict[str, Any] = {"<key>": key}
        self._frames: list[Any] = []

    async def step(self, step: dict[str, Any]) -> None:
        match step:
            case {"client": frame}:
                await self._socket.send_str(json.dumps(filled_in(frame, self._known)))
            case {"server": shape}:
                frame = await self._next()
                assert differences(frame, shape) == [], frame
                self._known[f"<result of {frame.get('id')}>"] = frame.get("result")
            case {"repeat": shape}:
                while not differences(frame := await self._next(), shape):
                    pass
                self._frames.append(frame)
            case {"get": place}:
                await self._get(self._known[place][1])
            case _:
                raise AssertionError(f"no step: {step}")

    async def _next(self) -> Any:
        if self._frames:
            return self._frames.pop()
        async with asyncio.timeout(PATIENCE):
            return json.loads(await self._socket.receive_str())

    async def _get(self, path: str) -> None:
        async with self._host.http.get(self._host.tcp_url.replace("ws:", "http:") + path) as response:
            assert response.status == 200
            assert response.content_type == "application/octet-stream"
            await response.read()


@pytest.mark.parametrize("name", NAMES)
async def test_a_recorded_conversation_goes_as_it_went(tmp_path: Path, name: str) -> None:
    held = conversation(name)
    tank = tmp_path / "tank"
    tank.mkdir()
    async with server(tmp_path, pools={"tank": tank}) as host:
        key = await prepare(host, tank, held["given"])
        async with host.dial(held["path"], over_tcp=True) as socket:
            each = Held(host, socket, key)
            for step in held["steps"]:
                await each.step(step)


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (1, "text"),
        (True, "number"),
        (1, "flag"),
        (None, "text"),
        ("a", "null"),
        ("a", "=b"),
        ({"$date": "x"}, "date"),
        ([1, "a"], ["number"]),
        ({}, ["number"]),
        ([1], {"each": []}),
        ({"a": 1}, {"a": "number", "b": "any"}),
        ({"a": 1, "b": 2}, {"a": "number"}),
        ({"a": {"b": "x"}}, {"a": {"b": "number"}}),
        ("x", "number|null"),
        ({"dtype": "NIC"}, "@disk|@nic"),
        (0, False),
        (1, 2),
    ],
)
def test_what_looks_otherwise_is_noticed(value: object, shape: object) -> None:
    assert differences(value, shape)
