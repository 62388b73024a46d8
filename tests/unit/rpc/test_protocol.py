"""Frames: what is a call, what is not and what is said then, and what answers look like."""

import datetime as dt
import ipaddress
import json
import math
import re
from typing import Any

import pytest

from vmstead.errors import ApiError, CallError, NotAuthenticated, NotFound, Problem, ValidationErrors
from vmstead.rpc import protocol
from vmstead.rpc.protocol import Call, Code, Rejected

UTC = dt.UTC


def rejection(text: str) -> Any:
    """The answer to a frame that is no call; None where there is none."""
    with pytest.raises(Rejected) as raised:
        protocol.decode(text)
    return None if raised.value.frame is None else json.loads(raised.value.frame)


def request(**members: object) -> str:
    return json.dumps({"jsonrpc": "2.0", "method": "core.ping", **members})


def params(text: str) -> list[object]:
    return protocol.decode(f'{{"jsonrpc": "2.0", "method": "x", "params": [{text}]}}').params


# --- calls ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("id", [None, 0, 7, -1, 10**30, True, "", "a1", "\u00fc", "x" * 5000])
def test_an_id_comes_back_as_it_was(id: object) -> None:
    call = protocol.decode(request(id=id))
    assert (call.has_id, call.id) == (True, id)
    assert type(call.id) is type(id)
    for frame in (
        protocol.encode_result(call.id, 1),
        protocol.encode_fault(call.id, Code.CALL_ERROR, "x"),
        protocol.encode_error(call.id, CallError("x")),
    ):
        answered = json.loads(frame)["id"]
        assert (answered, type(answered)) == (id, type(id))


def test_a_call_without_id_is_a_notification() -> None:
    assert protocol.decode(request()) == Call(None, has_id=False, method="core.ping", params=[])


def test_parameters_may_be_left_out_and_other_members_are_ignored() -> None:
    assert protocol.decode(request(id=1, more={"a": 1})) == Call(1, True, "core.ping", [])
    assert protocol.decode(request(id=1, params=[1, "a", None])).params == [1, "a", None]


def test_the_last_of_two_members_of_one_name_counts() -> None:
    assert protocol.decode('{"jsonrpc": "2.0", "id": 1, "id": 2, "method": "a", "method": "b"}') == Call(
        2, True, "b", []
    )


@pytest.mark.parametrize("number", [10**30, -(10**30), 2**64, 2**63, -(2**63) - 1, 0.1, 1e308, -0.0])
def test_numbers_survive_whatever_their_size(number: float) -> None:
    [got] = params(json.dumps(number))
    assert (got, type(got)) == (number, type(number))
    answered = json.loads(protocol.encode_result(1, [number]))["result"]
    assert (answered, type(answered[0])) == ([number], type(number))


# --- what is no call ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "{",
        "nul",
        '{"jsonrpc": "2.0"',
        '{"a": 1} x',
        '{"a": 01}',
        '{"a": NaN}',
        '{"a": Infinity}',
        '{"a": 1e999}',
        '{"a": "\\ud800"}',
        '{"a": "\ud800"}',
        '{"a": "\x01"}',
        "{'a': 1}",
        "\ufeff{}",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"a": %s}' % ("9" * 5000),
    ],
)
def test_what_is_not_json_is_answered_without_id(text: str) -> None:
    answer = rejection(text)
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", None)
    assert answer["error"]["code"] == -32700
    assert answer["error"]["message"]
    assert answer["error"].keys() == {"code", "message"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "Batch messages are not supported at this time"),
        ('[{"jsonrpc": "2.0", "id": 1, "method": "a"}]', "Batch messages are not supported at this time"),
        ("5", "Invalid Message Format"),
        ('"text"', "Invalid Message Format"),
        ("null", "Invalid Message Format"),
        ('{"$date": 0}', "Invalid Message Format"),
    ],
)
def test_json_that_is_no_object_is_said_so(text: str, message: str) -> None:
    assert rejection(text) == {"jsonrpc": "2.0", "error": {"code": -32700, "message": message}, "id": None}


VERSION = "'jsonrpc' member must be of type string and must be exactly '2.0'"
ID = "'id' member must be of type null, string or number"
METHOD = "'method' member must be of type string"
PARAMS = "'params' member must be of type array"


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"method": "a"}, "Missing 'jsonrpc' member"),
        ({"jsonrpc": "1.0", "method": "a"}, VERSION),
        ({"jsonrpc": 2.0, "method": "a"}, VERSION),
        ({"jsonrpc": ["2.0"], "method": "a"}, VERSION),
        ({"jsonrpc": "2.0"}, "Missing 'method' member"),
        ({"jsonrpc": "2.0", "method": ""}, METHOD),
        ({"jsonrpc": "2.0", "method": None}, METHOD),
        ({"jsonrpc": "2.0", "method": ["a"]}, METHOD),
        ({"jsonrpc": "2.0", "method": "a", "params": {}}, PARAMS),
        ({"jsonrpc": "2.0", "method": "a", "params": None}, PARAMS),
        ({"jsonrpc": "2.0", "method": "a", "params": "x"}, PARAMS),
        ({"jsonrpc": "2.0", "method": "a", "params": {"$set": []}}, PARAMS),
    ],
)
def test_a_bad_request_is_answered_where_it_has_an_id(message: dict[str, object], text: str) -> None:
    assert rejection(json.dumps(message)) is None
    for id in ("a1", None, 5):
        assert rejection(json.dumps({**message, "id": id})) == {
            "jsonrpc": "2.0",
            "error": {"code": -32600, "message": text},
            "id": id,
        }


@pytest.mark.parametrize("id", [1.0, 0.5, [], [1], {}, {"a": [1]}])
def test_an_id_of_the_wrong_kind_is_refused_and_echoed(id: object) -> None:
    answer = rejection(request(id=id))
    assert (answer["error"], answer["id"]) == ({"code": -32600, "message": ID}, id)


def test_an_id_may_be_nested_as_deeply_as_can_be_read() -> None:
    """Whatever depth the decoder takes, the answer can be written."""
    for depth in range(800, 1100):
        with pytest.raises(Rejected) as raised:
            protocol.decode(f'{{"jsonrpc": "2.0", "method": "a", "id": {"[" * depth}{"]" * depth}}}')
        # It is too deep for Python's own parser here.
        assert re.search(r'"code":-32(600|700),', str(raised.value.frame))


# --- extended JSON --------------------------------------------------------------------------------

REVIVED = [
    ('{"$date": 0}', dt.datetime(1970, 1, 1, tzinfo=UTC)),
    ('{"$date": 1760000000123}', dt.datetime(2025, 10, 9, 8, 53, 20, 123000, tzinfo=UTC)),
    ('{"$date": -1500}', dt.datetime(1969, 12, 31, 23, 59, 58, 500000, tzinfo=UTC)),
    ('{"$type": "date", "$value": "2025-10-01"}', dt.date(2025, 10, 1)),
    ('{"$value": "2025-10-01", "$type": "date"}', dt.date(2025, 10, 1)),
    ('{"$time": "23:59:01"}', dt.time(23, 59, 1)),
    ('{"$time": "23:59:01.500000"}', dt.time(23, 59, 1, 500000)),
    ('{"$set": []}', set()),
    ('{"$set": ["a", 1]}', {"a", 1}),
    ('{"$set": [{"$date": 0}, {"$time": "10:00:00"}]}', {dt.datetime(1970, 1, 1, tzinfo=UTC), dt.time(10)}),
    ('{"$ipv4_interface": "10.0.0.1/24"}', ipaddress.IPv4Interface("10.0.0.1/24")),
    ('{"$ipv6_interface": "fe80::1/64"}', ipaddress.IPv6Interface("fe80::1/64")),
]


@pytest.mark.parametrize(("text", "value"), REVIVED)
def test_wrapped_values_are_revived_at_any_depth(text: str, value: object) -> None:
    assert params(f'{text}, [{text}], {{"a": {{"b": [{text}]}}}}') == [value, [value], {"a": {"b": [value]}}]


@pytest.mark.parametrize(("text", "value"), REVIVED)
def test_revived_values_can_be_put_back_into_the_form_of_the_wire(text: str, value: object) -> None:
    wire = protocol.wire({"a": [value, 1, "x", None]})
    assert params(protocol.encode_result(1, wire)) == [
        {"jsonrpc": "2.0", "result": {"a": [value, 1, "x", None]}, "id": 1}
    ]


@pytest.mark.parametrize(
    "text",
    [
        '{"$date": 0, "more": 1}',
        '{"$unknown": 1}',
        '{"$type": "other", "$value": "x"}',
        '{"$type": ["date"], "$value": 1}',
        '{"$type": "date"}',
        '{"date": 0}',
        '{"a": "$date"}',
    ],
)
def test_what_only_looks_like_a_wrapper_stays_an_object(text: str) -> None:
    assert params(text) == [json.loads(text)]


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"$date": "x"}', "$date"),
        ('{"$date": true}', "$date"),
        ('{"$date": null}', "$date"),
        ('{"$date": []}', "$date"),
        ('{"$date": {"$date": 0}}', "$date"),
        ('{"$date": 1e300}', "$date"),
        ('{"$date": 253402300800000}', "$date"),
        (f'{{"$date": {10**30}}}', "$date"),
        (f'{{"$date": {10**400}}}', "$date"),
        ('{"$time": "25:00"}', "$time"),
        ('{"$time": 5}', "$time"),
        ('{"$type": "date", "$value": "2025-02-30"}', "$value"),
        ('{"$type": "date", "$value": 5}', "$value"),
        ('{"$set": "abc"}', "$set"),
        ('{"$set": {"a": 1}}', "$set"),
        ('{"$set": [[1]]}', "$set"),
        ('{"$set": [{"a": 1}]}', "$set"),
        ('{"$ipv4_interface": "fe80::1"}', "$ipv4_interface"),
        ('{"$ipv4_interface": 5}', "$ipv4_interface"),
        ('{"$ipv6_interface": "10.0.0.1"}', "$ipv6_interface"),
        ('{"$ipv6_interface": ""}', "$ipv6_interface"),
    ],
)
def test_a_malformed_wrapper_fails_the_whole_frame(text: str, key: str) -> None:
    answer = rejection(f'{{"jsonrpc": "2.0", "id": 1, "method": "a", "params": [{text}]}}')
    assert (answer["error"]["code"], answer["id"]) == (-32700, None)
    assert answer["error"]["message"].startswith(f"Error parsing {key}: ")


# --- answers --------------------------------------------------------------------------------------


def test_a_result_is_answered_with_its_id() -> None:
    answer = json.loads(protocol.encode_result("a1", {"id": 4, "name": "web01", "at": {"$date": 5}}))
    assert answer == {"jsonrpc": "2.0", "result": {"id": 4, "name": "web01", "at": {"$date": 5}}, "id": "a1"}
    assert json.loads(protocol.encode_result(1, None))["result"] is None


def test_no_number_makes_an_answer_that_is_not_json() -> None:
    frame = protocol.encode_result(1, [math.nan, math.inf, -math.inf])
    assert json.loads(frame, parse_constant=pytest.fail)["result"] == [None, None, None]


def test_codes_are_those_that_clients_know() -> None:
    assert {int(code) for code in Code} == {-32700, -32600, -32601, -32602, -32603, -32000, -32001}


@pytest.mark.parametrize(
    ("error", "code", "message", "data"),
    [
        (
            CallError("VM 7 is running", 16),
            -32001,
            "Method call error",
            (16, "EBUSY", "[EBUSY] VM 7 is running", None),
        ),
        (
            CallError("no", extra=[1, {"a": 2}]),
            -32001,
            "Method call error",
            (14, "EFAULT", "[EFAULT] no", [1, {"a": 2}]),
        ),
        (
            NotAuthenticated(),
            -32001,
            "Method call error",
            (207, "ENOTAUTHENTICATED", "[ENOTAUTHENTICATED] Not authenticated", None),
        ),
        (
            ValidationErrors([Problem("vm_create.name", "taken", 17), Problem("", "Too many", 22)]),
            -32602,
            "Invalid params",
            (
                22,
                "EINVAL",
                "[EEXIST] vm_create.name: taken\n[EINVAL] : Too many\n",
                [["vm_create.name", "taken", 17], ["", "Too many", 22]],
            ),
        ),
        (
            NotFound("VM", 99),
            -32602,
            "Invalid params",
            (22, "EINVAL", "[ENOENT] None: VM 99 does not exist", [[None, "VM 99 does not exist", 2]]),
        ),
        (ApiError("plain"), -32001, "Method call error", (22, "EINVAL", "plain", None)),
    ],
)
def test_an_error_has_all_the_members_that_clients_index(
    error: ApiError, code: int, message: str, data: tuple[int, str, str, object]
) -> None:
    number, name, reason, extra = data
    assert json.loads(protocol.encode_error(12, error)) == {
        "jsonrpc": "2.0",
        "error": {
            "code": code,
            "message": message,
            "data": {"error": number, "errname": name, "reason": reason, "trace": None, "extra": extra},
        },
        "id": 12,
    }
