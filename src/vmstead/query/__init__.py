r"""The TrueNAS filter language over rows: which rows, in which order, how many, and which of their fields.

Filters are a list of conditions ``[field, operator, value]`` that must all hold. ``["OR", [branch, ...]]``
stands wherever a condition can; a branch is a condition, another ``OR``, or a list of them that must all
hold. Fields are names, with dots to go down into dicts and lists. Options order, page and project what
matched. Queries that TrueNAS 25.10 answers get the same answer here. Where it fails or contradicts its own
documentation, this package does what the documentation leads one to expect:

* ``["OR", [...]]`` as the whole filter list works like the same wrapped in a list.
* Rows can be ordered by any field: nested, computed, or not among those selected. An alias given in
  ``select`` can be ordered by as well.
* Ordering copes with what rows hold. Null, and a field that is missing, is smaller than any value; values
  of types that cannot be compared are grouped by type. ``nulls_first:`` and ``nulls_last:`` work for
  nested fields and in both directions.
* A malformed query is a `QuerySyntaxError` that names what is wrong and how it should look, whatever the
  input; all of its faults are reported at once. This includes a negative ``limit``, a field name with an
  empty part, and regular expressions that are invalid or longer than 1024 characters.
* Values that cannot be compared (``null > 5``) are a `QueryRuntimeError` naming field, operator and types.
* A ``.$date`` field may hold a datetime, with or without a time zone, or its wire object.

These peculiarities are kept, because clients see them: a missing field satisfies no condition, not even
``!=``; ``nin``, ``rnin``, ``!^`` and ``!$`` are false for null; of several ``order_by`` entries the last
is the primary key; ``count`` ignores ``limit`` and ``offset``. ``force_sql_filters`` changes nothing.
"""

from collections.abc import Iterable, Mapping

from vmstead.query.apply import Result
from vmstead.query.errors import MatchNotFound, QueryRuntimeError, QuerySyntaxError
from vmstead.query.query import Query, parse

__all__ = [
    "MatchNotFound",
    "Query",
    "QueryRuntimeError",
    "QuerySyntaxError",
    "filter_list",
    "parse",
]


def filter_list(
    rows: Iterable[Mapping[str, object]], filters: object = None, options: object = None
) -> Result:
    """Apply a query to rows in one step; None for filters or options means the defaults.

    Returns:
        A list of rows, one row with the option ``get``, or a number with the option ``count``.

    Raises:
        QuerySyntaxError: filters or options are malformed.
        QueryRuntimeError: a value of a row cannot be compared, ordered by or selected as asked.
        MatchNotFound: ``get`` was asked for and no row matched.
    """
    return parse([] if filters is None else filters, {} if options is None else options).apply(rows)
