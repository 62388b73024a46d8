"""CDROM: an ISO image in a drive."""

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal, Self

from pydantic import Field

from vmstead.ctx import Ctx
from vmstead.devices._block import same_path, source_xml
from vmstead.devices._files import FilePath, examine_file, file_source, preflight_file
from vmstead.devices.base import Device, Placed, Slots
from vmstead.errors import Problem
from vmstead.kernel.xml import Element, el
from vmstead.ports.volumes import DiskSource


class Cdrom(Device):
    """A CD-ROM drive with an ISO image in it. It boots before disks unless the order says otherwise."""

    default_order: ClassVar[int] = 1000

    dtype: Literal["CDROM"] = "CDROM"
    path: FilePath = Field(description="The ISO image, below /mnt/.")

    def check(self, siblings: Sequence[Placed], old: Self | None) -> Iterator[Problem]:
        yield from same_path(self.path, siblings)

    async def examine(self, ctx: Ctx, others: Sequence[Placed], old: Self | None) -> list[Problem]:
        if old is not None and old.path == self.path:
            return []
        return await examine_file(ctx, self.path)

    async def preflight(self, ctx: Ctx) -> Iterator[str]:
        return await preflight_file(ctx, self.path)

    async def resolve(self, ctx: Ctx) -> DiskSource:
        return await file_source(ctx, self.path)

    def xml(self, resolved: object, slots: Slots) -> Iterator[Element]:
        assert isinstance(resolved, DiskSource)
        yield el(
            "disk",
            el("driver", name="qemu", type="raw"),
            source_xml(resolved),
            el("target", dev=slots.target("sd"), bus="sata"),
            el("readonly"),
            el("boot", order=slots.boot()),
            type="file",
            device="cdrom",
        )

    @property
    def identity(self) -> str:
        return self.path
