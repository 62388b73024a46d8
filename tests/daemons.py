"""Private libvirtd daemons for tests: everything that a test started is ended, whatever becomes of the test."""

import contextlib
import os
import select
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from vmstead.adapters.engine_choice import provider_for
from vmstead.adapters.libvirt_engine import LibvirtEngine, Target
from vmstead.adapters.linux_host import LinuxHost
from vmstead.adapters.private_libvirtd import PrivateLibvirtd, is_installed
from vmstead.config import Config
from vmstead.kernel.clock import SystemClock

#: Milliseconds in which a process that was killed must be gone.
_PATIENCE = 20_000
#: Characters of each log that a test which fails tells of.
_TOLD = 8_000

needs_private_libvirtd = pytest.mark.skipif(
    os.geteuid() != 0 or not is_installed() or shutil.which("qemu-system-x86_64") is None,
    reason="a private libvirtd needs root, libvirtd and QEMU",
)

needs_a_loop_device = pytest.mark.skipif(
    os.geteuid() != 0 or not Path("/dev/loop-control").exists() or shutil.which("mkfs.ext4") is None,
    reason="a file system in a file needs root, loop devices and mkfs.ext4",
)


@contextmanager
def state_folder() -> Iterator[Path]:
    """A state folder that guests may enter; at the end its daemons and guests are killed and it is removed.

    pytest's own folders are closed to the user that guests run as.
    """
    folder = Path(tempfile.mkdtemp(prefix="vmstead-test-", dir="/var/tmp"))
    folder.chmod(0o711)
    try:
        yield folder
    except BaseException as error:
        for log in (
            *folder.rglob("libvirtd.log"),
            *folder.rglob("keeper.log"),
            *folder.rglob("log/qemu/*.log"),
        ):
            error.add_note(f"The end of {log}:\n{log.read_text(errors='replace')[-_TOLD:]}")
        raise
    finally:
        for pid in members(folder):
            kill(pid)
        shutil.rmtree(folder)


def config(folder: Path) -> Config:
    """The settings of a server that keeps its state there and emulates."""
    return Config(state=folder, engine="private", accel="tcg")


def private_engine(folder: Path) -> LibvirtEngine:
    """The engine that a server would make: when it is closed and no guest runs, the daemon goes too."""
    return LibvirtEngine(provider_for(config(folder), LinuxHost()), SystemClock())


def lasting_engine(folder: Path) -> Callable[[], LibvirtEngine]:
    """Makes engines on a daemon that stays when they are closed, which saves its start in the next test."""
    provide = provider_for(config(folder), LinuxHost())

    async def target() -> Target:
        return replace(await provide(), leave=None)

    return lambda: LibvirtEngine(target, SystemClock())


def daemon_pid(folder: Path) -> int | None:
    """The process id of the folder's libvirtd, if it runs."""
    return PrivateLibvirtd(folder / "libvirt", hide_kvm=True)._pid()


def members(folder: Path) -> list[int]:
    """The processes that have a daemon's view of the file system: it, its keeper, its guests.

    So nothing may be mounted below the folder where daemons of other tests see it: they would be taken for its own.
    """
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            # Gone since the listing, or a zombie, which has no view any more.
            with contextlib.suppress(OSError):
                if folder.name in (entry / "mountinfo").read_text():
                    found.append(int(entry.name))
    return found


def kill(pid: int) -> None:
    """Kill a process and wait until it is gone. Nothing happens where it is gone already."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            assert gone(descriptor), f"process {pid} does not end"
        finally:
            os.close(descriptor)


def gone(descriptor: int) -> bool:
    """Wait for the end of a process; False when it does not come."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(_PATIENCE))
