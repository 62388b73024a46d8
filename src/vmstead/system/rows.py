"""Answering with one of many rows."""

from collections.abc import Mapping, Sequence
from typing import Any

from vmstead.errors import NotFound
from vmstead.rpc.queries import query_for_one


def instance(
    noun: str, rows: Sequence[Mapping[str, Any]], key: str, value: object, options: Mapping[str, object]
) -> object:
    """The row with that key, as ``get_instance`` answers it. Raises NotFound, naming it by ``noun``."""
    chosen = query_for_one(options)
    found = [row for row in rows if row[key] == value]
    if not found:
        raise NotFound(noun, value)
    return chosen.apply(found)
