"""What verbs print: tables and lines for people, JSON for programs."""

import json
import os
import sys
from collections.abc import Sequence

import click

from vmstead.client import ejson
from vmstead.client.ejson import Json

#: Words of states, in the colours of traffic lights.
_COLOURS = {
    "RUNNING": "green",
    "SUCCESS": "green",
    "SUSPENDED": "yellow",
    "WAITING": "yellow",
    "FAILED": "red",
    "ABORTED": "red",
}


def colours(*, err: bool = False) -> bool:
    """Whether to colour what is printed: on a terminal, unless its user wants none (https://no-color.org)."""
    stream = sys.stderr if err else sys.stdout
    return stream.isatty() and not os.environ.get("NO_COLOR")


def say(text: str, *, err: bool = False) -> None:
    """Print a line."""
    click.echo(text, err=err, color=colours(err=err))


def print_json(value: Json) -> None:
    """Print a value as extended JSON."""
    text = ejson.dumps(value)
    # Spread out for eyes, on one line for programs.
    say(json.dumps(json.loads(text), indent=2, ensure_ascii=False) if sys.stdout.isatty() else text)


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print rows below their headings, each column as wide as its widest cell, states in colour."""
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    for line in lines:
        cells = [coloured(cell.ljust(width)) for cell, width in zip(line, widths, strict=True)]
        say("  ".join(cells).rstrip())


def print_fields(fields: Sequence[tuple[str, str]]) -> None:
    """Print names with their values beside them."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        say(f"{name.ljust(width)}  {coloured(value)}".rstrip())


def coloured(cell: str) -> str:
    """A cell of a table; what is a state has its colour."""
    colour = _COLOURS.get(cell.strip())
    return cell if colour is None else click.style(cell, fg=colour)


def plain(value: Json) -> str:
    """A value on one line, for people."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else ejson.dumps(value)
