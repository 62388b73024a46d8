"""Conditions on ``.$date`` fields: points in time in all the forms in which they occur."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from vmstead.query import QueryRuntimeError, QuerySyntaxError, parse

NOON = datetime(2025, 10, 1, 12, tzinfo=UTC)
NOON_MS = 1_759_320_000_000
FORMS = [
    NOON,
    NOON.replace(tzinfo=None),
    NOON.astimezone(timezone(timedelta(hours=2))),
    {"$date": NOON_MS},
    {"$date": float(NOON_MS)},
]


def matches(field: object, op: str, value: object) -> bool:
    return parse([["at.$date", op, value]], {}).matches({"at": field})


@pytest.mark.parametrize("field", FORMS)
@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("=", "2025-10-01T12:00:00+00:00", True),
        ("=", "2025-10-01T14:00:00+02:00", True),
        ("=", "2025-10-01T12:00:00Z", True),
        ("=", "2025-10-01T12:00:00", True),
        ("=", "2025-10-01", False),
        ("!=", "2025-10-01T12:00:00+00:00", False),
        ("!=", "2025-10-01", True),
        (">", "2025-10-01", True),
        (">", "2025-10-01T12:00:00Z", False),
        (">=", "2025-10-01T12:00:00Z", True),
        ("<", "2025-10-02", True),
        ("<", "2025-10-01T12:00:00Z", False),
        ("<=", "2025-10-01T12:00:00Z", True),
        ("<=", "2025-09-30", False),
    ],
)
def test_every_form_compares(field, op, value, expected):
    assert matches(field, op, value) is expected


@pytest.mark.parametrize("value", FORMS[:4])
def test_the_filter_may_hold_a_datetime(value):
    assert matches(NOON, "=", value)
    assert matches(NOON, ">=", value)
    assert not matches(NOON, "<", value)


@pytest.mark.parametrize(
    ("field", "equal"),
    [(None, False), ("2025-10-01T12:00:00Z", False), ({"$date": "x"}, False), (True, False)],
)
def test_equality_with_something_else_is_false(field, equal):
    assert matches(field, "=", "2025-10-01T12:00:00Z") is equal
    assert matches(field, "!=", "2025-10-01T12:00:00Z") is not equal


@pytest.mark.parametrize(
    ("field", "kind"),
    [
        (None, "NoneType"),
        ("2025-10-01", "str"),
        ({"$date": "x"}, "str"),
        ({"$date": 1e300}, "float"),
        ({"$date": 10**400}, "int"),
        ({"$date": float("nan")}, "float"),
        (True, "bool"),
    ],
)
def test_only_times_can_be_ordered(field, kind):
    with pytest.raises(QueryRuntimeError) as raised:
        matches(field, ">", "2025-10-01")
    assert f"at.$date: '>' not supported between instances of '{kind}' and 'datetime'" in str(raised.value)


def test_a_dict_without_a_date_is_a_missing_field():
    assert not matches({"state": "x"}, "!=", "2025-10-01")
    assert not parse([["at.$date", "!=", "2025-10-01"]], {}).matches({})


def test_dates_in_lists():
    row = {"jobs": [{"at": {"$date": 0}}, {"at": NOON}]}
    assert parse([["jobs.*.at.$date", "=", "2025-10-01T12:00:00Z"]], {}).matches(row)
    assert parse([["jobs.0.at.$date", "=", "1970-01-01"]], {}).matches(row)


@pytest.mark.parametrize("op", ["~", "in", "nin", "rin", "rnin", "^", "!^", "$", "!$", "C=", "C>"])
def test_only_plain_comparisons(op):
    with pytest.raises(QuerySyntaxError) as raised:
        parse([["at.$date", op, "2025-10-01"]], {})
    text = f"Value error, {op}: invalid timestamp operation (at.$date takes = != > >= < <=)"
    assert raised.value.problems == [("filters", text)]


@pytest.mark.parametrize("value", ["yesterday", "", None, 5.5j, True, [], {"$date": "x"}])
def test_the_value_must_be_a_time(value):
    with pytest.raises(QuerySyntaxError) as raised:
        parse([["at.$date", ">", value]], {})
    [(attribute, text)] = raised.value.problems
    assert attribute == "filters"
    assert text.startswith("Value error, Invalid timestamp ")
    assert text.endswith("ISO-8601 string, such as '2025-10-01T12:00:00+00:00'")


def test_an_escaped_dot_is_no_date_field():
    assert parse([["at\\.$date", "=", 5]], {}).matches({"at.$date": 5})
    assert parse([["$date", "=", 5]], {}).matches({"$date": 5})


def test_a_plain_field_compares_with_a_datetime_as_it_is():
    assert parse([["at", ">=", NOON]], {}).matches({"at": NOON})
