"""The protocol of ``/websocket``, on the wire: the same server, spoken to the older way."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.harness import PATIENCE, Host, server


class Ddp:
    """A client that has said hello."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket
        self._number = 0
        self.events: list[dict[str, Any]] = []

    async def send(self, **message: object) -> None:
        await self.socket.send_str(json.dumps(message))

    async def receive(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            message: dict[str, Any] = json.loads(await self.socket.receive_str())
        return message

    async def call(self, method: str, *params: object) -> Any:
        """The result, or the error object; what is told meanwhile is kept."""
        self._number += 1
        await self.send(msg="method", id=f"m{self._number}", method=method, params=params)
        while True:
            message = await self.receive()
            if message.get("id") == f"m{self._number}" and message["msg"] == "result":
                return message.get("error", message.get("result"))
            self.events.append(message)


@asynccontextmanager
async def connected(host: Host, *, over_tcp: bool = False) -> AsyncIterator[Ddp]:
    async with host.dial("/websocket", over_tcp=over_tcp) as socket:
        client = Ddp(socket)
        await client.send(msg="connect", version="1", support=["1"], features=[])
        hello = await client.receive()
        assert hello.keys() == {"msg", "session"}
        assert hello["msg"] == "connected"
        yield client


async def test_calls_are_answered_with_the_same_results(tmp_path: Path) -> None:
    async with server(tmp_path) as host, connected(host) as client:
        vm = await client.call("vm.create", {"name": "a", "memory": 64})
        assert vm == await host.api.call("vm.get_instance", vm["id"])
        assert await client.call("vm.query", [["name", "=", "a"]], {"count": True}) == 1
        assert await client.call("vm.start", vm["id"]) is None


async def test_errors_are_told_in_its_own_form(tmp_path: Path) -> None:
    async with server(tmp_path) as host, connected(host) as client:
        missing = await client.call("vm.get_instance", 9)
        assert (missing["error"], missing["type"]) == (2, "VALIDATION")
        wrong = await client.call("vm.create", {"name": "a", "memory": 1})
        assert (wrong["error"], wrong["type"]) == (11, "VALIDATION")
        assert wrong["extra"] == [["vm_create.memory", "Input should be greater than or equal to 20", 22]]
        assert (await client.call("vm.nope"))["error"] == 201
        assert (await client.call("nope"))["reason"] == "[EBADMSG] Invalid method name"


async def test_jobs_are_numbers_and_name_no_calls(tmp_path: Path) -> None:
    async with server(tmp_path) as host, connected(host) as client:
        await client.call("vm.create", {"name": "a", "memory": 64})
        await client.call("vm.start", 1)
        await client.send(msg="sub", id="jobs", name="core.get_jobs")
        assert await client.receive() == {"msg": "ready", "subs": ["jobs"]}
        # Whatever a client sets, this protocol has no answer that waits.
        await client.call("core.set_options", {"legacy_jobs": False})
        number = await client.call("vm.stop", 1, {"force": True})
        while not client.events or client.events[-1]["fields"]["state"] != "SUCCESS":
            client.events.append(await client.receive())
        assert type(number) is int
        assert [event["msg"] for event in client.events][:2] == ["added", "changed"]
        for event in client.events:
            assert event.keys() == {"msg", "collection", "id", "fields"}
            assert (event["collection"], event["id"]) == ("core.get_jobs", number)
            assert event["fields"]["message_ids"] == []


async def test_a_subscription_ends_when_the_client_says_so(tmp_path: Path) -> None:
    async with server(tmp_path) as host, connected(host) as client:
        # Without waiting for anything in between: they are carried out in their order.
        await client.send(msg="sub", id="s", name="vm.query")
        await client.send(msg="unsub", id="s")
        await client.send(msg="sub", id="t", name="vm.query")
        await client.call("vm.create", {"name": "a", "memory": 64})
        await client.send(msg="unsub", id="t")
        await client.call("vm.create", {"name": "b", "memory": 64})
        kinds = [message["msg"] for message in client.events]
        assert kinds == ["ready", "ready", "added"]
        assert client.events[2]["fields"]["name"] == "a"


async def test_nobody_gets_in_without_logging_in(tmp_path: Path) -> None:
    async with server(tmp_path) as host, connected(host, over_tcp=True) as client:
        assert (await client.call("vm.query"))["error"] == 207
        await client.send(msg="sub", id="s", name="vm.query")
        refused = await client.receive()
        assert (refused["msg"], refused["id"]) == ("result", "s")
        assert (refused["error"]["error"], refused["error"]["reason"]) == (13, "Not authorized")
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        assert await client.call("core.ping") == "pong"
        assert client.events == []


async def test_what_is_no_message_ends_the_connection(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for text, code in (("{", 1007), ("[]", 1007), ("{}", 1011), ('{"msg": "sub", "id": "x"}', 1011)):
            async with connected(host) as client:
                await client.socket.send_str(text)
                assert (await client.socket.receive()).type is aiohttp.WSMsgType.CLOSE
                assert client.socket.close_code == code
        for data, code in ((b"\0", 1003), ("x" * 70_000, 1007), ('{"msg": "' + "x" * 70_000 + '"}', 1009)):
            async with connected(host) as client:
                await (
                    client.socket.send_bytes(data)
                    if isinstance(data, bytes)
                    else client.socket.send_str(data)
                )
                await client.socket.receive()
                assert client.socket.close_code == code


async def test_another_version_of_the_protocol_fails_and_may_try_again(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.dial("/websocket") as socket:
        client = Ddp(socket)
        await client.send(msg="method", id="a", method="core.ping")
        assert await client.receive() == {"msg": "failed", "version": "1"}
        await client.send(msg="connect", version="pre1")
        assert await client.receive() == {"msg": "failed", "version": "1"}
        await client.send(msg="connect", version="1")
        assert (await client.receive())["msg"] == "connected"
        assert await client.call("core.ping") == "pong"


async def test_too_many_calls_at_once_are_refused(tmp_path: Path) -> None:
    async with server(tmp_path) as host, connected(host) as client:
        hold = asyncio.Event()

        async def held() -> Any:
            await hold.wait()
            return {}

        host.machine.firmware = held  # type: ignore[method-assign]
        for number in range(21):
            await client.send(msg="method", id=number, method="vm.bootloader_ovmf_choices")
        refused = await client.receive()
        assert (refused["id"], refused["error"]["error"]) == (20, 109)
        assert refused["error"]["reason"] == "Maximum number of concurrent calls (20) has exceeded."
        hold.set()
        assert sorted([(await client.receive())["id"] for _ in range(20)]) == [*range(20)]
