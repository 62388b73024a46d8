"""``vmstead volume``: the disks of VMs."""

from collections.abc import Iterable
from typing import Any

import click
from click.shell_completion import CompletionItem

from vmstead.cli.verbs import sizes
from vmstead.cli.verbs.here import NOT_FOUND, Failure, Here, server_group, verb
from vmstead.cli.verbs.naming import asked
from vmstead.cli.verbs.output import print_json, print_table

_HERE = "vmstead.cli.verbs.volume"
_ARE_VOLUMES = ["type", "=", "VOLUME"]


@server_group(
    {
        "Commands": {
            "list": (f"{_HERE}:list_", "List the volumes, and who uses them."),
            "create": (f"{_HERE}:create", "Make a volume."),
            "resize": (f"{_HERE}:resize", "Make a volume larger."),
            "delete": (f"{_HERE}:delete", "Destroy a volume with everything on it."),
        }
    }
)
def volume() -> None:
    """Volumes: the disks of virtual machines. Each is named POOL/NAME."""


def complete_volume(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of volumes that begin so."""

    def names(client: Any) -> list[CompletionItem]:  # noqa: ANN401
        rows: Any = client.call("pool.dataset.query", [_ARE_VOLUMES], {"select": ["id"]})
        return [CompletionItem(row["id"]) for row in rows if row["id"].startswith(incomplete)]

    return asked(ctx, names)


volume_argument = click.argument("volume", metavar="POOL/NAME", shell_complete=complete_volume)


@verb("list", examples=["vmstead volume list", "vmstead volume list --pool tank"])
@click.option("--pool", help="Only those of this pool.")
def list_(here: Here, pool: str | None) -> None:
    """List the volumes, and who uses them."""
    filters = [_ARE_VOLUMES, *([["pool", "=", pool]] if pool else [])]
    rows = here.call("pool.dataset.query", filters, {"order_by": ["id"]})
    if here.as_json:
        print_json(rows)
        return
    users = users_of(here)
    cells = [
        (
            row["id"],
            sizes.shown(row["volsize"]["parsed"]),
            sizes.shown(row["used"]["parsed"]),
            ", ".join(users.get(f"/dev/zvol/{row['id']}", ())) or "-",
        )
        for row in rows
    ]
    print_table(("VOLUME", "SIZE", "USED", "VM"), cells)


def users_of(here: Here) -> dict[str, list[str]]:
    """Who uses what: the path of a device -> names of VMs."""
    found: dict[str, list[str]] = {}
    for vm in here.call("vm.query", [], {"select": ["name", "devices"], "order_by": ["name"]}):
        for path in _paths(vm["devices"]):
            found.setdefault(path, []).append(vm["name"])
    return found


def _paths(devices: Iterable[dict[str, Any]]) -> set[str]:
    return {path for device in devices if (path := device["attributes"].get("path"))}


@verb(examples=["vmstead volume create default/data 50G"])
@click.argument("name", metavar="POOL/NAME")
@click.argument("size", type=sizes.Size())
def create(here: Here, name: str, size: int) -> None:
    """Make a volume."""
    made = here.call("pool.dataset.create", {"name": name, "type": "VOLUME", "volsize": size})
    here.done(f"Made {made['id']}, {sizes.shown(size)}.", made)


@verb(examples=["vmstead volume resize default/data 100G"])
@volume_argument
@click.argument("size", type=sizes.Size())
def resize(here: Here, volume: str, size: int) -> None:
    """Make a volume larger.

    It cannot be made smaller: what is at its end would be lost.
    """
    changed = here.call("pool.dataset.update", volume, {"volsize": size})
    here.done(f"{volume} has {sizes.shown(size)} now.", changed)


@verb()
@volume_argument
@click.option("--snapshots", is_flag=True, help="Also its snapshots.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(here: Here, volume: str, snapshots: bool, yes: bool) -> None:
    """Destroy a volume with everything on it."""
    rows = here.call("pool.dataset.query", [["id", "=", volume], _ARE_VOLUMES])
    if not rows:
        raise Failure(f"there is no volume {volume}; vmstead volume list shows what there is", NOT_FOUND)
    users = ", ".join(users_of(here).get(f"/dev/zvol/{volume}", ()))
    used = f", which is a disk of {users}" if users else ""
    here.confirm(f"Destroy {volume} ({sizes.shown(rows[0]['volsize']['parsed'])}){used}?", yes=yes)
    result = here.call("pool.dataset.delete", volume, {"recursive": snapshots})
    here.done(f"Destroyed {volume}.", result)
