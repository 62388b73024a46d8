"""Groups of commands whose modules are loaded only when they are used."""

import importlib
from collections.abc import Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

#: Command -> where it is (``module:name``), and its line in the group's help.
Commands = Mapping[str, tuple[str, str]]


class LazyGroup(click.Group):
    """A group that knows its commands by their names, and imports one when it is called.

    Args:
        sections: the commands under the headings of the help.
    """

    def __init__(self, *arguments: Any, sections: Mapping[str, Commands], **settings: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **settings)
        self.sections = sections

    @property
    def _table(self) -> dict[str, tuple[str, str]]:
        return {name: entry for commands in self.sections.values() for name, entry in commands.items()}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._table)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        entry = self._table.get(cmd_name)
        if entry is None:
            return None
        module, _, name = entry[0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for heading, commands in self.sections.items():
            with formatter.section(heading):
                formatter.write_dl([(name, line) for name, (_, line) in commands.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        # From the table: nobody who presses the tabulator waits for every module.
        options = click.Command.shell_complete(self, ctx, incomplete)
        found = ((name, line) for name, (_, line) in self._table.items() if name.startswith(incomplete))
        return [*options, *(CompletionItem(name, help=line) for name, line in found)]
