"""Names of volumes, file systems and snapshots: what is good in every kind of pool."""

import re
from collections.abc import Iterable, Sequence

from vmstead.ports.pools import Snapshot
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

#: A part of a name: what ZFS allows, so that a name is good wherever it goes.
_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.: -]{0,199}")
_SNAPSHOT = re.compile(r"[A-Za-z0-9_.:-]{1,200}")


def check_name(name: str) -> None:
    """Raises VolumeError, BAD_NAME, when nothing in a pool can be called so."""
    parts = name.split("/")
    if len(parts) < 2 or not all(_PART.fullmatch(part) for part in parts):
        raise VolumeError(
            VolumeErrorKind.BAD_NAME,
            f"{name!r} is no volume name; write pool/name with letters, digits and _ - . : only",
        )


def check_snapshot_name(name: str) -> None:
    """Raises VolumeError, BAD_NAME, when no snapshot can be called so."""
    if not _SNAPSHOT.fullmatch(name):
        text = f"{name!r} is no name of a snapshot; it has letters, digits and _ - . : only"
        raise VolumeError(VolumeErrorKind.BAD_NAME, text)


def no_such_pool(pool: str, known: Iterable[str]) -> VolumeError:
    """What is said of a pool that is not among those of the settings."""
    text = f"there is no pool {pool}; there is {', '.join(sorted(known))}"
    return VolumeError(VolumeErrorKind.NOT_FOUND, text)


def refuse_newer(volume: str, newer: Sequence[Snapshot]) -> None:
    """Raises VolumeError, IN_USE, when rolling a volume back would forget these snapshots."""
    if newer:
        names = ", ".join(each.name for each in newer)
        text = (
            f"{volume} has newer snapshots, which rolling back forgets: {names}; use recursive to have it so"
        )
        raise VolumeError(VolumeErrorKind.IN_USE, text)
