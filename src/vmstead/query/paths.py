r"""Field names with dots, and the steps they describe through a row.

``status.state`` goes down two dicts, ``foo\.bar`` is one key with a dot in it, ``devices.0.dtype`` takes
an element of a list and ``devices.*.dtype`` any element of it.
"""

import re
from collections.abc import Mapping
from typing import Final

from vmstead.query.ast import Path
from vmstead.query.errors import QueryRuntimeError

#: What a lookup yields where a dict has no such key. Different from a key that holds None.
MISSING: Final = object()

#: The part of a path that stands for every element of a list.
WILDCARD: Final = "*"

#: Bounds on what a caller may send. Both are far above any real field name.
MAX_PATH_LENGTH = 1024
MAX_PATH_PARTS = 32

_UNESCAPED_DOT = re.compile(r"(?<!\\)\.")


def parse_path(text: str) -> Path:
    """Split a field name at its dots.

    Raises:
        ValueError: it is empty, has an empty part (``a..b``), or is too long; the text says which.
    """
    if len(text) > MAX_PATH_LENGTH:
        raise ValueError(f"Invalid field {text[:40]}...: longer than {MAX_PATH_LENGTH} characters")
    parts = tuple(part.replace("\\.", ".") for part in _UNESCAPED_DOT.split(text))
    if len(parts) > MAX_PATH_PARTS:
        raise ValueError(f"Invalid field {text[:40]}...: more than {MAX_PATH_PARTS} parts")
    if "" in parts:
        raise ValueError(f"Invalid field {text!r}: it must be a name, or names joined by single dots")
    return Path(text, parts)


def descend(value: object, part: str) -> object:
    """Follow one part of a path from ``value``.

    In a dict that is the key, or `MISSING`. In a list it is the element of that index, or None past the
    end. Anything else has nothing below it and is its own result, so ``name.x`` means ``name``.

    Raises:
        QueryRuntimeError: ``value`` is a list and ``part`` is no index (the wildcard is up to the caller).
    """
    if isinstance(value, (list, tuple)):
        if not (part.isascii() and part.isdecimal()):
            raise QueryRuntimeError(f"{part}: must be array index or wildcard character")
        index = int(part)
        return value[index] if index < len(value) else None
    # Almost always a dict, and asking for that first spares the slow check for the abstract class.
    if isinstance(value, (dict, Mapping)):
        return value.get(part, MISSING)
    return value


def lookup(row: Mapping[str, object], path: Path) -> object:
    """Return the one value a path leads to, or `MISSING`.

    Raises:
        QueryRuntimeError: the path needs a list index and has something else there, a wildcard included.
    """
    value: object = row
    for part in path.parts:
        if part == WILDCARD and isinstance(value, (list, tuple)):
            raise QueryRuntimeError(f"{path.text}: a wildcard stands for many values; name a list index here")
        value = descend(value, part)
        if value is MISSING:
            return MISSING
    return value
