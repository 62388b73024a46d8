"""``vmstead doctor``."""

import asyncio
from pathlib import Path
from typing import Any

import click

from vmstead.cli.options import read_settings, settings_options
from vmstead.config import Config

_COLOURS = {"ok": "green", "note": "yellow", "MISSING": "red"}


def _open_displays(config: Config) -> list[str]:
    """What the running server, if there is one that answers this user, says of displays without a password."""
    from vmstead.client import Client, ClientError
    from vmstead.devices.display import Display

    try:
        with Client(f"ws+unix://{config.socket}", timeout=10) as client:
            rows: Any = client.call("vm.device.query", [["attributes.dtype", "=", "DISPLAY"]])
    except ClientError:
        return []
    displays = ((row["vm"], Display.model_validate(row["attributes"])) for row in rows)
    return [f"VM {vm}: {display.caution}" for vm, display in displays if display.caution]


@click.command()
@settings_options("state", "socket", "engine", "accel")
def doctor(config_file: Path | None, **given: object) -> None:
    """Check that this machine can run VMs, and say how to mend what cannot.

    Ends with status 0 when a VM can run, with 1 when something is missing for that. Nothing is changed.
    """
    config = read_settings(given, config_file).config
    from vmstead.adapters.readiness import examine
    from vmstead.ports.readiness import Verdict

    async def report() -> bool:
        can_run = True
        async for finding in examine(config):
            word = finding.verdict.value
            click.echo(f"{click.style(f'{word:<8}', fg=_COLOURS[word])}{finding.name:<10}{finding.text}")
            if finding.mend is not None:
                click.echo(f"{'':18}mend: {finding.mend}")
            can_run = can_run and finding.verdict is not Verdict.MISSING
        for caution in _open_displays(config):
            click.echo(f"{click.style(f'{Verdict.POOR.value:<8}', fg='yellow')}{'display':<10}{caution}")
        return can_run

    if asyncio.run(report()):
        click.echo("This machine can run VMs.")
    else:
        click.echo("No VM can run until what is missing is there.")
        raise SystemExit(1)
