"""Pools, and the datasets in them: what volumes and files belong to.

A dataset is a file system or a volume; its name is ``pool/some/name``, a pool's own name is that of its root.
A snapshot is ``<dataset>@<name>``.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from vmstead.ports.volumes import Encryption


@dataclass(frozen=True, slots=True)
class Device:
    """A part of a pool: a disk, or several that make up one, such as a mirror.

    Attributes:
        kind: such as ``DISK``, ``MIRROR``, ``RAIDZ1``.
        path: of a disk.
    """

    name: str
    kind: str
    status: str
    path: str | None = None
    children: "tuple[Device, ...]" = ()


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool. Sizes are bytes. ``path`` is the API's.

    Attributes:
        problem: what is wrong with it, and the way out.
        devices: what it is made of, by use: ``data``, ``log``, ``cache``, ``spare``, ``special``, ``dedup``.
        encrypts: encrypted datasets can be made in it.
    """

    name: str
    path: str
    size: int
    free: int
    is_healthy: bool
    status: str
    problem: str | None = None
    devices: Mapping[str, Sequence[Device]] = field(default_factory=dict)
    encrypts: bool = False


class DatasetKind(enum.StrEnum):
    """What a dataset is, with the API's words."""

    FILESYSTEM = "FILESYSTEM"
    VOLUME = "VOLUME"


@dataclass(frozen=True, slots=True)
class Property:
    """What the storage says of a dataset.

    Attributes:
        value: bytes and other numbers as such, words in the API's spelling (``LZ4``).
        raw: as the storage writes it.
        source: ``LOCAL``, ``INHERITED``, ``DEFAULT``, ``RECEIVED``, or ``NONE`` where it cannot be set.
        source_info: the dataset that it is inherited from.
    """

    value: object
    raw: str
    source: str
    source_info: str | None = None


@dataclass(frozen=True, slots=True)
class Lock:
    """How a dataset is encrypted.

    Attributes:
        root: the dataset whose key it is.
        key_format: ``PASSPHRASE``, ``HEX`` or ``RAW``.
        is_open: the key is there.
    """

    root: str
    key_format: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class Dataset:
    """A file system or a volume. Sizes are bytes, times seconds since 1970.

    Attributes:
        mountpoint: the API's path of a file system; None for a volume.
        used: what it takes.
        available: what it can still take.
        size: of a volume; None for a file system.
        properties: what was set on it, by the API's names.
        facts: all that the storage itself says of it, by the API's names; nothing where it keeps no such things.
        lock: None when it is not encrypted.
        origin: the snapshot that it is a clone of and hangs on; None for most.
        is_mounted: of a file system: its files can be reached.
        takes_snapshots: snapshots can be made of it.
    """

    name: str
    kind: DatasetKind
    mountpoint: str | None
    used: int
    available: int
    size: int | None
    created: float
    properties: Mapping[str, object]
    facts: Mapping[str, Property] = field(default_factory=dict)
    lock: Lock | None = None
    origin: str | None = None
    is_mounted: bool = True
    takes_snapshots: bool = True


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a dataset was at a time.

    Attributes:
        size: the volume's; None for a file system.
        used: bytes that the snapshot alone takes.
        referenced: bytes that can be read in it.
        number: grows with each snapshot, however fast they are made.
    """

    dataset: str
    name: str
    created: float
    size: int | None
    used: int
    referenced: int
    number: int

    @property
    def id(self) -> str:
        """``<dataset>@<name>``."""
        return f"{self.dataset}@{self.name}"


class Pools(Protocol):
    """Pools and what is in them. Every method raises ``VolumeError``."""

    async def pools(self) -> Sequence[Pool]:
        """All pools, by name."""

    async def datasets(self) -> Sequence[Dataset]:
        """All file systems and volumes, by name."""

    async def block_size(self, pool: str) -> int:
        """Bytes that volumes of a pool should be stored by. NOT_FOUND."""

    async def create_filesystem(self, name: str, *, encryption: Encryption | None = None) -> None:
        """Make an empty file system. EXISTS, BAD_NAME; NOT_FOUND when there is none above.

        Encryption is none: FAILED where the storage cannot.
        """

    async def set_properties(self, name: str, properties: Mapping[str, object]) -> None:
        """Change properties of a dataset; None takes one away, those left out stay. NOT_FOUND."""

    async def resize(self, name: str, size: int) -> None:
        """Grow a volume. NOT_FOUND, NO_SPACE; FAILED when it would shrink: that loses data."""

    async def destroy_filesystem(self, name: str) -> None:
        """Remove a file system with its files. NOT_FOUND; IN_USE when datasets are below it, or it is a pool.

        One that was broken off half-way goes on.
        """

    async def unlock(self, root: str, secret: str | None) -> None:
        """Open an encrypted dataset, and what shares its key: volumes can be read and file systems are mounted.

        ``secret``: the passphrase or key; None: where the storage itself knows to find it. Nothing happens to what
        is open. NOT_FOUND; LOCKED when the secret is wrong or missing; FAILED when it is not encrypted or has its
        key from another dataset.
        """

    async def lock(self, root: str, *, force: bool) -> None:
        """Close an encrypted dataset, and what shares its key, and forget the key.

        NOT_FOUND; FAILED when it is not encrypted or has its key from another dataset; IN_USE, and nothing is
        closed, when something has it open. With ``force`` open files are taken away where the storage can.
        """

    async def snapshots(self) -> Sequence[Snapshot]:
        """All snapshots, by dataset and age."""

    async def create_snapshot(self, dataset: str, name: str, *, is_recursive: bool = False) -> Snapshot:
        """Keep how a dataset is now; ``is_recursive``: with those below it, all at the same moment.

        NOT_FOUND, EXISTS, BAD_NAME, NO_SPACE; FAILED for what cannot have one.
        """

    async def clone_snapshot(self, dataset: str, name: str, target: str) -> None:
        """Make the volume ``target`` as the snapshot has it. NOT_FOUND, EXISTS, BAD_NAME, NO_SPACE."""

    async def roll_back(self, volume: str, name: str, *, through: str, newer: bool = False) -> None:
        """Let a volume, which nobody has open, be again as its snapshot has it, all at once.

        ``through``: a volume that is not there, which may be for as long as this takes; whoever calls this
        notes it, and removes it when this was broken off. ``newer``: forget the snapshots made since.

        NOT_FOUND, NO_SPACE, LOCKED; IN_USE, and nothing is changed, when there are newer snapshots that are to
        stay, or what was cloned from them hangs on them.
        """

    async def destroy_snapshot(self, dataset: str, name: str) -> None:
        """Forget a snapshot; what was cloned from it stays. NOT_FOUND."""
