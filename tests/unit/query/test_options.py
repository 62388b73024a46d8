"""The options: their shapes, their rules, and which of them wins."""

from types import MappingProxyType

import pytest

from vmstead.query import MatchNotFound, QuerySyntaxError, filter_list, parse

ROWS = [{"id": i, "half": i // 2} for i in range(6)]


def ids(options: object) -> list[object]:
    rows = filter_list(ROWS, [], options)
    assert isinstance(rows, list)
    return [row["id"] for row in rows]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        (None, [0, 1, 2, 3, 4, 5]),
        ({"limit": 0}, [0, 1, 2, 3, 4, 5]),
        ({"limit": 2}, [0, 1]),
        ({"limit": 10_000}, [0, 1, 2, 3, 4, 5]),
        ({"offset": 4}, [4, 5]),
        ({"offset": 9}, []),
        ({"offset": 10**30}, []),
        ({"offset": 1, "limit": 2}, [1, 2]),
        ({"offset": -2}, [4, 5]),
        ({"offset": -2, "limit": 1}, [4]),
        ({"offset": -9}, [0, 1, 2, 3, 4, 5]),
        ({"order_by": ["-id"], "limit": 2}, [5, 4]),
        ({"force_sql_filters": True, "order_by": ["half", "-id"]}, [5, 4, 3, 2, 1, 0]),
        ({"extra": {"raw_result": False}}, [0, 1, 2, 3, 4, 5]),
    ],
)
def test_paging(options, expected):
    assert ids(options) == expected


@pytest.mark.parametrize(
    ("filters", "options", "expected"),
    [
        ([], {"count": True}, 6),
        ([["id", ">", 3]], {"count": True}, 2),
        ([["id", ">", 9]], {"count": True}, 0),
        ([], {"count": True, "limit": 1, "offset": 3}, 6),
        ([], {"count": True, "order_by": ["id"], "select": ["id"]}, 6),
        ([], {"get": True}, ROWS[0]),
        ([], {"get": True, "limit": 1}, ROWS[0]),
        ([["id", ">", 3]], {"get": True}, ROWS[4]),
        ([["id", ">", 3]], {"get": True, "order_by": ["-id"]}, ROWS[5]),
        ([["id", ">", 3]], {"get": True, "select": ["id"]}, {"id": 4}),
        ([], {"get": True, "order_by": ["-id"], "select": ["half"]}, {"half": 2}),
        # `get` beats `count` only where the first match is the answer
        ([["id", ">", 3]], {"get": True, "count": True}, ROWS[4]),
        ([], {"get": True, "count": True}, 6),
        ([["id", ">", 3]], {"get": True, "count": True, "order_by": ["id"]}, 2),
    ],
)
def test_count_and_get(filters, options, expected):
    assert filter_list(ROWS, filters, options) == expected


@pytest.mark.parametrize("filters", [[], [["id", "=", 1]]])
@pytest.mark.parametrize("order_by", [[], ["id"]])
def test_get_without_a_match(filters, order_by):
    with pytest.raises(MatchNotFound) as raised:
        filter_list([], filters, {"get": True, "order_by": order_by})
    assert str(raised.value) == ""
    assert repr(raised.value) == "MatchNotFound()"


def test_get_reads_no_further_than_the_first_match():
    rows = iter(ROWS)
    assert filter_list(rows, [["id", "=", 2]], {"get": True}) == ROWS[2]
    assert next(rows) == ROWS[3]


def test_the_options_can_be_read_back():
    query = parse([], {"extra": {"raw_result": True}, "count": True, "limit": 3, "force_sql_filters": True})
    assert query.extra == {"raw_result": True}
    assert query.options.extra == query.extra
    assert query.options.count
    assert query.options.limit == 3
    assert query.options.force_sql_filters
    assert not query.options.get


def test_the_defaults():
    options = parse([], {}).options
    assert options.extra == {}
    assert (options.order_by, options.select) == ((), ())
    assert (options.count, options.get, options.force_sql_filters) == (False, False, False)
    assert (options.offset, options.limit) == (0, 0)


def test_extra_is_a_read_only_copy():
    extra = {"a": 1}
    query = parse([], {"extra": extra})
    extra["a"] = 2
    assert query.extra == {"a": 1}
    assert isinstance(query.extra, MappingProxyType)
    assert parse([], {"extra": query.extra}).extra == {"a": 1}


LIMIT = "Value error, Options limit must be between 1 and 10000, or 0 for no limit"
COMBINATION = (
    "Value error, Invalid options combination. `get` returns one row: leave out `limit` and `offset`"
)
SELECT = "Value error, Invalid select entry {}: expected a field, or [field, alias], as strings"
FIELD = "Value error, Invalid field {}: it must be a name, or names joined by single dots"


@pytest.mark.parametrize(
    ("options", "problems"),
    [
        ([], [("options", "Input should be a valid dictionary")]),
        (None, [("options", "Input should be a valid dictionary")]),
        ({"foo": 1}, [("options.foo", "Extra inputs are not permitted")]),
        ({"extend": None}, [("options.extend", "Extra inputs are not permitted")]),
        ({"extra": []}, [("options.extra", "Input should be a valid dictionary")]),
        ({"extra": None}, [("options.extra", "Input should be a valid dictionary")]),
        ({"count": 1}, [("options.count", "Input should be a valid boolean")]),
        ({"get": "true"}, [("options.get", "Input should be a valid boolean")]),
        ({"force_sql_filters": None}, [("options.force_sql_filters", "Input should be a valid boolean")]),
        ({"limit": "5"}, [("options.limit", "Input should be a valid integer")]),
        ({"limit": 5.0}, [("options.limit", "Input should be a valid integer")]),
        ({"limit": True}, [("options.limit", "Input should be a valid integer")]),
        ({"offset": None}, [("options.offset", "Input should be a valid integer")]),
        ({"order_by": "id"}, [("options.order_by", "Input should be a valid list")]),
        ({"order_by": ["id", 5]}, [("options.order_by.1", "Input should be a valid string")]),
        ({"order_by": [""]}, [("options.order_by.0", FIELD.format("''"))]),
        ({"order_by": ["-"]}, [("options.order_by.0", FIELD.format("''"))]),
        ({"order_by": ["nulls_last:-a."]}, [("options.order_by.0", FIELD.format("'a.'"))]),
        ({"select": "id"}, [("options.select", "Input should be a valid list")]),
        ({"select": [5]}, [("options.select.0", SELECT.format("5"))]),
        ({"select": ["id", ["id"]]}, [("options.select.1", SELECT.format("['id']"))]),
        ({"select": [["id", 5]]}, [("options.select.0", SELECT.format("['id', 5]"))]),
        ({"select": [["id", "a", "b"]]}, [("options.select.0", SELECT.format("['id', 'a', 'b']"))]),
        ({"select": [""]}, [("options.select.0", FIELD.format("''"))]),
        ({"limit": 10_001}, [("options", LIMIT)]),
        ({"limit": -1}, [("options", LIMIT)]),
        ({"get": True, "limit": 2}, [("options", COMBINATION)]),
        ({"get": True, "offset": 1}, [("options", COMBINATION)]),
        ({"get": True, "offset": -1}, [("options", COMBINATION)]),
        (
            {"zzz": 1, "limit": "5", "count": 0, "select": [5, ["x"]]},
            [
                ("options.select.0", SELECT.format("5")),
                ("options.select.1", SELECT.format("['x']")),
                ("options.count", "Input should be a valid boolean"),
                ("options.limit", "Input should be a valid integer"),
                ("options.zzz", "Extra inputs are not permitted"),
            ],
        ),
    ],
)
def test_malformed(options, problems):
    with pytest.raises(QuerySyntaxError) as raised:
        parse([], options)
    assert raised.value.problems == problems


def test_filters_and_options_are_reported_together():
    with pytest.raises(QuerySyntaxError) as raised:
        parse(5, {"foo": 1})
    assert raised.value.problems == [
        ("filters", "Input should be a valid list"),
        ("options.foo", "Extra inputs are not permitted"),
    ]
    assert str(raised.value) == (
        "filters: Input should be a valid list; options.foo: Extra inputs are not permitted"
    )
