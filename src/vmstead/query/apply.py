"""What happens to the rows that match: count, order, take one or a page, project."""

from collections.abc import Iterable, Iterator, Mapping

from vmstead.query.ast import Column, Options
from vmstead.query.errors import MatchNotFound, QueryRuntimeError
from vmstead.query.order import order_rows
from vmstead.query.paths import MISSING, descend

Row = Mapping[str, object]
#: A list of rows, or one row (``get``), or a number (``count``).
Result = list[dict[str, object]] | dict[str, object] | int


def apply_options(rows: Iterable[Row], options: Options, *, filtered: bool) -> Result:
    """Turn the matching rows into the result of a query.

    Rows are ordered before they are projected, so that any field can order them.

    Args:
        rows: what the filters let through; read no further than needed. Never changed.
        options: what to do with them.
        filtered: whether there were any filters. It settles which of ``get`` and ``count`` wins when both
            are set: ``get`` if there were filters and no order, as only then the first match will do.

    Raises:
        MatchNotFound: ``get`` was asked for and there are no rows.
        QueryRuntimeError: ``order_by`` or ``select`` leads into a list.
    """
    if options.get and filtered and not options.order_by:
        return _first(iter(rows), options.select)
    if options.count:
        return sum(1 for _ in rows)
    ordered = order_rows(rows, options.order_by)
    if options.get:
        return _first(iter(ordered), options.select)
    page = ordered[options.offset :]
    if options.limit:
        page = page[: options.limit]
    return [project(row, options.select) for row in page]


def _first(rows: Iterator[Row], select: tuple[Column, ...]) -> dict[str, object]:
    for row in rows:
        return project(row, select)
    raise MatchNotFound


def project(row: Row, select: tuple[Column, ...]) -> dict[str, object]:
    """Return the selected fields of a row in a new dict, or the row itself if nothing is selected.

    A nested field keeps its nesting, unless it has an alias, which is one flat key. Fields the row does
    not have are left out. Where two entries write the same place, the later one wins. Values are not copied.

    Raises:
        QueryRuntimeError: a field leads into a list.
    """
    if not select:
        return row if isinstance(row, dict) else dict(row)
    result: dict[str, object] = {}
    for column in select:
        keys, value = _pick(row, column)
        if value is not MISSING:
            _put(result, keys if column.alias is None else [column.alias], value)
    return result


def _pick(row: Row, column: Column) -> tuple[list[str], object]:
    """Return the keys that were followed, fewer than asked for if a scalar ended the way, and the value."""
    keys = [column.path.parts[0]]
    value = row.get(keys[0], MISSING)
    for part in column.path.parts[1:]:
        if value is MISSING:
            break
        if isinstance(value, (list, tuple)):
            whole = ".".join(keys)
            raise QueryRuntimeError(f"{column.path.text}: cannot select inside a list; select {whole} itself")
        if isinstance(value, (dict, Mapping)):
            keys.append(part)
            value = descend(value, part)
    return keys, value


def _put(target: dict[str, object], keys: list[str], value: object) -> None:
    *parents, last = keys
    for key in parents:
        # A copy, because what an earlier entry put here may belong to the row.
        below = target.get(key)
        inner = dict(below) if isinstance(below, (dict, Mapping)) else {}
        target[key] = inner
        target = inner
    target[last] = value
