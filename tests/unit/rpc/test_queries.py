"""Parts of a query as parameters."""

import pytest
from pydantic import TypeAdapter, ValidationError

from vmstead.rpc.queries import QueryFilters, QueryOptions, query_for_one


@pytest.mark.parametrize(
    ("options", "place", "text"),
    [
        ({"limit": "5"}, ("limit",), "Input should be a valid integer"),
        ({"colour": 1}, ("colour",), "Extra inputs are not permitted"),
        ({"{0}": 1}, ("{0}",), "Extra inputs are not permitted"),
        ({"get": True, "limit": 2}, (), "Value error, Invalid options combination"),
    ],
)
def test_wrong_options_are_named_by_their_places(
    options: dict[str, object], place: tuple[str, ...], text: str
) -> None:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(QueryOptions).validate_python(options)
    [error] = raised.value.errors()
    assert error["loc"] == place
    assert error["msg"].startswith(text)


def test_all_that_is_wrong_is_told() -> None:
    with pytest.raises(ValidationError) as raised:
        TypeAdapter(QueryOptions).validate_python({"limit": "5", "offset": "5"})
    assert {error["loc"] for error in raised.value.errors()} == {("limit",), ("offset",)}


def test_wrong_filters_are_told_with_what_is_wrong_in_them() -> None:
    with pytest.raises(ValidationError, match=r"Invalid operation: \{0\}"):
        TypeAdapter(QueryFilters).validate_python([["a", "{0}", 1]])


def test_what_is_right_stays_as_it_is() -> None:
    assert TypeAdapter(QueryOptions).validate_python({"limit": 5}) == {"limit": 5}
    assert TypeAdapter(QueryFilters).validate_python([["a", "=", 1]]) == [["a", "=", 1]]


def test_one_object_is_one_object() -> None:
    assert query_for_one({"count": True, "select": ["id"]}).apply([{"id": 1, "name": "a"}]) == {"id": 1}
