"""Frames of every kind: whatever comes, the answer is one of those that the protocol has."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.fuzzing import EXAMPLES, Target, target
from tests.property.schemas import ANYTHING, INTEGERS, TEXTS, changed
from vmstead.rpc.protocol import Code

pytestmark = pytest.mark.timeout(3600)

IDS = st.none() | INTEGERS | TEXTS | st.booleans() | st.floats(allow_nan=False) | ANYTHING
REQUESTS = st.fixed_dictionaries(
    {
        "jsonrpc": st.just("2.0"),
        "method": st.sampled_from(
            ["core.ping", "vm.query", "vm.get_instance", "no.such", "core.set_options"]
        ),
        "id": IDS,
        "params": st.lists(ANYTHING, max_size=3),
    }
)
WRAPPERS = st.dictionaries(
    st.sampled_from(["$date", "$time", "$set", "$type", "$value", "$ipv4_interface", "$ipv6_interface"]),
    ANYTHING,
    min_size=1,
    max_size=2,
)
TEXT_FRAMES = st.one_of(
    st.text(),
    ANYTHING.map(json.dumps),
    REQUESTS.map(json.dumps),
    changed(REQUESTS).map(json.dumps),
    st.builds(lambda request, wrapper: json.dumps({**request, "params": [wrapper]}), REQUESTS, WRAPPERS),
    st.builds(lambda request, at: json.dumps(request)[:at], REQUESTS, st.integers(0, 80)),
    st.builds(
        lambda request, at, piece: json.dumps(request)[:at] + piece + json.dumps(request)[at:],
        REQUESTS,
        st.integers(0, 80),
        st.text(max_size=3),
    ),
    st.sampled_from(
        ["[" * 9000, '{"a":' * 5000, "1e999", "NaN", "-", '"\\ud800"', '{"id": 1' + "0" * 5000 + "}"]
    ),
)


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Target]]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        found = runner.run(stack.enter_async_context(target(tmp_path_factory.mktemp("frames"))))
        yield runner, found
        runner.run(stack.aclose())


async def judged(fuzzed: Target, text: str) -> None:
    async with fuzzed.host.connect() as api:
        await api.send(text)
        # What is answered in order shows that nothing more comes.
        await api.send('{"jsonrpc": "2.0", "id": "the end", "method": "core.ping"}')
        await api.frame(lambda frame: frame.get("id") == "the end" and frame.get("result") == "pong")
        await fuzzed.finish()
        answers = [frame for frame in api.frames if frame.get("id") != "the end" and "method" not in frame]
    assert len(answers) <= 1
    try:
        request = json.loads(text)
    except (ValueError, RecursionError):
        request = None
    if not isinstance(request, dict):
        [answer] = answers
        assert answer["error"]["code"] == Code.INVALID_JSON
    for answer in answers:
        fuzzed.judge(answer, answer["id"])
        if isinstance(request, dict) and answer["id"] is not None:
            assert (answer["id"], type(answer["id"])) == (request["id"], type(request["id"]))
    assert fuzzed.watch.clear() == []


@settings(
    max_examples=max(400, EXAMPLES // 10),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=TEXT_FRAMES)
def test_text_frames(fuzzed: tuple[asyncio.Runner, Target], text: str) -> None:
    runner, found = fuzzed
    runner.run(judged(found, text))


async def closing(fuzzed: Target, data: bytes) -> Any:
    async with fuzzed.host.connect() as api:
        await api.socket.send_bytes(data)
        async with asyncio.timeout(20):
            while not api.socket.closed:
                await asyncio.get_running_loop().run_in_executor(None, int)
        return api.socket.close_code


@settings(max_examples=20, deadline=None)
@given(data=st.binary(max_size=100))
def test_binary_frames_end_the_connection(fuzzed: tuple[asyncio.Runner, Target], data: bytes) -> None:
    runner, found = fuzzed
    assert runner.run(closing(found, data)) == 1003
    assert found.watch.clear() == []
