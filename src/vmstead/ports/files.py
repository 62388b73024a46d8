"""Files and folders that clients may see: those below the pools and the allowed roots.

Paths are the API's, such as ``/mnt/tank/isos``; ``/mnt`` itself is the folder of the pools.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


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


@dataclass(frozen=True, slots=True)
class Space:
    """The file system that a path lies on. Sizes are bytes."""

    kind: str
    source: str
    mountpoint: str
    block_size: int
    total: int
    free: int
    available: int
    files: int
    free_files: int
    is_read_only: bool


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

    async def append(self, path: str, data: bytes) -> None:
        """Write to the end of a regular file. NOT_FOUND, NO_SPACE."""

    async def sync(self, path: str) -> None:
        """See to it that what was written to a regular file is on the disk. NOT_FOUND, NO_SPACE."""

    async def truncate(self, path: str, size: int) -> None:
        """Cut a regular file to so many bytes."""

    async def change_mode(self, path: str, mode: int) -> None:
        """Set the permission bits of a regular file."""
