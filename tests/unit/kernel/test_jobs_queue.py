"""Jobs that wait for each other."""

import asyncio
from errno import EBUSY, EPERM
from pathlib import Path

import pytest

from tests.harness import settle
from tests.unit.kernel.board import ANN, BOB, ROOT, SYSTEM, Board, Body
from vmstead.errors import CallError
from vmstead.kernel.bus import Event
from vmstead.kernel.jobs import COLLECTION, KEPT_BYTES, MOST_WAITING, Job, JobState, Owner
from vmstead.kernel.model import PLACEHOLDER


async def test_jobs_with_the_same_lock_run_one_at_a_time_in_order() -> None:
    board = Board()
    bodies = [Body() for _ in range(3)]
    jobs = [board.submit(body, lock="stop_vm_1") for body in bodies]
    for turn, body in enumerate(bodies):
        await settle()
        assert [job.state for job in jobs] == (
            [JobState.SUCCESS] * turn + [JobState.RUNNING] + [JobState.WAITING] * (2 - turn)
        )
        assert body.job is jobs[turn]
        await body.end()
    assert board.jobs._queues == {}


async def test_other_locks_and_none_are_independent() -> None:
    board = Board()
    locks = ("stop_vm_1", "stop_vm_2", None, None)
    jobs = [board.submit(Body(), lock=lock) for lock in locks]
    assert [job.state for job in jobs] == [JobState.RUNNING] * 4
    await board.jobs.close()


async def test_the_end_of_one_is_told_before_the_beginning_of_the_next() -> None:
    board, body = Board(), Body()
    first, second = board.submit(body, lock="x"), board.submit(Body(), lock="x")
    assert board.seen(second) == [("added", "WAITING")]
    await body.end()
    assert [event.id for event in board.events][-2:] == [first.id, second.id]
    assert board.seen(first)[-1] == ("changed", "SUCCESS")
    assert board.seen(second)[-1] == ("changed", "RUNNING")
    await board.jobs.close()


async def test_a_failure_lets_the_next_one_go() -> None:
    board, body = Board(), Body()
    board.submit(body, lock="x")
    following = board.submit(Body(), lock="x")
    await body.fail(LookupError())
    assert following.state is JobState.RUNNING
    await board.jobs.close()


async def test_a_waiting_job_that_is_aborted_never_starts_and_holds_nobody_up() -> None:
    board = Board()
    bodies = [Body() for _ in range(3)]
    first, aborted, last = (board.submit(body, lock="x") for body in bodies)
    board.jobs.abort(aborted)
    assert await aborted.outcome() is None
    assert board.seen(aborted) == [("added", "WAITING"), ("changed", "ABORTED")]
    assert (first.state, last.state) == (JobState.RUNNING, JobState.WAITING)
    await bodies[0].end()
    assert (first.state, last.state) == (JobState.SUCCESS, JobState.RUNNING)
    assert bodies[1].job is None
    await board.jobs.close()


async def test_a_call_joins_the_last_waiting_job_of_its_owner_when_the_queue_is_full() -> None:
    board = Board()
    owners = (ANN, ANN, BOB, ANN, BOB)
    jobs = [board.submit(Body(), owner, lock="x", queue_size=4, message_id="m") for owner in owners]
    assert board.submit(Body(), ANN, lock="x", queue_size=4, message_id="joined") is jobs[3]
    assert jobs[3].message_ids == ["m", "joined"]
    assert board.seen(jobs[3]) == [("added", "WAITING"), ("changed", "WAITING")]
    assert board.events[-1].fields == jobs[3].row()
    assert board.submit(Body(), BOB, lock="x", queue_size=4) is jobs[4]
    assert jobs[4].message_ids == ["m"]
    assert board.submit(Body(), ROOT, lock="x", queue_size=4) is jobs[4], "administrators join anybody"
    assert len(board.jobs.rows(ROOT)) == 5
    await board.jobs.close()


@pytest.mark.parametrize("owners", [[ANN, ANN, ANN], [BOB, ANN, ANN]])
async def test_a_call_waits_itself_where_the_jobs_are_those_of_others(owners: list[Owner]) -> None:
    board = Board()
    jobs = [board.submit(Body(), owner, lock="x", queue_size=2) for owner in owners]
    mine = board.submit(Body(), BOB, lock="x", queue_size=2)
    assert mine not in jobs
    assert board.seen(mine) == [("added", "WAITING")]
    await board.jobs.close()


async def test_a_call_joins_no_job_that_does_something_else() -> None:
    board = Board()
    bodies = [Body() for _ in range(4)]
    jobs = [
        board.submit(body, lock="x", queue_size=1, request=[{"to": number}])
        for number, body in enumerate(bodies)
    ]
    assert len({job.id for job in jobs}) == 4
    assert board.submit(Body(), lock="x", queue_size=1, request=[{"to": 3}]) is jobs[3]
    # The one that runs may have done half of it with what was there before, and one that comes before something
    # else would leave what that makes of it.
    for number in (0, 2):
        again = board.submit(Body(), lock="x", queue_size=1, request=[{"to": number}])
        assert again not in jobs
    for body in bodies:
        await body.end()
    assert [job.state for job in jobs] == [JobState.SUCCESS] * 4
    assert [job.request for job in jobs] == [None] * 4
    await board.jobs.close()


async def test_a_hundred_wait_at_most() -> None:
    board = Board()
    for number in range(1 + MOST_WAITING):
        board.submit(Body(), lock="x", request=[number])
    before = len(board.events)
    with pytest.raises(CallError, match="100 calls wait for their turn already") as raised:
        board.submit(Body(), lock="x", request=["one more"])
    assert raised.value.errno == EBUSY
    assert len(board.events) == before
    await board.jobs.close()


async def test_five_wait_by_default() -> None:
    board = Board()
    jobs = [board.submit(Body(), lock="x") for _ in range(6)]
    assert len({job.id for job in jobs}) == 6
    assert board.submit(Body(), lock="x") is jobs[5]
    await board.jobs.close()


async def test_large_results_are_forgotten_sooner() -> None:
    board = Board()

    async def large(job: Job) -> str:
        return "x" * (KEPT_BYTES // 4)

    jobs = [board.submit(large) for _ in range(6)]
    for job in jobs:
        await job.outcome()
    board.submit(Body())
    # As many as there is room for, and the one that has just begun.
    assert [row["id"] for row in board.jobs.rows(ROOT)] == [4, 5, 6, 7]
    await board.jobs.close()


async def test_a_job_that_is_forgotten_takes_its_log_along(tmp_path: Path) -> None:
    board = Board(tmp_path / "jobs")

    async def wordy(job: Job) -> str:
        assert job.log is not None
        await job.log.write("hello")
        return "x" * (KEPT_BYTES + 1)

    job = board.submit(wordy, has_log=True)
    assert job.row()["logs_path"] == f"{tmp_path}/jobs/1.log"
    assert job.row()["logs_excerpt"] is None
    await job.outcome()
    assert job.row()["logs_excerpt"] == "hello\n"
    assert (tmp_path / "jobs/1.log").read_text() == "hello\n"
    board.submit(Body())
    await asyncio.get_running_loop().shutdown_default_executor()
    assert list((tmp_path / "jobs").iterdir()) == []
    await board.jobs.close()


async def test_the_servers_own_jobs_are_for_administrators() -> None:
    board = Board()
    job = board.submit(Body(), SYSTEM)
    with pytest.raises(CallError, match="internally ran jobs") as raised:
        board.jobs.get(job.id, ANN)
    assert raised.value.errno == EPERM
    assert board.jobs.get(job.id, ROOT) is job
    await board.jobs.close()


async def test_a_result_that_cannot_be_sent_is_none_with_a_reason() -> None:
    board = Board()

    async def odd(job: Job) -> object:
        return object()

    job = board.submit(odd)
    assert await job.outcome() is None
    row = job.row()
    assert (row["state"], row["result"]) == ("SUCCESS", None)
    assert "object" in str(row["result_encoding_error"])


async def test_secrets_in_a_result_reach_whoever_made_the_call() -> None:
    board = Board()
    seen: dict[str, list[object]] = {"ann": [], "root": []}
    for owner in (ANN, ROOT):

        def deliver(event: Event, owner: Owner = owner) -> None:
            assert event.audience is not None
            if event.audience(owner):
                seen[str(owner.username)].append(event.fields and event.fields["result"])

        board.bus.subscribe(COLLECTION, deliver)

    async def body(job: Job) -> object:
        return [{"key": "1-abc", "name": "a"}]

    job = board.submit(body)
    await job.outcome()
    assert seen["ann"] == [None, None, [{"key": "1-abc", "name": "a"}]]
    assert seen["root"] == [None, None, [{"key": PLACEHOLDER, "name": "a"}]]
    assert board.jobs.rows(ANN)[0]["result"] == [{"key": PLACEHOLDER, "name": "a"}]
    assert board.jobs.rows(ANN, raw=True)[0]["result"] == [{"key": "1-abc", "name": "a"}]
