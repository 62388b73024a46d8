"""Jobs: started, followed, failed and aborted, in both ways in which servers answer."""

import errno
from typing import Any

import pytest

from tests.unit.client.conftest import Serve
from tests.unit.client.server import NO_ANSWER, Method, Peer, at, call_error, invalid_params, job
from vmstead.client import (
    CallTimeout,
    Client,
    ClientError,
    ConnectionLostError,
    JobAbortedError,
    Progress,
    ValidationErrors,
)

SOON = 0.05


def scripted(*events: dict[str, Any], answer: Any = NO_ANSWER) -> Method:
    """A job method that sends `added` and these changes at once, and then the withheld answer."""

    async def method(peer: Peer, *params: Any) -> Any:
        call_id = peer.call_id
        await peer.job_event("added", job(7, call_id, "WAITING"))
        for change in events:
            await peer.job_event("changed", job(7, call_id, **change))
        if isinstance(answer, Exception):
            raise answer
        return answer

    return method


SUCCESS = [
    {"state": "RUNNING"},
    at(50, "Working"),
    {"state": "SUCCESS", "result": None, **at(100, "Working")},
    {"state": "SUCCESS", "result": {"done": {"$set": [1]}}, **at(100, "Working")},
]


def test_progress_and_result(serve: Serve) -> None:
    # The first SUCCESS event is the progress of 100 %, and it has the result as well.
    SUCCESS[2]["result"] = SUCCESS[3]["result"]
    server = serve({"vm.stop": scripted(*SUCCESS, answer={"done": "not this one"})})
    seen: list[Progress] = []
    with Client(server.uri) as client:
        started = client.call_job("vm.stop", 4, {"force": True})
        assert (started.id, started.method) == (7, "vm.stop")
        assert started.result(seen.append) == {"done": {1}}
        assert started.result(seen.append) == {"done": {1}}
        assert started.done
        assert repr(started) == "<Job 7 vm.stop SUCCESS>"
    assert [(one.percent, one.description) for one in seen] == [
        (0, ""),
        (0, ""),
        (50, "Working"),
        (100, "Working"),
    ]
    assert server.calls("vm.stop") == [[4, {"force": True}]]


def test_attributes_follow_the_job(serve: Serve) -> None:
    server = serve({"vm.stop": scripted(at(20, "Copying"))})
    with Client(server.uri) as client:
        started = client.call_job("vm.stop", 4)
        assert (started.state, started.progress, started.done) == ("WAITING", (0, "", None), False)
        assert client.wait_until(lambda: started.progress.percent == 20)
        assert (started.state, started.progress.description) == ("RUNNING", "Copying")


def test_failed_with_a_call_error(serve: Serve) -> None:
    info = {"repr": "CallError('x')", "type": "CallError", "errno": 5, "extra": [1]}
    failed = {"state": "FAILED", "error": "[EIO] x", "exception": "Trace\n", "exc_info": info}
    server = serve({"vm.stop": scripted(failed, answer=call_error(5, "[EIO] x"))})
    with Client(server.uri) as client:
        started = client.call_job("vm.stop", 4)
        for _ in range(2):
            with pytest.raises(ClientError, match=r"\[EIO\] x") as caught:
                started.result()
            assert (caught.value.errno, caught.value.extra) == (5, [1])
            assert caught.value.trace is not None
            assert caught.value.trace["formatted"] == "Trace\n"


def test_failed_with_validation_errors(serve: Serve) -> None:
    info = {"repr": "", "type": "VALIDATION", "errno": None, "extra": [[None, "VM 99 does not exist", 2]]}
    failed = {"state": "FAILED", "error": "[ENOENT] x", "exception": "Trace", "exc_info": info}
    server = serve({"vm.stop": scripted(failed, answer=invalid_params([None, "VM 99 does not exist", 2]))})
    with Client(server.uri) as client, pytest.raises(ValidationErrors) as caught:
        client.call_job("vm.stop", 99).result()
    assert str(caught.value) == "[ENOENT] ALL: VM 99 does not exist"


def test_aborted(serve: Serve) -> None:
    waiting: list[str] = []

    async def start(peer: Peer) -> object:
        waiting.append(peer.call_id)
        await peer.job_event("added", job(7, peer.call_id))
        return NO_ANSWER

    async def abort(peer: Peer, job_id: int) -> None:
        await peer.job_event("changed", job(job_id, waiting[0], "ABORTED"))
        await peer.answer(waiting[0], None)

    server = serve({"vm.stop": start, "core.job_abort": abort})
    with Client(server.uri) as client:
        started = client.call_job("vm.stop")
        started.abort()
        with pytest.raises(JobAbortedError, match="Job 7 was aborted") as caught:
            started.result()
        assert caught.value.errno == errno.ECANCELED
    assert server.calls("core.job_abort") == [[7]]


def test_result_times_out_and_can_be_asked_for_again(serve: Serve) -> None:
    async def finish(peer: Peer) -> None:
        await peer.job_event("changed", job(7, state="SUCCESS", result=5))

    server = serve({"vm.stop": scripted(at(10)), "finish": finish})
    with Client(server.uri) as client:
        started = client.call_job("vm.stop")
        with pytest.raises(CallTimeout, match="Job 7 did not end in time"):
            started.result(timeout=SOON)
        client.call("finish")
        assert started.result(timeout=SOON) == 5


def test_what_a_callback_raises_ends_the_wait(serve: Serve) -> None:
    class StopError(Exception):
        pass

    def stop(progress: Progress) -> None:
        raise StopError

    with Client(serve({"vm.stop": scripted(*SUCCESS)}).uri) as client:
        started = client.call_job("vm.stop")
        with pytest.raises(StopError):
            started.result(stop)
        assert started.result() is not None


def test_a_callback_may_use_the_client(serve: Serve) -> None:
    with Client(serve({"vm.stop": scripted(*SUCCESS)}).uri) as client:
        answers: list[Any] = []
        client.call_job("vm.stop").result(lambda progress: answers.append(client.ping()))
        assert set(answers) == {"pong"}


def test_the_answer_stands_in_for_a_missed_last_event(serve: Serve) -> None:
    with Client(serve({"vm.stop": scripted(answer=12)}).uri) as client:
        assert client.call_job("vm.stop").result() == 12
    failing = serve({"vm.stop": scripted(answer=call_error(5, "[EIO] y", formatted="Trace"))})
    with Client(failing.uri) as client:
        started = client.call_job("vm.stop")
        with pytest.raises(ClientError, match=r"\[EIO\] y"):
            started.result()
        assert started.state == "FAILED"


def test_connection_lost_during_a_job(serve: Serve) -> None:
    async def start(peer: Peer) -> object:
        await peer.job_event("added", job(7, peer.call_id))
        await peer.close(1001, "bye")
        return NO_ANSWER

    with Client(serve({"vm.stop": start}).uri) as client:
        started = client.call_job("vm.stop")
        with pytest.raises(ConnectionLostError, match="1001: bye"):
            started.result()
        assert not started.done


def test_methods_that_are_no_jobs(serve: Serve) -> None:
    server = serve({"vm.start": lambda peer, vm: None, "count": lambda peer: 3})
    with Client(server.uri) as client:
        assert client.call_job("vm.start", 1).result() is None
        counted = client.call_job("count")
        assert (counted.id, counted.done, counted.result()) == (None, True, 3)


def test_refused_before_it_became_a_job(serve: Serve) -> None:
    def refuse(peer: Peer) -> None:
        raise call_error(13, "[EACCES] Not authorized")

    with Client(serve({"vm.stop": refuse}).uri) as client, pytest.raises(ClientError, match="EACCES"):
        client.call_job("vm.stop")


def test_no_job_in_time(serve: Serve) -> None:
    with Client(serve({"vm.stop": lambda peer: NO_ANSWER}).uri) as client, pytest.raises(CallTimeout):
        client.call_job("vm.stop", timeout=SOON)


def test_the_jobs_of_others_are_ignored(serve: Serve) -> None:
    async def start(peer: Peer) -> object:
        await peer.job_event("added", job(6, "somebody-else"))
        await peer.job_event("changed", job(6, "somebody-else", "SUCCESS", result="theirs"))
        await peer.job_event("added", job(7, peer.call_id))
        await peer.job_event("changed", job(6, "somebody-else", "SUCCESS", result="theirs"))
        await peer.job_event("changed", job(7, peer.call_id, "SUCCESS", result="ours"))
        return NO_ANSWER

    with Client(serve({"vm.stop": start}).uri) as client:
        assert client.call_job("vm.stop").result() == "ours"


def test_a_call_that_joined_a_queued_job(serve: Serve) -> None:
    async def join(peer: Peer) -> object:
        await peer.job_event("changed", {**job(5, "earlier"), "message_ids": ["earlier", peer.call_id]})
        await peer.job_event("changed", job(5, "earlier", "SUCCESS", result=1))
        return NO_ANSWER

    with Client(serve({"vm.stop": join}).uri) as client:
        started = client.call_job("vm.stop")
        assert (started.id, started.result()) == (5, 1)


def test_two_jobs_at_once(serve: Serve) -> None:
    calls: list[str] = []

    async def start(peer: Peer) -> object:
        calls.append(peer.call_id)
        await peer.job_event("added", job(len(calls), peer.call_id))
        if len(calls) == 2:
            await peer.job_event("changed", job(2, calls[1], "SUCCESS", result="second"))
            await peer.answer(calls[1], "second")
            await peer.job_event("changed", job(1, calls[0], "SUCCESS", result="first"))
            await peer.answer(calls[0], "first")
        return NO_ANSWER

    with Client(serve({"vm.stop": start}).uri) as client:
        one, two = client.call_job("vm.stop"), client.call_job("vm.stop")
        assert (one.result(), two.result()) == ("first", "second")


# --- a server that answers with the number of the job at once ------------------------------------


def test_old_style_job_whose_events_name_the_call(serve: Serve) -> None:
    async def start(peer: Peer) -> object:
        await peer.job_event("added", job(9, peer.call_id, "WAITING"))
        await peer.answer(peer.call_id, 9)
        await peer.job_event("changed", job(9, peer.call_id, "SUCCESS", result="old"))
        return NO_ANSWER

    with Client(serve({"vm.stop": start}, legacy_jobs=True).uri) as client:
        assert client.call_job("vm.stop").result() == "old"


def test_old_style_job(serve: Serve) -> None:
    async def start(peer: Peer) -> int:
        await peer.job_event("added", job(9, state="WAITING"))
        return 9

    async def ask(peer: Peer, filters: Any) -> Any:
        await peer.job_event("changed", job(9, **at(70, "Almost")))
        await peer.job_event("changed", job(9, state="SUCCESS", result="old"))
        return [job(9, **at(30, "Begun"))]

    server = serve({"vm.stop": start, "core.get_jobs": ask}, legacy_jobs=True)
    with Client(server.uri) as client:
        assert client.call("vm.stop") == 9
        assert client.call_job("vm.stop").result() == "old"
    assert server.calls("core.subscribe") == [["core.get_jobs"]]


def test_old_style_job_that_was_faster_than_the_answer(serve: Serve) -> None:
    server = serve(
        {
            "vm.stop": lambda peer: 9,
            "core.get_jobs": lambda peer, filters: [job(9, state="SUCCESS", result=1)],
        },
        legacy_jobs=True,
    )
    with Client(server.uri) as client:
        assert client.call_job("vm.stop").result() == 1
    assert server.calls("core.get_jobs") == [[[["id", "=", 9]]]]


@pytest.mark.parametrize("result", [True, None, "text", [1]])
def test_old_style_methods_that_are_no_jobs(serve: Serve, result: Any) -> None:
    with Client(serve({"vm.start": lambda peer: result}, legacy_jobs=True).uri) as client:
        assert client.call_job("vm.start").result() == result


# --- jobs known by number ------------------------------------------------------------------------


def test_a_job_by_number(serve: Serve) -> None:
    async def ask(peer: Peer, filters: Any) -> Any:
        return [job(3, **at(40, "Half"))]

    async def go_on(peer: Peer) -> None:
        await peer.job_event("changed", job(3, state="SUCCESS", result="end"))

    with Client(serve({"core.get_jobs": ask, "go_on": go_on}).uri) as client:
        known = client.job(3)
        assert (known.method, known.state, known.progress.description) == ("vm.stop", "RUNNING", "Half")
        client.call("go_on")
        assert known.result() == "end"


def test_no_job_of_that_number(serve: Serve) -> None:
    with (
        Client(serve({"core.get_jobs": lambda peer, filters: []}).uri) as client,
        pytest.raises(ClientError, match="Job 3 does not exist") as caught,
    ):
        client.job(3)
    assert caught.value.errno == errno.ENOENT
