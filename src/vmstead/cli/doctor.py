"""``vmstead doctor``."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from vmstead.cli.options import read_settings, settings_options
from vmstead.config import Config

if TYPE_CHECKING:
    from vmstead.ports.readiness import Finding

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


async def _findings(config: Config) -> AsyncIterator["Finding"]:
    """What is found, the running server's displays last."""
    from vmstead.adapters.readiness import examine
    from vmstead.ports.readiness import Finding, Verdict

    async for finding in examine(config):
        yield finding
    for caution in await asyncio.to_thread(_open_displays, config):
        yield Finding("display", Verdict.POOR, caution)


async def _report(config: Config, show: Callable[["Finding"], None]) -> bool:
    """Show each finding as soon as it is there. True when a VM can run."""
    from vmstead.ports.readiness import Verdict

    can_run = True
    async for finding in _findings(config):
        show(finding)
        can_run = can_run and finding.verdict is not Verdict.MISSING
    return can_run


def _show(finding: "Finding") -> None:
    word = finding.verdict.value
    click.echo(f"{click.style(f'{word:<8}', fg=_COLOURS[word])}{finding.name:<10}{finding.text}")
    if finding.mend is not None:
        click.echo(f"{'':18}mend: {finding.mend}")


def _as_json(findings: "list[Finding]", can_run: bool) -> str:
    rows = [
        {"name": each.name, "verdict": each.verdict.name, "text": each.text, "mend": each.mend}
        for each in findings
    ]
    return json.dumps({"can_run": can_run, "findings": rows}, indent=2)


@click.command()
@settings_options("state", "socket", "engine", "accel")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: can_run, and the findings.")
def doctor(config_file: Path | None, as_json: bool, **given: object) -> None:
    """Check that this machine can run VMs, and say how to mend what cannot.

    Ends with status 0 when a VM can run, with 1 when something is missing for that. Nothing is changed.
    With --json each finding has a name, a verdict (GOOD, POOR or MISSING), a text, and in "mend" what
    mends it, or null.
    """
    config = read_settings(given, config_file).config
    findings: list[Finding] = []
    show = findings.append if as_json else _show
    can_run = asyncio.run(_report(config, show))
    if as_json:
        click.echo(_as_json(findings, can_run))
    elif can_run:
        click.echo("This machine can run VMs.")
    else:
        click.echo("No VM can run until what is missing is there.")
    if not can_run:
        raise SystemExit(1)
