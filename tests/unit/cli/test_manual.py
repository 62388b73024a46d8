"""The document of all commands says what the commands say."""

import re

import click

from tests.arch.source import ROOT
from vmstead.cli import midclt
from vmstead.cli.lazy import LazyGroup
from vmstead.cli.main import main
from vmstead.cli.manual import manual

DOCUMENT = ROOT / "docs/commands.md"


def groups(group: click.Group) -> list[click.Group]:
    context = click.Context(group)
    below = [group.get_command(context, name) for name in group.list_commands(context)]
    return [group, *(found for each in below if isinstance(each, click.Group) for found in groups(each))]


def test_it_is_up_to_date() -> None:
    """``vmstead reference --commands docs/commands.md`` writes it anew."""
    assert DOCUMENT.read_text() == manual()


def test_the_line_of_a_command_in_its_group_is_the_first_of_its_own_help() -> None:
    for group in groups(main):
        # The first level tells of whole programs in its own words.
        if not isinstance(group, LazyGroup) or group is main:
            continue
        for name, (_, line) in ((n, e) for part in group.sections.values() for n, e in part.items()):
            command = group.get_command(click.Context(group), name)
            assert command is not None
            first = (command.help or "").split("\n\n")[0].replace("\n", " ")
            assert first.startswith(line.rstrip(".")), f"{group.name} {name}"


def test_every_verb_has_json() -> None:
    without = set()
    for group in groups(main):
        if group.name in ("vm", "job", "image", "volume", "devices", "snapshot"):
            context = click.Context(group)
            for name in group.list_commands(context):
                command = group.get_command(context, name)
                assert command is not None
                flags = {flag for parameter in command.params for flag in parameter.opts}
                if "--json" not in flags and not isinstance(command, click.Group):
                    without.add(f"{group.name} {name}")
    # A session at a terminal.
    assert without == {"vm console"}


def test_every_option_and_command_of_midclt_is_explained() -> None:
    section = DOCUMENT.read_text().partition("## midclt")[2]
    grammar = midclt.parser().format_help()
    options = set(re.findall(r"(?<!\w)--?[a-zA-Z][a-z-]*", grammar)) - {"-h", "--help"}
    assert {option for option in options if f"`{option}" not in section} == set()
    assert {"call", "ping", "subscribe", "waitready"} <= set(re.findall(r"`([a-z]+)[ `]", section))
