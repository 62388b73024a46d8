"""The settings as command-line options, for every command that needs them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from vmstead.config import OPTIONS, ConfigError, Loaded, load

F = TypeVar("F", bound=Callable[..., Any])

_config_file = click.option(
    "--config", "config_file", type=click.Path(path_type=Path), metavar="FILE", help="Settings file."
)


def settings_options(*names: str) -> Callable[[F], F]:
    """Give a command the options for these settings (all, if none are named) and ``--config``."""

    def decorate(function: F) -> F:
        function = _config_file(function)
        for name in reversed(names or tuple(OPTIONS)):
            metadata = OPTIONS[name].metadata
            option = f"--{name.replace('_', '-')}"
            if metadata["metavar"]:
                function = click.option(option, name, metavar=metadata["metavar"], help=metadata["help"])(
                    function
                )
            else:
                function = click.option(option, name, is_flag=True, default=None, help=metadata["help"])(
                    function
                )
        return function

    return decorate


def read_settings(given: dict[str, object], config_file: Path | None) -> Loaded:
    """The settings, from all their places. A mistake in them ends the command with one line."""
    try:
        return load(given, config_file)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
