"""Every method with parameters that fit, and with such as nearly do, on a server that goes on all the while."""

import asyncio
import functools
import gc
import json
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSCloseCode
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.property.fuzzing import EXAMPLES, Target, target
from tests.property.schemas import ANYTHING, Values, changed
from vmstead.rpc.protocol import Code
from vmstead.system.secrets import hash_password
from vmstead.web.session import ANONYMOUS_LIMIT

pytestmark = pytest.mark.timeout(7200)

#: Calls between two times of tidying up.
_TIDY = 200
#: Bytes by which the process may have grown when it has done the same many times.
_GROWTH = 30 * 1024 * 1024


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, Target]]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        found = runner.run(stack.enter_async_context(target(tmp_path_factory.mktemp("calls"))))
        yield runner, found
        runner.run(stack.aclose())


@pytest.fixture
def nobody(fuzzed: tuple[asyncio.Runner, Target]) -> None:
    """An account with a role that no method takes, whatever other calls have done to accounts before."""
    runner, found = fuzzed
    accounts = found.host.server.services.accounts
    before = accounts.by_name("nobody")
    if before is not None:
        runner.run(accounts.write(accounts.delete(before.id)))
    hashed = runner.run(hash_password("pw"))
    runner.run(accounts.write(accounts.add("nobody", hashed, ["VM_COMMAND_LINE_ARGS"], "", 0)))


@functools.cache
def calls(fuzzed: Target, name: str) -> Values:
    """Parameters for a method."""
    params = fuzzed.schemas.methods[name]["params"]
    required = sum(param["required"] for param in params)
    values = [fuzzed.schemas.named(param["name"], param["schema"]) for param in params]
    fitting = st.integers(required, len(params)).flatmap(lambda count: st.tuples(*values[:count]).map(list))
    near, far = changed(fitting), st.lists(ANYTHING, max_size=4)
    return st.sampled_from([fitting] * 6 + [near] * 3 + [far]).flatmap(lambda values: values)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def prepare(fuzzed: Target) -> None:
    """Something to meet: two machines with devices, one of which runs, a volume and a file."""
    call = (await fuzzed.observer.api()).call
    fuzzed.vms, fuzzed.devices = [], []
    for name in ("a", "b"):
        vm: dict[str, Any] = await call("vm.create", {"name": name, "memory": 64})
        nic = {"vm": vm["id"], "attributes": {"dtype": "NIC", "nic_attach": "user"}}
        device = await call("vm.device.create", nic)
        fuzzed.vms.append(vm["id"])
        fuzzed.devices.append(device["id"])
    await call("vm.start", vm["id"])
    await call("pool.dataset.create", {"name": "default/a", "type": "VOLUME", "volsize": 1024**2})
    await call("pool.snapshot.create", {"dataset": "default/a", "name": "s"})
    await call("filesystem.file_receive", "/mnt/default/a", "aGVsbG8K", {})


async def ready(fuzzed: Target) -> None:
    """Begin anew now and then."""
    if fuzzed.calls >= fuzzed.tidy_at:
        fuzzed.tidy_at = fuzzed.calls + _TIDY
        await fuzzed.tidy()
        await prepare(fuzzed)


def drawn(fuzzed: Target, data: st.DataObject) -> tuple[str, Any]:
    """A call."""
    name = data.draw(st.sampled_from(sorted(fuzzed.schemas.methods)), label="method")
    return name, data.draw(calls(fuzzed, name), label="parameters")


@settings(
    max_examples=max(3000, EXAMPLES),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_calls(fuzzed: tuple[asyncio.Runner, Target], data: st.DataObject) -> None:
    runner, found = fuzzed
    runner.run(ready(found))
    runner.run(found.call(drawn(found, data)))


@settings(
    max_examples=max(300, EXAMPLES // 20),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_calls_at_the_same_time(fuzzed: tuple[asyncio.Runner, Target], data: st.DataObject) -> None:
    runner, found = fuzzed
    runner.run(ready(found))
    runner.run(found.call(*(drawn(found, data) for _ in range(data.draw(st.integers(2, 12))))))


async def refused(fuzzed: Target, name: str, params: Any, *, is_known: bool) -> None:
    """What somebody with a role that no method takes, or who has not logged in, gets."""
    async with fuzzed.host.connect(over_tcp=True) as api:
        if is_known:
            assert await api.call("auth.login", "nobody", "pw")
        text = json.dumps({"jsonrpc": "2.0", "id": 1, "method": name, "params": params})
        try:
            answer = await api.exchange(text)
        except ConnectionError:
            # Who has not logged in may not send much.
            assert not is_known
            assert len(text) > ANONYMOUS_LIMIT
            assert api.socket.close_code == WSCloseCode.INVALID_TEXT
        else:
            assert answer["error"]["code"] == Code.CALL_ERROR
            assert answer["error"]["data"]["errname"] == ("EACCES" if is_known else "ENOTAUTHENTICATED")
    assert fuzzed.watch.clear() == []
    assert not fuzzed.jobs


@pytest.mark.usefixtures("nobody")
@settings(max_examples=max(150, EXAMPLES // 100), deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), is_known=st.booleans())
def test_nothing_that_is_sent_gets_past_the_roles(
    fuzzed: tuple[asyncio.Runner, Target], data: st.DataObject, is_known: bool
) -> None:
    runner, found = fuzzed
    methods = found.host.server.services.methods
    name = data.draw(
        st.sampled_from([name for name, method in sorted(methods.items()) if method.role is not None])
    )
    params = data.draw(calls(found, name).filter(lambda params: isinstance(params, list)))
    runner.run(refused(found, name, params, is_known=is_known))


def test_many_calls_leave_nothing_behind(fuzzed: tuple[asyncio.Runner, Target]) -> None:
    """The same calls again and again: what they needed has been given back."""
    runner, found = fuzzed
    names = ("vm.query", "core.get_jobs", "vm.get_instance", "vm.stop", "core.subscribe", "core.bulk")

    async def again(times: int) -> None:
        for number in range(times):
            await found.call((names[number % len(names)], ["vm.query", [[]]] if number % 2 else []))
        await found.tidy()

    runner.run(again(300))
    gc.collect()
    before = resident()
    runner.run(again(1500))
    gc.collect()
    assert resident() - before < _GROWTH
