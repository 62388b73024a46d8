"""``vmstead image``: disk images and ISO files."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import click

from vmstead.cli.verbs import sizes
from vmstead.cli.verbs.here import FAILED, Failure, Here, server_group, verb
from vmstead.cli.verbs.output import colours, print_fields, print_json, print_table
from vmstead.cli.verbs.progress import follow
from vmstead.cli.verbs.volume import users_of, volume_argument
from vmstead.client import ClientError
from vmstead.client.endpoint import resolve

_HERE = "vmstead.cli.verbs.image"
#: What the names of images end with.
_DISKS = ("qcow2", "qed", "raw", "img", "vdi", "vhdx", "vmdk")
_KINDS = {**dict.fromkeys(_DISKS, "disk"), "iso": "ISO"}


@server_group(
    {
        "Commands": {
            "list": (f"{_HERE}:list_", "List the images in a folder of the server."),
            "info": (f"{_HERE}:info", "Show how large a disk image is, and the disk in it."),
            "upload": (f"{_HERE}:upload", "Send a file to the server."),
            "download": (f"{_HERE}:download", "Fetch a file from the server."),
            "import": (f"{_HERE}:import_", "Copy a disk image to a volume."),
            "export": (f"{_HERE}:export", "Copy a volume to a disk image."),
        }
    }
)
def image() -> None:
    """Disk images and ISO files, to and from the server.

    A file is named by its path on the server, or by its name alone where it lies in the pool default.
    """


def _path(name: str) -> str:
    return name if name.startswith("/") else f"/mnt/default/{name}"


@verb("list", examples=["vmstead image list", "vmstead image list /mnt/tank/isos"])
@click.argument("folder", default="/mnt/default")
def list_(here: Here, folder: str) -> None:
    """List the images in a folder of the server."""
    rows = [
        row
        for row in here.call("filesystem.listdir", folder, [["type", "=", "FILE"]], {"order_by": ["name"]})
        if _kind(row["name"]) is not None
    ]
    if here.as_json:
        print_json(rows)
        return
    users = users_of(here)
    cells = [
        (
            row["path"],
            str(_kind(row["name"])),
            sizes.shown(row["size"]),
            ", ".join(users.get(row["path"], ())) or "-",
        )
        for row in rows
    ]
    print_table(("IMAGE", "KIND", "SIZE", "VM"), cells)


def _kind(name: str) -> str | None:
    return _KINDS.get(name.rpartition(".")[2].lower())


@verb()
@click.argument("image", metavar="IMAGE")
def info(here: Here, image: str) -> None:
    """Show how large a disk image is, and the disk in it."""
    path = _path(image)
    found = here.call("filesystem.stat", path)
    size = here.call("vm.device.virtual_size", {"path": path})
    if here.as_json:
        print_json({"path": path, "size": found["size"], "virtual_size": size})
        return
    print_fields([("image", path), ("file", sizes.shown(found["size"])), ("disk", sizes.shown(size))])


@verb(
    examples=["vmstead image upload debian-12.iso", "vmstead image upload a.qcow2 /mnt/tank/images/a.qcow2"]
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("image", required=False)
def upload(here: Here, file: Path, image: str | None) -> None:
    """Send a file to the server.

    Without IMAGE it goes into the pool default under its own name. A file that is there already is replaced when
    all of the new one is there.
    """
    from vmstead.client.transfer import upload as send

    path = _path(image or file.name)
    token = here.call("auth.generate_token")
    with file.open("rb") as source, _bar(f"Sending {file.name}") as report:
        number = send(
            resolve(here.server.uri),
            token,
            "filesystem.put",
            [path],
            source,
            verify_tls=not here.server.insecure,
            on_progress=report,
        )
    follow(here.client.job(number))
    here.done(f"{path} is there.", {"path": path})


@verb(
    examples=["vmstead image download web01.qcow2", "vmstead image download web01.qcow2 - | gzip > web01.gz"]
)
@click.argument("image")
@click.argument("file", required=False)
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
def download(here: Here, image: str, file: str | None, force: bool) -> None:
    """Fetch a file from the server.

    Without FILE it goes into this folder under its own name; - is standard output. FILE is there when all of it is.
    """
    path = _path(image)
    size = here.call("filesystem.stat", path)["size"]
    target = file or os.path.basename(path)
    if target == "-":
        _fetch(here, path, sys.stdout.buffer, size)
        return
    if os.path.exists(target) and not force:
        raise Failure(f"{target} is there already; --force replaces it", FAILED)
    part = f"{target}.part"
    try:
        with open(part, "wb") as out:
            _fetch(here, path, out, size)
        os.replace(part, target)
    except OSError as error:
        raise Failure(f"{target} cannot be written: {error.strerror}", FAILED) from None
    finally:
        if os.path.exists(part):
            os.unlink(part)
    here.done(f"{target} is there.", {"path": target})


def _fetch(here: Here, path: str, target: IO[bytes], size: int) -> None:
    from vmstead.client.transfer import download as fetch

    job, address = here.call("core.download", "filesystem.get", [path], os.path.basename(path))
    endpoint, insecure = resolve(here.server.uri), here.server.insecure
    with _bar(f"Fetching {path}") as report:
        fetch(
            endpoint, address, target, verify_tls=not insecure, on_progress=lambda done, _: report(done, size)
        )
    follow(here.client.job(job))


@contextmanager
def _bar(label: str) -> Iterator[Any]:
    """A function that shows how many bytes of how many are through."""
    if not sys.stderr.isatty():
        yield lambda done, size: None
        return
    with click.progressbar(
        length=1, label=label, width=24, file=sys.stderr, color=colours(err=True)
    ) as shown:

        def report(done: int, size: int | None) -> None:
            shown.length = max(size or done, 1)
            shown.update(done - shown.pos)

        yield report


@verb("import", examples=["vmstead image import debian-12.qcow2 default/web01"])
@click.argument("image")
@volume_argument
@click.option(
    "--size", type=sizes.Size(), help="Size of a new volume; by default that of the disk in the image."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask, where the volume is there already.")
def import_(here: Here, image: str, volume: str, size: int | None, yes: bool) -> None:
    """Copy a disk image to a volume.

    A volume that is not there is made. What was on one that is there is lost; it must be large enough, and its
    virtual machine off.
    """
    path = _path(image)
    made = not here.call("pool.dataset.query", [["id", "=", volume]])
    if made:
        least = here.call("vm.device.virtual_size", {"path": path})
        wanted = -(-max(size or 0, least) // sizes.MIB) * sizes.MIB
        here.call("pool.dataset.create", {"name": volume, "type": "VOLUME", "volsize": wanted})
    elif size is not None:
        raise click.UsageError(f"{volume} is there already; --size is for a new volume")
    else:
        here.confirm(f"Overwrite what is on {volume}?", yes=yes)
    try:
        conversion = {"source": path, "destination": f"/dev/zvol/{volume}"}
        (here.run_or_abort if made else here.run)("vm.device.convert", conversion)
    except (ClientError, SystemExit):
        if made:
            here.call("pool.dataset.delete", volume)
        raise
    here.done(f"{path} is on {volume}.", {"volume": volume})


@verb(examples=["vmstead image export default/web01 web01.qcow2"])
@volume_argument
@click.argument("image")
def export(here: Here, volume: str, image: str) -> None:
    """Copy a volume to a disk image.

    What the image's name ends with is its format: qcow2, qed, raw, vdi, vhdx or vmdk. It must not be there yet.
    """
    path = _path(image)
    here.run("vm.device.convert", {"source": f"/dev/zvol/{volume}", "destination": path})
    here.done(f"{volume} is copied to {path}.", {"path": path})
