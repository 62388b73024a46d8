"""Servers to measure: Vmstead as a process of its own, as people run it, and others beside it."""

import contextlib
import shutil
import subprocess  # noqa: TID251 - measures programs
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import libvirt


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
