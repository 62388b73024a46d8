"""Promises count while they last."""

import pytest

from vmstead.kernel.ledger import Ledger


def test_the_total_is_what_is_promised_at_the_moment() -> None:
    ledger = Ledger()
    assert ledger.total == 0
    with ledger.promise("a", 10):
        with ledger.promise(("b", 1), 5):
            assert ledger.total == 15
        assert ledger.total == 10
    assert ledger.total == 0


def test_a_promise_ends_when_what_it_was_for_fails() -> None:
    ledger = Ledger()
    with pytest.raises(LookupError), ledger.promise("a", 10):
        raise LookupError
    assert ledger.total == 0


def test_a_second_promise_under_the_same_key_does_not_replace_the_first() -> None:
    ledger = Ledger()
    with ledger.promise("a", 10):
        with pytest.raises(AssertionError), ledger.promise("a", 5):
            pass
        assert ledger.total == 10
