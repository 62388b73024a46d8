"""Files and folders that clients may see: those below the pools and the allowed roots.

Paths are the API's, such as ``/mnt/tank/isos``; ``/mnt`` itself is the folder of the pools.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Protocol


class FileKind(enum.StrEnum):
    """What a name stands for, with the API's words."""

    FILE = "FILE"
    DIRECTORY = "DIRECTORY"
    SYMLINK = "SYMLINK"
    OTHER = "OTHER"


@dataclass(frozen=True, slots=True)
class FileInfo:
    """What is known of a file or folder. Sizes are bytes, times are seconds since 1970.

    Attributes:
        path: as it was asked for; in a listing the folder's path and the name.
        real_path: where links on the way lead, as the API writes it.
        kind: of the name itself: a link is told as one in listings, and followed where one path is asked for.
        allocated: bytes that it takes on the disk.
        user, group: names; None where nobody has the number.
        born: when it was made; None where the file system does not keep that.
        mount_id: number of the mount it is on.
        attributes: what is special about it, with the API's words.
        xattrs: names of its extended attributes.
    """

    name: str
    path: str
    real_path: str
    kind: FileKind
    size: int
    allocated: int
    mode: int
    uid: int
    gid: int
    user: str | None
    group: str | None
    accessed: float
    modified: float
    changed: float
    device: int
    inode: int
    links: int
    is_mountpoint: bool
    born: float | None
    mount_id: int
    attributes: Sequence[str]
    xattrs: Sequence[str]

    @property
    def has_acl(self) -> bool:
        """An access control list says more than the permission bits."""
        return "system.posix_acl_access" in self.xattrs


@dataclass(frozen=True, slots=True)
class Space:
    """The file system that a path lies on. Sizes are bytes.

    Attributes:
        id: what no other mounted file system has, in hex digits.
        flags: how it is mounted, with the API's words.
        longest_name: bytes that the name of a file can have.
    """

    kind: str
    source: str
    mountpoint: str
    block_size: int
    total: int
    free: int
    available: int
    files: int
    free_files: int
    id: str
    flags: Sequence[str]
    longest_name: int


@dataclass(frozen=True, slots=True)
class Permissions:
    """What to change of who may do what with a file. None leaves a thing as it is.

    Attributes:
        mode: permission bits.
        uid, gid: numbers of its owner and group.
        strips_acl: take its access control list away.
    """

    mode: int | None = None
    uid: int | None = None
    gid: int | None = None
    strips_acl: bool = False


class Files(Protocol):
    """Looks at files and writes them. Every method raises ``VolumeError``."""

    async def info(self, path: str) -> FileInfo:
        """One file or folder, links followed. NOT_FOUND, OUTSIDE."""

    async def list(self, path: str) -> Sequence[FileInfo]:
        """What is in a folder, by name; links to places outside are left out. FAILED when it is no folder."""

    async def space(self, path: str) -> Space:
        """The file system below a path. NOT_FOUND, OUTSIDE."""

    async def make_folder(self, path: str, mode: int) -> None:
        """Make a folder, which gets the owner of the one above. EXISTS; NOT_FOUND when there is none above."""

    async def open(self, path: str) -> IO[bytes]:
        """A regular file, to be read and closed. NOT_FOUND, OUTSIDE; FAILED for anything else."""

    async def append(self, path: str, data: bytes) -> None:
        """Write to the end of a regular file. NOT_FOUND, NO_SPACE."""

    async def sync(self, path: str) -> None:
        """See to it that what was written to a regular file is on the disk. NOT_FOUND, NO_SPACE."""

    async def truncate(self, path: str, size: int) -> None:
        """Cut a regular file to so many bytes."""

    async def uid_of(self, user: str) -> int:
        """The number of a user of this machine. NOT_FOUND."""

    async def gid_of(self, group: str) -> int:
        """The number of a group of this machine. NOT_FOUND."""

    async def change_permissions(
        self, path: str, to: Permissions, *, recursive: bool, crosses_mounts: bool
    ) -> int:
        """Change a file or folder, and with ``recursive`` all that is in it; how many were changed.

        Links are followed on the way, and never changed or followed in a folder. All is as it was when
        something fails or the call is cancelled. OUTSIDE for the folder of a pool or root itself. NOT_FOUND.
        """

    async def change_mode(self, path: str, mode: int) -> None:
        """Set the permission bits of a regular file."""
