"""What JSON-RPC makes of outcomes. What its frames look like is told in test_protocol."""

import json

import pytest

from vmstead.errors import CallError
from vmstead.kernel.bus import Event
from vmstead.rpc.codec import Broken, JsonRpc
from vmstead.rpc.protocol import Call


@pytest.mark.parametrize("id", ["a", 0, None])
def test_calls_with_an_id_are_answered_whatever_comes_of_them(id: object) -> None:
    codec, call = JsonRpc(), Call(id, has_id=True, method="x.y", params=[])
    frames = [
        codec.result(call, 1),
        codec.error(call, CallError("no")),
        codec.unknown_method(call, []),
        codec.too_many_calls(call, "too many"),
    ]
    assert [json.loads(frame or "")["id"] for frame in frames] == [id] * 4
    assert [json.loads(frame or "").get("error", {}).get("code") for frame in frames] == [
        None,
        -32001,
        -32601,
        -32000,
    ]


def test_notifications_are_not_answered_and_not_even_encoded() -> None:
    codec, call = JsonRpc(), Call(None, has_id=False, method="x.y", params=[])
    assert codec.result(call, object()) is None
    assert codec.error(call, CallError("no")) is None
    assert codec.unknown_method(call, []) is None
    assert codec.too_many_calls(call, "too many") is None


def test_events_are_notifications() -> None:
    event = Event("x", "removed", 1)
    assert JsonRpc().event(event) is event.frame


def test_what_ends_a_connection_says_why() -> None:
    assert str(Broken(1007, "no text")) == "no text"
