"""Options as they come over the wire, checked and turned into `Options`."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType
from typing import Literal

from vmstead.query.ast import Column, Options, Order, Path
from vmstead.query.errors import Problem, show
from vmstead.query.paths import parse_path

#: The largest ``limit`` a caller may ask for.
MAX_LIMIT = 10_000

_NULLS: Mapping[str, Literal["first", "last"]] = {"nulls_first": "first", "nulls_last": "last"}


def parse_options(options: object) -> tuple[Options, list[Problem]]:
    """Parse the options of a query.

    Args:
        options: a dict with any of the keys that `Options` has.

    Returns:
        The options, and everything that is wrong with them. Whatever is wrong has its default value.
    """
    if not isinstance(options, Mapping):
        return Options(), [("options", "Input should be a valid dictionary")]
    problems: list[Problem] = []
    select = _select(_list(options, "select", problems), problems)
    parsed = Options(
        extra=_extra(options, problems),
        order_by=_order_by(_list(options, "order_by", problems), select, problems),
        select=select,
        count=_flag(options, "count", problems),
        get=_flag(options, "get", problems),
        offset=_number(options, "offset", problems),
        limit=_number(options, "limit", problems),
        force_sql_filters=_flag(options, "force_sql_filters", problems),
    )
    known = {field.name for field in fields(Options)}
    problems += [
        (f"options.{name}", "Extra inputs are not permitted") for name in options if name not in known
    ]
    problems += [("options", f"Value error, {text}") for text in _conflicts(parsed)]
    return parsed, problems


def _flag(options: Mapping[str, object], name: str, problems: list[Problem]) -> bool:
    value = options.get(name, False)
    if isinstance(value, bool):
        return value
    problems.append((f"options.{name}", "Input should be a valid boolean"))
    return False


def _number(options: Mapping[str, object], name: str, problems: list[Problem]) -> int:
    value = options.get(name, 0)
    # bool is a subclass of int, but a limit of `true` is a mistake.
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    problems.append((f"options.{name}", "Input should be a valid integer"))
    return 0


def _list(options: Mapping[str, object], name: str, problems: list[Problem]) -> Sequence[object]:
    value = options.get(name, ())
    if isinstance(value, (list, tuple)):
        return value
    problems.append((f"options.{name}", "Input should be a valid list"))
    return ()


def _extra(options: Mapping[str, object], problems: list[Problem]) -> Mapping[str, object]:
    value = options.get("extra", {})
    if isinstance(value, Mapping):
        return MappingProxyType(dict(value))
    problems.append(("options.extra", "Input should be a valid dictionary"))
    return MappingProxyType({})


def _select(entries: Sequence[object], problems: list[Problem]) -> tuple[Column, ...]:
    columns = []
    for index, entry in enumerate(entries):
        try:
            columns.append(_column(entry))
        except ValueError as error:
            problems.append((f"options.select.{index}", f"Value error, {error}"))
    return tuple(columns)


def _column(entry: object) -> Column:
    if isinstance(entry, str):
        return Column(parse_path(entry))
    if isinstance(entry, (list, tuple)) and len(entry) == 2:
        source, alias = entry
        if isinstance(source, str) and isinstance(alias, str):
            return Column(parse_path(source), alias)
    raise ValueError(f"Invalid select entry {show(entry)}: expected a field, or [field, alias], as strings")


def _order_by(
    entries: Sequence[object], select: tuple[Column, ...], problems: list[Problem]
) -> tuple[Order, ...]:
    aliases = {column.alias: column.path for column in select if column.alias is not None}
    orders = []
    for index, entry in enumerate(entries):
        place = f"options.order_by.{index}"
        if not isinstance(entry, str):
            problems.append((place, "Input should be a valid string"))
            continue
        try:
            orders.append(_order(entry, aliases))
        except ValueError as error:
            problems.append((place, f"Value error, {error}"))
    return tuple(orders)


def _order(entry: str, aliases: Mapping[str, Path]) -> Order:
    prefix, _, rest = entry.partition(":")
    nulls = _NULLS.get(prefix) if rest else None
    field = entry if nulls is None else rest
    path = parse_path(field.removeprefix("-"))
    # Rows are ordered before they are projected, so a name given by `select` is traced to its source.
    if source := aliases.get(path.parts[0]):
        path = Path(path.text, source.parts + path.parts[1:])
    return Order(path, field.startswith("-"), nulls)


def _conflicts(options: Options) -> list[str]:
    """What is wrong with values that are fine each by itself, or as a type."""
    conflicts = []
    if not 0 <= options.limit <= MAX_LIMIT:
        conflicts.append(f"Options limit must be between 1 and {MAX_LIMIT}, or 0 for no limit")
    if options.get and (options.limit > 1 or options.offset):
        conflicts.append("Invalid options combination. `get` returns one row: leave out `limit` and `offset`")
    return conflicts
