"""A network that is cut off from the rest of the world: a bridge with a DHCP and TFTP server, in a namespace."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import program
from vmstead.demo.guest import build, default_cache
from vmstead.kernel.run import run

BRIDGE = "vmbr0"


@dataclass(frozen=True)
class Network:
    """How to run a command inside it."""

    within: tuple[str, ...]


@asynccontextmanager
async def network(served: Path, boot_file: str) -> AsyncIterator[Network]:
    """A network on whose bridge 10.77.0.0/24 is given out, and a file to boot from."""
    name = f"vmstead-{os.getpid()}"
    within = ("ip", "netns", "exec", name)
    await run(["ip", "netns", "add", name])
    try:
        for arguments in (
            ["link", "set", "lo", "up"],
            ["link", "add", BRIDGE, "type", "bridge"],
            ["address", "add", "10.77.0.1/24", "dev", BRIDGE],
            ["link", "set", BRIDGE, "up"],
        ):
            await run(["ip", "-netns", name, *arguments])
        options = [
            "--keep-in-foreground",
            "--conf-file=/dev/null",
            "--user=root",
            "--pid-file=",
            "--port=0",
            f"--interface={BRIDGE}",
            "--dhcp-range=10.77.0.10,10.77.0.99,255.255.255.0,1h",
            "--leasefile-ro",
            "--no-ping",
            f"--dhcp-boot={boot_file}",
            "--enable-tftp",
            f"--tftp-root={served}",
            "--log-facility=-",
        ]
        async with program(*within, "dnsmasq", *options):
            yield Network(within)
    finally:
        await run(["ip", "netns", "delete", name])


async def boot_files(folder: Path) -> None:
    """What a machine without disks needs to start the demo guest: for UEFI, and for iPXE on a BIOS."""
    folder.mkdir()
    partition = f"{await build(default_cache())}@@1M"
    for name in ("EFI/BOOT/BOOTX64.EFI", "vmlinuz", "initrd"):
        await run(["mcopy", "-i", partition, f"::/{name}", str(folder / Path(name).name)])
    script = ["#!ipxe", "kernel vmlinuz console=ttyS0,115200 quiet tsc=reliable", "initrd initrd", "boot"]
    (folder / "boot.ipxe").write_text("\n".join([*script, ""]))
