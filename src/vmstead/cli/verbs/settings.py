"""``FIELD=VALUE`` on the command line."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from vmstead.cli.verbs import sizes
from vmstead.client import ejson

#: Fields of a VM that the API counts in MiB.
_MEGABYTES = {"memory", "min_memory"}


def read_settings(texts: Sequence[str], *, sizes_in: Mapping[str, str]) -> dict[str, Any]:
    """The fields and their values: JSON where it can be read as such, a text otherwise.

    Args:
        texts: such as ``memory=4G`` and ``description=The web server``.
        sizes_in: fields that are sizes, with the unit of a bare number; they become bytes.

    Raises:
        click.UsageError: there is no ``=``, or a size is none.
    """
    found: dict[str, Any] = {}
    for text in texts:
        field, equals, value = text.partition("=")
        if not equals or not field:
            raise click.UsageError(f"{text!r} is not understood: FIELD=VALUE is expected, such as memory=4G")
        if field in found:
            raise click.UsageError(f"{field} is given twice")
        found[field] = _value(field, value, sizes_in)
    return found


def vm_fields(texts: Sequence[str]) -> dict[str, Any]:
    """Fields of a VM, as ``vm.create`` and ``vm.update`` take them. Raises click.UsageError."""
    found = read_settings(texts, sizes_in=dict.fromkeys(_MEGABYTES, "M"))
    for field in _MEGABYTES & found.keys():
        if found[field] is not None:
            found[field] //= sizes.MIB
    return found


def _value(field: str, text: str, sizes_in: Mapping[str, str]) -> Any:  # noqa: ANN401 - the method decides
    if field in sizes_in and text != "null":
        try:
            return sizes.parse(text, sizes_in[field])
        except ValueError as error:
            raise click.UsageError(f"{field}: {error}") from None
    try:
        return ejson.loads(text)
    except ValueError:
        return text
