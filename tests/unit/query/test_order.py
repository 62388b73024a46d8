"""Ordering: several keys, nested keys, nulls, and values that do not compare."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise, permutations

import pytest

from vmstead.query import QueryRuntimeError, filter_list
from vmstead.query.order import sort_key


def order(rows: list[dict[str, object]], *order_by: str, **options: object) -> list[dict[str, object]]:
    result = filter_list(rows, [], {"order_by": list(order_by), **options})
    assert isinstance(result, list)
    return result


def ids(rows: list[dict[str, object]]) -> list[object]:
    return [row["id"] for row in rows]


ROWS: list[dict[str, object]] = [
    {"id": 1, "name": "c", "pid": 30, "status": {"state": "STOPPED", "pid": None}},
    {"id": 2, "name": "a", "pid": None, "status": {"state": "RUNNING", "pid": 7}},
    {"id": 3, "name": "b", "pid": 10, "status": {"state": "RUNNING"}},
    {"id": 4, "name": "a", "status": {"state": "ERROR", "pid": 5}},
]


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        (["name"], [2, 4, 3, 1]),
        (["-name"], [1, 3, 2, 4]),
        # each entry is a stable sort, so the last one decides first
        (["-id", "name"], [4, 2, 3, 1]),
        (["name", "-id"], [4, 3, 2, 1]),
        (["status.state"], [4, 2, 3, 1]),
        (["-status.state"], [1, 2, 3, 4]),
        # null and missing come first, and last when descending
        (["pid"], [2, 4, 3, 1]),
        (["-pid"], [1, 3, 2, 4]),
        (["nulls_first:pid"], [2, 4, 3, 1]),
        (["nulls_first:-pid"], [2, 4, 1, 3]),
        (["nulls_last:pid"], [3, 1, 2, 4]),
        (["nulls_last:-pid"], [1, 3, 2, 4]),
        (["nulls_first:status.pid"], [1, 3, 4, 2]),
        (["nulls_first:-status.pid"], [1, 3, 2, 4]),
        (["nulls_last:status.pid"], [4, 2, 1, 3]),
        (["nulls_last:-status.pid"], [2, 4, 1, 3]),
        (["nope"], [1, 2, 3, 4]),
        (["-nope"], [1, 2, 3, 4]),
        (["nulls_last:nope"], [1, 2, 3, 4]),
    ],
)
def test_order_by(order_by, expected):
    assert ids(order(ROWS, *order_by)) == expected


def test_a_field_that_is_not_selected_can_order():
    assert order(ROWS, "-id", select=["name"], limit=2) == [{"name": "a"}, {"name": "b"}]
    assert order(ROWS, "status.state", select=["id"], limit=1) == [{"id": 4}]


def test_an_alias_can_order():
    rows = [{"id": 1, "n": {"x": 2}}, {"id": 2, "n": {"x": 1}}]
    assert order(rows, "key", select=[["n.x", "key"]]) == [{"key": 1}, {"key": 2}]
    assert order(rows, "a\\.b", select=[["n.x", "a.b"]]) == [{"a.b": 1}, {"a.b": 2}]


def test_a_field_below_an_alias_can_order():
    rows = [{"id": 1, "n": {"w": 0, "x": 2}}, {"id": 2, "n": {"w": 1, "x": 1}}]
    assert order(rows, "key.x", select=[["n", "key"]]) == [
        {"key": {"w": 1, "x": 1}},
        {"key": {"w": 0, "x": 2}},
    ]


def test_list_elements_can_order():
    rows: list[dict[str, object]] = [
        {"id": 1, "d": [{"o": 2}]},
        {"id": 2, "d": [{"o": 1}]},
        {"id": 3, "d": []},
    ]
    assert ids(order(rows, "d.0.o")) == [3, 2, 1]
    with pytest.raises(QueryRuntimeError, match=r"^d\.\*\.o: a wildcard stands for many values"):
        order(rows, "d.*.o")
    with pytest.raises(QueryRuntimeError, match=r"^o: must be array index"):
        order(rows, "d.o")


MORNING = datetime(2025, 10, 1, 6, tzinfo=UTC)


def test_times_order_in_all_their_forms():
    rows: list[dict[str, object]] = [
        {"id": 3, "at": {"$date": int((MORNING + timedelta(hours=3)).timestamp() * 1000)}},
        {"id": 2, "at": (MORNING + timedelta(hours=2)).replace(tzinfo=None)},
        {"id": 1, "at": MORNING.astimezone(timezone(timedelta(hours=9)))},
    ]
    assert ids(order(rows, "at")) == [1, 2, 3]


class Opaque:
    def __str__(self) -> str:
        return "opaque"


#: Values of every kind, smallest first.
LADDER: list[object] = [
    None,
    -1,
    0.5,
    True,
    2,
    "",
    "B",
    "a",
    datetime(2025, 10, 1),  # noqa: DTZ001 - naive times occur
    MORNING,
    [],
    [None, 1],
    [1, "a"],
    ["a", None, 3],
    ["a", 1],
    {},
    {"a": None},
    {"a": "x"},
    {"b": 1},
    Opaque(),
]


def test_any_two_values_are_ordered():
    for smaller, larger in pairwise(LADDER):
        assert sort_key(smaller) < sort_key(larger)


@pytest.mark.parametrize("values", list(permutations([None, 3, "a", 1.5, [1]])))
def test_mixed_types_have_one_order(values):
    rows: list[dict[str, object]] = [{"v": value} for value in values]
    assert [row["v"] for row in order(rows, "v")] == [None, 1.5, 3, "a", [1]]
    assert [row["v"] for row in order(rows, "-v")] == [[1], "a", 3, 1.5, None]


def test_nan_counts_as_null():
    nan = float("nan")
    rows: list[dict[str, object]] = [{"v": 2}, {"v": nan}, {"v": 1}]
    assert [row["v"] for row in order(rows, "v")] == [nan, 1, 2]
    assert [row["v"] for row in order(rows, "nulls_last:v")] == [1, 2, nan]


def test_equal_keys_keep_their_order_in_both_directions():
    rows: list[dict[str, object]] = [{"id": i, "v": i % 2} for i in range(6)]
    assert ids(order(rows, "v")) == [0, 2, 4, 1, 3, 5]
    assert ids(order(rows, "-v")) == [1, 3, 5, 0, 2, 4]
    assert ids(order(rows, "nulls_first:-v")) == [1, 3, 5, 0, 2, 4]


def test_only_the_two_prefixes_are_prefixes():
    rows: list[dict[str, object]] = [{"id": 1, "nulls_None:x": 2}, {"id": 2, "nulls_None:x": 1}]
    assert ids(order(rows, "nulls_None:x")) == [2, 1]
