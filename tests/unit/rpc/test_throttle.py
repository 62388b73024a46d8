"""Attempts to log in: how many, how soon, and who must not suffer for whom."""

import errno

import pytest

from vmstead.errors import CallError
from vmstead.kernel.clock import ManualClock
from vmstead.rpc.caller import Origin
from vmstead.rpc.throttle import CODE, PASSWORD, Throttle, Trickle

HOME = Origin(address="192.0.2.1", port=1)
EVIL = Origin(address="198.51.100.7", port=1)


class Door:
    """A throttle, its clock, and where each user has logged in from before."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.known: set[tuple[str, str]] = set()
        self.throttle = Throttle(self.clock, lambda name, address: (name, address) in self.known)

    def opens(self, origin: Origin = HOME, username: str = "ann", kind: Trickle = PASSWORD) -> bool:
        try:
            self.throttle.begin(username, origin, kind)
        except CallError as error:
            return error.errno != errno.EBUSY
        return True


def from_(number: int) -> Origin:
    return Origin(address=f"203.0.{number // 250}.{number % 250}")


def test_after_a_few_attempts_each_waits_twice_as_long_as_the_one_before() -> None:
    door = Door()
    assert [door.opens() for _ in range(6)] == [True] * 5 + [False]
    for seconds in (1, 2, 4, 8, 16, 32, 60, 60):
        door.clock.advance(seconds - 0.5)
        assert not door.opens()
        door.clock.advance(0.5)
        assert door.opens()
        assert not door.opens()


def test_who_waits_is_told_for_how_long() -> None:
    door = Door()
    for _ in range(7):
        if door.opens():
            continue
        door.clock.advance(1)
    with pytest.raises(CallError, match=r"\[EBUSY\] Too many failed logins of ann; try again in 2 seconds"):
        door.throttle.begin("ann", HOME)


def test_many_at_once_gain_nothing() -> None:
    """They count from the moment they begin, whenever it is known that they were wrong."""
    door = Door()
    assert sum(door.opens() for _ in range(1000)) == 5


def test_a_success_takes_the_waiting_away() -> None:
    door = Door()
    for _ in range(50):
        assert door.opens()
        door.throttle.succeeded("ann", HOME)


def test_attempts_are_forgotten_after_a_quarter_of_an_hour() -> None:
    door = Door()
    for _ in range(5):
        door.opens()
    assert not door.opens()
    door.clock.advance(900)
    assert [door.opens() for _ in range(6)] == [True] * 5 + [False]


def test_other_users_and_other_places_do_not_wait() -> None:
    door = Door()
    for _ in range(5):
        door.opens()
    assert not door.opens()
    assert door.opens(username="bob")
    assert door.opens(EVIL)


def test_an_ipv6_peer_is_one_however_many_addresses_it_takes() -> None:
    door = Door()
    tries = [door.opens(Origin(address=f"2001:db8:1:2::{number:x}")) for number in range(1, 20)]
    assert tries == [True] * 5 + [False] * 14
    assert door.opens(Origin(address="2001:db8:1:3::1"))


def test_strangers_in_very_many_places_share_a_trickle() -> None:
    door = Door()
    assert sum(door.opens(from_(number)) for number in range(500)) == 50
    door.clock.advance(600)
    assert sum(door.opens(from_(number)) for number in range(500, 1000)) == 50
    door.clock.advance(60)
    assert sum(door.opens(from_(number)) for number in range(1000, 1500)) == 5


def test_strangers_cannot_keep_a_user_out() -> None:
    door = Door()
    door.known.add(("ann", HOME.address))
    for number in range(2000):
        door.opens(from_(number))
    for _ in range(10):
        assert door.opens(HOME), "where she usually is"
        door.throttle.succeeded("ann", HOME)
    assert door.opens(Origin(pid=1, uid=1000, gid=1000)), "on the machine itself"
    with pytest.raises(CallError, match="with an API key"):
        door.throttle.begin("ann", EVIL)


def test_even_at_a_known_place_guessing_is_slow() -> None:
    door = Door()
    door.known.add(("ann", HOME.address))
    assert sum(door.opens() for _ in range(100)) == 5


def test_codes_have_a_trickle_of_their_own_which_is_thinner() -> None:
    door = Door()
    for number in range(100):
        door.opens(from_(number))
    assert not door.opens(EVIL)
    assert sum(door.opens(from_(number), kind=CODE) for number in range(500)) == 10
    door.clock.advance(599)
    assert not door.opens(EVIL, kind=CODE)
    door.clock.advance(1)
    assert door.opens(EVIL, kind=CODE)


def test_local_users_are_told_apart_by_the_kernel() -> None:
    door = Door()
    for number in range(9):
        door.opens(Origin(pid=number, uid=1000, gid=1000))
    assert not door.opens(Origin(pid=99, uid=1000, gid=1000))
    assert door.opens(Origin(pid=99, uid=1001, gid=1000))


def test_what_is_remembered_is_bounded() -> None:
    door = Door()
    for number in range(25_000):
        door.opens(username=f"user{number}")
    assert len(door.throttle._attempts._values) == 10_000
    assert len(door.throttle._strangers._values) == 10_000
