"""Jobs that wait for each other."""

from errno import EBUSY

import pytest

from tests.harness import settle
from tests.unit.kernel.board import ANN, BOB, ROOT, Board, Body
from vmstead.errors import CallError
from vmstead.kernel.jobs import JobState, Owner


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


@pytest.mark.parametrize(
    ("owners", "size", "text"),
    [
        ([ANN, ANN, ANN], 2, "This job is already being performed by another user"),
        ([BOB, ANN, ANN], 2, "This job is already being performed by another user"),
        ([BOB], 0, "This job is already being performed"),
    ],
)
async def test_a_call_that_can_join_nobody_is_refused(owners: list[Owner], size: int, text: str) -> None:
    board = Board()
    for owner in owners:
        board.submit(Body(), owner, lock="x", queue_size=size)
    before = len(board.events)
    with pytest.raises(CallError) as raised:
        board.submit(Body(), BOB, lock="x", queue_size=size)
    assert (raised.value.errno, str(raised.value)) == (EBUSY, f"[EBUSY] {text}")
    assert len(board.events) == before
    await board.jobs.close()


async def test_five_wait_by_default() -> None:
    board = Board()
    jobs = [board.submit(Body(), lock="x") for _ in range(6)]
    assert len({job.id for job in jobs}) == 6
    assert board.submit(Body(), lock="x") is jobs[5]
    await board.jobs.close()
