"""``vmstead vm snapshot``: how a VM's disks were at a time."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click

from vmstead.cli.lazy import LazyGroup
from vmstead.cli.verbs import sizes
from vmstead.cli.verbs.devices import volume_of
from vmstead.cli.verbs.here import NOT_FOUND, Failure, Here, verb
from vmstead.cli.verbs.naming import vm_argument
from vmstead.cli.verbs.output import print_json, print_table
from vmstead.client import ClientError

_HERE = "vmstead.cli.verbs.snapshots"


@click.group(
    "snapshot",
    cls=LazyGroup,
    sections={
        "Commands": {
            "list": (f"{_HERE}:list_", "List the snapshots of a virtual machine's volumes."),
            "create": (f"{_HERE}:create", "Take a snapshot of all volumes of a virtual machine."),
            "rollback": (
                f"{_HERE}:rollback",
                "Let all volumes of a virtual machine be as a snapshot has them.",
            ),
            "delete": (f"{_HERE}:delete", "Delete a snapshot of all volumes of a virtual machine."),
        }
    },
)
def snapshot() -> None:
    """Keep the state of a virtual machine's disks, as far as they are volumes."""


def _volumes(row: Mapping[str, Any]) -> list[str]:
    found = [volume for device in row["devices"] if (volume := volume_of(device)) is not None]
    if not found:
        raise Failure(f"{row['name']} has no volumes", NOT_FOUND)
    return found


def _snapshots(here: Here, row: Mapping[str, Any], name: str | None = None) -> list[dict[str, Any]]:
    filters: list[Any] = [["dataset", "in", _volumes(row)]]
    if name is not None:
        filters.append(["snapshot_name", "=", name])
    rows: list[dict[str, Any]] = here.call("pool.snapshot.query", filters, {"order_by": ["createtxg", "id"]})
    return rows


@verb("list")
@vm_argument()
def list_(here: Here, name: str) -> None:
    """List the snapshots of a virtual machine's volumes."""
    rows = _snapshots(here, here.vm(name))
    if here.as_json:
        print_json(rows)
        return
    cells = [
        (
            row["snapshot_name"],
            row["dataset"],
            f"{datetime.fromtimestamp(int(row['properties']['creation']['rawvalue'])):%Y-%m-%d %H:%M}",  # noqa: DTZ006
            sizes.shown(row["properties"]["used"]["parsed"]),
        )
        for row in rows
    ]
    print_table(("SNAPSHOT", "VOLUME", "TAKEN", "USED"), cells)


@verb(examples=["vmstead vm snapshot create web01", "vmstead vm snapshot create web01 before-upgrade"])
@vm_argument()
@click.argument("snapshot", required=False)
def create(here: Here, name: str, snapshot: str | None) -> None:
    """Take a snapshot of all volumes of a virtual machine.

    Without a name it is called after the time. The guest goes on meanwhile, and finds its disks as after a power
    cut, unless suspend_on_snapshot is set.
    """
    row = here.vm(name)
    label = snapshot or f"{datetime.now():%Y-%m-%d_%H-%M-%S}"  # noqa: DTZ005 - the reader's own time
    made: list[dict[str, Any]] = []
    try:
        for volume in _volumes(row):
            made.append(here.call("pool.snapshot.create", {"dataset": volume, "name": label}))  # noqa: PERF401 - undone one by one
    except ClientError:
        # One of some disks would be no state of the VM.
        for each in made:
            here.call("pool.snapshot.delete", each["id"])
        raise
    here.done(f"Took {', '.join(each['id'] for each in made)}.", made)


@verb(examples=["vmstead vm snapshot rollback web01 before-upgrade"])
@vm_argument()
@click.argument("snapshot")
@click.option("-r", "--recursive", is_flag=True, help="Forget the snapshots that were made since.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def rollback(here: Here, name: str, snapshot: str, recursive: bool, yes: bool) -> None:
    """Let all volumes of a virtual machine be as a snapshot has them.

    What was written to them since is lost. The virtual machine must be stopped.
    """
    row = here.vm(name)
    found = _named(here, row, snapshot)
    here.confirm(f"Roll back to {', '.join(found)}, and lose what was written since?", yes=yes)
    done: list[str] = []
    for each in found:
        try:
            here.call("pool.snapshot.rollback", each, {"recursive": recursive})
        except ClientError as error:
            if not done:
                raise
            raise Failure(f"{error}; rolled back already: {', '.join(done)}") from error
        done.append(each)
    here.done(f"Rolled back to {', '.join(found)}.", found)


def _named(here: Here, row: Mapping[str, Any], snapshot: str) -> list[str]:
    """The snapshots of that name. Raises Failure when there are none."""
    found = [each["id"] for each in _snapshots(here, row, snapshot)]
    if not found:
        raise Failure(f"{row['name']} has no snapshot {snapshot}", NOT_FOUND)
    return found


@verb()
@vm_argument()
@click.argument("snapshot")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(here: Here, name: str, snapshot: str, yes: bool) -> None:
    """Delete a snapshot of all volumes of a virtual machine."""
    row = here.vm(name)
    found = _named(here, row, snapshot)
    here.confirm(f"Delete {', '.join(found)}?", yes=yes)
    for each in found:
        here.call("pool.snapshot.delete", each)
    here.done(f"Deleted {', '.join(found)}.", found)
