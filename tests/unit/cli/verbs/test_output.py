"""What verbs print where no terminal is."""

import datetime as dt

import pytest

from vmstead.cli.verbs.output import coloured, plain, print_fields, print_json, print_table


def test_columns_are_as_wide_as_what_is_in_them(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("A", "LONG HEADING", "C"), [("1", "x", ""), ("12345", "y", "last")])
    assert capsys.readouterr().out.splitlines() == [
        "A      LONG HEADING  C",
        "1      x",
        "12345  y             last",
    ]


def test_names_and_values(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields([("a", "1"), ("longer", ""), ("b", "x y")])
    assert capsys.readouterr().out == "a       1\nlonger\nb       x y\n"


def test_json_is_the_apis(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"time": dt.datetime(2025, 1, 1, tzinfo=dt.UTC), "set": {2, 1}})
    assert capsys.readouterr().out == '{"time": {"$date": 1735689600000}, "set": {"$set": [1, 2]}}\n'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (True, "yes"),
        (False, "no"),
        ("text", "text"),
        (7, "7"),
        ([1], "[1]"),
        ({"a": 1}, '{"a": 1}'),
    ],
)
def test_values_for_people(value: object, text: str) -> None:
    assert plain(value) == text


def test_only_states_have_colours() -> None:
    assert coloured("FAILED  ") == "\x1b[31mFAILED  \x1b[0m"
    assert coloured("web01") == "web01"
