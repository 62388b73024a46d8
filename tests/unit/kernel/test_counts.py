"""What is counted of calls."""

from vmstead.kernel.counts import BOUNDS, FAILED, OK, Counts


def test_calls_are_counted_by_how_they_ended_and_what_they_took() -> None:
    counts = Counts()
    counts.called("a.b", OK, 0.0)
    counts.called("a.b", OK, BOUNDS[0])
    counts.called("a.b", FAILED, BOUNDS[-1] + 1)
    counts.called("c.d", OK, BOUNDS[1])
    found = counts.methods
    assert found["a.b"].outcomes == {OK: 2, FAILED: 1}
    assert found["a.b"].buckets == [2, *([0] * (len(BOUNDS) - 1)), 1]
    assert found["a.b"].seconds == BOUNDS[0] + BOUNDS[-1] + 1
    assert found["c.d"].buckets[:3] == [0, 1, 0]


def test_who_reads_has_a_copy_that_stays_as_it_is() -> None:
    counts = Counts()
    counts.called("a.b", OK, 0.0)
    found = counts.methods
    counts.called("a.b", OK, 0.0)
    counts.called("c.d", OK, 0.0)
    assert (found["a.b"].outcomes, sum(found["a.b"].buckets), [*found]) == ({OK: 1}, 1, ["a.b"])
