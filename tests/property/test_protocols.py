"""Whatever a client sends, each protocol makes of it a call, an answer, or the end of the connection."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from vmstead.errors import CallError, ValidationErrors
from vmstead.rpc.codec import Broken, Codec, JsonRpc
from vmstead.rpc.legacy import Legacy
from vmstead.rpc.protocol import Call, Rejected

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "$date", "$set", "$type", "$value"]), inner, max_size=2)
    ),
    max_leaves=8,
)
WORDS = st.sampled_from(
    ["connect", "method", "sub", "unsub", "ping", "pong", "1", "2.0", "vm.query", "core.ping"]
)
MEMBERS = st.sampled_from(
    ["msg", "version", "support", "id", "name", "method", "params", "jsonrpc", "features"]
)
MESSAGES = st.dictionaries(MEMBERS, WORDS | VALUES, max_size=6).map(json.dumps)
TEXTS = st.text() | MESSAGES | VALUES.map(json.dumps)


def heard(codec: Codec, text: str) -> Call | None:
    """The call that comes of a frame. Answers are frames of JSON, reasons are texts."""
    outcome = _outcome(codec, text)
    match outcome:
        case Rejected():
            assert outcome.frame is None or isinstance(json.loads(outcome.frame), dict)
        case Broken():
            assert outcome.code in (1007, 1011)
            assert outcome.reason
        case Call():
            assert isinstance(outcome.method, str)
            assert isinstance(outcome.params, list)
            return outcome
    return None


def _outcome(codec: Codec, text: str) -> Call | Rejected | Broken:
    try:
        return codec.decode(text)
    except (Rejected, Broken) as outcome:
        return outcome


def answers(codec: Codec, call: Call) -> list[Any]:
    """Every answer that a call can get, in the order of a frame each."""
    made = [
        codec.error(call, CallError("no")),
        codec.error(call, ValidationErrors([])),
        codec.unknown_method(call, ["vm.query"]),
        codec.too_many_calls(call, "too many"),
        codec.result(call, "an-id"),
    ]
    return [frame and json.loads(frame) for frame in made]


@given(TEXTS)
def test_json_rpc_takes_anything(text: str) -> None:
    codec = JsonRpc()
    call = heard(codec, text)
    if call is not None:
        for answer in answers(codec, call):
            assert (answer is None) is not call.has_id
            assert answer is None or answer["id"] == call.id


@given(st.lists(TEXTS, max_size=4), st.booleans())
def test_the_older_protocol_takes_anything(texts: list[str], connects: bool) -> None:
    codec = Legacy("s")
    if connects:
        heard(codec, '{"msg": "connect", "version": "1"}')
    for text in texts:
        call = heard(codec, text)
        if call is not None:
            assert connects or '"connect"' in "".join(texts)
            for answer in answers(codec, call):
                assert (answer is None) is not call.has_id
                assert answer is None or call.id in (answer.get("id"), *answer.get("subs", ()))
