"""``vmstead vm devices``: disks, network cards and the rest."""

from collections.abc import Callable, Mapping
from typing import Any

import click
from click.shell_completion import CompletionItem

from vmstead.cli.lazy import LazyGroup
from vmstead.cli.verbs import sizes
from vmstead.cli.verbs.here import NOT_FOUND, Failure, Here, verb
from vmstead.cli.verbs.naming import asked, vm_argument
from vmstead.cli.verbs.output import plain, print_json, print_table
from vmstead.cli.verbs.settings import read_settings

_VOLUMES = "/dev/zvol/"
_HERE = "vmstead.cli.verbs.devices"
#: Attributes that are sizes; a bare number is bytes.
_SIZES = {"size": "", "zvol_volsize": ""}
#: The types, and what of each is worth a line: name of an attribute, and what stands before its value.
_TYPES: Mapping[str, Mapping[str, str]] = {
    "DISK": {"type": "", "path": "", "serial": "serial "},
    "RAW": {"type": "", "path": "", "size": "", "serial": "serial "},
    "CDROM": {"path": ""},
    "NIC": {"type": "", "nic_attach": "on ", "mac": ""},
    "DISPLAY": {"type": "", "bind": "at ", "port": "port ", "resolution": ""},
    "PCI": {"pptdev": ""},
    "USB": {"device": "", "usb": "", "controller_type": "on "},
}
_SHOWN: Mapping[str, Callable[[Any], str]] = {"size": sizes.shown}


@click.group(
    "devices",
    cls=LazyGroup,
    sections={
        "Commands": {
            "list": (f"{_HERE}:list_", "List the devices of a virtual machine."),
            "add": (f"{_HERE}:add", "Add a device."),
            "set": (f"{_HERE}:set_", "Change attributes of a device."),
            "remove": (f"{_HERE}:remove", "Remove a device."),
        }
    },
)
def devices() -> None:
    """Disks, network cards and other devices.

    A device is named by its id, or by its type where there is only one of it: cdrom, nic, display.
    """


def summary(device: Mapping[str, Any]) -> str:
    """A device on one line."""
    attributes = device["attributes"]
    kind = attributes["dtype"]
    shown = _TYPES.get(kind)
    if shown is None:
        # A newer server has more.
        return " ".join(
            [kind, *(f"{key}={plain(value)}" for key, value in attributes.items() if key != "dtype")]
        )
    parts = [
        f"{before}{_SHOWN.get(name, plain)(attributes[name])}"
        for name, before in shown.items()
        if attributes.get(name) not in (None, "")
    ]
    return " ".join([kind, *parts])


def volume_of(device: Mapping[str, Any]) -> str | None:
    """The volume behind a disk, as ``pool/name``; None for what has none."""
    path = device["attributes"].get("path") or ""
    return path.removeprefix(_VOLUMES) if path.startswith(_VOLUMES) else None


def _kind(device: Mapping[str, Any]) -> str:
    kind: str = device["attributes"]["dtype"]
    return kind


def _device(here: Here, row: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The device of that id, or the only one of that type. Raises Failure."""
    for device in row["devices"]:
        if str(device["id"]) == name:
            return dict(device)
    of_type = [device for device in row["devices"] if _kind(device).lower() == name.lower()]
    if len(of_type) == 1:
        return dict(of_type[0])
    if of_type:
        ids = ", ".join(str(device["id"]) for device in of_type)
        raise Failure(f"{row['name']} has several devices of that type; say which: {ids}", NOT_FOUND)
    known = ", ".join(f"{each['id']} ({_kind(each)})" for each in row["devices"])
    raise Failure(f"{row['name']} has no device {name}; there is {known or 'none at all'}", NOT_FOUND)


def _complete_device(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Ids of the devices of the VM that is named before."""

    def ids(client: Any) -> list[CompletionItem]:  # noqa: ANN401
        rows: Any = client.call("vm.query", [["name", "=", ctx.params.get("name")]])
        return [
            CompletionItem(str(device["id"]), help=summary(device))
            for row in rows
            for device in row["devices"]
            if str(device["id"]).startswith(incomplete)
        ]

    return asked(ctx, ids)


_device_argument = click.argument("device", metavar="DEVICE", shell_complete=_complete_device)
_order = click.option("--order", type=int, help="Place among the devices; disks boot in this order.")


@verb("list")
@vm_argument()
def list_(here: Here, name: str) -> None:
    """List the devices of a virtual machine."""
    rows = here.vm(name)["devices"]
    if here.as_json:
        print_json(rows)
        return
    cells = []
    for device in sorted(rows, key=lambda device: device["order"]):
        kind, _, rest = summary(device).partition(" ")
        cells.append((str(device["id"]), str(device["order"]), kind, rest))
    print_table(("ID", "ORDER", "TYPE", "DEVICE"), cells)


@verb(
    examples=[
        "vmstead vm devices add web01 disk size=20G",
        "vmstead vm devices add web01 disk path=/dev/zvol/default/data type=VIRTIO",
        "vmstead vm devices add web01 cdrom path=/mnt/default/debian.iso",
        "vmstead vm devices add web01 nic nic_attach=br0 type=VIRTIO",
        "vmstead vm devices add web01 display type=VNC bind=0.0.0.0 port=5910",
        "vmstead vm devices add web01 pci pptdev=0000:01:00.0",
    ]
)
@vm_argument()
@click.argument(
    "kind", metavar="TYPE", type=click.Choice([kind.lower() for kind in _TYPES], case_sensitive=False)
)
@click.argument("settings", metavar="[ATTRIBUTE=VALUE]...", nargs=-1)
@_order
def add(here: Here, name: str, kind: str, settings: tuple[str, ...], order: int | None) -> None:
    """Add a device.

    The attributes are those of vm.device.create. A disk with a size gets a new volume, named after the virtual
    machine, in the pool default; zvol_name=POOL/NAME names another. Sizes take a unit.
    """
    row = here.vm(name)
    attributes = {"dtype": kind.upper(), **read_settings(settings, sizes_in=_SIZES)}
    new_volume(here, row["name"], attributes)
    made = here.call("vm.device.create", {"vm": row["id"], "attributes": attributes, "order": order})
    here.done(f"Added device {made['id']}: {summary(made)}.", made)


def new_volume(here: Here, vm: str, attributes: dict[str, Any], pool: str = "default") -> None:
    """Where a disk is given as a size, have a volume made for it. Other devices stay as they are."""
    if "exists" in attributes or "path" in attributes or not {"size", "zvol_name"} & attributes.keys():
        return
    if "zvol_volsize" not in attributes and "size" in attributes:
        attributes["zvol_volsize"] = attributes.pop("size")
    attributes["create_zvol"] = True
    attributes.setdefault("zvol_name", free_volume(here, pool, vm))


def free_volume(here: Here, pool: str, vm: str) -> str:
    """The name of a volume for that VM which is not taken: ``pool/vm``, ``pool/vm-1`` and so on."""
    rows = here.call("pool.dataset.query", [["id", "^", f"{pool}/{vm}"]], {"select": ["id"]})
    taken = {row["id"] for row in rows}
    names = (f"{pool}/{vm}{f'-{number}' if number else ''}" for number in range(len(taken) + 1))
    return next(name for name in names if name not in taken)


@verb(
    "set",
    examples=[
        "vmstead vm devices set web01 cdrom path=/mnt/default/other.iso",
        "vmstead vm devices set web01 4 order=1",
    ],
)
@vm_argument()
@_device_argument
@click.argument("settings", metavar="ATTRIBUTE=VALUE...", nargs=-1)
@_order
def set_(here: Here, name: str, device: str, settings: tuple[str, ...], order: int | None) -> None:
    """Change attributes of a device.

    The attributes are those of vm.device.update; what is left out stays.
    """
    row = here.vm(name)
    known = _device(here, row, device)
    attributes = {"dtype": known["attributes"]["dtype"], **read_settings(settings, sizes_in=_SIZES)}
    changes: dict[str, Any] = {"attributes": attributes}
    if order is not None:
        changes["order"] = order
    changed = here.call("vm.device.update", known["id"], changes)
    here.done(f"Changed device {changed['id']}: {summary(changed)}.", changed)


@verb(examples=["vmstead vm devices remove web01 cdrom", "vmstead vm devices remove web01 4 --storage"])
@vm_argument()
@_device_argument
@click.option("--storage", is_flag=True, help="Also destroy the volume, or delete the file, behind a disk.")
@click.option("--force", is_flag=True, help="Go on past failures.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask, with --storage.")
def remove(here: Here, name: str, device: str, storage: bool, force: bool, yes: bool) -> None:
    """Remove a device.

    What lies behind a disk stays, unless --storage is given; that asks first.
    """
    row = here.vm(name)
    known = _device(here, row, device)
    if storage:
        here.confirm(f"Destroy what is on {summary(known)}?", yes=yes)
    options = {"zvol": storage, "raw_file": storage, "force": force}
    result = here.call("vm.device.delete", known["id"], options)
    here.done(f"Removed device {known['id']}: {summary(known)}.", result)
