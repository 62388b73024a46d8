"""Volumes and files: where disks live.

Clients see one name space everywhere: volumes as ``/dev/zvol/<pool>/<name>``, files as ``/mnt/<pool>/<path>``.
What stands behind it (ZFS, a directory) is the driver's business; a use case asks for facts, never for a kind.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

#: How the API writes the path of a volume. Blanks in names become ``+`` there, as udev does it for ZFS.
VOLUME_PREFIX = "/dev/zvol/"
#: How the API writes the path of a file.
FILE_PREFIX = "/mnt/"


def volume_path(name: str) -> str:
    """The API's path of a volume, from its name ``pool/some/volume``."""
    return VOLUME_PREFIX + name.replace(" ", "+")


def volume_name(path: str) -> str:
    """The volume's name, from the API's path of it."""
    return path.removeprefix(VOLUME_PREFIX).replace("+", " ")


@dataclass(frozen=True, slots=True)
class DiskSource:
    """What a guest opens: an absolute path on the engine's machine, and whether it is a block device."""

    path: Path
    is_block: bool


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume that exists. ``name`` is ``pool/some/volume``, ``size`` its bytes.

    Attributes:
        obstacle: why nobody can open it now, as a sentence about it; None when it can be opened.
        data: bytes that were written to it, as far as they count; None where only reading it would tell.
    """

    name: str
    size: int
    source: DiskSource
    obstacle: str | None = None
    data: int | None = None


@dataclass(frozen=True, slots=True)
class Encryption:
    """How a new dataset is to be encrypted.

    Attributes:
        cipher: by its name, such as ``AES-256-GCM``.
        secret: a passphrase, or a key as 64 hexadecimal digits.
        iterations: how often a passphrase is hashed.
    """

    cipher: str
    secret: str = field(repr=False)
    is_passphrase: bool
    iterations: int


class VolumeErrorKind(enum.Enum):
    """What went wrong, as far as a use case acts on it."""

    NOT_FOUND = "not found"
    EXISTS = "exists"
    BAD_NAME = "bad name"
    OUTSIDE = "outside the allowed roots"
    IN_USE = "in use"
    NO_SPACE = "no space"
    #: It is encrypted, and its key is not there.
    LOCKED = "locked"
    #: Its pool is not there now, which says nothing about it.
    UNAVAILABLE = "unavailable"
    FAILED = "failed"


class VolumeError(Exception):
    """A volume or file could not be used as asked. The text is fit for a client."""

    def __init__(self, kind: VolumeErrorKind, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class BlockVolumes(Protocol):
    """Makes, finds and removes volumes. Every method raises ``VolumeError``; UNAVAILABLE when the pool is away."""

    async def find(self, name: str) -> Volume:
        """The volume of that name (``pool/some/volume``); NOT_FOUND when there is none."""

    async def list(self) -> Sequence[Volume]:
        """Every volume of every pool that is there, by name."""

    async def create(
        self,
        name: str,
        size: int,
        *,
        block_size: int | None = None,
        is_sparse: bool = True,
        encryption: Encryption | None = None,
    ) -> Volume:
        """Make an empty volume of ``size`` bytes, or as many more as its blocks need.

        It is sparse; otherwise its space is set aside, where the storage can. ``block_size`` (bytes) is a wish as
        well, None leaves it to the storage. Encryption is none: FAILED where the storage cannot.

        EXISTS when the name is taken, NOT_FOUND when the dataset above it does not exist, BAD_NAME, NO_SPACE.
        """

    async def destroy(self, name: str) -> None:
        """Remove the volume and everything that hangs on it, itself last. NOT_FOUND when it is already gone."""

    async def duplicate(self, name: str, target: str) -> Volume:
        """Make the volume ``target`` with the bytes that ``name`` has now; fast where the storage can share them.

        NOT_FOUND, EXISTS, BAD_NAME and NO_SPACE as for ``create``. A copy that fails or is cancelled is
        removed. Of a volume that a guest writes to, the copy is what a power cut would have left.
        """

    async def create_like(self, name: str, pattern: str) -> Volume:
        """Make an empty volume that is as large as ``pattern`` and can take its place with ``replace``.

        Errors are those of ``create``; FAILED when nothing could take that place.
        """

    async def replace(self, name: str, by: str) -> None:
        """Let the volume ``name`` have the bytes of the volume ``by``, which is gone then; both have one size.

        All at once, and on the disk when this returns: at any moment ``name`` has all the old bytes or all the
        new ones. What has it open goes on with the old ones. NOT_FOUND when either is not there; IN_USE when the
        old bytes must stay, because snapshots share them.
        """

    async def room(self, name: str) -> int:
        """Bytes that can still be stored where a volume of that name lies, or would. BAD_NAME, NOT_FOUND."""


class Volumes(BlockVolumes, Protocol):
    """Volumes and disk files. Every method raises ``VolumeError``."""

    async def free(self, path: str) -> int:
        """Bytes that can still be stored where the API's path of a volume or a file leads.

        Errors are those of ``find`` and ``locate``; the volume or file itself need not exist.
        """

    async def locate(self, path: str) -> Path:
        """The file behind an API path, following links only as long as they stay below an allowed root.

        OUTSIDE when it leaves every allowed root; the file itself need not exist, its folder must.
        """

    async def file_size(self, path: str) -> int | None:
        """Bytes of the regular file at an API path; None when nothing is there. FAILED for anything else."""

    async def create_file(self, path: str, size: int) -> None:
        """Make a sparse file of ``size`` bytes. EXISTS when something is there."""

    async def duplicate_file(self, path: str, target: str) -> None:
        """Make the file ``target`` with the bytes that ``path`` has now; as ``duplicate``."""

    async def resize_file(self, path: str, size: int) -> None:
        """Grow a file. FAILED when ``size`` is smaller than the file: shrinking would lose data."""

    async def remove_file(self, path: str) -> None:
        """Remove a regular file. NOT_FOUND when it is already gone."""

    async def publish_file(self, path: str, target: str, *, over: bool = False) -> None:
        """Give a file that is complete its final name ``target``, in the same folder, and that folder's owner.

        All at once, and on the disk when this returns. EXISTS when something is there already, unless ``over``
        lets it replace a file; NOT_FOUND when ``path`` is not there.
        """
