"""`midclt` as a process, where it waits: for jobs and for events."""

import asyncio
import signal
import sys
from typing import Any

from tests.unit.client.conftest import Serve
from tests.unit.client.process import midclt
from tests.unit.client.server import (
    NO_ANSWER,
    NOT_AUTHENTICATED,
    Method,
    Peer,
    RefusalError,
    at,
    call_error,
    invalid_params,
    job,
)

KEY = "1-" + "k" * 64

# --- jobs ----------------------------------------------------------------------------------------


def running(*changes: dict[str, Any], answer: Any = None) -> Method:
    async def method(peer: Peer, *params: Any) -> Any:
        call_id = peer.call_id
        await peer.job_event("added", job(12, call_id, "WAITING"))
        for change in changes:
            await peer.job_event("changed", job(12, call_id, **change))
        if isinstance(answer, Exception):
            raise answer
        return answer

    return method


def bar(percent: float, status: str) -> str:
    filled = int(percent * 40 / 100)
    drawn = "#" * filled + "_" * (40 - filled)
    return f"\033[2K\033[A\033[2K\rStatus: {status}\nTotal Progress: [{drawn}] {percent:.2f}%"


WORK = [
    at(0),
    at(53, "Copying"),
    at(53, "Copying"),
    at(80),
    {"state": "SUCCESS", "result": "all", **at(100, "Done")},
]


def test_job_number(serve: Serve) -> None:
    server = serve({"vm.stop": running(*WORK, answer="all")})
    assert midclt("-u", server.uri, "call", "vm.stop", "4") == (0, "12\n", "")


def test_progress_bar(serve: Serve) -> None:
    server = serve({"vm.stop": running(*WORK, answer="all")})
    expected = "\n" + "".join(
        [
            bar(0, "(none)"),
            bar(0, "(none)"),
            bar(53, "Copying"),
            bar(53, "Copying"),
            bar(80, "Copying"),
            bar(100, "Done"),
            bar(100, "Done"),
        ]
    )
    assert midclt("-u", server.uri, "call", "-j", "vm.stop", "4") == (0, "all\n", expected + "\n")
    assert "[#####################___________________] 53.00%" in expected


def test_progress_descriptions(serve: Serve) -> None:
    server = serve({"vm.stop": running(*WORK, answer="all")})
    outcome = midclt("-u", server.uri, "call", "--job", "-jp", "description", "vm.stop", "4")
    assert outcome.stdout == "all\n"
    assert [line for line in outcome.stderr.splitlines() if line] == ["Copying", "Done"]
    assert midclt("-u", server.uri, "call", "-jp", "description", "vm.stop") == (0, "12\n", "")


def test_failed_job(serve: Serve) -> None:
    info = {"repr": "E", "type": "CallError", "errno": 14, "extra": [1]}
    failed = {
        "state": "FAILED",
        "error": "[EFAULT] x",
        "exception": "Trace\nx",
        "exc_info": info,
        **at(30, "Trying"),
    }
    server = serve({"vm.stop": running(failed, answer=call_error(14, "[EFAULT] x"))})
    status, out, err = midclt("-u", server.uri, "call", "-j", "vm.stop")
    assert (status, out) == (1, "")
    assert err.endswith(bar(30, "Trying") + "\n[EFAULT] x\nTrace\nx\n[1]\n")


def test_job_that_refuses_its_parameters(serve: Serve) -> None:
    info = {"repr": "", "type": "VALIDATION", "errno": None, "extra": [["id", "VM 9 does not exist", 2]]}
    failed = {"state": "FAILED", "error": "x", "exception": "Trace", "exc_info": info}
    server = serve({"vm.stop": running(failed, answer=invalid_params(["id", "VM 9 does not exist", 2]))})
    status, out, err = midclt("-u", server.uri, "call", "-j", "-jp", "description", "vm.stop", "9")
    assert (status, out, err) == (1, "", "[ENOENT] id: VM 9 does not exist\n")


def test_aborted_job(serve: Serve) -> None:
    server = serve({"vm.stop": running({"state": "ABORTED"})})
    outcome = midclt("-u", server.uri, "call", "-j", "-jp", "description", "vm.stop")
    assert outcome == (1, "", "Job 12 was aborted\n")


def test_waiting_for_what_is_no_job(serve: Serve) -> None:
    server = serve({"vm.start": lambda peer, vm: True})
    assert midclt("-u", server.uri, "call", "-j", "vm.start", "4") == (0, "True\n", "")


# --- events --------------------------------------------------------------------------------------


def announcing(*events: dict[str, Any], end: Any = NO_ANSWER) -> Method:
    async def subscribe(peer: Peer, name: str) -> object:
        await peer.answer(peer.call_id, "s1")
        for event in events:
            await peer.event("changed", name, **event)
        if end is not NO_ANSWER:
            await peer.send({"method": "notify_unsubscribed", "params": {"collection": name, "error": end}})
        return NO_ANSWER

    return subscribe


EVENTS: list[dict[str, Any]] = [{"id": 1, "fields": {"at": {"$date": 1000}}}, {"id": 2}]


def test_events(serve: Serve) -> None:
    server = serve({"core.subscribe": announcing(*EVENTS, {"id": 3})})
    status, out, err = midclt("-u", server.uri, "subscribe", "-n", "2", "vm.query")
    assert (status, err) == (0, "")
    assert out == (
        '{"msg": "changed", "collection": "vm.query", "id": 1, "fields": {"at": {"$date": 1000}}}\n'
        '{"msg": "changed", "collection": "vm.query", "id": 2}\n'
    )
    assert server.methods_called() == ["core.set_options", "core.subscribe"]


def test_subscribing_as_somebody(serve: Serve) -> None:
    logins: dict[str, Method] = {"auth.login_with_api_key": lambda peer, key: key == KEY}
    server = serve({**logins, "core.subscribe": announcing(*EVENTS)})
    assert midclt("-u", server.uri, "-K", KEY, "subscribe", "-n", "1", "vm.query").status == 0
    assert server.methods_called()[:2] == ["core.set_options", "auth.login_with_api_key"]
    refused = midclt("-u", server.uri, "-K", "1-wrong", "subscribe", "vm.query")
    assert refused == (0, "Failed to login:  Invalid API key\n", "")


def test_events_until_the_server_ends_them(serve: Serve) -> None:
    clean = serve({"core.subscribe": announcing(*EVENTS, end=None)})
    outcome = midclt("-u", clean.uri, "subscribe", "source")
    assert (outcome.status, outcome.stdout.count("\n"), outcome.stderr) == (0, 2, "")
    failure = {"error": 22, "errname": "EINVAL", "reason": "[EINVAL] no", "trace": None, "extra": None}
    failed = serve({"core.subscribe": announcing(end=failure)})
    assert midclt("-u", failed.uri, "subscribe", "source") == (1, "", "[EINVAL] no\n")


def test_events_until_time_is_up(serve: Serve) -> None:
    server = serve({"core.subscribe": announcing(*EVENTS)})
    for arguments in (["subscribe", "vm.query", "-t", "1"], ["-t", "1", "subscribe", "vm.query"]):
        outcome = midclt("-u", server.uri, *arguments)
        assert (outcome.status, outcome.stdout.count("\n"), outcome.stderr) == (1, 2, "")


def test_events_for_somebody(serve: Serve) -> None:
    def subscribe(peer: Peer, name: str) -> str:
        if "auth.login_with_api_key" not in server.methods_called():
            raise RefusalError(NOT_AUTHENTICATED)
        return "s1"

    async def subscribe_and_tell(peer: Peer, name: str) -> object:
        await peer.answer(peer.call_id, subscribe(peer, name))
        await peer.event("added", name, id=1)
        return NO_ANSWER

    server = serve(
        {"auth.login_with_api_key": lambda peer, key: key == KEY, "core.subscribe": subscribe_and_tell}
    )
    without = midclt("-u", server.uri, "subscribe", "-n", "1", "vm.query")
    assert without == (1, "", "[ENOTAUTHENTICATED] Not authenticated\n")
    assert midclt("-u", server.uri, "-K", KEY, "subscribe", "-n", "1", "vm.query").status == 0
    outcome = midclt("-u", server.uri, "-K", "1-x", "subscribe", "-n", "1", "vm.query")
    assert outcome == (0, "Failed to login:  Invalid API key\n", "")


def test_interrupted(serve: Serve) -> None:
    server = serve({"core.subscribe": announcing({"id": 1})})

    async def run() -> tuple[int, bytes]:
        # kernel.run waits for the end of a program; this one is interrupted in between.
        process = await asyncio.create_subprocess_exec(  # noqa: TID251
            *(sys.executable, "-m", "vmstead.cli.midclt", "-u", server.uri, "subscribe", "vm.query"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        await process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = await process.communicate()
        return process.returncode or 0, err

    assert asyncio.run(run()) == (130, b"")
