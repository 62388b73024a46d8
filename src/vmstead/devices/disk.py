"""DISK: a volume as a disk."""

import errno
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from vmstead.ctx import Ctx
from vmstead.devices._block import BlockDevice, copied, same_path
from vmstead.devices._claims import claimed
from vmstead.devices._files import preflight_source
from vmstead.devices.base import Placed, Slots, problem
from vmstead.errors import Problem, ValidationErrors
from vmstead.kernel.model import NonEmpty
from vmstead.kernel.xml import Element
from vmstead.ports.volumes import (
    VOLUME_PREFIX,
    DiskSource,
    VolumeError,
    VolumeErrorKind,
    volume_name,
    volume_path,
)
from vmstead.store.unfinished import Kind, Unfinished


class Disk(BlockDevice):
    """A disk whose bytes are a volume (on ZFS a zvol). The volume must exist or be made with the device."""

    default_order: ClassVar[int] = 1001
    write_only: ClassVar[frozenset[str]] = frozenset({"create_zvol", "zvol_name", "zvol_volsize"})

    dtype: Literal["DISK"] = "DISK"
    path: NonEmpty | None = Field(None, description="The volume, as /dev/zvol/<pool>/<name>.")
    create_zvol: bool = Field(False, description="Make a new volume for this disk.")
    zvol_name: NonEmpty | None = Field(None, description="Name of the volume to make: <pool>/<name>.")
    zvol_volsize: int | None = Field(None, description="Bytes of the volume to make, a multiple of 512.")

    @model_validator(mode="after")
    def _path_or_new(self) -> Self:
        if self.create_zvol and self.path:
            raise ValueError("path must not be set together with create_zvol: the new volume's path is used")
        if not self.create_zvol and not self.path:
            raise ValueError("path is required, or create_zvol with zvol_name and zvol_volsize")
        return self

    def check(self, siblings: Sequence[Placed], old: Self | None) -> Iterator[Problem]:
        yield from super().check(siblings, old)
        yield from self._check_creation() if self.create_zvol else self._check_path()
        yield from same_path(self._volume_path, siblings)

    def _check_creation(self) -> Iterator[Problem]:
        if not self.zvol_name:
            yield problem("zvol_name", "is required with create_zvol, such as default/web01-disk0")
        if not self.zvol_volsize:
            yield problem("zvol_volsize", "is required with create_zvol: the size in bytes")
        elif self.zvol_volsize < 0 or self.zvol_volsize % 512:
            yield problem("zvol_volsize", "must be a multiple of 512 above 0")

    def _check_path(self) -> Iterator[Problem]:
        for name in ("zvol_name", "zvol_volsize"):
            if getattr(self, name):
                yield problem(name, "has a meaning only with create_zvol")
        assert self.path is not None
        if not self.path.startswith(VOLUME_PREFIX):
            yield problem("path", f"must be a volume below {VOLUME_PREFIX}; for a file use a RAW device")

    async def examine(self, ctx: Ctx, others: Sequence[Placed], old: Self | None) -> list[Problem]:
        if self.create_zvol:
            return await self._examine_creation(ctx)
        if (old is not None and old.path == self.path) or not (self.path or "").startswith(VOLUME_PREFIX):
            return []
        try:
            await ctx.volumes.find(volume_name(self.path or ""))
        except VolumeError as error:
            return [_as_problem("path", error)]
        return await self.examine_sharing(ctx, others)

    async def _examine_creation(self, ctx: Ctx) -> list[Problem]:
        try:
            await ctx.volumes.find(self.zvol_name or "")
        except VolumeError as error:
            # Not there is how it should be; a name no volume can have is another matter.
            return [] if error.kind is VolumeErrorKind.NOT_FOUND else [_as_problem("zvol_name", error)]
        return [problem("zvol_name", f"{self.zvol_name} exists already; use its path instead", errno.EEXIST)]

    async def provision(self, ctx: Ctx, steps: AsyncExitStack, old: Self | None) -> Self:
        if not self.create_zvol:
            return self
        assert self.zvol_name is not None
        assert self.zvol_volsize is not None
        try:
            create = partial(ctx.volumes.create, self.zvol_name, self.zvol_volsize)
            path = volume_path(self.zvol_name)
            await claimed(ctx, steps, Unfinished(Kind.VOLUME, path), create)
        except VolumeError as error:
            attribute = "zvol_volsize" if error.kind is VolumeErrorKind.NO_SPACE else "zvol_name"
            raise ValidationErrors([_as_problem(attribute, error)]) from None
        made = {
            "path": path,
            "create_zvol": False,
            "zvol_name": None,
            "zvol_volsize": None,
        }
        return self.model_copy(update=made)

    async def copy_for(self, name: str, ctx: Ctx, steps: AsyncExitStack) -> Self:
        origin = volume_name(self.path or "")

        async def copy(target: str) -> None:
            duplicate = partial(ctx.volumes.duplicate, origin, target)
            await claimed(ctx, steps, Unfinished(Kind.VOLUME, volume_path(target)), duplicate)

        path = volume_path(await copied(f"{origin}_{name}", "", copy))
        return self.model_copy(update={"path": path, "serial": None})

    async def preflight(self, ctx: Ctx) -> Iterator[str]:
        try:
            volume = await ctx.volumes.find(volume_name(self.path or ""))
        except VolumeError as error:
            return iter([str(error)])
        if volume.obstacle is not None:
            return iter([volume.obstacle])
        return await preflight_source(ctx, volume.source)

    async def resolve(self, ctx: Ctx) -> DiskSource:
        return (await ctx.volumes.find(volume_name(self.path or ""))).source

    def xml(self, resolved: object, slots: Slots) -> Iterator[Element]:
        assert isinstance(resolved, DiskSource)
        yield self.disk_xml(resolved, slots)

    def storage(self, *, zvol: bool, raw_file: bool) -> Unfinished | None:
        return Unfinished(Kind.VOLUME, self.path) if zvol and self.path else None

    @property
    def identity(self) -> str:
        return self.path or ""

    @property
    def _volume_path(self) -> str | None:
        return volume_path(self.zvol_name) if self.create_zvol and self.zvol_name else self.path


_ERRNOS = {
    VolumeErrorKind.NOT_FOUND: errno.ENOENT,
    VolumeErrorKind.EXISTS: errno.EEXIST,
    VolumeErrorKind.NO_SPACE: errno.ENOSPC,
}


def _as_problem(attribute: str, error: VolumeError) -> Problem:
    return problem(attribute, str(error), _ERRNOS.get(error.kind, errno.EINVAL))
