"""``vmstead vm``: the API's verbs for people."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from vmstead.client import Client, ClientError, Credentials, Progress
from vmstead.client.ejson import Json
from vmstead.client.login import authenticate

F = TypeVar("F", bound=Callable[..., Any])

_COLUMNS = ("ID", "NAME", "STATE", "PID", "CPUS", "MEMORY", "DESCRIPTION")
_COLOURS = {"RUNNING": "green", "SUSPENDED": "yellow"}


@click.group()
@click.option(
    "-u", "--uri", default=None, help="Server, such as wss://vmhost; by default the one on this machine."
)
@click.option("-U", "--username", default=None, help="User to log in as; the password is asked for.")
@click.option("--insecure", is_flag=True, help="Accept any TLS certificate.")
@click.pass_context
def vm(ctx: click.Context, uri: str | None, username: str | None, insecure: bool) -> None:
    """List, start, stop and look at virtual machines. A VM is named by its name or its id."""
    password = click.prompt("Password", hide_input=True, err=True) if username else None
    ctx.obj = (uri, Credentials(username=username, password=password), not insecure)


@contextmanager
def _connected(ctx: click.Context) -> Iterator[Client]:
    """A client that is logged in. What goes wrong ends the command with one line."""
    uri, credentials, verify_tls = ctx.obj
    try:
        with Client(uri, verify_tls=verify_tls) as client:
            authenticate(client, credentials)
            yield client
    except ClientError as error:
        raise click.ClickException(str(error).strip()) from None


def _id_of(client: Client, name: str) -> int:
    rows: Any = client.call("vm.query", [], {"select": ["id", "name"]})
    by_name = {row["name"]: row["id"] for row in rows}
    by_id = {str(row["id"]): row["id"] for row in rows}
    # A name that consists of digits is still a name.
    found = by_name.get(name, by_id.get(name))
    if found is None:
        raise click.ClickException(
            f"there is no VM {name}; there is {', '.join(sorted(by_name)) or 'none at all'}"
        )
    return int(found)


@vm.command("list")
@click.pass_context
def list_(ctx: click.Context) -> None:
    """List the virtual machines."""
    with _connected(ctx) as client:
        rows: Any = client.call("vm.query", [], {"order_by": ["name"]})
    table = [_COLUMNS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(_COLUMNS))]
    for line in table:
        cells = [f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)]
        cells[2] = click.style(cells[2], fg=_COLOURS.get(line[2]))
        click.echo("  ".join(cells).rstrip())


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(row["id"]),
        row["name"],
        row["status"]["state"],
        str(row["status"]["pid"] or "-"),
        str(row["vcpus"] * row["cores"] * row["threads"]),
        f"{row['memory']} MiB",
        row["description"],
    )


@vm.command()
@click.argument("name")
@click.option("--overcommit", is_flag=True, help="Start even if memory is short.")
@click.pass_context
def start(ctx: click.Context, name: str, overcommit: bool) -> None:
    """Start a virtual machine."""
    with _connected(ctx) as client:
        client.call("vm.start", _id_of(client, name), {"overcommit": overcommit})


@vm.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Power off at once.")
@click.option(
    "--force-after-timeout", is_flag=True, help="Power off if the guest does not shut down in time."
)
@click.pass_context
def stop(ctx: click.Context, name: str, force: bool, force_after_timeout: bool) -> None:
    """Shut a virtual machine down and wait until it is off."""
    options: dict[str, Json] = {"force": force, "force_after_timeout": force_after_timeout}
    _follow(ctx, "vm.stop", name, options)


@vm.command()
@click.argument("name")
@click.pass_context
def restart(ctx: click.Context, name: str) -> None:
    """Stop a virtual machine and start it anew."""
    _follow(ctx, "vm.restart", name)


def _follow(ctx: click.Context, method: str, name: str, *params: Json) -> None:
    """Run a job, with what it reports on standard error."""
    last = ""

    def report(progress: Progress) -> None:
        nonlocal last
        if progress.description and progress.description != last:
            last = progress.description
            click.echo(last, err=True)

    with _connected(ctx) as client:
        client.call_job(method, _id_of(client, name), *params).result(on_progress=report)


@vm.command()
@click.argument("name")
@click.pass_context
def suspend(ctx: click.Context, name: str) -> None:
    """Halt a virtual machine where it is."""
    with _connected(ctx) as client:
        client.call("vm.suspend", _id_of(client, name))


@vm.command()
@click.argument("name")
@click.pass_context
def resume(ctx: click.Context, name: str) -> None:
    """Let a suspended virtual machine go on."""
    with _connected(ctx) as client:
        client.call("vm.resume", _id_of(client, name))


@vm.command()
@click.argument("name")
@click.option(
    "--linger",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="When input is no terminal: go on printing for so long after its end, not until the guest is off.",
)
@click.pass_context
def console(ctx: click.Context, name: str, linger: float | None) -> None:
    """Sit at a virtual machine's serial console. Ctrl-] leaves it."""
    from vmstead.cli.console import run_console

    uri, credentials, verify_tls = ctx.obj
    sys.exit(run_console(uri, name, credentials, verify_tls=verify_tls, linger=linger))
