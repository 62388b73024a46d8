"""From the paths that clients write to places on this machine, and back; never out of the allowed folders."""

import os
from collections.abc import Mapping
from pathlib import Path

from vmstead.ports.volumes import FILE_PREFIX, VolumeError, VolumeErrorKind

#: The folder of a pool that its volumes lie in. It does not show among the pool's files.
VOLUMES = ".volumes"
#: The folder among the volumes that their snapshots lie in.
SNAPSHOTS = ".snapshots"


class Places:
    """What paths may lead to.

    Args:
        pools: the folder of each pool, seen as ``/mnt/<pool>``.
        roots: further folders, seen under their own path.
    """

    def __init__(self, pools: Mapping[str, Path], roots: Mapping[str, Path] | None = None) -> None:
        self.pools = dict(pools)
        self.roots = [*(roots or {}).values()]

    def locate(self, path: str, *, may_be_root: bool = False) -> Path:
        """The place behind a path; a folder that is a root only where that is asked for.

        Raises:
            VolumeError: OUTSIDE, when it leaves the allowed folders; NOT_FOUND, when its folder is not there.
            OSError: the way there cannot be followed.
        """
        wanted = self._on_this_machine(path, may_be_root=may_be_root)
        try:
            folder = real(wanted.parent)
        except FileNotFoundError as error:
            raise VolumeError(
                VolumeErrorKind.NOT_FOUND, f"the folder of {path} does not exist: {error.filename}"
            ) from None
        target = folder / wanted.name
        if target.is_symlink():
            target = real(target, may_be_missing=True)
        # A link may point elsewhere below the allowed folders, but not out of them.
        bases = [real(root, may_be_missing=True) for root in (*self.pools.values(), *self.roots)]
        below = [
            target.relative_to(base)
            for base in bases
            if base in target.parents or (may_be_root and base == target)
        ]
        if not below:
            raise VolumeError(VolumeErrorKind.OUTSIDE, f"{path} leads out of the folders that may be used")
        if any(VOLUMES in rest.parts for rest in below):
            raise VolumeError(
                VolumeErrorKind.OUTSIDE, f"{path} lies among the volumes, which are used by name"
            )
        return target

    def _on_this_machine(self, path: str, *, may_be_root: bool) -> Path:
        """The path, if it is written as one below an allowed folder."""
        if ".." in path.split("/"):
            raise VolumeError(VolumeErrorKind.OUTSIDE, f"{path} has .. in it; write where it leads to")
        if path.startswith(FILE_PREFIX):
            pool, _, rest = path.removeprefix(FILE_PREFIX).partition("/")
            if pool in self.pools and (may_be_root or rest.strip("/")):
                return self.pools[pool] / rest.lstrip("/")
        for root in self.roots:
            if Path(path).is_relative_to(root) and (may_be_root or Path(path) != root):
                return Path(path)
        places = [f"{FILE_PREFIX}{pool}/" for pool in sorted(self.pools)] + [
            f"{root}/" for root in self.roots
        ]
        raise VolumeError(VolumeErrorKind.OUTSIDE, f"{path} is not below {' or '.join(places)}")

    def written(self, place: Path) -> str | None:
        """The path that clients have for a place without links, None when they have none."""
        for pool, folder in self.pools.items():
            base = real(folder, may_be_missing=True)
            if place == base or base in place.parents:
                return str(Path(FILE_PREFIX, pool, place.relative_to(base)))
        if any(place.is_relative_to(real(root, may_be_missing=True)) for root in self.roots):
            return str(place)
        return None


def real(path: Path, *, may_be_missing: bool = False) -> Path:
    """The path without links. Unlike ``Path.resolve``, a loop of links is an OSError as any other."""
    return Path(os.path.realpath(path, strict=not may_be_missing))
