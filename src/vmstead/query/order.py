"""Ordering rows by fields that may be nested, missing, null, or of different types in different rows."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from enum import IntEnum
from math import isnan
from typing import TypeVar

from vmstead.query.ast import Order, Path
from vmstead.query.dates import moment, unwrap
from vmstead.query.paths import MISSING, lookup

_Row = TypeVar("_Row", bound=Mapping[str, object])


class _Rank(IntEnum):
    """The order of values that Python would not compare with each other."""

    NULL = 0
    NUMBER = 1
    TEXT = 2
    TIME = 3
    LIST = 4
    DICT = 5
    OTHER = 6


def order_rows(rows: Iterable[_Row], orders: Iterable[Order]) -> list[_Row]:
    """Return the rows in order; the last of ``orders`` is the primary key, as each is one stable sort.

    Raises:
        QueryRuntimeError: a path leads into a list without an index.
    """
    ordered = list(rows)
    for order in orders:
        ordered = _sorted(ordered, order)
    return ordered


def sort_key(value: object) -> tuple[object, ...]:
    """Return a key that orders any two values: first by kind, null before all, then within the kind.

    Booleans are numbers, as everywhere in Python. NaN counts as null, since it has no place among numbers.
    """
    match value:
        case None:
            return (_Rank.NULL,)
        case float() if isnan(value):
            return (_Rank.NULL,)
        case int() | float():
            return (_Rank.NUMBER, value)
        case str():
            return (_Rank.TEXT, value)
        case datetime():
            return (_Rank.TIME, moment(value))
        case Mapping() if isinstance(when := unwrap(value), datetime):
            return (_Rank.TIME, when)
        case list() | tuple():
            return (_Rank.LIST, tuple(sort_key(element) for element in value))
        case Mapping():
            return (_Rank.DICT, tuple(sorted((str(key), sort_key(each)) for key, each in value.items())))
        case _:
            return (_Rank.OTHER, type(value).__name__, str(value))


def _sorted(rows: list[_Row], order: Order) -> list[_Row]:
    keyed = [(_key(row, order.path), row) for row in rows]
    if order.nulls is None:
        return [row for _, row in _by_key(keyed, order.descending)]
    nulls = [row for key, row in keyed if key[0] == _Rank.NULL]
    rest = _by_key([pair for pair in keyed if pair[0][0] != _Rank.NULL], order.descending)
    others = [row for _, row in rest]
    return nulls + others if order.nulls == "first" else others + nulls


def _by_key(
    keyed: list[tuple[tuple[object, ...], _Row]], descending: bool
) -> list[tuple[tuple[object, ...], _Row]]:
    # Sorting in reverse keeps rows with equal keys in the order they had, too.
    return sorted(keyed, key=lambda pair: pair[0], reverse=descending)


def _key(row: Mapping[str, object], path: Path) -> tuple[object, ...]:
    found = lookup(row, path)
    return sort_key(None if found is MISSING else found)
