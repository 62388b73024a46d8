"""What each operator says of a value, of null, and of a missing field."""

import operator

import pytest

from vmstead.query import QueryRuntimeError, parse
from vmstead.query.operators import OPERATORS


def matches(field: object, op: str, value: object) -> bool:
    return parse([["f", op, value]], {}).matches({"f": field})


@pytest.mark.parametrize(
    ("field", "op", "value", "expected"),
    [
        ("a", "=", "a", True),
        ("a", "=", "A", False),
        (1, "=", True, True),
        (1, "=", 1.0, True),
        (0, "=", False, True),
        (1, "=", "1", False),
        ([1, 2], "=", [1, 2], True),
        ({"a": 1}, "=", {"a": 1}, True),
        ("a", "!=", "b", True),
        ("a", "!=", "a", False),
        (1, "!=", True, False),
        (2, ">", 1, True),
        (1, ">", 1, False),
        (1, ">=", 1, True),
        (0, ">=", 1, False),
        (0, "<", 1, True),
        (1, "<", 1, False),
        (1, "<=", 1, True),
        (2, "<=", 1, False),
        ("b", ">", "a", True),
        ([2], ">", [1, 9], True),
        (True, ">", 0, True),
        ("web01", "~", "web", True),
        ("web01", "~", "01", False),
        ("web01", "~", ".*01", True),
        ("web01", "~", "WEB", False),
        ("web01", "~", "(?i)WEB", True),
        ("web01", "~", "web$", False),
        ("a", "in", ["a", "b"], True),
        ("c", "in", ["a", "b"], False),
        (1, "in", [True], True),
        ("bc", "in", "abcd", True),
        ("x", "in", "abcd", False),
        ([1], "in", [[1], [2]], True),
        ("c", "nin", ["a", "b"], True),
        ("a", "nin", ["a", "b"], False),
        ("x", "nin", "abc", True),
        (["a", "b"], "rin", "a", True),
        (["a", "b"], "rin", "c", False),
        ("abcd", "rin", "bc", True),
        ([None], "rin", None, True),
        ({"a"}, "rin", "a", True),
        (["a", "b"], "rnin", "c", True),
        (["a", "b"], "rnin", "a", False),
        ("abcd", "rnin", "bc", False),
        ("web01", "^", "web", True),
        ("web01", "^", "01", False),
        ("web01", "^", "", True),
        ("web01", "!^", "web", False),
        ("web01", "!^", "01", True),
        ("web01", "$", "01", True),
        ("web01", "$", "web", False),
        ("web01", "!$", "01", False),
        ("web01", "!$", "web", True),
    ],
)
def test_value(field, op, value, expected):
    assert matches(field, op, value) is expected


@pytest.mark.parametrize(
    ("op", "value", "expected"),
    [
        ("=", None, True),
        ("=", "", False),
        ("=", 0, False),
        ("!=", None, False),
        ("!=", 1, True),
        ("~", "^$", True),
        ("~", "x", False),
        ("in", [None, 1], True),
        ("in", [1], False),
        ("nin", [1], False),
        ("nin", [None], False),
        ("rin", 1, False),
        ("rin", None, False),
        ("rnin", 1, False),
        ("^", "a", False),
        ("^", "", False),
        ("!^", "a", False),
        ("$", "a", False),
        ("!$", "a", False),
        ("C=", None, True),
        ("C=", "a", False),
        ("C!=", "a", True),
        ("Cin", ["A", None], True),
        ("Cnin", ["A"], False),
        ("Crin", "a", False),
        ("Crnin", "a", False),
        ("C^", "a", False),
        ("C!^", "a", False),
        ("C$", "a", False),
        ("C!$", "a", False),
    ],
)
def test_null_field(op, value, expected):
    assert matches(None, op, value) is expected


ALL_NAMES = [*OPERATORS, *(f"C{op}" for op in OPERATORS if op != "~")]


@pytest.mark.parametrize("op", ALL_NAMES)
@pytest.mark.parametrize("field", ["f", "g.f", "a.b"])
def test_a_missing_field_satisfies_nothing(op, field):
    row = {"other": 1, "g": {"other": 1}}
    assert parse([[field, op, "x"]], {}).matches(row) is False


@pytest.mark.parametrize("op", [">", ">=", "<", "<="])
@pytest.mark.parametrize("prefix", ["", "C"])
def test_null_cannot_be_ordered(op, prefix):
    with pytest.raises(QueryRuntimeError) as raised:
        matches(None, prefix + op, "5")
    assert str(raised.value) == (
        f"f: '{prefix}{op}' not supported between instances of 'NoneType' and 'str'; "
        'exclude nulls first: ["f", "!=", null]'
    )


def test_an_earlier_condition_keeps_nulls_from_an_ordering():
    query = parse([["f", "!=", None], ["f", ">", 5]], {})
    assert query.apply([{"f": None}, {"f": 9}]) == [{"f": 9}]


@pytest.mark.parametrize(
    ("field", "op", "value", "types"),
    [
        ("a", ">", 1, "'str' and 'int'"),
        (1, "<=", "a", "'int' and 'str'"),
        (1, "<", None, "'int' and 'NoneType'"),
        ([1], ">", ["a"], "'list' and 'list'"),
        (1, "in", 5, "'int' and 'int'"),
        (1, "in", "abc", "'int' and 'str'"),
        (None, "in", "abc", "'NoneType' and 'str'"),
        (1, "nin", None, "'int' and 'NoneType'"),
        (5, "rin", 5, "'int' and 'int'"),
        (5, "rnin", 5, "'int' and 'int'"),
        ("abc", "rin", None, "'str' and 'NoneType'"),
        (5, "^", "5", "'int' and 'str'"),
        ("5", "!^", 5, "'str' and 'int'"),
        (5, "$", "5", "'int' and 'str'"),
        ("5", "!$", None, "'str' and 'NoneType'"),
        (["a"], "C^", "a", "'list' and 'str'"),
    ],
)
def test_incomparable_values_are_named(field, op, value, types):
    with pytest.raises(QueryRuntimeError) as raised:
        matches(field, op, value)
    assert str(raised.value).startswith(f"f: '{op}' not supported between instances of {types}")


def test_regex_needs_text():
    with pytest.raises(QueryRuntimeError) as raised:
        matches(5, "~", "5")
    assert str(raised.value) == "f: '~' needs a text field, not 'int'"


@pytest.mark.parametrize(
    ("field", "op", "value", "expected"),
    [
        ("Web", "C=", "wEB", True),
        ("Straße", "C=", "STRASSE", True),
        ("Web", "C!=", "wEB", False),
        ("Web", "C^", "wE", True),
        ("Web", "C!^", "wE", False),
        ("Web", "C$", "EB", True),
        ("Web", "C!$", "EB", False),
        ("Web", "Cin", ["WEB", "db"], True),
        ("Web", "Cin", "my WEBserver", True),
        ("Web", "Cnin", ["WEB"], False),
        (["Web", "Db"], "Crin", "WEB", True),
        (["Web", "Db"], "Crnin", "WEB", False),
        ({"Web"}, "Crin", "WEB", True),
        (["Web"], "C=", ["WEB"], True),
        ("b", "C>", "A", True),
        ("B", "C>", "a", True),
        ("b", "C>=", "B", True),
        ("A", "C<", "b", True),
        ("B", "C<=", "b", True),
    ],
)
def test_case_is_ignored(field, op, value, expected):
    assert matches(field, op, value) is expected


@pytest.mark.parametrize(
    ("field", "op", "value", "kind"),
    [
        (5, "C=", "a", "int"),
        ("a", "C=", 5, "int"),
        (5.0, "C>", 5, "float"),
        (["a", 5], "Crin", "a", "int"),
        ([["a"]], "Crin", "a", "list"),
        ("a", "Cin", ["a", 5], "int"),
        ({"a": 1}, "C=", "a", "dict"),
        (True, "C!=", "a", "bool"),
    ],
)
def test_only_text_can_be_casefolded(field, op, value, kind):
    query = parse([["f", op, value]], {})
    with pytest.raises(QueryRuntimeError) as raised:
        query.matches({"f": field})
    text = f"<class '{kind}'>: support for casefolding object type not implemented."
    assert str(raised.value).startswith(text)
    assert f"f: '{op}'" in str(raised.value)


def test_a_value_that_cannot_be_casefolded_needs_a_row_to_fail():
    query = parse([["f", "C=", 5]], {})
    assert query.apply([]) == []
    assert query.apply([{"g": "a"}]) == []


@pytest.mark.parametrize("op", [">", ">=", "<", "<="])
def test_ordering_agrees_with_python(op):
    compare = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}[op]
    for left in (-1, 0, 1.5, True):
        assert matches(left, op, 1) is compare(left, 1)
