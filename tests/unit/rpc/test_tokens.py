"""Tokens: what they open, from where, and for how long."""

import dataclasses

import pytest

from vmstead.kernel.clock import ManualClock
from vmstead.rpc.caller import Caller, Origin
from vmstead.rpc.tokens import DEFAULT_TTL, Tokens

ANN = Caller("ann", frozenset({"VM_READ"}), "LOGIN_PASSWORD", {})
HERE = Origin(address="192.0.2.1", port=1)
ELSEWHERE = Origin(address="192.0.2.2", port=1)


class Desk:
    """Tokens and the time that passes for them."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.tokens = Tokens(self.clock)

    def is_good(self, text: str, origin: Origin = HERE) -> bool:
        return self.tokens.use(text, origin) is not None


def test_a_token_stands_for_who_asked_for_it() -> None:
    desk = Desk()
    text = desk.tokens.issue(ANN, "s1", attributes={"a": 1})
    token = desk.tokens.use(text, HERE)
    assert token is not None
    assert (token.caller, token.session, token.attributes) == (ANN, "s1", {"a": 1})
    assert not desk.is_good("no such token")


def test_tokens_cannot_be_guessed() -> None:
    desk = Desk()
    texts = {desk.tokens.issue(ANN, "s1") for _ in range(100)}
    assert len(texts) == 100
    assert min(map(len, texts)) >= 64


def test_a_token_lives_so_long_after_its_last_use() -> None:
    desk = Desk()
    text = desk.tokens.issue(ANN, "s1", ttl=60)
    for _ in range(5):
        desk.clock.advance(59)
        assert desk.is_good(text)
    desk.clock.advance(60)
    assert not desk.is_good(text)
    assert desk.tokens._tokens == {}, "it is forgotten"


def test_a_token_lives_ten_minutes_by_default() -> None:
    desk = Desk()
    text = desk.tokens.issue(ANN, "s1")
    desk.clock.advance(DEFAULT_TTL - 1)
    assert desk.is_good(text)
    desk.clock.advance(DEFAULT_TTL)
    assert not desk.is_good(text)
    assert DEFAULT_TTL == 600


@pytest.mark.parametrize(
    ("bound_to", "used_from", "good"), [(HERE, HERE, True), (HERE, ELSEWHERE, False), (None, ELSEWHERE, True)]
)
def test_a_token_is_good_where_it_was_asked_for(
    bound_to: Origin | None, used_from: Origin, good: bool
) -> None:
    desk = Desk()
    text = desk.tokens.issue(ANN, "s1", origin=bound_to)
    assert desk.is_good(text, used_from) is good


def test_using_a_token_from_elsewhere_does_not_lengthen_its_life() -> None:
    desk = Desk()
    text = desk.tokens.issue(ANN, "s1", ttl=60, origin=HERE)
    desk.clock.advance(50)
    assert not desk.is_good(text, ELSEWHERE)
    desk.clock.advance(10)
    assert not desk.is_good(text)


@pytest.mark.parametrize("first_from", [HERE, ELSEWHERE])
def test_a_single_use_token_is_gone_after_one_attempt(first_from: Origin) -> None:
    desk = Desk()
    text = desk.tokens.issue(ANN, "s1", origin=HERE, single_use=True)
    assert desk.is_good(text, first_from) is (first_from is HERE)
    assert not desk.is_good(text)


def test_tokens_die_with_the_session_they_were_asked_for_in() -> None:
    desk = Desk()
    mine, others = desk.tokens.issue(ANN, "s1"), desk.tokens.issue(ANN, "s2")
    desk.tokens.end_session("s1")
    assert (desk.is_good(mine), desk.is_good(others)) == (False, True)


def test_a_session_that_asks_for_very_many_loses_its_own_oldest() -> None:
    desk = Desk()
    others = desk.tokens.issue(ANN, "s2")
    mine = [desk.tokens.issue(ANN, "s1") for _ in range(1002)]
    assert [desk.is_good(text) for text in mine[:3]] == [False, False, True]
    assert desk.is_good(mine[-1])
    assert desk.is_good(others)
    assert len(desk.tokens._tokens) == 1001


def test_expired_tokens_of_any_session_do_not_pile_up() -> None:
    desk = Desk()
    for session in range(50):
        desk.tokens.issue(ANN, str(session), ttl=10)
    desk.clock.advance(10)
    desk.tokens.issue(ANN, "s1")
    assert len(desk.tokens._tokens) == 1


def test_attributes_are_a_copy() -> None:
    desk = Desk()
    attributes: dict[str, object] = {"a": 1}
    text = desk.tokens.issue(ANN, "s1", attributes=attributes)
    attributes["b"] = 2
    token = desk.tokens.use(text, HERE)
    assert token is not None
    assert token.attributes == {"a": 1}


def test_a_token_ends_with_the_login_it_stands_for() -> None:
    clock, gone = ManualClock(), set[str]()
    better = Caller("ann", frozenset({"VM_WRITE"}), "LOGIN_PASSWORD", {})
    tokens = Tokens(clock, lambda caller: None if caller.username in gone else better)
    text = tokens.issue(ANN, "s1")
    token = tokens.use(text, HERE)
    assert token is not None
    assert token.caller is better, "with the roles that it has by now"
    gone.add("ann")
    assert tokens.use(text, HERE) is None
    gone.clear()
    assert tokens.use(text, HERE) is None


def test_tokens_of_a_login_and_of_those_handed_on_from_it_end_together() -> None:
    desk = Desk()
    first = dataclasses.replace(ANN, logins=("a",))
    handed_on = dataclasses.replace(ANN, logins=("a", "b"))
    other = dataclasses.replace(ANN, logins=("c",))
    texts = [desk.tokens.issue(caller, "s") for caller in (first, handed_on, other)]
    desk.tokens.end_login("b")
    assert [desk.tokens.is_good(text) for text in texts] == [True, False, True]
    desk.tokens.end_login("a")
    assert [desk.tokens.is_good(text) for text in texts] == [False, False, True]


def test_a_session_in_use_keeps_its_token_alive() -> None:
    desk = Desk()
    text = desk.tokens.issue(ANN, "s1", ttl=10)
    for _ in range(3):
        desk.clock.advance(9)
        desk.tokens.refresh(text)
    desk.clock.advance(10)
    desk.tokens.refresh(text)
    assert not desk.tokens.is_good(text)
    desk.tokens.refresh("nonsense")
    desk.tokens.end(text)
    desk.tokens.end(text)
    assert desk.tokens._tokens == {}
