"""Which process a guest is."""

import contextlib
import os
from pathlib import Path


def find_pid(name: str, uuid: str, pid_files: Path | None, proc: Path = Path("/proc")) -> int | None:
    """The guest's process id: from libvirt's file where it can be read, else by looking for the uuid."""
    if pid_files is not None:
        with contextlib.suppress(OSError, ValueError):
            return int((pid_files / f"{name}.pid").read_text())
    wanted = uuid.encode()
    with os.scandir(proc) as entries:
        for entry in entries:
            if entry.name.isdecimal():
                with contextlib.suppress(OSError):
                    arguments = Path(entry.path, "cmdline").read_bytes().split(b"\0")
                    if b"qemu" in arguments[0] and wanted in arguments:
                        return int(entry.name)
    return None
