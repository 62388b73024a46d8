"""``vmstead config``."""

from pathlib import Path

import click

from vmstead.cli.options import read_settings, settings_options
from vmstead.config import OPTIONS


@click.group()
def config() -> None:
    """Show the settings and where they come from."""


@config.command()
@settings_options()
def show(config_file: Path | None, **given: object) -> None:
    """Show every setting, its value, and where that comes from."""
    loaded = read_settings(given, config_file)
    rows = [(name, _text(getattr(loaded.config, name)), loaded.origins[name]) for name in OPTIONS]
    found = loaded.config
    named = {f"pools.{name}": str(folder) for name, folder in found.pools.items()}
    named |= {f"pools.{name}": f"zfs {dataset}" for name, dataset in found.zfs_pools.items()}
    named |= {f"roots.{name}": str(folder) for name, folder in found.roots.items()}
    rows += [(name, value, loaded.origins[name.partition(".")[0]]) for name, value in named.items()]
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for name, value, origin in rows:
        click.echo(f"{name:<{widths[0]}}  {value:<{widths[1]}}  {origin}")


def _text(value: object) -> str:
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
