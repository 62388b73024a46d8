"""What is recorded of calls, and with which result."""

from tests.harness import settle
from tests.unit.rpc.test_dispatch import ADMIN, READER, Board
from vmstead.rpc.dispatch import owner_of


async def test_changes_are_recorded_with_their_results_and_reads_are_not() -> None:
    board = Board()
    await board.answer("x.echo", 1)
    await board.answer("x.query")
    await board.answer("x.fail", 16)
    await board.answer("x.fail")
    await board.answer("x.crash")
    trail = board.context.trail
    assert trail.kept == [
        ("Fail with 16", "[EBUSY] not now"),
        ("Fail with ?", "[EINVAL] number: Field required"),
        # What was not written for others to read is not in it.
        ("Crash", "failed unexpectedly; the server's log tells more"),
    ]


async def test_what_is_refused_is_recorded_and_what_comes_before_login_is_not() -> None:
    board = Board(READER)
    await board.answer("x.fail", 1)
    assert board.context.trail.kept == [("Fail with 1", "Not authorized")]
    board = Board(None)
    await board.answer("x.fail", 1)
    assert board.context.trail.kept == []


async def test_a_job_is_recorded_when_it_begins_and_completed_when_it_ends() -> None:
    board = Board()
    board.context.may_end.clear()
    numbers = [await board.answer("x.work", 5) for _ in range(2)]
    await settle()
    trail = board.context.trail
    assert (trail.open, trail.kept) == ({1: "Work on 5"}, [])
    board.context.jobs.abort(board.context.jobs.get(numbers[0], owner_of(ADMIN)))
    await settle()
    board.context.may_end.set()
    await settle()
    assert trail.kept == [("Work on 5", "aborted"), ("Work on 5", None)]
    await board.answer("x.work", -1)
    await settle()
    assert trail.kept[2:] == [("Work on -1", "[ERANGE] negative")]
