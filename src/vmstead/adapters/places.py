"""From the paths that clients write to places on this machine, and back; never out of the allowed folders."""

import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vmstead.ports.volumes import FILE_PREFIX, VolumeError, VolumeErrorKind

#: The folder of a pool that its volumes lie in. It does not show among the pool's files.
VOLUMES = ".volumes"
#: The folder among the volumes that their snapshots lie in.
SNAPSHOTS = ".snapshots"


@dataclass(frozen=True, slots=True)
class Closed:
    """Why nothing can be in a place now, as a sentence."""

    kind: VolumeErrorKind
    text: str

    def error(self) -> VolumeError:
        return VolumeError(self.kind, self.text)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where file systems are, at a time.

    Attributes:
        folders: by the API's path, without a slash at its end: the folder, or why there is none now.
        closed: folders in which other file systems are to be mounted: nothing belongs there until they are.
    """

    folders: Mapping[str, Path | Closed] = field(default_factory=dict)
    closed: Mapping[Path, Closed] = field(default_factory=dict)


class Places:
    """What paths may lead to.

    Args:
        pools: the folder of each pool that is one, seen as ``/mnt/<pool>``.
        roots: further folders, seen under their own path.
        mounted: tells where the file systems of other pools are.
    """

    def __init__(
        self,
        pools: Mapping[str, Path],
        roots: Mapping[str, Path] | None = None,
        mounted: Callable[[], Awaitable[Layout]] | None = None,
    ) -> None:
        self._fixed = {FILE_PREFIX + pool: folder for pool, folder in pools.items()}
        self._mounted = mounted
        self._layout = Layout(dict(self._fixed))
        self.roots = [*(roots or {}).values()]

    async def look(self) -> None:
        """Find out where file systems are mounted; before paths are followed."""
        if self._mounted is not None:
            found = await self._mounted()
            self._layout = Layout({**self._fixed, **found.folders}, found.closed)

    @property
    def pools(self) -> dict[str, Path]:
        """The folder of each pool that has one now."""
        found = ((path.removeprefix(FILE_PREFIX), folder) for path, folder in self._open())
        return {name: folder for name, folder in found if "/" not in name}

    def locate(self, path: str, *, may_be_root: bool = False) -> Path:
        """The place behind a path; a folder that is a root only where that is asked for.

        Raises:
            VolumeError: OUTSIDE, when it leaves the allowed folders; NOT_FOUND, when its folder is not there;
                LOCKED or UNAVAILABLE, when its file system is not mounted.
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
        self._refuse_closed(target)
        # A link may point elsewhere below the allowed folders, but not out of them.
        below = [
            target.relative_to(base)
            for base, is_root in self._bases()
            if base in target.parents or (base == target and (may_be_root or not is_root))
        ]
        if not below:
            raise VolumeError(VolumeErrorKind.OUTSIDE, f"{path} leads out of the folders that may be used")
        if any(VOLUMES in rest.parts for rest in below):
            raise VolumeError(
                VolumeErrorKind.OUTSIDE, f"{path} lies among the volumes, which are used by name"
            )
        return target

    def mounted_in(self, path: str) -> list[str]:
        """Names in a folder of file systems that are mounted elsewhere, and can be reached through it."""
        base = path.rstrip("/")
        return [
            name
            for each, _ in self._open()
            if each.startswith(f"{base}/") and "/" not in (name := each.removeprefix(f"{base}/"))
        ]

    def _bases(self) -> Iterator[tuple[Path, bool]]:
        """Every allowed folder, and whether it is one that clients see at the top."""
        for path, folder in self._open():
            yield real(folder, may_be_missing=True), "/" not in path.removeprefix(FILE_PREFIX)
        for root in self.roots:
            yield real(root, may_be_missing=True), True

    def _open(self) -> Iterator[tuple[str, Path]]:
        for path, folder in self._layout.folders.items():
            if isinstance(folder, Path):
                yield path, folder

    def _refuse_closed(self, target: Path) -> None:
        for folder, why in self._layout.closed.items():
            if target == folder or folder in target.parents:
                raise why.error()

    def _on_this_machine(self, path: str, *, may_be_root: bool) -> Path:
        """The path, if it is written as one below an allowed folder."""
        if ".." in path.split("/"):
            raise VolumeError(VolumeErrorKind.OUTSIDE, f"{path} has .. in it; write where it leads to")
        if path.startswith(FILE_PREFIX):
            names = [part for part in path.removeprefix(FILE_PREFIX).split("/") if part]
            # What is mounted deepest on the way has the rest of it.
            for depth in range(len(names), 0, -1):
                folder = self._layout.folders.get(FILE_PREFIX + "/".join(names[:depth]))
                if isinstance(folder, Closed):
                    raise folder.error()
                if folder is not None and (may_be_root or len(names) > 1):
                    return folder.joinpath(*names[depth:])
        for root in self.roots:
            if Path(path).is_relative_to(root) and (may_be_root or Path(path) != root):
                return Path(path)
        pools = sorted(folder for folder in self._layout.folders if folder.count("/") == 2)
        places = [f"{folder}/" for folder in pools] + [f"{root}/" for root in self.roots]
        raise VolumeError(VolumeErrorKind.OUTSIDE, f"{path} is not below {' or '.join(places)}")

    def written(self, place: Path) -> str | None:
        """The path that clients have for a place without links, None when they have none."""
        found = [(real(folder, may_be_missing=True), path) for path, folder in self._open()]
        above = [(base, path) for base, path in found if place == base or base in place.parents]
        if above:
            base, path = max(above, key=lambda each: len(each[0].parts))
            return str(Path(path, place.relative_to(base)))
        if any(place.is_relative_to(real(root, may_be_missing=True)) for root in self.roots):
            return str(place)
        return None


def real(path: Path, *, may_be_missing: bool = False) -> Path:
    """The path without links. Unlike ``Path.resolve``, a loop of links is an OSError as any other."""
    return Path(os.path.realpath(path, strict=not may_be_missing))
