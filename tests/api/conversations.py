"""Recorded conversations of clients: what they say, and what the answers to it look like.

A file in ``tests/conversations`` is a list of steps: ``client``, a frame that is sent; ``server``, what the next
frame must look like; ``repeat``, what any number of frames may look like; ``get``, a file that is fetched.

A shape has the keys that there must be and the types of their values. In it a text stands for a type (``text``,
``number``, ``flag``, ``date``, ``null``, ``any``, or one of those in ``shapes.json`` after ``@``), with ``|`` for
one of several, or after ``=`` for itself; a list for elements that all look like this, ``{"each": […]}`` for so
many; everything else for itself. ``{"@job": {…}}`` is such a shape with some members told more exactly.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent.parent / "conversations"
SHAPES: Mapping[str, Any] = json.loads((FOLDER / "shapes.json").read_text())
NAMES = sorted(path.stem for path in FOLDER.glob("*.json") if path.stem != "shapes")


def conversation(name: str) -> dict[str, Any]:
    """What is in a file."""
    found: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def differences(value: Any, shape: Any, where: str = "frame") -> list[str]:
    """Where a value does not look as it should; nothing if it does."""
    match shape:
        case str() if shape.startswith("="):
            return [] if value == shape[1:] else [f"{where} is {value!r}, not {shape[1:]!r}"]
        case str():
            return _of_a_kind(value, shape.split("|"), where)
        case {"each": list() as each} if len(shape) == 1:
            if not isinstance(value, list) or len(value) != len(each):
                return [f"{where} is {value!r}, not {len(each)} elements"]
            return _all(zip(value, each, strict=True), where)
        case [element]:
            if not isinstance(value, list):
                return [f"{where} is {value!r}, no list"]
            return _all(((item, element) for item in value), where)
        case dict() if len(shape) == 1 and next(iter(shape)).startswith("@"):
            ((name, more),) = shape.items()
            return differences(value, {**SHAPES[name[1:]], **more}, where)
        case dict():
            if not isinstance(value, dict) or value.keys() != shape.keys():
                keys = sorted(value) if isinstance(value, dict) else value
                return [f"{where} has {keys}, not {sorted(shape)}"]
            return [
                text
                for key, item in value.items()
                for text in differences(item, shape[key], f"{where}.{key}")
            ]
        case _:
            same = type(value) is type(shape) and value == shape
            return [] if same else [f"{where} is {value!r}, not {shape!r}"]


def _all(pairs: Any, where: str) -> list[str]:
    return [
        text
        for number, (value, shape) in enumerate(pairs)
        for text in differences(value, shape, f"{where}[{number}]")
    ]


def _of_a_kind(value: object, kinds: list[str], where: str) -> list[str]:
    found: list[str] = []
    for kind in kinds:
        if kind.startswith("@"):
            found = differences(value, SHAPES[kind[1:]], where)
        else:
            found = [] if _KINDS[kind](value) else [f"{where} is {value!r}, no {kind}"]
        if not found:
            return []
    return found if len(kinds) == 1 else [f"{where} is {value!r}, none of {kinds}"]


_KINDS: Mapping[str, Callable[[object], bool]] = {
    "any": lambda value: True,
    "null": lambda value: value is None,
    "flag": lambda value: isinstance(value, bool),
    "text": lambda value: isinstance(value, str),
    "number": lambda value: type(value) is int,
    "date": lambda value: (
        isinstance(value, dict) and value.keys() == {"$date"} and type(value["$date"]) is int
    ),
}


def filled_in(value: Any, known: Mapping[str, Any]) -> Any:
    """A client's frame with what was learned before in the places that are for it, such as ``<key>``."""
    match value:
        case str():
            return known.get(value, value)
        case list():
            return [filled_in(item, known) for item in value]
        case dict():
            return {key: filled_in(item, known) for key, item in value.items()}
        case _:
            return value
