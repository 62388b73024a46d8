"""Jobs: their records, their events, their ends."""

import asyncio
from errno import EBUSY, ENOMEM, EPERM
from typing import Any

import pytest

from tests.harness import settle
from tests.unit.kernel.board import ANN, BOB, ROOT, SYSTEM, Board, Body, report
from vmstead.errors import CallError, NotFound, Problem, ValidationErrors
from vmstead.kernel.jobs import COLLECTION, KEPT, Job, JobState


async def test_events_tell_the_whole_story_in_order() -> None:
    board, body = Board(), Body()
    job = board.submit(body, arguments=[4, {"force": True}], message_id="a1")
    assert board.seen(job) == [("added", "WAITING"), ("changed", "RUNNING")], "before the answer to the call"
    await settle()
    await body.end("result")
    assert board.seen(job) == [("added", "WAITING"), ("changed", "RUNNING"), ("changed", "SUCCESS")]
    assert board.events[-1].fields == job.row()


async def test_the_record_has_every_member_in_the_contracts_order() -> None:
    board, body = Board(), Body()
    job = board.submit(
        body, arguments=[4, {}], message_id="a1", description="Stopping", abortable=True, lock="x"
    )
    board.clock.advance(42.9)
    await settle()
    await body.end({"a": 1})
    expected = {
        "id": 1,
        "message_ids": ["a1"],
        "method": "vm.stop",
        "arguments": [4, {}],
        "transient": False,
        "description": "Stopping",
        "abortable": True,
        "logs_path": None,
        "logs_excerpt": None,
        "progress": {"percent": 100, "description": "", "extra": None},
        "result": {"a": 1},
        "result_encoding_error": None,
        "error": None,
        "exception": None,
        "exc_info": None,
        "state": "SUCCESS",
        "time_started": {"$date": 1_000_000},
        "time_finished": {"$date": 1_043_000},
        "credentials": ANN.credentials,
    }
    assert job.row() == expected
    assert list(job.row()) == list(expected)


async def test_the_end_is_known_to_those_who_wait_after_its_event() -> None:
    board, body = Board(), Body()
    job = board.submit(body)
    done_at_event: list[bool] = []
    board.bus.subscribe(COLLECTION, lambda event: done_at_event.append(job.done.is_set()))
    waiting = [asyncio.ensure_future(job.outcome()) for _ in range(2)]
    await settle()
    await body.end(7)
    assert done_at_event == [False]
    assert await asyncio.gather(*waiting) == [7, 7]


@pytest.mark.parametrize("message_id", ["", 0, None])
async def test_ids_that_say_nothing_are_not_recorded(message_id: object) -> None:
    board = Board()
    assert board.submit(Body(), message_id=message_id).message_ids == []
    await board.jobs.close()


# --- failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "text", "exc_info"),
    [
        (
            CallError("not enough memory", ENOMEM, ["a"]),
            "[ENOMEM] not enough memory",
            {
                "repr": "CallError('[ENOMEM] not enough memory')",
                "type": "CallError",
                "errno": ENOMEM,
                "extra": ["a"],
            },
        ),
        (
            ValidationErrors([Problem("id", "Field required"), Problem("x.y", "bad", EBUSY)]),
            "[EINVAL] id: Field required\n[EBUSY] x.y: bad\n",
            {
                "repr": "ValidationErrors('[EINVAL] id: Field required\\n[EBUSY] x.y: bad')",
                "type": "VALIDATION",
                "errno": None,
                "extra": [["id", "Field required", 22], ["x.y", "bad", EBUSY]],
            },
        ),
        (
            NotFound("VM", 9),
            "[ENOENT] None: VM 9 does not exist",
            {
                "repr": "NotFound('[ENOENT] None: VM 9 does not exist')",
                "type": "VALIDATION",
                "errno": None,
                "extra": [[None, "VM 9 does not exist", 2]],
            },
        ),
    ],
)
async def test_an_error_is_in_the_record_and_reaches_who_waits(
    error: Exception, text: str, exc_info: object
) -> None:
    board, body = Board(), Body()
    job = board.submit(body)
    await settle()
    assert body.job is job
    job.progress(30, "at it")
    await body.fail(error)
    row = job.row()
    assert (row["state"], row["result"], row["progress"]) == ("FAILED", None, report(30, "at it"))
    assert (row["error"], row["exception"], row["exc_info"]) == (text, text, exc_info)
    assert board.seen(job)[-1] == ("changed", "FAILED")
    with pytest.raises(type(error)) as raised:
        await job.outcome()
    assert raised.value is error


async def test_what_nobody_expected_stays_in_the_log() -> None:
    board, body = Board(), Body()
    job = board.submit(body)
    await body.fail(LookupError("the password is hunter2"))
    text = "[EFAULT] vm.stop failed unexpectedly; the server's log tells more"
    assert job.row()["error"] == text
    assert job.row()["exc_info"] == {
        "repr": f'CallError("{text}")',
        "type": "CallError",
        "errno": 14,
        "extra": None,
    }
    with pytest.raises(CallError):
        await job.outcome()


# --- progress -------------------------------------------------------------------------------------


async def test_progress_is_published_and_an_empty_status_keeps_the_one_before() -> None:
    board, body = Board(), Body()
    job = board.submit(body)
    steps: list[tuple[tuple[Any, ...], object]] = [
        ((10, "copying"), report(10, "copying")),
        ((20,), report(20, "copying")),
        ((30, "", {"bytes": 5}), report(30, "copying", {"bytes": 5})),
        ((400, "x"), report(100, "x")),
        ((-4,), report(0, "x")),
    ]
    for given, shown in steps:
        job.progress(*given)
        assert board.reports(job)[-1] == shown
        board.clock.advance(1)
    await body.end()


async def test_frequent_progress_is_thinned_out_without_losing_the_last() -> None:
    board, body = Board(), Body()
    job = board.submit(body)
    for percent in range(1, 51):
        job.progress(percent)
        board.clock.advance(0.01)
    board.clock.advance(60)
    shown = board.reports(job)
    assert shown[0] == report(1)
    assert shown[-1] == report(50)
    assert 4 <= len(shown) <= 7
    assert board.clock.next_timer is None, "nothing new, nothing to do"
    job.progress(51)
    assert board.reports(job)[len(shown) :] == [report(51)]
    await body.end()


async def test_what_is_new_before_the_end_is_in_the_final_event() -> None:
    board, body = Board(), Body()
    job = board.submit(body)
    job.progress(10, "first")
    job.progress(20, "second")
    await body.end()
    assert board.reports(job) == [report(10, "first"), report(100, "second")]
    board.clock.advance(1)
    assert len(board.reports(job)) == 2


async def test_nothing_follows_the_end() -> None:
    board, body = Board(), Body()
    job = board.submit(body)
    await body.end()
    before = job.row()
    job.progress(50, "still at it")
    board.clock.advance(1)
    assert job.row() == before
    assert board.seen(job)[-1] == ("changed", "SUCCESS")
    assert len(board.events) == 3


# --- aborting -------------------------------------------------------------------------------------


async def test_aborting_ends_a_running_job_without_an_error() -> None:
    board, body = Board(), Body()
    job = board.submit(body)
    await settle()
    board.jobs.abort(job)
    assert await job.outcome() is None
    assert body.is_cancelled
    assert board.seen(job) == [("added", "WAITING"), ("changed", "RUNNING"), ("changed", "ABORTED")]
    row = job.row()
    assert (row["error"], row["exc_info"], row["result"]) == (None, None, None)
    assert row["time_finished"] is not None


async def test_a_job_aborted_before_its_first_step_never_runs_and_lets_the_next_one_go() -> None:
    board, body, following = Board(), Body(), Body()
    job = board.submit(body, lock="x")
    after = board.submit(following, lock="x")
    board.jobs.abort(job)
    assert await job.outcome() is None
    await settle()
    assert (body.job, following.job) == (None, after)
    assert board.seen(job) == [("added", "WAITING"), ("changed", "RUNNING"), ("changed", "ABORTED")]
    await board.jobs.close()


async def test_an_abort_is_told_to_the_body_once() -> None:
    board = Board()
    told: list[str] = []
    cleaned = asyncio.Event()

    async def body(job: Job) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            try:
                await cleaned.wait()
            except asyncio.CancelledError:
                told.append("interrupted while cleaning up")
                raise

    job = board.submit(body)
    await settle()
    for _ in range(3):
        board.jobs.abort(job)
        await settle()
    assert job.state is JobState.RUNNING
    cleaned.set()
    await job.outcome()
    assert (job.state, told) == (JobState.ABORTED, [])


async def test_a_body_that_ends_well_in_spite_of_an_abort_has_ended_well() -> None:
    board = Board()

    async def body(job: Job) -> str:
        try:
            await asyncio.get_running_loop().create_future()
        except asyncio.CancelledError:
            return "too late to stop"
        return "never"

    job = board.submit(body)
    await settle()
    board.jobs.abort(job)
    assert await job.outcome() == "too late to stop"
    assert job.state is JobState.SUCCESS


async def test_aborting_what_has_ended_changes_nothing() -> None:
    board, body = Board(), Body()
    job = board.submit(body)
    await body.end(1)
    before = job.row()
    board.jobs.abort(job)
    await settle()
    assert job.row() == before
    assert len(board.events) == 3


async def test_closing_aborts_everything_and_waits_until_it_is_wound_up() -> None:
    board, waiting = Board(), Body()
    wound_up: list[int] = []

    async def body(job: Job) -> None:
        try:
            await asyncio.get_running_loop().create_future()
        finally:
            await settle()
            wound_up.append(job.id)

    jobs = [board.submit(body, lock="x"), board.submit(waiting, lock="x"), board.submit(body)]
    await settle()
    board.submit(body)  # not begun yet
    await board.jobs.close()
    assert sorted(wound_up) == [1, 3]
    assert waiting.job is None
    assert [job.state for job in jobs] == [JobState.ABORTED] * 3


# --- who sees what, and for how long ----------------------------------------------------------------


async def test_jobs_are_seen_by_their_owners_and_by_administrators() -> None:
    board = Board()
    for owner in (ANN, BOB, SYSTEM):
        board.submit(Body(), owner)
    for viewer, expected in ((ANN, [1]), (BOB, [2]), (ROOT, [1, 2, 3]), (SYSTEM, [])):
        assert [row["id"] for row in board.jobs.rows(viewer)] == expected
        told = {event.id for event in board.events if event.audience is None or event.audience(viewer)}
        assert told == {*expected}
        for number in (1, 2, 3):
            if number in expected:
                assert board.jobs.get(number, viewer).id == number
            else:
                with pytest.raises(CallError) as refused:
                    board.jobs.get(number, viewer)
                assert refused.value.errno == EPERM
    await board.jobs.close()


@pytest.mark.parametrize("number", [0, -1, 2, 10**30])
async def test_a_number_that_is_no_jobs_does_not_exist(number: int) -> None:
    board = Board()
    board.submit(Body())
    with pytest.raises(NotFound) as raised:
        board.jobs.get(number, ROOT)
    assert raised.value.problems[0].message == f"Job with id {number} does not exist"
    await board.jobs.close()


async def test_old_jobs_are_forgotten_unfinished_ones_never() -> None:
    board = Board()

    async def nothing(job: Job) -> None: ...

    unfinished = [board.submit(Body(), lock="x").id for _ in range(3)]
    for _ in range(KEPT + 10):
        last = board.submit(nothing)
        await last.outcome()
    known = [row["id"] for row in board.jobs.rows(ROOT)]
    assert len(known) == KEPT
    assert known[:3] == unfinished
    assert known[3:] == list(range(last.id - KEPT + 4, last.id + 1)), "the most recent ones, in order"
    await board.jobs.close()
