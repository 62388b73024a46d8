"""Regular expressions that clients send."""

import time

import pytest

from vmstead.query import QueryRuntimeError, parse
from vmstead.query.patterns import Pattern, TooSlow

#: Takes longer than the universe has existed.
ENDLESS = r"(.*?,){14}P(.*?,){14}P"
TEXT = "1," * 200


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("a", "abc", True),
        ("b", "abc", False),
        ("", "", True),
        ("(?i)A", "abc", True),
        (r"(\w)\1", "aab", True),
        (r"(?<=a)b", "ab", False),
        ("(a+)+$", "a" * 500 + "!", False),
        ("[[a-z]--b]", "[-]", False),
    ],
)
def test_they_are_pythons(pattern: str, text: str, matches: bool) -> None:
    assert Pattern(pattern).matches(text) is matches


@pytest.mark.parametrize("pattern", ["(", "x{2,1}", r"\p{L}", "(?r)a", "(?R)", "[", "(?V1)a"])
def test_what_python_does_not_know_is_none(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        Pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    ["(((a{1000}){1000}){1000}){1000}", "(?:(?:a?){400}){,400}", "(((a{1,99}){99,}){99}){99}", "a{10000000}"],
)
def test_what_would_take_all_memory_is_refused_before_it_is_compiled(pattern: str) -> None:
    with pytest.raises(ValueError, match="too many repetitions"):
        Pattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", r"(\d{1,3}\.){3}\d{1,3}", "a{1000}", "{x}", "a{}"],
)
def test_what_people_write_is_taken(pattern: str) -> None:
    assert Pattern(pattern).matches("") is False


def test_what_takes_too_long_is_stopped_and_stays_so_for_a_while() -> None:
    pattern = Pattern(ENDLESS)
    began = time.monotonic()
    for _ in range(100):
        with pytest.raises(TooSlow):
            pattern.matches(TEXT)
    assert time.monotonic() - began < 5


def test_a_query_says_which_field_it_is_about() -> None:
    query = parse([["name", "~", ENDLESS]], {})
    with pytest.raises(QueryRuntimeError, match="name: the regular expression takes too long"):
        query.apply([{"name": TEXT}] * 1000)
