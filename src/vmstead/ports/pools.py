"""Pools, and the datasets in them: what volumes and files belong to.

A dataset is a file system or a volume; its name is ``pool/some/name``, a pool's own name is that of its root.
A snapshot is ``<dataset>@<name>``.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool. Sizes are bytes. ``path`` is the API's."""

    name: str
    path: str
    size: int
    free: int
    is_healthy: bool
    status: str


class DatasetKind(enum.StrEnum):
    """What a dataset is, with the API's words."""

    FILESYSTEM = "FILESYSTEM"
    VOLUME = "VOLUME"


@dataclass(frozen=True, slots=True)
class Dataset:
    """A file system or a volume. Sizes are bytes, times seconds since 1970.

    Attributes:
        mountpoint: the API's path of a file system; None for a volume.
        used: what it takes.
        available: what it can still take.
        size: of a volume; None for a file system.
        properties: what was set on it, by the API's names.
    """

    name: str
    kind: DatasetKind
    mountpoint: str | None
    used: int
    available: int
    size: int | None
    created: float
    properties: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How a volume was at a time. ``size`` is the volume's, ``used`` what the snapshot alone takes."""

    dataset: str
    name: str
    created: float
    size: int
    used: int

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

    async def create_filesystem(self, name: str) -> None:
        """Make an empty file system. EXISTS, BAD_NAME; NOT_FOUND when there is none above."""

    async def set_properties(self, name: str, properties: Mapping[str, object]) -> None:
        """Change properties of a dataset; None takes one away, those left out stay. NOT_FOUND."""

    async def resize(self, name: str, size: int) -> None:
        """Grow a volume. NOT_FOUND, NO_SPACE; FAILED when it would shrink: that loses data."""

    async def destroy_filesystem(self, name: str) -> None:
        """Remove a file system with its files. NOT_FOUND; IN_USE when datasets are below it, or it is a pool.

        One that was broken off half-way goes on.
        """

    async def snapshots(self) -> Sequence[Snapshot]:
        """All snapshots, by dataset and age."""

    async def create_snapshot(self, dataset: str, name: str) -> Snapshot:
        """Keep how a volume is now. NOT_FOUND, EXISTS, BAD_NAME, NO_SPACE; FAILED for what cannot have one."""

    async def clone_snapshot(self, dataset: str, name: str, target: str) -> None:
        """Make the volume ``target`` as the snapshot has it. NOT_FOUND, EXISTS, BAD_NAME, NO_SPACE."""

    async def destroy_snapshot(self, dataset: str, name: str) -> None:
        """Forget a snapshot. NOT_FOUND."""
