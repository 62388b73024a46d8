"""Frames that are no calls, calls that are wrong, and the limits of a connection."""

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.harness import Host, server, settle


def call(method: str, *params: object, id: object = 1) -> str:
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": list(params)})


@pytest.mark.parametrize(
    ("frame", "code", "message"),
    [
        ("{", -32700, None),
        ("", -32700, None),
        ("[]", -32700, "Batch messages are not supported at this time"),
        ('[{"jsonrpc": "2.0"}]', -32700, "Batch messages are not supported at this time"),
        ('"text"', -32700, "Invalid Message Format"),
        ("7", -32700, "Invalid Message Format"),
        ('{"id": 1, "method": "core.ping"}', -32600, "Missing 'jsonrpc' member"),
        (
            '{"jsonrpc": "1.0", "id": 1, "method": "core.ping"}',
            -32600,
            "'jsonrpc' member must be of type string and must be exactly '2.0'",
        ),
        (
            '{"jsonrpc": "2.0", "id": 1.5, "method": "core.ping"}',
            -32600,
            "'id' member must be of type null, string or number",
        ),
        ('{"jsonrpc": "2.0", "id": 1}', -32600, "Missing 'method' member"),
        (
            '{"jsonrpc": "2.0", "id": 1, "method": 7}',
            -32600,
            "'method' member must be of type string",
        ),
        (
            '{"jsonrpc": "2.0", "id": 1, "method": "core.ping", "params": {}}',
            -32600,
            "'params' member must be of type array",
        ),
        (
            '{"jsonrpc": "2.0", "id": 1, "method": "core.ping", "params": null}',
            -32600,
            "'params' member must be of type array",
        ),
        ('{"jsonrpc": "2.0", "id": 1, "method": "nope.nope"}', -32601, "Method does not exist"),
        (
            '{"jsonrpc": "2.0", "id": 1, "method": "core.ping", "params": [{"$date": "x"}]}',
            -32700,
            None,
        ),
    ],
)
async def test_what_is_no_call_is_answered_with_its_fault(
    tmp_path: Path, frame: str, code: int, message: str | None
) -> None:
    async with server(tmp_path) as host:
        answer = await host.api.exchange(frame)
        assert answer["error"]["code"] == code
        assert "data" not in answer["error"]
        if message is not None:
            assert answer["error"]["message"] == message
        assert await host.api.call("core.ping") == "pong"


async def test_ids_come_back_as_they_were_sent(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for id in ("a", "", 0, 7, -1, None, 2**53, 2**63, True):
            answer = await host.api.exchange(call("core.ping", id=id))
            assert answer["id"] == id
            assert type(answer["id"]) is type(id)
            assert answer["result"] == "pong"


async def test_a_notification_is_carried_out_and_not_answered(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.send(
            '{"jsonrpc": "2.0", "method": "core.set_options", "params": [{"legacy_jobs": false}]}'
        )
        await host.api.send('{"jsonrpc": "2.0", "method": "nope.nope"}')
        await host.api.send('{"method": "core.ping"}')
        options = await host.api.call("core.set_options", {})
        assert options["legacy_jobs"] is False
        assert len(host.api.frames) == 1


async def test_params_may_be_left_out(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        answer = await host.api.exchange('{"jsonrpc": "2.0", "id": 1, "method": "core.ping"}')
        assert answer == {"jsonrpc": "2.0", "id": 1, "result": "pong"}


async def test_a_call_error_has_all_five_members(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await host.api.call("vm.create", {"name": "a", "memory": 512})
        failure = await host.api.failure("vm.poweroff", vm["id"])
        assert failure.code == -32001
        assert failure.message == "Method call error"
        assert failure.data == {
            "error": 14,
            "errname": "EFAULT",
            "reason": "[EFAULT] VM 1 (a) is not running",
            "trace": None,
            "extra": None,
        }


async def test_a_missing_object_is_a_validation_error_without_a_field(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for method, noun in (("vm.get_instance", "VM"), ("vm.device.get_instance", "VMDevice")):
            failure = await host.api.failure(method, 99)
            assert failure.code == -32602
            assert failure.data["error"] == 22
            assert failure.reason == f"[ENOENT] None: {noun} 99 does not exist"
            assert failure.data["extra"] == [[None, f"{noun} 99 does not exist", 2]]


async def test_every_problem_of_a_call_is_told_at_once(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        failure = await host.api.failure("vm.create", {"vcpus": "2", "memory": 1, "nope": 1, "time": "MOON"})
        assert failure.code == -32602
        assert failure.message == "Invalid params"
        assert sorted(failure.attributes, key=str) == [
            "vm_create.memory",
            "vm_create.name",
            "vm_create.nope",
            "vm_create.time",
            "vm_create.vcpus",
        ]
        assert "[EINVAL] vm_create.name: Field required\n" in failure.reason
        texts = {attribute: text for attribute, text, _ in failure.data["extra"]}
        assert texts["vm_create.nope"] == "Extra inputs are not permitted"
        assert texts["vm_create.vcpus"] == "Input should be a valid integer"
        assert texts["vm_create.memory"] == "Input should be greater than or equal to 20"
        assert texts["vm_create.time"] == "Input should be 'LOCAL' or 'UTC'"


@pytest.mark.parametrize(
    ("params", "attribute", "text"),
    [
        ([], "id", "Field required"),
        (["1"], "id", "Input should be a valid integer"),
        ([1.0], "id", "Input should be a valid integer"),
        ([True], "id", "Input should be a valid integer"),
        ([None], "id", "Input should be a valid integer"),
        ([1, {}, 3], "", "Too many arguments (expected 2, found 3)"),
        ([1, {"overcommit": "yes"}], "options.overcommit", "Input should be a valid boolean"),
    ],
)
async def test_wrong_parameters_name_the_parameter(
    tmp_path: Path, params: list[object], attribute: str, text: str
) -> None:
    async with server(tmp_path) as host:
        failure = await host.api.failure("vm.start", *params)
        assert failure.data["extra"] == [[attribute, text, 22]]


async def test_ids_beyond_the_database_are_just_not_there(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for id in (0, -1, 2**63, 10**30):
            failure = await host.api.failure("vm.get_instance", id)
            assert failure.reason == f"[ENOENT] None: VM {id} does not exist"


async def test_binary_frames_end_the_connection(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.socket.send_bytes(b"\x00\x01")
        assert await closed(host.api.socket) == 1003
        assert await still_serves(host)


async def test_a_long_frame_ends_the_connection(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.send(call("core.ping", "x" * 1_000_000))
        assert await closed(host.api.socket) == 1009
        assert await still_serves(host)


async def test_a_frame_just_within_the_limit_is_taken(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        empty = call("core.ping", "")
        answer = await host.api.exchange(call("core.ping", "x" * (65536 - len(empty))))
        assert "Too many arguments" in answer["error"]["data"]["reason"]
        await host.api.send(call("core.ping", "x" * (65537 - len(empty))))
        assert await closed(host.api.socket) == 1009


async def test_a_frame_too_long_for_somebody_unknown_ends_the_connection(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await api.send(call("core.ping", "x" * 9000))
        assert await closed(api.socket) == 1007
        assert await still_serves(host)


async def test_a_frame_larger_than_any_buffer_ends_the_connection(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        # The server may have closed before all of it is sent.
        with contextlib.suppress(ConnectionError):
            await host.api.send(call("core.ping", "x" * 5_000_000))
        assert await closed(host.api.socket) in (1006, 1009)
        assert await still_serves(host)


async def test_within_one_machine_nothing_is_compressed(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for over_tcp in (False, True):
            async with host.dial("/api/current", over_tcp=over_tcp, compress=15) as socket:
                assert socket.compress == 0


async def test_a_file_may_be_carried_in_a_longer_frame(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        text = "eHh4" * 200_000
        long = call("filesystem.file_receive", "/mnt/default/x", text, {})
        answer = await host.api.exchange(long)
        assert "result" in answer, answer
        await host.api.send(call("filesystem.file_receive", "/mnt/default/x", "e" * 2_097_152, {}))
        assert await closed(host.api.socket) == 1009


async def test_without_login_only_public_methods_can_be_called(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        assert await api.call("core.ping") == "pong"
        for method in (
            "vm.query",
            "core.subscribe",
            "core.get_jobs",
            "auth.me",
            "auth.generate_token",
            "vm.stop",
        ):
            failure = await api.failure(method)
            assert failure.code == -32001
            assert failure.data["error"] == 207
            assert failure.reason == "[ENOTAUTHENTICATED] Not authenticated"
        assert (await api.failure("nope.nope")).code == -32601


async def test_too_many_calls_at_once_are_refused(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        # The engine is gone silent: nothing answers until it is back.
        host.machine.available = 0
        hold = asyncio.Event()

        async def held() -> Any:
            await hold.wait()
            return {}

        host.machine.firmware = held  # type: ignore[method-assign]
        calls = [host.api.begin("vm.bootloader_ovmf_choices") for _ in range(21)]
        refused = await host.api.frame(lambda frame: "error" in frame)
        assert refused["error"] == {
            "code": -32000,
            "message": "Maximum number of concurrent calls (20) has exceeded",
        }
        hold.set()
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(result == {} for result in results) == 20
        assert await host.api.call("core.ping") == "pong"


async def test_a_failing_method_is_answered_without_its_traceback(tmp_path: Path) -> None:
    async with server(tmp_path) as host:

        async def broken() -> Any:
            raise RuntimeError("secret detail of the server's inside")

        host.machine.firmware = broken  # type: ignore[method-assign]
        failure = await host.api.failure("vm.bootloader_ovmf_choices")
        assert failure.data["error"] == 14
        assert "secret detail" not in json.dumps(failure.data)
        assert failure.data["trace"] is None
        assert await host.api.call("core.ping") == "pong"


async def test_somebody_unknown_may_not_call_too_often(tmp_path: Path) -> None:
    async with server(tmp_path, login_rate=3) as host, host.connect(over_tcp=True) as api:
        for _ in range(3):
            await api.call("core.ping")
        failure = await api.failure("core.ping")
        assert (failure.code, failure.errno) == (-32001, 16)
        assert failure.reason.startswith("[EBUSY] Rate Limit Exceeded")
        # Options are exempt, other methods count on their own, and time heals.
        for _ in range(5):
            await api.call("core.set_options", {})
        await api.call("auth.mechanism_choices")
        host.clock.advance(61)
        assert await api.call("core.ping") == "pong"


async def test_the_unix_socket_is_not_limited(tmp_path: Path) -> None:
    async with server(tmp_path, login_rate=1) as host:
        for _ in range(5):
            assert await host.api.call("core.ping") == "pong"


async def test_a_plain_request_to_the_api_is_told_what_it_speaks(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        base = host.tcp_url.replace("ws:", "http:")
        async with host.http.get(f"{base}/api/current") as response:
            assert response.status == 400
        async with host.http.get(f"{base}/nowhere") as response:
            assert response.status == 404


async def test_health_follows_the_engine(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        url = host.tcp_url.replace("ws:", "http:") + "/healthz"
        async with host.http.get(url) as response:
            assert (response.status, await response.json()) == (200, {"status": "ok"})
        host.engine.disconnect("it went away")
        async with host.http.get(url) as response:
            assert response.status == 503
            assert (await response.json())["reason"] == "it went away"
        host.engine.reconnect()
        async with host.http.get(url) as response:
            assert response.status == 200


async def closed(socket: aiohttp.ClientWebSocketResponse) -> int | None:
    """The code with which the server ends a connection."""
    async with asyncio.timeout(20):
        while not socket.closed:
            await settle()
    return socket.close_code


async def still_serves(host: Host) -> bool:
    async with host.connect() as api:
        return bool(await api.call("core.ping") == "pong")
