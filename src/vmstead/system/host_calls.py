"""Asking the host, with its errors as the API's, and giving one of many answers."""

import errno
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from vmstead.errors import CallError, NotFound
from vmstead.rpc.registry import parse_query


@contextmanager
def host_errors(what: str) -> Iterator[None]:
    """Turn what the operating system complains of into an error that begins with ``what`` (cannot be done)."""
    try:
        yield
    except OSError as error:
        raise CallError(f"{what}: {error.strerror or error}", errno.EIO) from error


def instance(
    noun: str, rows: Sequence[Mapping[str, Any]], key: str, value: object, options: Mapping[str, object]
) -> object:
    """The row with that key, as ``get_instance`` answers it. Raises NotFound, naming it by ``noun``."""
    chosen = parse_query([], {**options, "get": True})
    found = [row for row in rows if row[key] == value]
    if not found:
        raise NotFound(noun, value)
    return chosen.apply(found)
