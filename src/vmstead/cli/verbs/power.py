"""``vmstead vm start``, ``stop`` and the others that change what a VM does."""

from time import monotonic
from typing import Any

import click

from vmstead.cli.verbs.here import FAILED, TOO_LATE, Failure, Here, verb
from vmstead.cli.verbs.naming import complete_vm, vm_argument
from vmstead.cli.verbs.progress import follow
from vmstead.client import CallTimeout, ClientError

_names = click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_vm)


@verb(examples=["vmstead vm start web01", "vmstead vm start web01 db01 --overcommit"])
@_names
@click.option("--overcommit", is_flag=True, help="Start even if memory is short.")
def start(here: Here, names: tuple[str, ...], overcommit: bool) -> None:
    """Start virtual machines.

    If memory is short for all that run, the start is refused; --overcommit starts nevertheless.
    """
    for row in [here.vm(name) for name in names]:
        here.call("vm.start", row["id"], {"overcommit": overcommit})
        here.now(row["id"])


@verb(examples=["vmstead vm stop web01", "vmstead vm stop --all --force-after-timeout"])
@click.argument("names", metavar="[NAME...]", nargs=-1, shell_complete=complete_vm)
@click.option("--all", "every", is_flag=True, help="All that run or are suspended.")
@click.option("--force", is_flag=True, help="Power off at once.")
@click.option(
    "--force-after-timeout", is_flag=True, help="Power off if the guest does not shut down in time."
)
def stop(here: Here, names: tuple[str, ...], every: bool, force: bool, force_after_timeout: bool) -> None:
    """Shut virtual machines down, side by side, and wait until they are off.

    The guest is asked, as by its power button, and gets as long as its shutdown_timeout says. One that runs
    after that goes on running, and the exit status is 1. A suspended guest can only be turned off: with --all,
    --force-after-timeout does that. Ctrl-C leaves the jobs to the server.
    """
    if every is bool(names):
        raise click.UsageError("Name the virtual machines, or give --all.")
    active: list[dict[str, Any]] = here.call("vm.query", [["status.state", "!=", "STOPPED"]]) if every else []
    rows = active or [here.vm(name) for name in names]
    jobs = []
    for row in rows:
        at_once = force or (every and force_after_timeout and row["status"]["state"] == "SUSPENDED")
        options = {"force": at_once, "force_after_timeout": force_after_timeout}
        jobs.append(here.client.call_job("vm.stop", row["id"], options))
    failures = []
    for row, job in zip(rows, jobs, strict=True):
        try:
            follow(job)
        except ClientError as error:
            failures.append(str(error).strip())
            continue
        if here.look(row["id"])["status"]["state"] == "STOPPED":
            here.now(row["id"])
        else:
            failures.append(f"{row['name']} still runs; to turn it off: vmstead vm poweroff {row['name']}")
    if failures:
        raise Failure("; ".join(failures), FAILED)


@verb()
@vm_argument()
def restart(here: Here, name: str) -> None:
    """Stop a virtual machine and start it anew.

    It comes back in a new process, with every change that was made to it meanwhile. A guest that does not shut
    down in time is turned off.
    """
    row = here.vm(name)
    here.run("vm.restart", row["id"])
    here.now(row["id"])


def _plain(name: str, method: str, text: str) -> click.Command:
    """A verb that is a call and nothing else."""

    def act(here: Here, name: str) -> None:
        row = here.vm(name)
        here.call(method, row["id"])
        here.now(row["id"])

    act.__doc__ = text
    return verb(name)(vm_argument()(act))


poweroff = _plain(
    "poweroff",
    "vm.poweroff",
    """Turn a virtual machine off at once.

    As pulling the plug does: what the guest had not written to its disks is lost.
    """,
)
reset = _plain(
    "reset",
    "vm.reset",
    """Press a virtual machine's reset button.

    The guest starts anew without being asked, in the same process.
    """,
)
suspend = _plain(
    "suspend",
    "vm.suspend",
    """Halt a virtual machine where it is.

    It keeps its memory; vmstead vm resume lets it go on.
    """,
)
resume = _plain("resume", "vm.resume", "Let a suspended virtual machine go on.")


@verb(
    examples=[
        "vmstead vm wait web01 --for stopped --timeout 120",
        "vmstead vm stop web01 & vmstead vm wait web01 --for stopped",
    ]
)
@vm_argument()
@click.option(
    "--for",
    "state",
    type=click.Choice(["running", "stopped", "suspended", "deleted"]),
    default="running",
    help="The state to wait for.",
)
@click.option("--timeout", type=click.FloatRange(min=0), help="Seconds to wait at most.", metavar="SECONDS")
def wait(here: Here, name: str, state: str, timeout: float | None) -> None:
    """Wait until a virtual machine is in a state.

    Ends at once when it is already, and with exit status 5 when it does not come in time.
    """
    # Who it is comes first: one that goes right afterwards has been there, and is deleted.
    id = here.vm(name)["id"]
    events = here.client.subscribe("vm.query")
    deadline = None if timeout is None else monotonic() + timeout
    while True:
        row = _found(here, id)
        now = "deleted" if row is None else row["status"]["state"].lower()
        if now == state:
            here.done(f"{name} is {state}.", None if row is None else row["status"])
            return
        if row is None:
            raise Failure(f"{name} was deleted", FAILED)
        try:
            events.get(None if deadline is None else max(deadline - monotonic(), 0))
        except CallTimeout:
            raise Failure(f"{name} is not {state} after {timeout:g} seconds, but {now}", TOO_LATE) from None


def _found(here: Here, id: int) -> dict[str, Any] | None:
    rows: list[dict[str, Any]] = here.call("vm.query", [["id", "=", id]])
    return rows[0] if rows else None
