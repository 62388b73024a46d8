"""The package from outside: its names, its errors, and how queries may be used."""

import vmstead.query
from vmstead.query import MatchNotFound, QueryRuntimeError, QuerySyntaxError, filter_list, parse


def test_the_public_names():
    assert vmstead.query.__all__ == sorted(
        ["MatchNotFound", "Query", "QueryRuntimeError", "QuerySyntaxError", "filter_list", "parse"]
    )
    assert all(hasattr(vmstead.query, name) for name in vmstead.query.__all__)


def test_the_error_tree():
    assert issubclass(QuerySyntaxError, ValueError)
    assert issubclass(QueryRuntimeError, ValueError)
    assert issubclass(MatchNotFound, LookupError)
    assert not issubclass(QueryRuntimeError, QuerySyntaxError)


def test_a_syntax_error_keeps_its_problems():
    error = QuerySyntaxError([("filters", "a"), ("options.limit", "b")])
    assert error.problems == [("filters", "a"), ("options.limit", "b")]
    assert str(error) == "filters: a; options.limit: b"


def test_a_query_can_be_used_again():
    query = parse([["id", ">", 1]], {"order_by": ["-id"]})
    rows = [{"id": i} for i in range(4)]
    assert query.apply(rows) == query.apply(iter(rows)) == [{"id": 3}, {"id": 2}]
    assert query.matches({"id": 2})
    assert rows == [{"id": i} for i in range(4)]


def test_the_result_is_not_the_list_that_was_given():
    rows = [{"id": 1}]
    result = filter_list(rows)
    assert result == rows
    assert result is not rows


def test_nothing_is_read_of_rows_that_do_not_match():
    rows = [{"id": 1, "tags": ["x"]}, {"id": 2, "tags": {"x": 1}}]
    assert filter_list(rows, [["id", "=", 2]], {"select": ["tags.x"]}) == [{"tags": {"x": 1}}]
