"""The older protocol, message by message."""

import errno
import json
from typing import Any

import pytest

from vmstead.errors import CallError, NotAuthenticated, NotAuthorized, NotFound, Problem, ValidationErrors
from vmstead.kernel.bus import Event
from vmstead.rpc.codec import Broken
from vmstead.rpc.legacy import Legacy
from vmstead.rpc.protocol import Call, Rejected

KNOWN = ["vm.query", "vm.device.query", "core.ping"]


def answer_to(codec: Legacy, **message: object) -> Any:
    """What the codec itself answers."""
    with pytest.raises(Rejected) as raised:
        codec.decode(json.dumps(message))
    return None if raised.value.frame is None else json.loads(raised.value.frame)


def connected() -> Legacy:
    codec = Legacy("s-1")
    assert answer_to(codec, msg="connect", version="1", support=["1"]) == {
        "msg": "connected",
        "session": "s-1",
    }
    return codec


def call(codec: Legacy, **message: object) -> Call:
    return codec.decode(json.dumps(message))


def shown(frame: str | None) -> Any:
    assert frame is not None
    return json.loads(frame)


FAILED = {"msg": "failed", "version": "1"}


@pytest.mark.parametrize("version", ["2", 1, None])
def test_other_versions_fail(version: object) -> None:
    codec = Legacy("s")
    assert answer_to(codec, msg="connect", version=version, support=["1"]) == FAILED
    assert answer_to(codec, msg="method", id="a", method="core.ping") == FAILED


@pytest.mark.parametrize("kind", ["method", "sub", "unsub", "ping", "nonsense"])
def test_nothing_is_done_before_connect(kind: str) -> None:
    assert answer_to(Legacy("s"), msg=kind, id="a", name="vm.query", method="core.ping") == FAILED


def test_a_method_is_a_call_and_its_result_comes_back() -> None:
    codec = connected()
    made = call(codec, msg="method", id="7", method="vm.query", params=[[["id", "=", {"$date": 0}]]])
    assert (made.id, made.method, made.is_immediate) == ("7", "vm.query", False)
    assert (
        str(made.params)
        == "[[['id', '=', datetime.datetime(1970, 1, 1, 0, 0, tzinfo=datetime.timezone.utc)]]]"
    )
    assert codec.result(made, [{"id": 1}]) == '{"id":"7","msg":"result","result":[{"id":1}]}'


@pytest.mark.parametrize("params", [{}, {"params": None}, {"params": []}])
def test_params_may_be_left_out(params: dict[str, object]) -> None:
    assert call(connected(), msg="method", id="a", method="core.ping", **params).params == []


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ({"id": "a"}, "Message is malformed: 'method' is absent."),
        ({"id": "a", "method": 7}, "Message is malformed: 'method' is absent."),
        ({"id": "a", "method": "vm.stop", "params": 1}, "`params` must be a list."),
        ({"id": "a", "method": "vm.stop", "params": {"id": 1}}, "`params` must be a list."),
    ],
)
def test_a_call_that_is_none_is_answered_with_its_fault(message: dict[str, object], reason: str) -> None:
    assert answer_to(connected(), msg="method", **message) == {
        "msg": "result",
        "id": "a",
        "error": {
            "error": 22,
            "errname": "EINVAL",
            "type": None,
            "reason": reason,
            "trace": None,
            "extra": None,
        },
    }


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", 1007),
        ("", 1007),
        ("[]", 1007),
        ('"text"', 1007),
        ("7", 1007),
        ('{"msg": "method", "id": "a", "params": [{"$date": "x"}]}', 1007),
        ("{}", 1011),
        ('{"msg": ["connect"]}', 1011),
        ('{"msg": "sub", "id": "a"}', 1011),
        ('{"msg": "sub", "name": "vm.query"}', 1011),
        ('{"msg": "sub", "id": {}, "name": "vm.query"}', 1011),
        ('{"msg": "unsub"}', 1011),
        ('{"msg": "method", "method": "core.ping"}', 1011),
    ],
)
def test_what_is_no_message_ends_the_connection(text: str, code: int) -> None:
    with pytest.raises(Broken) as broken:
        connected().decode(text)
    assert broken.value.code == code
    assert broken.value.reason


def test_a_subscription_is_known_by_the_clients_own_id() -> None:
    codec = connected()
    made = call(codec, msg="sub", id="s", name="vm.query")
    assert (made.method, made.params, made.is_immediate) == ("core.subscribe", ["vm.query"], True)
    assert shown(codec.result(made, "our-id")) == {"msg": "ready", "subs": ["s"]}
    ended = call(codec, msg="unsub", id="s")
    assert (ended.method, ended.params, ended.has_id) == ("core.unsubscribe", ["our-id"], False)
    assert codec.result(ended, None) is None
    assert codec.error(ended, NotAuthorized()) is None
    # Ids that are unknown, by now or always, are ignored.
    assert answer_to(codec, msg="unsub", id="s") is None
    assert answer_to(codec, msg="unsub", id="never") is None


@pytest.mark.parametrize("error", [NotAuthenticated(), NotAuthorized()])
def test_a_refused_subscription_has_a_text_of_its_own(error: CallError) -> None:
    codec = connected()
    answer = shown(codec.error(call(codec, msg="sub", id="s", name="vm.query"), error))
    assert (answer["msg"], answer["id"]) == ("result", "s")
    assert (answer["error"]["error"], answer["error"]["reason"]) == (13, "Not authorized")


def test_a_ping_is_answered_and_what_is_unknown_is_not() -> None:
    codec = connected()
    assert answer_to(codec, msg="ping", id="p") == {"msg": "pong", "id": "p"}
    assert answer_to(codec, msg="ping") == {"msg": "pong"}
    assert answer_to(codec, msg="pong", id="p") is None
    assert answer_to(codec, msg="nonsense") is None


@pytest.mark.parametrize(
    ("error", "number", "kind", "reason", "extra"),
    [
        (CallError("busy", errno.EBUSY), 16, None, "[EBUSY] busy", None),
        (
            ValidationErrors([Problem("a.b", "is wrong")]),
            11,
            "VALIDATION",
            "[EINVAL] a.b: is wrong\n",
            [["a.b", "is wrong", 22]],
        ),
        (
            NotFound("VM", 9),
            2,
            "VALIDATION",
            "[ENOENT] None: VM 9 does not exist",
            [[None, "VM 9 does not exist", 2]],
        ),
    ],
)
def test_errors_have_a_type_and_numbers_of_their_own(
    error: CallError, number: int, kind: str | None, reason: str, extra: object
) -> None:
    codec = connected()
    answer = shown(codec.error(call(codec, msg="method", id="i", method="vm.query"), error))
    assert answer["msg"] == "result"
    assert {**answer["error"], "errname": None} == {
        "error": number,
        "errname": None,
        "type": kind,
        "reason": reason,
        "trace": None,
        "extra": extra,
    }


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("nope.query", "[ENOMETHOD] Service 'nope' not found"),
        ("vm.nope", "[ENOMETHOD] Method 'nope' not found in 'vm'"),
        ("vm.device.nope", "[ENOMETHOD] Method 'nope' not found in 'vm.device'"),
        ("nope", "[EBADMSG] Invalid method name"),
        ("", "[EBADMSG] Invalid method name"),
    ],
)
def test_what_cannot_be_called_is_said_to_be_missing(method: str, reason: str) -> None:
    codec = connected()
    answer = shown(codec.unknown_method(call(codec, msg="method", id="i", method=method), KNOWN))
    assert answer["error"]["reason"] == reason


def test_too_many_calls_are_too_many_references() -> None:
    codec = connected()
    answer = shown(codec.too_many_calls(call(codec, msg="method", id="i", method="core.ping"), "Too many"))
    assert (answer["error"]["error"], answer["error"]["reason"]) == (109, "Too many.")


def test_events_are_told_without_an_envelope_and_encoded_once() -> None:
    event = Event("vm.query", "changed", 4, {"id": 4}, {"state": "RUNNING"})
    frame = connected().event(event)
    assert json.loads(frame) == {
        "msg": "changed",
        "collection": "vm.query",
        "id": 4,
        "fields": {"id": 4},
        "extra": {"state": "RUNNING"},
    }
    assert connected().event(event) is frame
