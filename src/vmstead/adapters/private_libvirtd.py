"""A libvirtd of the server's own, for a root without one: started when needed, below the state folder.

The daemon outlives the server, as its guests do; the next server finds it by its socket.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import socket
import sys
import uuid
from pathlib import Path
from urllib.parse import quote

from vmstead.adapters.keeper import LIBVIRTD
from vmstead.adapters.qemu_conf import GUEST_USER, make_folder, qemu_conf
from vmstead.kernel.run import CommandError, run
from vmstead.ports.engine import EngineError, EngineErrorKind

#: The kernel's start, and that of the first process: a container starts anew without its host.
_BOOT_ID, _FIRST = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/1/stat")
#: Bytes that the kernel takes as the address of a unix socket.
_LONGEST_SOCKET = 107

_LIBVIRTD_CONF = """\
# Written by vmstead at every start of this daemon.
host_uuid = "{host_uuid}"
auth_unix_rw = "none"
# This is how the daemon sees the folder log beside its folder etc.
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
"""


class PrivateLibvirtd:
    """The daemon below a folder.

    Args:
        root: where everything of it lies; made if needed.
        hide_kvm: keep KVM from it. A running daemon with the other setting is replaced.
        bounded: folder of console logs, which are kept from growing without end as long as guests run.
    """

    def __init__(self, root: Path, *, hide_kvm: bool, bounded: Path | None = None) -> None:
        self._root = root
        self._hide_kvm = hide_kvm
        self._bounded = bounded

    @property
    def uri(self) -> str:
        return f"qemu+unix:///system?socket={quote(str(self._socket))}"

    @property
    def log_folder(self) -> Path:
        """Where each guest's log is, as ``<domain>.log``."""
        return self._root / "log/qemu"

    @property
    def tpm_states(self) -> Path:
        """Where libvirt keeps a folder for each guest's TPM."""
        return self._root / "lib" / "swtpm"

    @property
    def pid_files(self) -> Path:
        """Where libvirt puts a file with the process id of each guest."""
        return self._root / "run" / "qemu"

    @property
    def _socket(self) -> Path:
        return self._root / "run" / "libvirt-sock"

    async def ensure(self) -> None:
        """Have the daemon running and accepting connections.

        Raises:
            EngineError: UNREACHABLE, when it cannot be started.
        """
        if len(os.fsencode(self._socket)) > _LONGEST_SOCKET:
            raise EngineError(
                EngineErrorKind.UNREACHABLE,
                f"the path {self._socket} is longer than the {_LONGEST_SOCKET} characters that a socket can have; "
                "choose a state folder with a shorter path",
            )
        await asyncio.to_thread(make_folder, self._root)
        recipe = self._write_configuration()
        if await self.is_running():
            if (self._root / "recipe").read_text() == recipe:
                return
            await self.stop()
        await asyncio.to_thread(self._forget_other_boots)
        (self._root / "recipe").write_text(recipe)
        options = ["--hide-kvm"] if self._hide_kvm else []
        if self._bounded is not None:
            options += ["--bound", str(self._bounded)]
        try:
            # -P: what lies in the server's working folder must not become a part of a program of root's.
            await run(
                [sys.executable, "-P", "-m", "vmstead.adapters.keeper", str(self._root), *options], timeout=30
            )
        except CommandError as error:
            raise EngineError(
                EngineErrorKind.UNREACHABLE,
                f"a private libvirtd could not be started: {error.output.strip()}",
            ) from error

    async def is_running(self) -> bool:
        """Whether the daemon is there and accepts connections."""
        return await asyncio.to_thread(self._answers)

    async def stop(self) -> None:
        """End the daemon and wait until it is gone. Guests go on.

        Raises:
            EngineError: it does not end.
        """
        pid = self._pid()
        if pid is None:
            return
        with contextlib.suppress(ProcessLookupError):
            descriptor = os.pidfd_open(pid)
            loop = asyncio.get_running_loop()
            gone: asyncio.Future[None] = loop.create_future()
            loop.add_reader(descriptor, _settle, gone)
            try:
                signal.pidfd_send_signal(descriptor, signal.SIGTERM)
                async with asyncio.timeout(30):
                    await gone
            except TimeoutError:
                text = f"libvirtd, process {pid}, was told to end and does not"
                raise EngineError(EngineErrorKind.FAILED, text) from None
            finally:
                loop.remove_reader(descriptor)
                os.close(descriptor)

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            try:
                connection.connect(str(self._socket))
            except OSError:
                return False
        return self._pid() is not None

    def _forget_other_boots(self) -> None:
        """Take away what libvirt keeps in /run, where the host has started anew since.

        By that it knows for instance whether it has started those networks yet that start with the host.
        """
        began = _FIRST.read_text().rpartition(")")[2].split()[19]
        present, note = f"{_BOOT_ID.read_text().strip()} {began}\n", self._root / "boot_id"
        if note.exists() and note.read_text() != present:
            shutil.rmtree(self._root / "run", ignore_errors=True)
        note.write_text(present)

    def _pid(self) -> int | None:
        try:
            pid = int((self._root / "libvirtd.pid").read_text())
            program = os.readlink(f"/proc/{pid}/exe")
        except (OSError, ValueError):
            return None
        # After a reboot the number may be anybody's.
        return pid if os.path.basename(program).startswith("libvirtd") else None

    def _write_configuration(self) -> str:
        """Write the daemon's settings; returns what tells two settings apart."""
        etc = self._root / "etc"
        make_folder(etc)
        identity = self._root / "host_uuid"
        if not identity.exists():
            # Two daemons on one machine are two hosts to libvirt.
            identity.write_text(str(uuid.uuid4()))
        qemu = qemu_conf(GUEST_USER)
        daemon = _LIBVIRTD_CONF.format(host_uuid=identity.read_text().strip())
        (etc / "qemu.conf").write_text(qemu)
        (etc / "libvirtd.conf").write_text(daemon)
        return f"{qemu}{daemon}hide_kvm = {self._hide_kvm}\nbounded = {self._bounded}\n"


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def is_installed() -> bool:
    """Whether this machine has what a private daemon needs."""
    try:
        pwd.getpwnam(GUEST_USER)
    except KeyError:
        return False
    return os.access(LIBVIRTD, os.X_OK)
