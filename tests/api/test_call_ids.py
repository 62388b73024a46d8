"""One id stands in the log, in the audit trail, and in what the client is told of a failure."""

import asyncio
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.harness import Host, server
from vmstead import calls
from vmstead.log import with_call


@pytest.fixture
def lines() -> Iterator[list[structlog.typing.EventDict]]:
    """What is logged, as it would be written."""
    written: list[structlog.typing.EventDict] = []

    def keep(_: object, __: str, event: structlog.typing.EventDict) -> str:
        written.append({**event})
        raise structlog.DropEvent

    before = structlog.get_config()
    structlog.configure(processors=[with_call, keep])
    yield written
    structlog.configure(**before)


def break_firmware(host: Host) -> None:
    async def broken(*_: object) -> Any:
        raise RuntimeError("what nobody has thought of")

    host.machine.firmware = broken  # type: ignore[method-assign]
    host.engine.start = broken  # type: ignore[method-assign,assignment]


def told(reason: str) -> str:
    found = re.search(r"the server's log tells more of call ([0-9a-f]+-\d+)$", reason)
    assert found is not None, reason
    return found[1]


async def test_a_failure_is_found_in_the_log_by_what_the_client_is_told(
    tmp_path: Path, lines: list[structlog.typing.EventDict]
) -> None:
    async with server(tmp_path) as host:
        break_firmware(host)
        answers = await asyncio.gather(*(host.api.failure("vm.bootloader_ovmf_choices") for _ in range(3)))
        ids = [told(answer.reason) for answer in answers]
        assert len({*ids}) == 3
        assert sorted(
            line["call"] for line in lines if line["event"] == "call failed unexpectedly"
        ) == sorted(ids)


async def test_a_job_that_fails_is_found_by_the_id_of_its_own_call_also_if_it_had_to_wait(
    tmp_path: Path, lines: list[structlog.typing.EventDict]
) -> None:
    async with server(tmp_path) as host:
        vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
        break_firmware(host)
        failures = await asyncio.gather(*(host.api.failure("vm.start", vm["id"]) for _ in range(2)))
        ids = {told(failure.reason) for failure in failures if "unexpectedly" in failure.reason}
        assert ids
        entries = await host.api.call("audit.query", {"query-filters": [["success", "=", False]]})
        failed = [each["event_data"] for each in entries if "unexpectedly" in each["event_data"]["error"]]
        assert {each["call_id"] for each in failed} == ids
        assert {told(each["error"]) for each in failed} == ids
        assert {line["call"] for line in lines if line["event"].endswith("failed unexpectedly")} == ids


async def test_jobs_of_one_queue_keep_their_own_calls(
    tmp_path: Path, lines: list[structlog.typing.EventDict]
) -> None:
    async with server(tmp_path) as host:
        seen: list[str | None] = []
        hold = asyncio.Event()

        async def body(_: object) -> None:
            seen.append(calls.current_id())
            await hold.wait()

        jobs, ids = [], []
        owner = host.server.services.jobs
        for _ in range(2):
            calls.begin()
            ids.append(calls.current_id())
            jobs.append(owner.submit("x.y", body, owner=_nobody(), lock="one"))
            calls.end()
        hold.set()
        for job in jobs:
            await job.outcome()
        assert seen == ids
        assert jobs[0].context is None


def _nobody() -> Any:
    from vmstead.kernel.jobs import Owner

    return Owner(None, None, is_admin=False)


async def test_a_refused_login_is_in_the_log_and_in_the_trail_under_one_id(
    tmp_path: Path, lines: list[structlog.typing.EventDict]
) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        assert await api.call("auth.login", "nobody", "wrong") is False
        [line] = [line for line in lines if line["event"] == "login refused"]
        entries = await host.api.call("audit.query", {"query-filters": [["event", "=", "AUTHENTICATION"]]})
        assert entries[-1]["event_data"]["call_id"] == line["call"]


async def test_older_versions_have_no_such_member(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(version="v25.10.0") as api:
        await api.call("vm.create", {"name": "a", "memory": 64})
        [entry] = await api.call("audit.query", {"query-filters": [["event", "=", "METHOD_CALL"]]})
        assert "call_id" not in entry["event_data"]
        [entry] = await host.api.call("audit.query", {"query-filters": [["event", "=", "METHOD_CALL"]]})
        assert "call_id" in entry["event_data"]
