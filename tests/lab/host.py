"""Vmstead on the lab's host, as its operator and its clients see it."""

import asyncio
import io
import os
import shutil
import tarfile
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests.contract.bootsector import sector
from tests.guest.guests import Host, Terminal
from tests.lab.machine import PATIENCE, Machine, copy
from tests.processes import Result
from vmstead.client import Client
from vmstead.kernel.run import run

#: Where the checkout lies on the host.
TOP = "/opt/vmstead"
#: The socket of its API there.
SOCKET = "/run/middleware/middlewared.sock"


@dataclass
class LabHost(Host):
    """A host whose API is reached through a socket here that leads there."""

    machine: Machine
    #: Guests are emulated by what is emulated.
    patience: ClassVar[float] = PATIENCE

    async def midclt(self, *arguments: str) -> Result:
        return await super().midclt("--timeout", f"{PATIENCE:.0f}", *arguments)

    @property
    def uri(self) -> str:
        return f"ws+unix://{self.state}"

    async def sh(self, command: str) -> str:
        """What a shell command prints on the host, without the last line's end."""
        return (await self.machine.ssh(command)).rstrip("\n")

    async def fill(self, name: str) -> Path:
        """Put the demo guest on a disk of the host: a file or a volume by its path there."""
        await self.sh(
            f'dd if="$({TOP}/.venv/bin/python -m vmstead.demo.guest)" of={name} bs=4M conv=notrunc,sparse'
        )
        return Path(name)

    async def fill_small(self, name: str, *, is_deaf: bool = False) -> None:
        """Put the smallest guest that answers on a disk of the host, which is there after a second or two."""
        await self.machine.ssh(f"dd of={name} conv=notrunc status=none", stdin=sector(is_deaf=is_deaf))

    def come_up(self, *vms: int) -> None:
        """Wait until these VMs run, as those that start with the host do."""
        with Client(self.uri) as client:
            events = client.subscribe("vm.query")
            while client.call("vm.query", [["id", "in", [*vms]], ["status.state", "!=", "RUNNING"]]):
                assert events.get(self.patience) is not None

    async def reconnect(self) -> None:
        """Reach the API again after the host has started anew."""
        await self.machine.forward(self.state, SOCKET)

    @asynccontextmanager
    async def journal(self, unit: str) -> AsyncIterator[list[str]]:
        """The lines that a unit logs during the block; complete at its end."""
        cursor = await self.sh(f"journalctl -u {unit} -n 1 --show-cursor -q | sed -n 's/^-- cursor: //p'")
        lines: list[str] = []
        yield lines
        after = f"--after-cursor='{cursor}'" if cursor else ""
        lines += (await self.sh(f"journalctl -q -o cat -u {unit} {after}")).splitlines()


def echoes(console: Terminal, text: str) -> None:
    """Wait until the smallest guest gives back what is typed, and so shows that it is alive."""
    console.type(text)
    console.until(text)


def on_the_disk(console: Terminal, command: str) -> str:
    """What a command prints in a guest that has the file system of its first disk at /d."""
    console.type(f"mkdir -p /d && mount /dev/vda1 /d && echo beg''in && {command}; umount /d; echo do''ne")
    told = console.until("done")
    assert "begin" in told, told
    return told.partition("begin")[2]


@contextmanager
def fresh(image: Path) -> Iterator[LabHost]:
    """A copy of the lab's host as it is after its first start: without a server."""
    # Named after this process, so that whoever comes after its death finds what it has left.
    folder = Path(tempfile.mkdtemp(prefix=f"host.{os.getpid()}.", dir=image))
    machine = Machine(image, folder)

    async def begin() -> None:
        await copy(machine.saved, folder)
        await machine.start(snapshot=True)

    try:
        asyncio.run(begin())
        yield LabHost(folder / "api", machine)
    finally:
        asyncio.run(machine.stop())
        shutil.rmtree(folder)


async def install(machine: Machine, prepare: str, settings: str) -> None:
    """Put this checkout on the host and run it as a service, as the README says."""
    await machine.ssh(f"tar -C {TOP} -xf -", stdin=await _checkout())
    if prepare:
        await machine.ssh(prepare)
    await machine.ssh("mkdir -p /etc/vmstead && cat >/etc/vmstead/vmstead.toml", stdin=settings.encode())
    await machine.ssh(f"{TOP}/bin/setup --service")
    await machine.forward(machine.folder / "api", SOCKET)


async def _checkout() -> bytes:
    """All files of this checkout that git knows or could know, and what is built into the package."""
    top = Path(__file__).parents[2]
    listed = await run(
        ["git", "-C", str(top), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    )
    names = [name for name in listed.decode().split("\0") if name]
    built = top / "src/vmstead/web/static"
    names += [str(path.relative_to(top)) for path in built.rglob("*") if path.is_file()]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name in dict.fromkeys(names):
            if (top / name).exists():
                tar.add(top / name, name, recursive=False)
    return archive.getvalue()
