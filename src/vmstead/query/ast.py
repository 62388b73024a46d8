"""A parsed query: plain frozen values, with nothing in them that depends on how rows are stored.

`vmstead.query.parse` and `vmstead.query.options` make them; `vmstead.query.python` and
`vmstead.query.apply` give them their meaning over rows.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal


@dataclass(frozen=True, slots=True)
class Path:
    r"""The way from a row to one of its values.

    Attributes:
        text: as the caller wrote it, for error messages: ``attributes.foo\.bar``.
        parts: the keys to follow, escapes resolved: ``("attributes", "foo.bar")``. Never empty.
    """

    text: str
    parts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Cmp:
    """One condition on one field.

    Attributes:
        path: the field.
        op: an operator of `vmstead.query.operators.OPERATORS`, without the ``C`` prefix.
        value: what the field is compared with; a compiled pattern for ``~``, an aware datetime if ``dated``.
        fold: ignore case (the ``C`` prefix).
        dated: compare as points in time (the field ends in ``.$date``).
    """

    path: Path
    op: str
    value: object
    fold: bool = False
    dated: bool = False


@dataclass(frozen=True, slots=True)
class And:
    """True if every item is; true if there are none."""

    items: tuple["Node", ...] = ()


@dataclass(frozen=True, slots=True)
class Or:
    """True if any item is."""

    items: tuple["Node", ...]


Node = Cmp | And | Or


@dataclass(frozen=True, slots=True)
class Order:
    """One entry of ``order_by``.

    Attributes:
        path: the field; where the caller named an alias of ``select``, the field behind it.
        descending: largest first.
        nulls: where rows without a value go. None: null is smaller than any value.
    """

    path: Path
    descending: bool = False
    nulls: Literal["first", "last"] | None = None


@dataclass(frozen=True, slots=True)
class Column:
    """One entry of ``select``: a field, and the flat key it is returned under if not its own nested name."""

    path: Path
    alias: str | None = None


@dataclass(frozen=True, slots=True)
class Options:
    """What to do with the rows that match; the defaults are those of the API.

    Attributes:
        extra: what a particular method makes of it; nothing here reads it.
        order_by: successive stable sorts, so the last entry is the primary key.
        select: the fields to return; empty means all.
        count: return the number of matching rows.
        get: return the first matching row instead of a list.
        offset: rows to skip; a negative one counts from the end.
        limit: the most rows to return; 0 means all.
        force_sql_filters: accepted for compatibility; the result is the same either way.
    """

    extra: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    order_by: tuple[Order, ...] = ()
    select: tuple[Column, ...] = ()
    count: bool = False
    get: bool = False
    offset: int = 0
    limit: int = 0
    force_sql_filters: bool = False
