"""How filters combine, and what is said about malformed ones."""

from typing import Any

import pytest

from vmstead.query import QueryRuntimeError, QuerySyntaxError, filter_list, parse

ROWS = [{"id": i, "name": f"vm{i}", "even": i % 2 == 0} for i in range(6)]


def ids(filters: object) -> list[Any]:
    rows = filter_list(ROWS, filters)
    assert isinstance(rows, list)
    return [row["id"] for row in rows]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ([], [0, 1, 2, 3, 4, 5]),
        ((), [0, 1, 2, 3, 4, 5]),
        (None, [0, 1, 2, 3, 4, 5]),
        ([["id", ">", 1], ["id", "<", 4]], [2, 3]),
        ([["id", ">", 0], ["id", "<", 4], ["even", "=", True]], [2]),
        ((("id", "=", 1),), [1]),
        ([["OR", [["id", "=", 1], ["id", "=", 4]]]], [1, 4]),
        ([["OR", [["id", "=", 1]]]], [1]),
        ([["even", "=", True], ["OR", [["id", "=", 1], ["id", "=", 4]]]], [4]),
        # a branch that is a list of conditions needs all of them
        ([["OR", [[["id", ">", 1], ["even", "=", False]], ["id", "=", 0]]]], [0, 3, 5]),
        ([["OR", [[["id", "=", 1]], [["id", "=", 2]]]]], [1, 2]),
        # OR inside OR, directly and inside an AND group
        ([["OR", [["OR", [["id", "=", 1], ["id", "=", 2]]], ["id", "=", 5]]]], [1, 2, 5]),
        ([["OR", [[["even", "=", True], ["OR", [["id", "=", 1], ["id", "=", 2]]]], ["id", "=", 5]]]], [2, 5]),
        # so does a list of conditions in the list itself
        ([[["id", "=", 1]]], [1]),
        ([[["id", ">", 1], ["id", "<", 4], ["even", "=", True]], ["id", "!=", 5]], [2]),
        # a field may be called OR
        ([["OR", "=", 1]], []),
    ],
)
def test_connectives(filters, expected):
    assert ids(filters) == expected


@pytest.mark.parametrize(
    "branches",
    [
        [["id", "=", 1], ["id", "=", 4]],
        [[["id", ">", 1], ["even", "=", False]], ["id", "=", 0]],
    ],
)
def test_a_bare_or_is_a_whole_filter(branches):
    assert ids(["OR", branches]) == ids([["OR", branches]])


def nested(depth: int) -> list[object]:
    filters: list[object] = [["id", "=", 1]]
    for _ in range(depth):
        filters = [["OR", filters]]
    return filters


@pytest.mark.parametrize("depth", [0, 1, 2, 3])
def test_nesting_up_to_the_limit(depth):
    assert ids(nested(depth)) == [1]


@pytest.mark.parametrize("depth", [4, 5, 500])
def test_nesting_beyond_the_limit(depth):
    with pytest.raises(QuerySyntaxError) as raised:
        parse(nested(depth), {})
    assert raised.value.problems == [
        (
            "filters",
            "Value error, query-filters max recursion depth exceeded (at most 3 OR inside each other)",
        )
    ]


def test_groups_count_like_the_or_they_are_in():
    condition = ["id", "=", 1]
    three = ["OR", [[["OR", [[["OR", [[condition]]]]]]]]]
    assert ids([three]) == [1]
    with pytest.raises(QuerySyntaxError, match="max recursion depth exceeded"):
        parse([["OR", [[three]]]], {})


def test_conditions_are_evaluated_in_order_and_no_further_than_needed():
    row = {"id": 1, "pid": None}
    bad = ["pid", ">", 5]
    assert not parse([["id", "=", 2], bad], {}).matches(row)
    assert parse([["OR", [["id", "=", 1], bad]]], {}).matches(row)
    with pytest.raises(QueryRuntimeError):
        parse([bad, ["id", "=", 2]], {}).matches(row)


SHAPE = '[field, operator, value] or ["OR", [filter, ...]]'
KNOWN = (
    "known are = != > >= < <= ~ in nin rin rnin ^ !^ $ !$, and all but ~ also with C in front to ignore case"
)


@pytest.mark.parametrize(
    ("filters", "texts"),
    [
        ([["id", "foo", 1]], [f"Invalid operation: foo ({KNOWN})"]),
        ([["id", "", 1]], [f"Invalid operation: '' ({KNOWN})"]),
        ([["id", None, 1]], [f"Invalid operation: None ({KNOWN})"]),
        ([["id", ["="], 1]], [f"Invalid operation: ['='] ({KNOWN})"]),
        ([["id", "C", 1]], [f"Invalid operation: C ({KNOWN})"]),
        ([["id", "c=", 1]], [f"Invalid operation: c= ({KNOWN})"]),
        ([["id", "CC=", 1]], [f"Invalid operation: CC= ({KNOWN})"]),
        ([["id", "nrin", 1]], [f"Invalid operation: nrin ({KNOWN})"]),
        ([["id", "!~", 1]], [f"Invalid operation: !~ ({KNOWN})"]),
        ([["id", "x" * 99, 1]], [f"Invalid operation: {'x' * 40}... ({KNOWN})"]),
        ([["id", "C~", 1]], ["Invalid operation: C~ (start the pattern with (?i) to ignore case)"]),
        (
            [["AND", [["id", "=", 1]]]],
            [
                f"Invalid operation: AND (expected {SHAPE}; "
                "filters in a list are combined with AND as they are)"
            ],
        ),
        ([["id", "="]], [f"Invalid operation: id (expected {SHAPE})"]),
        ([["id"]], [f"Invalid filter ['id']: expected {SHAPE}"]),
        ([[]], [f"Invalid filter []: expected {SHAPE}"]),
        ([["id", "=", 1, 2]], [f"Invalid filter ['id', '=', 1, 2]: expected {SHAPE}"]),
        ([[1, 2]], [f"Invalid filter [1, 2]: expected {SHAPE}"]),
        ([5], [f"Invalid filter 5: expected {SHAPE}"]),
        ([{"id": 1}], [f"Invalid filter {{'id': 1}}: expected {SHAPE}"]),
        ([None], [f"Invalid filter None: expected {SHAPE}"]),
        ([[[["id", "=", 1]]]], [f"Invalid filter [['id', '=', 1]]: expected {SHAPE}"]),
        ([["id", "=", 1], "x"], [f"Invalid filter 'x': expected {SHAPE}"]),
        (["id", "=", 1], [f"Invalid filter 'id': a filter list holds lists, as in [{SHAPE}]"]),
        (["OR"], [f"Invalid filter 'OR': a filter list holds lists, as in [{SHAPE}]"]),
        (["AND", [["id", "=", 1]]], [f"Invalid filter 'AND': a filter list holds lists, as in [{SHAPE}]"]),
        ([["OR", []]], ["Invalid OR []: it needs a list of at least one filter"]),
        ([["OR", "x"]], ["Invalid OR 'x': it needs a list of at least one filter"]),
        (["OR", None], ["Invalid OR None: it needs a list of at least one filter"]),
        ([["OR", [[]]]], [f"Invalid filter []: expected {SHAPE}"]),
        ([["OR", [[[]]]]], [f"Invalid filter []: expected {SHAPE}"]),
        (
            [["OR", ["id", "=", 1]]],
            [f"Invalid filter {each}: expected {SHAPE}" for each in ("'id'", "'='", "1")],
        ),
        ([["OR", [[[["id", "=", 1]]]]]], [f"Invalid filter [['id', '=', 1]]: expected {SHAPE}"]),
        ([[5, "=", 1]], ["Invalid field 5: it must be a string"]),
        ([[["id"], "=", 1]], ["Invalid field ['id']: it must be a string"]),
        ([["", "=", 1]], ["Invalid field '': it must be a name, or names joined by single dots"]),
        ([["a..b", "=", 1]], ["Invalid field 'a..b': it must be a name, or names joined by single dots"]),
        ([["id", "~", 5]], ["Invalid regular expression 5: it must be a string"]),
        (
            [["id", "~", "("]],
            ["Invalid regular expression '(': missing ), unterminated subpattern at position 0"],
        ),
        ([["id", "~", "x" * 1025]], ["Invalid regular expression: longer than 1024 characters"]),
        # everything that is wrong is told at once
        (
            [["id", "foo", 1], ["name", "=", "x"], ["OR", [["id"], [5, "bar", 1]]]],
            [
                f"Invalid operation: foo ({KNOWN})",
                f"Invalid filter ['id']: expected {SHAPE}",
                "Invalid field 5: it must be a string",
                f"Invalid operation: bar ({KNOWN})",
            ],
        ),
    ],
)
def test_malformed(filters, texts):
    with pytest.raises(QuerySyntaxError) as raised:
        parse(filters, {})
    assert raised.value.problems == [("filters", f"Value error, {text}") for text in texts]


@pytest.mark.parametrize("filters", [None, {}, "x", 5, True])
def test_filters_are_a_list(filters):
    with pytest.raises(QuerySyntaxError) as raised:
        parse(filters, {})
    assert raised.value.problems == [("filters", "Input should be a valid list")]


@pytest.mark.parametrize("pattern", ["(?au)x", "x{99999999999999999999}", "*", "(?i", "(?L)x", "a(?i)b"])
def test_every_kind_of_invalid_pattern(pattern):
    with pytest.raises(QuerySyntaxError) as raised:
        parse([["id", "~", pattern]], {})
    [(attribute, text)] = raised.value.problems
    assert attribute == "filters"
    assert text.startswith(f"Value error, Invalid regular expression '{pattern}': ")


def test_a_pattern_python_warns_about_is_fine():
    assert parse([["id", "~", "[[a]"]], {}).matches({"id": "[x"})


def test_a_deep_pattern_is_refused_or_works():
    pattern = "(" * 512 + ")" * 512
    try:
        query = parse([["id", "~", pattern]], {})
    except QuerySyntaxError as error:
        assert "Invalid regular expression" in str(error)  # noqa: PT017 - either outcome is right
    else:
        assert query.matches({"id": ""})


def test_a_huge_item_is_shown_briefly():
    deep: list[object] = []
    for _ in range(2000):
        deep = [deep]
    with pytest.raises(QuerySyntaxError) as raised:
        parse([deep, ["x" * 100_000], list(range(100_000))], {})
    assert len(raised.value.problems) == 3
    assert len(str(raised.value)) < 1000


def test_a_huge_number_is_not_shown():
    with pytest.raises(QuerySyntaxError, match="Invalid filter <int>: expected"):
        parse([10**5000], {})


@pytest.mark.parametrize("op", ["=", "Cin", "C=", "in", "rin"])
def test_a_deep_value_is_no_trouble(op):
    deep: list[object] = []
    for _ in range(5000):
        deep = [deep]
    assert parse([["nope", op, deep]], {}).apply([{"id": 1}]) == []
