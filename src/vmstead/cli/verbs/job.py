"""``vmstead job``: what the server is doing, and has done."""

from datetime import datetime
from typing import Any

import click
from click.shell_completion import CompletionItem

from vmstead.cli.verbs.here import FAILED, TOO_LATE, Failure, Here, server_group, verb
from vmstead.cli.verbs.naming import asked
from vmstead.cli.verbs.output import plain, print_fields, print_json, print_table
from vmstead.cli.verbs.progress import follow
from vmstead.client import CallTimeout

_HERE = "vmstead.cli.verbs.job"
_UNDER_WAY = ["state", "in", ["WAITING", "RUNNING"]]


@server_group(
    {
        "Commands": {
            "list": (f"{_HERE}:list_", "List what is under way."),
            "show": (f"{_HERE}:show", "Show a job."),
            "wait": (f"{_HERE}:wait", "Wait for the end of a job, with its progress."),
            "abort": (f"{_HERE}:abort", "Abort a job."),
        }
    }
)
def job() -> None:
    """What the server is doing, and has done: stops, restarts, copies. A job is named by its number."""


def _complete_job(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Numbers of jobs that are under way."""

    def numbers(client: Any) -> list[CompletionItem]:  # noqa: ANN401
        rows: Any = client.call("core.get_jobs", [_UNDER_WAY], {"select": ["id", "method"]})
        return [
            CompletionItem(str(row["id"]), help=row["method"])
            for row in rows
            if str(row["id"]).startswith(incomplete)
        ]

    return asked(ctx, numbers)


_number = click.argument("number", metavar="JOB", type=click.IntRange(0), shell_complete=_complete_job)


@verb("list", examples=["vmstead job list", "vmstead job list --all"])
@click.option(
    "--all", "all_", is_flag=True, help="Also those that have ended, as far as the server knows them."
)
def list_(here: Here, all_: bool) -> None:
    """List what is under way."""
    rows = here.call("core.get_jobs", [] if all_ else [_UNDER_WAY], {"order_by": ["id"]})
    if here.as_json:
        print_json(rows)
        return
    cells = [
        (
            str(row["id"]),
            row["method"],
            row["state"],
            f"{row['progress']['percent'] or 0:.0f} %",
            _clock(row["time_started"]),
            row["error"] or row["progress"]["description"] or "",
        )
        for row in rows
    ]
    print_table(("ID", "METHOD", "STATE", "DONE", "STARTED", "WHAT"), cells)


@verb()
@_number
def show(here: Here, number: int) -> None:
    """Show a job."""
    row = here.call("core.get_jobs", [["id", "=", number]], {"get": True})
    if here.as_json:
        print_json(row)
        return
    print_fields(
        [
            ("id", str(row["id"])),
            ("method", row["method"]),
            ("arguments", plain(row["arguments"])),
            ("state", row["state"]),
            ("progress", f"{row['progress']['percent'] or 0:.0f} % {row['progress']['description'] or ''}"),
            ("started", _clock(row["time_started"])),
            ("finished", _clock(row["time_finished"])),
            ("result", plain(row["result"])),
            ("error", plain(row["error"])),
        ]
    )


@verb(examples=["vmstead job wait 12", "vmstead job wait 12 --timeout 60"])
@_number
@click.option("--timeout", type=click.FloatRange(min=0), metavar="SECONDS", help="Seconds to wait at most.")
def wait(here: Here, number: int, timeout: float | None) -> None:
    """Wait for the end of a job, with its progress.

    The exit status is 0 when it succeeded, 1 when it failed or was aborted, and 5 when it is not at its end in
    time. Ctrl-C leaves the job alone.
    """
    try:
        result = follow(here.client.job(number), timeout)
    except CallTimeout:
        raise Failure(f"job {number} is still under way after {timeout:g} seconds", TOO_LATE) from None
    here.done(f"Job {number} has succeeded.", result)


@verb()
@_number
def abort(here: Here, number: int) -> None:
    """Abort a job.

    What it has half done it takes back, where it can. One that has ended cannot be aborted.
    """
    running = here.client.job(number)
    if running.done:
        raise Failure(f"job {number} has ended already: {running.state}", FAILED)
    running.abort()
    here.done(f"Job {number} is aborted.")


def _clock(time: datetime | None) -> str:
    return "-" if time is None else f"{time.astimezone():%Y-%m-%d %H:%M:%S}"
