"""``vmstead demo``, and ``--demo`` of ``vmstead serve``: a small guest, made and started through the API."""

import asyncio
import time
from pathlib import Path
from typing import Any

import click

from vmstead.cli.options import read_settings, settings_options
from vmstead.client import Client, ClientError
from vmstead.client.ejson import Json
from vmstead.client.shell import ShellConnection
from vmstead.config import Config
from vmstead.demo.guest import READY, build, default_cache
from vmstead.kernel.run import CommandError, run

NAME = "demo"
_IMAGE = "vmstead-demo.raw"
#: Seconds that the guest gets to boot; emulated on a busy machine it takes its time.
_BOOT = 300
_DEVICES: list[dict[str, Json]] = [
    {"dtype": "RAW", "path": f"/mnt/default/{_IMAGE}", "exists": True, "type": "VIRTIO"},
    {"dtype": "NIC", "type": "VIRTIO", "nic_attach": "user"},
    {"dtype": "DISPLAY", "type": "SPICE"},
]


@click.command()
@settings_options("state", "socket")
def demo(config_file: Path | None, **given: object) -> None:
    """Build the demo guest, make a VM of it on the running server, and start it."""
    show_demo(read_settings(given, config_file).config)


def show_demo(config: Config) -> None:
    """Have the demo VM running, made if need be, and say where to look.

    Works on the machine of the server: the image goes into its default pool.

    Raises:
        click.ClickException: something is missing; the text says what.
    """
    if "default" in config.zfs_pools:
        text = "the demo guest lies in the pool default, which is ZFS's by your settings"
        raise click.ClickException(
            f"{text}; have the demo on other ones: vmstead serve --demo --config /dev/null"
        )
    pool = config.state / "pools" / "default"
    try:
        if not (pool / _IMAGE).exists():
            click.echo("demo: building the guest (once, from the distribution's packages)")
            asyncio.run(_place_image(pool / _IMAGE))
        with Client(f"ws+unix://{config.socket}") as client:
            _run_guest(client, config)
    except CommandError as error:
        raise click.ClickException(f"the demo guest could not be built: {error}") from None
    except ClientError as error:
        raise click.ClickException(f"the demo guest could not be started: {str(error).strip()}") from None


async def _place_image(target: Path) -> None:
    """Put a fresh copy of the guest's disk in place, whole or not at all."""
    image = await build(default_cache())
    part = target.with_suffix(".part")
    await run(["cp", "--sparse=always", "--reflink=auto", "--", str(image), str(part)])
    part.rename(target)


def _run_guest(client: Client, config: Config) -> None:
    found: Any = client.call("vm.query", [["name", "=", NAME]])
    vm = found[0] if found else _make(client)
    was_stopped = vm["status"]["state"] == "STOPPED"
    if was_stopped:
        client.call("vm.start", vm["id"])
    begin = time.monotonic()
    row: Any = client.call("vm.get_instance", vm["id"])
    status = row["status"]
    click.echo(f"demo: {NAME} (VM {row['id']}) is {status['state']}, process {status['pid']}")
    if was_stopped:
        token: Any = client.call("auth.generate_token")
        if _has_booted(f"ws+unix://{config.socket}", token, row["id"]):
            click.echo(f"demo: it has booted, {time.monotonic() - begin:.1f} seconds after its start")
        else:
            click.echo("demo: it has not finished booting; its console tells more")
    (display,) = (each["attributes"] for each in row["devices"] if each["attributes"]["dtype"] == "DISPLAY")
    click.echo(
        f"demo: serial console   vmstead vm console {NAME}    (log in as root, no password; leave with Ctrl-])\n"
        f"demo: screen           remote-viewer spice://{display['bind']}:{display['port']}\n"
        f"demo: the API          midclt call vm.query"
    )


def _make(client: Client) -> dict[str, Any]:
    vm: Any = client.call(
        "vm.create",
        {"name": NAME, "description": "A small guest to look at", "memory": 256, "autostart": False},
    )
    for attributes in _DEVICES:
        client.call("vm.device.create", {"vm": vm["id"], "attributes": attributes})
    return dict(vm)


def _has_booted(uri: str, token: str, vm: int) -> bool:
    """Watch the console until the guest says that it is ready. The most recent output counts too."""
    deadline = time.monotonic() + _BOOT
    seen = b""
    with ShellConnection(uri, token, vm) as console:
        while READY.encode() not in seen and (left := deadline - time.monotonic()) > 0:
            data = console.read(left)
            if data is None or data == b"":
                return False
            seen = (seen + data)[-65536:]
    return READY.encode() in seen
