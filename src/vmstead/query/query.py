"""Filters and options together: a query, parsed and compiled once and applied to any number of row sets."""

from collections.abc import Iterable, Mapping

from vmstead.query.apply import Result, apply_options
from vmstead.query.ast import And, Options
from vmstead.query.errors import QuerySyntaxError
from vmstead.query.options import parse_options
from vmstead.query.parse import parse_filters
from vmstead.query.python import compile_node


class Query:
    """A well-formed query; `parse` makes them. It holds no state, so it can be kept and shared.

    Attributes:
        where: the filters, as a tree.
        options: what to do with the rows that match.
    """

    __slots__ = ("_test", "options", "where")

    def __init__(self, where: And, options: Options) -> None:
        self.where = where
        self.options = options
        self._test = compile_node(where)

    @property
    def extra(self) -> Mapping[str, object]:
        """The option ``extra``, which each method interprets for itself."""
        return self.options.extra

    def matches(self, row: Mapping[str, object]) -> bool:
        """Say whether a row satisfies the filters; the options do not matter.

        Raises:
            QueryRuntimeError: a value of the row cannot be compared as the filters ask.
        """
        return self._test(row)

    def apply(self, rows: Iterable[Mapping[str, object]]) -> Result:
        """Return what the query asks for: a list of rows, one row (``get``), or a number (``count``).

        Rows are read once, in order, and never changed. Without ``select`` the result holds the rows
        themselves, not copies.

        Raises:
            QueryRuntimeError: a value of a row cannot be compared, ordered by or selected as asked.
            MatchNotFound: ``get`` was asked for and no row matched.
        """
        filtered = bool(self.where.items)
        return apply_options(filter(self._test, rows) if filtered else rows, self.options, filtered=filtered)


def parse(filters: object, options: object) -> Query:
    """Check filters and options as they came over the wire, and compile them.

    Args:
        filters: the filter list; ``[]`` matches every row.
        options: the options; ``{}`` means the defaults.

    Raises:
        QuerySyntaxError: with everything that is wrong in either of them.
    """
    where, problems = parse_filters(filters)
    parsed, more = parse_options(options)
    if problems or more:
        raise QuerySyntaxError(problems + more)
    return Query(where, parsed)
