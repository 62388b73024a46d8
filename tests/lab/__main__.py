"""Commands of ``bin/lab``: the host's snapshot, and one host that people use by hand."""

import asyncio
import os
import shutil
import sys
import time
from pathlib import Path

import click

from tests.lab.machine import Machine, copy


async def build(image: Path) -> None:
    """Start the host once and keep it as it is then."""
    fresh = Machine(image, image / "first")
    if fresh.saved.exists():
        return
    began = time.monotonic()
    await fresh.start()
    await fresh.save()
    for older in image.glob("saved*"):
        shutil.rmtree(older)
    fresh.folder.rename(fresh.saved)
    click.echo(f"lab: the host's first start and its snapshot took {time.monotonic() - began:.0f} s")


async def sweep(image: Path) -> None:
    """End hosts of tests that were killed themselves."""
    for folder in image.glob("host.*"):
        _, owner, _ = folder.name.split(".")
        if not Path("/proc", owner).exists():
            await Machine(image, folder).stop()
            shutil.rmtree(folder)


async def up(machine: Machine) -> None:
    """Have the host that people use go on from the snapshot, unless it runs."""
    if machine.pid is None:
        began = time.monotonic()
        shutil.rmtree(machine.folder, ignore_errors=True)
        await copy(machine.saved, machine.folder)
        await machine.start(snapshot=True)
        click.echo(f"lab: the host is there after {time.monotonic() - began:.1f} s; log in with: bin/lab ssh")


def main() -> None:
    """``python -m tests.lab COMMAND IMAGE [ARGUMENT...]``."""
    command, image, *arguments = sys.argv[1:]
    machine = Machine(Path(image), Path(image) / "by-hand")
    if command == "build":
        asyncio.run(sweep(Path(image)))
        asyncio.run(build(Path(image)))
    elif command == "up":
        asyncio.run(up(machine))
    elif command == "down":
        asyncio.run(machine.stop())
    elif machine.pid is None:
        sys.exit("lab: the host does not run; start it with: bin/lab up")
    else:
        os.execvp("ssh", ["ssh", *machine.ssh_options(), "root@127.0.0.1", *arguments])


main()
