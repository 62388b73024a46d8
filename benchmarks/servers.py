"""Servers to measure: Vmstead as a process of its own, as people run it, and others beside it."""

import contextlib
import os
import shutil
import subprocess  # noqa: TID251 - measures programs
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import libvirt

from vmstead.store.db import open_database
from vmstead.store.seal import Seal
from vmstead.store.vms import COLUMNS, VmStore


@dataclass(frozen=True)
class Running:
    """A running server: where it listens, its process and its state."""

    socket: str
    pid: int
    state: Path

    def libvirt(self) -> "libvirt.virConnect":
        """A connection to the libvirtd that this server works with."""
        return libvirt.open(f"qemu+unix:///system?socket={quote(f'{self.state}/libvirt/run/libvirt-sock')}")


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder on a disk, which guests can go through."""
    path = Path(tempfile.mkdtemp(prefix="vmstead-bench-", dir="/var/tmp"))
    path.chmod(0o711)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextlib.contextmanager
def process(*argv: str) -> Iterator[int]:
    """A program of this Python during the block, once it has said its first line."""
    with subprocess.Popen(
        [sys.executable, "-m", *argv], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as program:
        try:
            assert program.stdout is not None
            assert program.stdout.readline(), f"{argv} ended at once"
            yield program.pid
        finally:
            program.terminate()


@contextlib.contextmanager
def vmstead(state: Path, engine: str = "memory") -> Iterator[Running]:
    """Vmstead's server on a state folder."""
    path = f"{state}.sock"
    argv = ["vmstead.cli.main", "serve", "--state", str(state), "--socket", path]
    with process(*argv, "--listen", "none", "--engine", engine) as pid:
        yield Running(path, pid, state)


def fill(state: Path, count: int, devices: int = 3) -> None:
    """Put VMs into a fresh database, each with at most four devices."""
    state.mkdir(mode=0o711, parents=True)
    database = open_database(state / "vmstead.db")
    store = VmStore(database, Seal(state / "secret.key"))
    template = {
        **dict.fromkeys(COLUMNS, 0),
        **{"description": "", "memory": 512, "time": "UTC", "bootloader": "UEFI", "cpu_mode": "CUSTOM"},
        **{"bootloader_ovmf": "OVMF_CODE.fd", "vcpus": 1, "cores": 1, "threads": 1, "shutdown_timeout": 90},
        **{"command_line_args": ""},
        **dict.fromkeys(("min_memory", "cpu_model", "cpuset", "nodeset", "arch_type", "machine_type")),
    }

    def insert(connection):
        for number in range(1, count + 1):
            uuid = f"00000000-0000-4000-8000-{number:012}"
            store.insert({**template, "id": number, "name": f"vm{number}", "uuid": uuid})(connection)
            for attributes in (
                {
                    "dtype": "DISK",
                    "path": f"/dev/zvol/default/vm{number}",
                    "type": "VIRTIO",
                    "serial": "abcdefgh",
                },
                {
                    "dtype": "NIC",
                    "type": "VIRTIO",
                    "nic_attach": "user",
                    "mac": f"00:a0:98:00:{number // 256:02x}:{number % 256:02x}",
                },
                {"dtype": "DISPLAY", "type": "SPICE", "port": 5900 + number, "web_port": 20000 + number},
                {"dtype": "CDROM", "path": f"/mnt/default/vm{number}.iso"},
            )[:devices]:
                store.insert_device(number, None, attributes)(connection)

    database.write_now(insert)
    database.close()


def memory_of(pid: int) -> float:
    """MiB that a process holds."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
