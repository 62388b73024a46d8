"""``vmstead``: the server and what belongs to it, as one command.

Each subcommand's module is loaded only when it is used: the server's parts are large, the rest is quick.
"""

import importlib

import click

from vmstead import __version__

#: Subcommand -> where it is, and its line in ``vmstead --help``.
_COMMANDS = {
    "serve": ("vmstead.cli.serve:serve", "Run the server."),
    "doctor": (
        "vmstead.cli.doctor:doctor",
        "Check that this machine can run VMs, and say how to mend what cannot.",
    ),
    "vm": ("vmstead.cli.vm:vm", "List, start, stop and look at virtual machines."),
    "user": ("vmstead.cli.accounts:user", "Accounts that may log in."),
    "api-key": ("vmstead.cli.accounts:api_key", "API keys of accounts."),
    "config": ("vmstead.cli.settings:config", "Show the settings and where they come from."),
    "reference": ("vmstead.cli.reference:reference", "Write the API reference."),
    "demo": ("vmstead.cli.demo:demo", "Make and start a small Linux guest to look at."),
}


class _Lazy(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module, _, name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in _COMMANDS.items()])


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="vmstead")
def main() -> None:
    """Virtual machines on this host, with the TrueNAS VM API."""


if __name__ == "__main__":
    main()
