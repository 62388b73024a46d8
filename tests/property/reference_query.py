"""A deliberately naive interpreter of the filter language, to check the compiled one against.

It walks the wire lists for every row, knows nothing of the package under test, and spells every rule out.
It takes well-formed queries only.
"""

import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cmp_to_key
from typing import Any

Row = dict[str, Any]


class Incomparable(Exception):
    """The query cannot be applied to what a row holds."""


class NoMatch(Exception):
    """There is no row to get."""


def run(rows: list[Row], filters: list[Any], options: dict[str, Any]) -> Any:
    """Return what a query gives."""
    items = [filters] if filters[:1] == ["OR"] else filters
    if options.get("get") and items and not options.get("order_by"):
        for row in rows:
            if all(holds(row, item) for item in items):
                return project(row, options.get("select", []))
        raise NoMatch
    matching = [row for row in rows if all(holds(row, item) for item in items)]
    if options.get("count"):
        return len(matching)
    for entry in options.get("order_by", []):
        matching = order(matching, entry, options.get("select", []))
    if options.get("get"):
        if not matching:
            raise NoMatch
        return project(matching[0], options.get("select", []))
    if offset := options.get("offset", 0):
        matching = matching[offset:]
    if limit := options.get("limit", 0):
        matching = matching[:limit]
    return [project(row, options.get("select", [])) for row in matching]


# --- filters ----------------------------------------------------------------------------------------


def holds(row: Row, item: list[Any]) -> bool:
    """Say whether a row satisfies one item of a filter list."""
    if len(item) == 2:
        return any(
            all(holds(row, each) for each in branch) if isinstance(branch[0], list) else holds(row, branch)
            for branch in item[1]
        )
    field, op, value = item
    return any(compare(found, field, op, value) for found in values(row, split(field)))


def split(field: str) -> list[str]:
    """Split a field name at the dots that have no backslash in front of them."""
    parts = [""]
    for position, character in enumerate(field):
        if character != ".":
            parts[-1] += character
        elif position and field[position - 1] == "\\":
            parts[-1] = parts[-1][:-1] + "."
        else:
            parts.append("")
    return parts


def values(value: Any, parts: list[str]) -> Iterator[Any]:
    """Yield what a path leads to: nothing if it is missing, several with a wildcard."""
    if not parts:
        yield value
    elif isinstance(value, dict):
        if parts[0] in value:
            yield from values(value[parts[0]], parts[1:])
    elif not isinstance(value, list):
        yield from values(value, parts[1:])
    elif parts[0] == "*":
        for element in value:
            yield from values(element, parts[1:])
    elif parts[0].isdigit():
        index = int(parts[0])
        yield from values(value[index] if index < len(value) else None, parts[1:])
    else:
        raise Incomparable


def compare(found: Any, field: str, op: str, value: Any) -> bool:
    """Apply an operator to one value of a field."""
    if field.endswith(".$date"):
        found, value = time(found), time(datetime.fromisoformat(value))
    if op.startswith("C"):
        found, value, op = fold(found), fold(value), op[1:]
    try:
        return operate(found, op, value)
    except (TypeError, AttributeError):
        raise Incomparable from None


def operate(found: Any, op: str, value: Any) -> bool:
    """Apply an operator, with whatever error Python makes of unsuitable types."""
    if found is None and op in ("nin", "rin", "rnin", "^", "!^", "$", "!$"):
        return False
    if op == "~":
        return bool(re.match(value, "" if found is None else found))
    results: dict[str, Callable[[], Any]] = {
        "=": lambda: found == value,
        "!=": lambda: found != value,
        ">": lambda: found > value,
        ">=": lambda: found >= value,
        "<": lambda: found < value,
        "<=": lambda: found <= value,
        "in": lambda: found in value,
        "nin": lambda: found not in value,
        "rin": lambda: value in found,
        "rnin": lambda: value not in found,
        "^": lambda: found.startswith(value),
        "!^": lambda: not found.startswith(value),
        "$": lambda: found.endswith(value),
        "!$": lambda: not found.endswith(value),
    }
    return bool(results[op]())


def time(value: Any) -> Any:
    """Make an aware datetime of a datetime or a number of milliseconds."""
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if type(value) in (int, float):
        try:
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=value)
        except (OverflowError, ValueError):
            return value
    return value


def fold(value: Any) -> Any:
    """Casefold texts and lists of them, but no lists of lists."""
    texts = value if isinstance(value, list) else [value]
    if not all(each is None or isinstance(each, str) for each in texts):
        raise Incomparable
    folded = [each and each.casefold() for each in texts]
    return folded if isinstance(value, list) else folded[0]


# --- order ------------------------------------------------------------------------------------------


def order(rows: list[Row], entry: str, select: list[Any]) -> list[Row]:
    """Sort by one entry of ``order_by``."""
    prefix, rest = entry.split(":") if ":" in entry else ("", entry)
    descending, field = rest.startswith("-"), rest.removeprefix("-")
    parts = split(field)
    for column in reversed(select):
        if isinstance(column, list) and column[1] == parts[0]:
            chosen = split(column[0]) + parts[1:]
            break
    else:
        chosen = parts
    keyed = [(single(row, chosen), row) for row in rows]
    full = [pair for pair in keyed if pair[0] is not None]
    if prefix:
        empty = [row for found, row in keyed if found is None]
        ordered = [row for _, row in stable_sort(full, descending)]
        return empty + ordered if prefix == "nulls_first" else ordered + empty
    return [row for _, row in stable_sort(keyed, descending)]


def single(row: Row, parts: list[str]) -> Any:
    """Return the one value of a path, None if it is missing."""
    value: Any = row
    for part in parts:
        if part == "*" and isinstance(value, list):
            raise Incomparable
        found = list(values(value, [part]))
        if not found:
            return None
        value = found[0]
    return value


def stable_sort(keyed: list[tuple[Any, Row]], descending: bool) -> list[tuple[Any, Row]]:
    """Sort stably in either direction."""
    sign = -1 if descending else 1

    def compare_pairs(left: tuple[Any, Row], right: tuple[Any, Row]) -> int:
        return sign * difference(left[0], right[0])

    return sorted(keyed, key=cmp_to_key(compare_pairs))


def difference(left: Any, right: Any) -> int:
    """Return -1, 0 or 1 as left is smaller, equal or larger."""
    if kind(left) != kind(right):
        return -1 if kind(left) < kind(right) else 1
    if left is None:
        return 0
    if isinstance(instant(left), datetime):
        left, right = instant(left), instant(right)
    if isinstance(left, dict):
        left = [[key, left[key]] for key in sorted(left)]
        right = [[key, right[key]] for key in sorted(right)]
    if isinstance(left, list):
        for one, other in zip(left, right, strict=False):
            if result := difference(one, other):
                return result
        left, right = len(left), len(right)
    return int(left > right) - int(left < right)


def kind(value: Any) -> int:
    """Return the rank of a value's type."""
    if value is None:
        return 0
    if isinstance(instant(value), datetime):
        return 3
    return next(
        rank
        for types, rank in (((int, float), 1), (str, 2), (list, 4), (dict, 5))
        if isinstance(value, types)
    )


def instant(value: Any) -> Any:
    """Make an aware datetime of a datetime or of its wire object."""
    if isinstance(value, dict) and list(value) == ["$date"]:
        return time(value["$date"])
    return time(value) if isinstance(value, datetime) else value


# --- projection -------------------------------------------------------------------------------------


def project(row: Row, select: list[Any]) -> Row:
    """Return the selected fields of a row."""
    if not select:
        return row
    result: Row = {}
    for column in select:
        source, alias = column if isinstance(column, list) else (column, None)
        keys: list[str] = []
        value: Any = row
        missing = False
        for part in split(source):
            if isinstance(value, list):
                raise Incomparable
            if isinstance(value, dict):
                keys.append(part)
                missing = part not in value
                if missing:
                    break
                value = value[part]
        if not missing:
            result = put(result, keys if alias is None else [alias], value)
    return result


def put(target: Any, keys: list[str], value: Any) -> Any:
    """Return a copy of ``target`` with a value at a place."""
    if not keys:
        return value
    below = target if isinstance(target, dict) else {}
    return {**below, keys[0]: put(below.get(keys[0]), keys[1:], value)}
