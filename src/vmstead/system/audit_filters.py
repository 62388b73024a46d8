"""Which entries of the audit trail a query can want, as SQL: what is left is looked at one by one.

Conditions become SQL where that means exactly the same; the others are left to the query itself. An order and a
limit only do when no condition is left over.
"""

import datetime as dt
import math
from collections.abc import Mapping

from vmstead.query import Query
from vmstead.query.ast import Cmp, Node, Order
from vmstead.store.audit import Chosen

_TEXTS = {name: name for name in ("audit_id", "address", "username", "session", "event")}
_TIMES = frozenset({("message_timestamp",), ("timestamp", "$date")})
_ORDERS: Mapping[str, str] = {"=": "=", "!=": "<>", ">": ">", ">=": ">=", "<": "<", "<=": "<="}


def chosen(query: Query, most: int) -> tuple[Chosen, bool]:
    """What to read for a query, and whether that is exactly what its filters leave.

    ``most`` entries are read where the query has no limit of its own.
    """
    pairs = [_condition(item) for item in query.where.items]
    found = [pair for pair in pairs if pair is not None]
    is_exact = len(found) == len(pairs)
    where = " AND ".join(sql for sql, _ in found)
    values = tuple(value for _, each in found for value in each)
    options = query.options
    order = _order(options.order_by)
    if not is_exact or order is None or options.offset < 0 or options.count:
        return Chosen(f"WHERE {where}" if where else "", values), is_exact
    limit = 1 if options.get else (options.limit or most) + options.offset
    return Chosen(f"WHERE {where}" if where else "", values, order, limit), is_exact


def _condition(node: Node) -> tuple[str, list[object]] | None:
    """A condition as SQL with its values; None where SQL would not mean the same."""
    if not isinstance(node, Cmp) or node.fold:
        return None
    parts, op, value = node.path.parts, node.op, node.value
    if parts in _TIMES:
        return _time_condition(node)
    if parts == ("success",) and op in ("=", "!=") and isinstance(value, bool):
        return f"coalesce(success, 0) {_ORDERS[op]} ?", [value]
    if len(parts) != 1 or parts[0] not in _TEXTS:
        return None
    column = _TEXTS[parts[0]]
    if op in ("=", "!=") and (value is None or isinstance(value, str)):
        return f"{column} {'IS' if op == '=' else 'IS NOT'} ?", [value]
    if op == "in" and isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return f"{column} IN ({', '.join('?' * len(value))})", [*value]
    return None


def _time_condition(cmp: Cmp) -> tuple[str, list[object]] | None:
    value = cmp.value.timestamp() if isinstance(cmp.value, dt.datetime) else cmp.value
    if cmp.op not in _ORDERS or isinstance(value, bool) or not isinstance(value, int | float):
        return None
    # Whole seconds are stored, so a fraction lies between two of them.
    if cmp.op in (">=", "<"):
        return f"at {cmp.op} ?", [math.ceil(value)]
    if cmp.op in (">", "<="):
        return f"at {cmp.op} ?", [math.floor(value)]
    return f"at {_ORDERS[cmp.op]} ?", [value]


def _order(orders: tuple[Order, ...]) -> str | None:
    """An order as SQL; None where it is by something else than time."""
    if not orders:
        return "id"
    (first, *more) = orders
    if more or first.path.parts not in {*_TIMES, ("timestamp",)}:
        return None
    return f"at {'DESC' if first.descending else 'ASC'}, id"
