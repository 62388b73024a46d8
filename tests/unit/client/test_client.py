"""Calls: what goes over the wire, whose answer is whose, and what happens when none comes."""

import errno
from datetime import UTC, datetime
from math import inf
from typing import Any

import pytest

from tests.unit.client.conftest import Serve
from tests.unit.client.server import NO_ANSWER, Peer, RefusalError, call_error, invalid_params, job
from vmstead.client import (
    CallTimeout,
    Client,
    ClientError,
    ConnectError,
    ConnectionLostError,
    ValidationErrors,
)

SOON = 0.05


def test_the_first_thing_said(serve: Serve) -> None:
    server = serve()
    with Client(server.uri) as client:
        assert client.new_style_jobs
        assert client.fileno() >= 0
    (request,) = server.requests
    assert request["jsonrpc"] == "2.0"
    assert request["method"] == "core.set_options"
    assert request["params"] == [{"legacy_jobs": False, "private_methods": False, "py_exceptions": False}]
    assert isinstance(request["id"], str)
    assert server.paths == ["/api/current"]
    assert "Origin" not in server.headers[0]
    assert client.fileno() == -1


def test_call_over_tcp_and_unix(serve: Serve) -> None:
    server = serve({"vm.query": lambda peer, filters, options: [filters, options]})
    for uri in (server.uri, server.tcp_uri, server.tcp_uri + "/websocket"):
        with Client(uri) as client:
            assert client.call("vm.query", [["id", "=", 1]], {"get": True}) == [
                [["id", "=", 1]],
                {"get": True},
            ]


def test_extended_json_both_ways(serve: Serve) -> None:
    server = serve({"echo": lambda peer, value: value})
    value = {"at": datetime(2025, 1, 1, tzinfo=UTC), "roles": {"A", "B"}}
    with Client(server.uri) as client:
        assert client.call("echo", value) == value
    assert server.calls("echo") == [[{"at": {"$date": 1735689600000}, "roles": {"$set": ["A", "B"]}}]]


def test_a_parameter_without_json_form_is_not_sent(serve: Serve) -> None:
    server = serve({"echo": lambda peer, value: value})
    with Client(server.uri) as client:
        with pytest.raises(TypeError):
            client.call("echo", object())
        assert client.call("echo", 1) == 1
    assert server.calls("echo") == [[1]]


def test_ids_differ_between_clients(serve: Serve) -> None:
    server = serve()
    with Client(server.uri) as one, Client(server.uri) as other:
        assert one.ping() == other.ping() == "pong"
    ids = [request["id"] for request in server.requests]
    assert len(set(ids)) == len(ids) == 4


def test_subscribes_to_jobs_once(serve: Serve) -> None:
    server = serve({"vm.query": lambda peer: []})
    with Client(server.uri) as client:
        client.ping()
        client.call("vm.query")
        client.call("vm.query")
    assert server.methods_called() == [
        "core.set_options",
        "core.ping",
        "core.subscribe",
        "vm.query",
        "vm.query",
    ]
    assert server.calls("core.subscribe") == [["core.get_jobs"]]


def test_subscribes_to_jobs_when_it_may(serve: Serve) -> None:
    def login(peer: Peer, data: Any) -> Any:
        peer.logged_in = True
        return {"response_type": "SUCCESS"}

    server = serve({"auth.login_ex": login, "vm.query": lambda peer: []}, logged_in=False)
    with Client(server.uri) as client:
        assert client.call("vm.query") == []
        client.login("root", "pw")
        assert client.call("vm.query") == []
        assert client.call("vm.query") == []
    assert len(server.calls("core.subscribe")) == 2


def test_a_refused_job_subscription_is_an_error(serve: Serve) -> None:
    def refuse(peer: Peer, name: str) -> None:
        raise call_error(13, "[EACCES] Not authorized")

    server = serve({"core.subscribe": refuse})
    with Client(server.uri) as client, pytest.raises(ClientError, match="Not authorized"):
        client.call("vm.query")


@pytest.mark.parametrize("answer", [None, True, {"legacy_jobs": True}, {}])
def test_servers_with_old_style_jobs(serve: Serve, answer: Any) -> None:
    server = serve({"core.set_options": lambda peer, options: answer, "vm.query": lambda peer: []})
    with Client(server.uri) as client:
        assert not client.new_style_jobs
        assert client.call("vm.query") == []
    assert server.calls("core.subscribe") == []


def test_servers_without_options(serve: Serve) -> None:
    def refuse(peer: Peer, options: Any) -> None:
        raise RefusalError({"code": -32601, "message": "Method does not exist"})

    with Client(serve({"core.set_options": refuse}).uri) as client:
        assert not client.new_style_jobs
        assert client.ping() == "pong"


def test_unknown_method(serve: Serve) -> None:
    with Client(serve().uri) as client, pytest.raises(ClientError, match=r"^Method does not exist$"):
        client.call("no.such")


def test_call_error(serve: Serve) -> None:
    def busy(peer: Peer) -> None:
        raise call_error(16, "[EBUSY] Taken", extra=[1], formatted="Traceback")

    with Client(serve({"vm.start": busy}).uri) as client:
        with pytest.raises(ClientError) as caught:
            client.call("vm.start")
        assert caught.value.errno == errno.EBUSY
        assert caught.value.extra == [1]
        assert caught.value.trace is not None
        assert client.ping() == "pong"


def test_validation_errors(serve: Serve) -> None:
    def refuse(peer: Peer, data: Any) -> None:
        raise invalid_params(["vm_create.name", "Bad name.", 22], ["vm_create.memory", "Too small", 22])

    with Client(serve({"vm.create": refuse}).uri) as client, pytest.raises(ValidationErrors) as caught:
        client.call("vm.create", {})
    assert [fault.attribute for fault in caught.value.errors] == ["vm_create.name", "vm_create.memory"]
    assert str(caught.value) == "[EINVAL] vm_create.name: Bad name.\n[EINVAL] vm_create.memory: Too small"


def test_timeout_and_the_late_answer(serve: Serve) -> None:
    late: list[str] = []

    def slow(peer: Peer) -> object:
        late.append(peer.call_id)
        return NO_ANSWER

    async def quick(peer: Peer) -> str:
        for call_id in late:
            await peer.answer(call_id, "too late")
        return "in time"

    with Client(serve({"slow": slow, "quick": quick}).uri) as client:
        with pytest.raises(CallTimeout, match="Call timeout") as caught:
            client.call("slow", timeout=SOON)
        assert caught.value.errno == errno.ETIMEDOUT
        assert client.call("quick") == "in time"


def test_the_timeout_of_the_client(serve: Serve) -> None:
    server = serve({"slow": lambda peer: NO_ANSWER, "quick": lambda peer: 1})
    with Client(server.uri, SOON) as client, pytest.raises(CallTimeout):
        client.call("slow")
    with Client(server.uri, timeout=None) as client:
        assert client.call("quick") == client.call("quick", timeout=inf) == 1


def test_answers_out_of_order(serve: Serve) -> None:
    # A callback that makes a call of its own waits inside a wait.
    held: list[str] = []

    async def outer(peer: Peer) -> object:
        held.append(peer.call_id)
        await peer.event("changed", "vm.query", id=1)
        return NO_ANSWER

    async def inner(peer: Peer) -> str:
        await peer.answer(held[0], "outer")
        return "inner"

    with Client(serve({"outer": outer, "inner": inner}).uri) as client:
        subscription = client.subscribe("vm.query")
        seen: list[Any] = []

        def reached() -> bool:
            if not seen:
                seen.append(subscription.get())
                seen.append(client.call("inner"))
            return True

        client.wait_until(lambda: False, 0)
        with pytest.raises(CallTimeout):
            client.call("outer", timeout=SOON)
        assert client.wait_until(reached)
        assert seen[1] == "inner"


def test_answers_that_nobody_asked_for(serve: Serve) -> None:
    async def noisy(peer: Peer) -> str:
        await peer.answer("unknown", 1)
        await peer.send({"id": 5, "result": 1})
        await peer.send({"id": "unknown", "error": {"code": -32000, "message": "m"}})
        await peer.send({"method": "something_new", "params": {}})
        await peer.send({"method": "collection_update", "params": [1]})
        await peer.send({"method": "collection_update", "params": {"collection": "core.get_jobs"}})
        await peer.send({})
        await peer.socket.send_str("[1]")
        return "fine"

    with Client(serve({"noisy": noisy}).uri) as client:
        assert client.call("noisy") == "fine"


def test_an_error_without_id_fails_what_waits(serve: Serve) -> None:
    async def broken(peer: Peer) -> object:
        await peer.send({"id": None, "error": {"code": -32700, "message": "Invalid Message Format"}})
        return NO_ANSWER

    with Client(serve({"broken": broken}).uri) as client:
        with pytest.raises(ClientError, match="Invalid Message Format"):
            client.call("broken")
        assert client.ping() == "pong"


def test_server_closes_with_a_reason(serve: Serve) -> None:
    async def leave(peer: Peer) -> object:
        await peer.close(1009, "Max message length is 64 kB")
        return NO_ANSWER

    with Client(serve({"leave": leave}).uri) as client:
        for _ in range(2):
            with pytest.raises(ConnectionLostError, match=r"\(1009: Max message length is 64 kB\)") as caught:
                client.call("leave")
            assert (caught.value.code, caught.value.errno) == (1009, errno.ECONNABORTED)


def test_connection_breaks(serve: Serve) -> None:
    def die(peer: Peer) -> object:
        peer.drop()
        return NO_ANSWER

    server = serve({"die": die})
    for uri in (server.uri, server.tcp_uri):
        with Client(uri) as client:
            subscription = client.subscribe("vm.query")
            with pytest.raises(ConnectionLostError) as caught:
                client.call("die")
            assert (caught.value.code, caught.value.errno) == (None, errno.ECONNABORTED)
            with pytest.raises(ConnectionLostError):
                subscription.get()
            with pytest.raises(ConnectionLostError):
                client.ping()


def test_a_closed_client(serve: Serve) -> None:
    client = Client(serve().uri)
    client.close()
    client.close()
    with pytest.raises(ConnectionLostError, match="closed"):
        client.ping()


@pytest.mark.parametrize("frame", ["{", '{"id": "1", "result": {"$date": "x"}}', b"\xff"])
def test_frames_that_are_not_json(serve: Serve, frame: str | bytes) -> None:
    async def babble(peer: Peer) -> object:
        if isinstance(frame, str):
            await peer.socket.send_str(frame)
        else:
            await peer.socket.send_bytes(frame)
        return NO_ANSWER

    with Client(serve({"babble": babble}).uri) as client:
        with pytest.raises(ConnectionLostError, match="not extended JSON"):
            client.call("babble")
        with pytest.raises(ConnectionLostError):
            client.ping()


def test_closed_before_the_first_answer(serve: Serve) -> None:
    async def leave(peer: Peer, options: Any) -> object:
        await peer.close(1008, "You are not allowed to access this resource")
        return NO_ANSWER

    with pytest.raises(ConnectionLostError, match="1008: You are not allowed"):
        Client(serve({"core.set_options": leave}).uri)


def test_nobody_there(tmp_path: Any) -> None:
    with pytest.raises(ConnectError, match="No such file") as caught:
        Client(f"ws+unix://{tmp_path}/none.sock")
    assert caught.value.errno == errno.ENOENT


def test_a_method_that_starts_a_job_answers_with_its_number(serve: Serve) -> None:
    async def stop(peer: Peer, vm: int) -> object:
        await peer.job_event("added", job(31, peer.call_id, "WAITING"))
        return NO_ANSWER

    with Client(serve({"vm.stop": stop}).uri) as client:
        assert client.call("vm.stop", 1) == 31
