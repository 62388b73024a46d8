"""``vmstead vm list``, ``show``, ``set``, ``clone`` and ``delete``."""

from typing import Any

import click
from click.shell_completion import CompletionItem

from vmstead.cli.verbs.devices import summary, volume_of
from vmstead.cli.verbs.here import Here, verb
from vmstead.cli.verbs.naming import asked, vm_argument
from vmstead.cli.verbs.output import plain, print_fields, print_json, print_table, say
from vmstead.cli.verbs.settings import vm_fields

#: What is shown of a VM by other means, or cannot be set.
_COMPUTED = {"id", "status", "devices", "display_available"}


@verb("list", examples=["vmstead vm list", "vmstead vm list --state running --json"])
@click.option(
    "--state", type=click.Choice(["running", "stopped", "suspended"]), help="Only those in this state."
)
def list_(here: Here, state: str | None) -> None:
    """List the virtual machines."""
    filters = [["status.state", "=", state.upper()]] if state else []
    rows = here.call("vm.query", filters, {"order_by": ["name"]})
    if here.as_json:
        print_json(rows)
    else:
        print_table(
            ("ID", "NAME", "STATE", "PID", "CPUS", "MEMORY", "DESCRIPTION"), [_cells(row) for row in rows]
        )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(row["id"]),
        row["name"],
        row["status"]["state"],
        plain(row["status"]["pid"]),
        str(row["vcpus"] * row["cores"] * row["threads"]),
        f"{row['memory']} MiB",
        # A description may have several lines.
        " ".join(row["description"].split()),
    )


@verb()
@vm_argument()
def show(here: Here, name: str) -> None:
    """Show everything about a virtual machine."""
    row = here.vm(name)
    if here.as_json:
        print_json(row)
        return
    status = row["status"]
    print_fields(
        [
            ("name", row["name"]),
            ("id", str(row["id"])),
            ("state", status["state"]),
            ("pid", plain(status["pid"])),
            *((key, plain(value)) for key, value in row.items() if key not in {*_COMPUTED, "name"}),
        ]
    )
    for device in row["devices"]:
        say(f"device {device['id']}: {summary(device)}")


def _complete_field(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Names of fields that can be set."""

    def names(client: Any) -> list[CompletionItem]:  # noqa: ANN401
        rows: Any = client.call("vm.query", [], {"limit": 1})
        fields = (rows[0].keys() - _COMPUTED) if rows else ()
        return [CompletionItem(f"{field}=") for field in sorted(fields) if field.startswith(incomplete)]

    return asked(ctx, names)


@verb(
    "set",
    examples=[
        "vmstead vm set web01 memory=4G vcpus=2",
        "vmstead vm set web01 autostart=true 'description=The web server'",
        "vmstead vm set web01 cpuset=null",
    ],
)
@vm_argument()
@click.argument("settings", metavar="FIELD=VALUE...", nargs=-1, required=True, shell_complete=_complete_field)
def set_(here: Here, name: str, settings: tuple[str, ...]) -> None:
    """Change fields of a virtual machine.

    The fields are those of vm.update, as vmstead vm show prints them. A value is JSON where it can be read as
    such (true, 4, null), and a text otherwise; memory takes a unit. A virtual machine that runs follows at its
    next start.
    """
    row = here.vm(name)
    changes = vm_fields(settings)
    changed = here.call("vm.update", row["id"], changes)
    running = changed["status"]["state"] != "STOPPED"
    here.done(f"Changed {changed['name']}{'; it follows at its next start' if running else ''}.", changed)


@verb(examples=["vmstead vm clone web01", "vmstead vm clone web01 web02"])
@vm_argument()
@click.argument("new_name", required=False)
def clone(here: Here, name: str, new_name: str | None) -> None:
    """Copy a virtual machine with its disks.

    The copy has addresses, ports and serial numbers of its own. Without NEW_NAME it is called NAME_clone0 or so.
    Disks of a guest that runs are copied as a power cut would leave them.
    """
    row = here.vm(name)
    here.call("vm.clone", row["id"], *([new_name] if new_name else []))
    # The answer does not say how the copy is called. It is the newest of that name.
    filters = [["name", "=", new_name]] if new_name else [["name", "^", f"{row['name']}_clone"]]
    made = here.call("vm.query", filters, {"order_by": ["-id"], "limit": 1})[0]
    here.done(f"{row['name']} is copied: {made['name']} (VM {made['id']}).", made)


@verb(
    examples=[
        "vmstead vm delete web01",
        "vmstead vm delete web01 --volumes --force --yes",
    ]
)
@vm_argument()
@click.option("--volumes", is_flag=True, help="Also destroy the volumes of its disks.")
@click.option("--force", is_flag=True, help="Also if it runs: it is turned off first.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def delete(here: Here, name: str, volumes: bool, force: bool, yes: bool) -> None:
    """Delete a virtual machine.

    Says what will be lost and what stays, and asks. Volumes stay unless --volumes is given; image files always do.
    """
    row = here.vm(name)
    if not here.as_json:
        _tell_losses(row, volumes=volumes)
    here.confirm(f"Delete {row['name']}?", yes=yes)
    result = here.call("vm.delete", row["id"], {"zvols": volumes, "force": force})
    here.done(f"Deleted {row['name']}.", result)


def _tell_losses(row: dict[str, Any], *, volumes: bool) -> None:
    say(f"VM {row['id']} ({row['name']}) is {row['status']['state'].lower()}.", err=True)
    lost = ["its settings", "its UEFI variables", "its console log"]
    lost += ["what its TPM remembers"] if row["trusted_platform_module"] else []
    kept: list[str] = []
    for device in row["devices"]:
        attributes = device["attributes"]
        if volume_of(device) is not None:
            (lost if volumes else kept).append(f"the volume {volume_of(device)}")
        elif attributes.get("path") and "exists" in attributes:
            kept.append(f"the file {attributes['path']}")
    say(f"Lost: {', '.join(lost)}.", err=True)
    if kept:
        say(f"Kept: {', '.join(kept)}.", err=True)
