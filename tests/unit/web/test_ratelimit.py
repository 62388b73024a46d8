"""How often somebody unknown may try."""

from errno import EBUSY

import pytest

from vmstead.errors import CallError
from vmstead.kernel.clock import ManualClock
from vmstead.web import ratelimit
from vmstead.web.ratelimit import RateLimit


class Door:
    """A limit of three calls a minute."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.limit = RateLimit(self.clock, 3)

    def lets_in(self, method: str = "auth.login", address: str = "192.0.2.1") -> bool:
        try:
            self.limit.check(method, address)
        except CallError:
            return False
        return True


def test_so_many_calls_are_taken_and_no_more() -> None:
    door = Door()
    assert [door.lets_in() for _ in range(5)] == [True, True, True, False, False]
    with pytest.raises(CallError) as raised:
        door.limit.check("auth.login", "192.0.2.1")
    assert raised.value.errno == EBUSY
    assert str(raised.value).startswith("[EBUSY] Rate Limit Exceeded")


def test_methods_and_addresses_are_counted_apart() -> None:
    door = Door()
    assert all(door.lets_in() for _ in range(3))
    assert door.lets_in(method="auth.login_ex")
    assert door.lets_in(address="192.0.2.2")
    assert not door.lets_in()


def test_the_window_moves_with_the_time() -> None:
    door = Door()
    for _ in range(3):
        assert door.lets_in()
        door.clock.advance(20)
    # The first is a minute old now.
    assert [door.lets_in(), door.lets_in()] == [True, False]
    door.clock.advance(20)
    assert [door.lets_in(), door.lets_in()] == [True, False]


def test_knocking_on_does_not_keep_the_door_shut() -> None:
    door = Door()
    assert all(door.lets_in() for _ in range(3))
    for _ in range(59):
        door.clock.advance(1)
        assert not door.lets_in()
    door.clock.advance(1)
    assert door.lets_in()


def test_a_flood_of_addresses_takes_no_more_than_so_much_memory() -> None:
    door = Door()
    for number in range(ratelimit._REMEMBERED + 100):
        assert door.lets_in(address=str(number))
    assert len(door.limit._times) == ratelimit._REMEMBERED


def test_a_flood_of_addresses_does_not_let_in_who_keeps_trying() -> None:
    door = Door()
    assert all(door.lets_in(address="evil") for _ in range(3))
    for number in range(3 * ratelimit._REMEMBERED):
        if number % (ratelimit._REMEMBERED // 2) == 0:
            assert not door.lets_in(address="evil")
        door.lets_in(address=str(number))
    assert not door.lets_in(address="evil")


@pytest.mark.parametrize("calls", [1, 20])
def test_the_limit_is_the_one_that_was_set(calls: int) -> None:
    limit = RateLimit(ManualClock(), calls)
    for _ in range(calls):
        limit.check("auth.login", "192.0.2.1")
    with pytest.raises(CallError):
        limit.check("auth.login", "192.0.2.1")
