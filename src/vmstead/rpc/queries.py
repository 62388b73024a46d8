"""Parts of a query as parameters of methods that are no queries themselves. They are handed to ``parse_query``."""

from collections.abc import Mapping
from typing import Annotated, TypeVar

from pydantic import AfterValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails, PydanticCustomError

from vmstead.query import Query, QuerySyntaxError, parse
from vmstead.query.schema import FILTERS, OPTIONS
from vmstead.rpc.registry import parse_query

T = TypeVar("T")


def _checked(value: T, filters: object, options: object) -> T:
    """Have the query language say what is wrong, in pydantic's form."""
    try:
        parse(filters, options)
    except QuerySyntaxError as error:
        raise ValidationError.from_exception_data(
            "query",
            [
                InitErrorDetails(
                    # A text with braces in it is no template.
                    type=PydanticCustomError("query", "{text}", {"text": text}),
                    loc=tuple(path.split(".")[1:]),
                    input=value,
                )
                for path, text in error.problems
            ],
        ) from None
    return value


def _options(value: dict[str, object]) -> dict[str, object]:
    return _checked(value, [], value)


def _filters(value: list[object]) -> list[object]:
    return _checked(value, value, {})


#: What to do with the rows.
QueryOptions = Annotated[dict[str, object], AfterValidator(_options), WithJsonSchema(OPTIONS)]
#: Which rows.
QueryFilters = Annotated[list[object], AfterValidator(_filters), WithJsonSchema(FILTERS)]


def query_for_one(options: Mapping[str, object]) -> Query:
    """What ``get_instance`` does with its options: the answer is the object, whatever they say of how many."""
    return parse_query([], {**options, "get": True, "count": False})
