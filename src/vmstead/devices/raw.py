"""RAW: a file as a disk."""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import ClassVar, Literal, Self

from pydantic import Field

from vmstead.ctx import Ctx
from vmstead.devices._block import BlockDevice, copied, same_path
from vmstead.devices._claims import claimed
from vmstead.devices._files import FilePath, file_source, preflight_file
from vmstead.devices.base import Placed, Slots, problem
from vmstead.errors import Problem, ValidationErrors
from vmstead.kernel.xml import Element
from vmstead.ports.volumes import DiskSource, VolumeError, VolumeErrorKind
from vmstead.store.unfinished import Kind, Unfinished

_SECTOR = 512


class Raw(BlockDevice):
    """A disk whose bytes are a raw image file. The file must exist or is made with the device."""

    default_order: ClassVar[int] = 1001

    dtype: Literal["RAW"] = "RAW"
    path: FilePath = Field(description="The image file, below /mnt/.")
    exists: bool = Field(False, description="The file is there already; otherwise it is made.")
    boot: bool = Field(False, description="Boot from this disk before any other device.")
    size: int | None = Field(None, description="Bytes of the file to make; on update, grows the file.")

    def check(self, siblings: Sequence[Placed], old: Self | None) -> Iterator[Problem]:
        yield from super().check(siblings, old)
        yield from same_path(self.path, siblings)
        sector = self.logical_sectorsize or _SECTOR
        if self.size is not None and (self.size <= 0 or self.size % sector):
            yield problem("size", f"must be a multiple of the sector size {sector} above 0")

    async def examine(self, ctx: Ctx, others: Sequence[Placed], old: Self | None) -> list[Problem]:
        same_file = old is not None and old.path == self.path
        if same_file and old is not None and old.size == self.size:
            return []
        try:
            found = await ctx.volumes.file_size(self.path)
        except VolumeError as error:
            return [problem("path", str(error))]
        if not same_file and not self.exists:
            return list(self._check_absent(found))
        return [*self._check_present(found)] or await self._examine_new_place(ctx, others, same_file)

    async def _examine_new_place(self, ctx: Ctx, others: Sequence[Placed], same_file: bool) -> list[Problem]:
        return [] if same_file else await self.examine_sharing(ctx, others)

    def _check_present(self, found: int | None) -> Iterator[Problem]:
        if found is None:
            yield problem("path", f"{self.path} does not exist", errno.ENOENT)
        elif self.size is not None and self.size < found:
            yield problem(
                "size", f"is smaller than the file, which has {found} bytes: shrinking would lose data"
            )

    def _check_absent(self, found: int | None) -> Iterator[Problem]:
        if found is not None:
            yield problem("path", f"{self.path} exists already; set exists to use it as it is", errno.EEXIST)
        if not self.size:
            yield problem("size", "is required for a new file: the size in bytes")

    async def provision(self, ctx: Ctx, steps: AsyncExitStack, old: Self | None) -> Self:
        if old is not None and (old.path, old.size) == (self.path, self.size):
            # Also when the file has meanwhile gone: an empty one in its place would only hide that.
            return self.model_copy(update={"exists": True})
        try:
            found = await ctx.volumes.file_size(self.path)
            if found is None:
                create = partial(ctx.volumes.create_file, self.path, self.size or 0)
                await claimed(ctx, steps, Unfinished(Kind.FILE, self.path), create)
            elif self.size is not None and self.size > found:
                await ctx.volumes.resize_file(self.path, self.size)
        except VolumeError as error:
            if error.kind is VolumeErrorKind.NO_SPACE:
                raise ValidationErrors([problem("size", str(error), errno.ENOSPC)]) from None
            raise ValidationErrors([problem("path", str(error))]) from None
        # From now on the file is there; a client that sends the device back need not say so.
        return self.model_copy(update={"exists": True})

    async def copy_for(self, name: str, ctx: Ctx, steps: AsyncExitStack) -> Self:
        stem, suffix = os.path.splitext(self.path)

        async def copy(target: str) -> None:
            duplicate = partial(ctx.volumes.duplicate_file, self.path, target)
            await claimed(ctx, steps, Unfinished(Kind.FILE, target), duplicate)

        return self.model_copy(update={"path": await copied(f"{stem}_{name}", suffix, copy), "serial": None})

    async def preflight(self, ctx: Ctx) -> Iterator[str]:
        return await preflight_file(ctx, self.path)

    async def resolve(self, ctx: Ctx) -> DiskSource:
        return await file_source(ctx, self.path)

    def xml(self, resolved: object, slots: Slots) -> Iterator[Element]:
        assert isinstance(resolved, DiskSource)
        yield self.disk_xml(resolved, slots)

    def storage(self, *, zvol: bool, raw_file: bool) -> Unfinished | None:
        return Unfinished(Kind.FILE, self.path) if raw_file else None

    @property
    def boots_first(self) -> bool:
        return self.boot

    @property
    def identity(self) -> str:
        return self.path
