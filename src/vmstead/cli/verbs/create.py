"""``vmstead vm create``."""

from contextlib import ExitStack
from typing import Any

import click

from vmstead.cli.verbs import sizes
from vmstead.cli.verbs.devices import free_volume, volume_of
from vmstead.cli.verbs.here import Here, verb
from vmstead.cli.verbs.output import say
from vmstead.cli.verbs.settings import vm_fields
from vmstead.client import ClientError

#: Size of the disk of a VM that something is installed on.
_DISK = "20G"


@verb(
    examples=[
        "vmstead vm create web01 --iso debian-12.iso --start",
        "vmstead vm create db01 --image debian-12.qcow2 --memory 8G --cpus 4 --nic br0",
        "vmstead vm create old --bios --disk /dev/zvol/tank/old --display vnc",
        "vmstead vm create win --iso win11.iso --secure-boot --tpm --set hyperv_enlightenments=true",
    ]
)
@click.argument("name")
@click.option("--memory", type=sizes.Size("M"), default="2G", help="Memory; a bare number is MiB.")
@click.option("--cpus", type=click.IntRange(1), default=2, help="Processors, as cores of one socket.")
@click.option("--iso", help="ISO image to install from: a path, or the name of a file in the pool.")
@click.option("--image", help="Disk image to copy onto the disk: a path, or the name of a file in the pool.")
@click.option(
    "--disk",
    help=f"Size of a new volume, the path of a volume or of an image file, or none. Default: {_DISK}, or as large "
    "as the image.",
    metavar="SIZE|PATH|none",
)
@click.option("--pool", default="default", help="Pool of the new volume, and of names without a path.")
@click.option("--nic", help="Bridge or interface to be on, user for NAT, or none.", metavar="NAME|user|none")
@click.option(
    "--display", type=click.Choice(["spice", "vnc", "none"]), default="spice", help="Protocol of the screen."
)
@click.option("--bios", is_flag=True, help="A legacy BIOS instead of UEFI.")
@click.option("--secure-boot", is_flag=True, help="Boot only what is signed.")
@click.option("--tpm", is_flag=True, help="Give it a TPM 2.0.")
@click.option(
    "--autostart/--no-autostart",
    default=None,
    help="Start it with the host.  [default: as the server has it]",
)
@click.option("--description", help="For people.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="Any other field of vm.create.")
@click.option("--start", is_flag=True, help="Start it when it is made.")
def create(here: Here, name: str, settings: tuple[str, ...], start: bool, **wanted: Any) -> None:  # noqa: ANN401
    """Make a virtual machine, with a disk, a network and a screen.

    With --iso it starts from the image as long as its disk is empty; with --image its disk begins as a copy of a
    disk image (qcow2, raw, vmdk, vdi, vhdx). If anything fails, nothing of it stays.
    """
    fields = _fields(name, wanted, settings)
    with ExitStack() as steps:
        vm = here.call("vm.create", fields)
        volumes: set[str] = set()
        steps.push(lambda kind, error, trace: _take_back(here, vm, volumes, kind))
        for attributes in _devices(here, name, wanted):
            image = attributes.pop("image", None)
            volumes |= {attributes["zvol_name"]} if "zvol_name" in attributes else set()
            made = here.call("vm.device.create", {"vm": vm["id"], "attributes": attributes})
            if image is not None:
                conversion = {"source": image, "destination": made["attributes"]["path"]}
                here.run_or_abort("vm.device.convert", conversion)
    if start:
        here.call("vm.start", vm["id"])
    state = "runs" if start else "is made"
    here.done(f"{name} (VM {vm['id']}) {state}.", here.look(vm["id"]))


def _take_back(
    here: Here, vm: dict[str, Any], volumes: set[str], failure: type[BaseException] | None
) -> bool:
    """Leave nothing of a VM that could not be made as a whole. Volumes that were there before stay."""
    if failure is None:
        return False
    try:
        if issubclass(failure, KeyboardInterrupt):
            here.reconnect()
        for device in here.look(vm["id"])["devices"]:
            if volume_of(device) in volumes:
                here.call("vm.device.delete", device["id"], {"zvol": True})
        here.call("vm.delete", vm["id"])
    except ClientError as error:
        text = str(error).strip()
        say(f"What was made of {vm['name']} could not be deleted again: {text}", err=True)
    return False


def _fields(name: str, wanted: dict[str, Any], settings: tuple[str, ...]) -> dict[str, Any]:
    fields = {
        "name": name,
        "memory": wanted["memory"] // sizes.MIB,
        "vcpus": 1,
        "cores": wanted["cpus"],
        "bootloader": "UEFI_CSM" if wanted["bios"] else "UEFI",
        "enable_secure_boot": wanted["secure_boot"],
        "trusted_platform_module": wanted["tpm"],
    }
    for optional in ("autostart", "description"):
        if wanted[optional] is not None:
            fields[optional] = wanted[optional]
    return {**fields, **vm_fields(settings)}


def _devices(here: Here, name: str, wanted: dict[str, Any]) -> list[dict[str, Any]]:
    """The devices to make, in boot order; a disk with ``image`` is to be filled with that."""
    pool, found = wanted["pool"], []
    image = _path(wanted["image"], pool)
    disk = _disk(here, name, pool, wanted["disk"], image)
    if disk is not None:
        found.append(disk)
    elif image is not None:
        raise click.UsageError("--image needs a disk to copy it to: --disk SIZE")
    if wanted["iso"]:
        found.append({"dtype": "CDROM", "path": _path(wanted["iso"], pool)})
    if wanted["nic"] != "none":
        found.append({"dtype": "NIC", "type": "VIRTIO", "nic_attach": wanted["nic"]})
    if wanted["display"] != "none":
        found.append({"dtype": "DISPLAY", "type": wanted["display"].upper()})
    return found


def _disk(here: Here, name: str, pool: str, wanted: str | None, image: str | None) -> dict[str, Any] | None:
    if wanted == "none":
        return None
    if wanted is not None and wanted.startswith("/dev/"):
        return {"dtype": "DISK", "type": "VIRTIO", "path": wanted, **_filled(image)}
    if wanted is not None and wanted.startswith("/"):
        if image is not None:
            raise click.UsageError("--image is copied to a volume; --disk names a file")
        return {"dtype": "RAW", "type": "VIRTIO", "path": wanted, "exists": True}
    least = 0 if image is None else here.call("vm.device.virtual_size", {"path": image})
    try:
        size = max(sizes.parse(wanted), least) if wanted else (least or sizes.parse(_DISK))
    except ValueError as error:
        raise click.UsageError(f"--disk: {error}") from None
    return {
        "dtype": "DISK",
        "type": "VIRTIO",
        "create_zvol": True,
        "zvol_name": free_volume(here, pool, name),
        # Volumes consist of whole MiB.
        "zvol_volsize": -(-size // sizes.MIB) * sizes.MIB,
        **_filled(image),
    }


def _filled(image: str | None) -> dict[str, str]:
    return {} if image is None else {"image": image}


def _path(name: str | None, pool: str) -> str | None:
    """A file as the server names it: a name without a path lies in the pool."""
    return name if name is None or name.startswith("/") else f"/mnt/{pool}/{name}"
