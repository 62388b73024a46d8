"""Sizes as people write them: ``512M``, ``20G``, ``1.5T``. Powers of 1024, as everywhere in the API."""

import re

import click

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)(?:i?B)?", re.IGNORECASE)
_UNITS = ("", "K", "M", "G", "T", "P")
MIB = 1024**2


def parse(text: str, unit: str = "") -> int:
    """Bytes that a text means.

    Args:
        unit: what a bare number counts: ``""`` bytes, ``M`` MiB.

    Raises:
        ValueError: it is no size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is no size; write it like 512M or 20G")
    return int(float(match[1]) * 1024 ** _UNITS.index((match[2] or unit).upper()))


def shown(count: float | None) -> str:
    """Bytes in the unit that suits them, ``-`` for None."""
    if count is None:
        return "-"
    number, unit = float(count), 0
    while number >= 1024 and unit < len(_UNITS) - 1:
        number, unit = number / 1024, unit + 1
    # Not "2.0 GiB" for what is exactly 2.
    return f"{number:.1f}".removesuffix(".0") + (f" {_UNITS[unit]}iB" if unit else " B")


class Size(click.ParamType[int]):
    """An option that is a size, in bytes or in MiB."""

    name = "size"

    def __init__(self, unit: str = "") -> None:
        self._unit = unit

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse(str(value), self._unit)
        except ValueError as error:
            self.fail(str(error), param, ctx)
