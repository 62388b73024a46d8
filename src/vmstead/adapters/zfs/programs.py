"""Running ZFS's programs, and what they say, in the port's terms."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vmstead.adapters.zfs.device import is_device_of
from vmstead.kernel.run import CommandError, run
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

#: Seconds for a question, and for a change: destroying what is large takes a while.
_LOOK, _CHANGE = 60.0, 600.0
#: What the programs end their complaints with, by what it means. Texts of OpenZFS 2.1 to 2.3.
_SAYINGS = (
    (VolumeErrorKind.NOT_FOUND, r"does not exist|no such pool|parent is not a filesystem|could not find any"),
    (VolumeErrorKind.EXISTS, r"already exists"),
    (VolumeErrorKind.NO_SPACE, r"out of space|numeric value is too large|no space left"),
    (
        VolumeErrorKind.BAD_NAME,
        r"invalid character|name is too long|invalid name|trailing slash|empty component",
    ),
    (
        VolumeErrorKind.IN_USE,
        r"is busy|has (dependent clones|children)|conflicting snapshot"
        r"|clones of previous snapshots|more recent snapshots",
    ),
    (
        VolumeErrorKind.LOCKED,
        r"Incorrect key|key is not loaded|key not loaded|too short|too long|encryption failure|Invalid key",
    ),
)
_NOT_INSTALLED = "ZFS is not installed on this host; install it with: apt-get install zfsutils-linux"
_NOT_LOADED = "the ZFS modules of the kernel are not loaded; load them with: modprobe zfs"


class Runner(Protocol):
    """``kernel.run.run``, or what answers in its place."""

    async def __call__(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        timeout: float = 600.0,
        on_line: Callable[[str], None] | None = None,
    ) -> bytes:
        """Raises CommandError."""


@dataclass(frozen=True)
class ZfsHost:
    """A machine with ZFS.

    Attributes:
        run: runs programs there.
        devices: the folder in which udev makes links to the devices of volumes.
        mounts: the kernel's table of mounts (proc(5), mountinfo).
        is_device_of: whether a path leads to the device of a dataset now.
    """

    run: Runner
    devices: Path
    mounts: Path
    is_device_of: Callable[[Path, str], bool]


#: The machine that this runs on.
THIS_HOST = ZfsHost(run, Path("/dev/zvol"), Path("/proc/self/mountinfo"), is_device_of)


class ZfsError(VolumeError):
    """A program of ZFS has failed.

    Attributes:
        names: what it names below its complaint: clones or children that are in the way.
    """

    def __init__(self, kind: VolumeErrorKind, text: str, names: Sequence[str] = ()) -> None:
        super().__init__(kind, text)
        self.names = list(names)


class Programs:
    """``zfs`` and ``zpool``. Arguments that clients chose begin with a checked name, or with ``property=``."""

    def __init__(self, host: ZfsHost) -> None:
        self._host = host

    async def ask(self, *argv: str) -> str:
        """What a question is answered with. Raises ZfsError."""
        return (await self._run(argv, b"", _LOOK)).decode(errors="replace")

    async def change(self, *argv: str, stdin: bytes = b"") -> None:
        """Have something done. Raises ZfsError."""
        await self._run(argv, stdin, _CHANGE)

    async def _run(self, argv: Sequence[str], stdin: bytes, timeout: float) -> bytes:
        try:
            return await self._host.run(argv, stdin=stdin, timeout=timeout)
        except CommandError as error:
            raise _as_zfs_error(error) from error


def _as_zfs_error(error: CommandError) -> ZfsError:
    if error.status is None:
        text = f"{error.argv[0]} has not answered in time; see what is the matter with: zpool status"
        return ZfsError(VolumeErrorKind.UNAVAILABLE, text)
    if error.status == 127:
        return ZfsError(VolumeErrorKind.UNAVAILABLE, _NOT_INSTALLED)
    lines = error.output.strip().splitlines() or [f"{error.argv[0]} ended with status {error.status}"]
    if "modules cannot be auto-loaded" in error.output or "/dev/zfs" in error.output:
        text = _NOT_LOADED if "ermission" not in error.output else lines[0]
        return ZfsError(VolumeErrorKind.UNAVAILABLE, text)
    kind = next((kind for kind, said in _SAYINGS if re.search(said, lines[0])), VolumeErrorKind.FAILED)
    # What follows is advice for people at a terminal, and names.
    names = [] if any(line.startswith("usage:") for line in lines) else lines[1:]
    return ZfsError(kind, lines[0], [name for name in names if not name.startswith("use '")])
