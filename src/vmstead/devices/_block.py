"""What the disk types DISK and RAW share."""

import asyncio
import itertools
import os
import secrets
import string
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints

from vmstead.ctx import Ctx
from vmstead.devices.base import Device, Placed, Slots, problem
from vmstead.errors import Problem
from vmstead.kernel.model import WHOLE
from vmstead.kernel.xml import Element, el
from vmstead.ports.volumes import (
    VOLUME_PREFIX,
    DiskSource,
    VolumeError,
    VolumeErrorKind,
    volume_name,
    volume_path,
)

SectorSize = Annotated[Literal[512, 4096], WHOLE] | None
#: QEMU shows no more than 20 characters of a serial number to the guest (ATA's limit).
Serial = Annotated[str, StringConstraints(max_length=20, pattern=r"^[A-Za-z0-9_.+ -]*$")]

_BUS = {"AHCI": ("sata", "sd"), "VIRTIO": ("virtio", "vd")}
_SERIAL_CHARACTERS = string.ascii_letters + string.digits


class BlockDevice(Device):
    """A disk: how the guest sees it. Where its bytes lie is the subclass's business."""

    type: Literal["AHCI", "VIRTIO"] = Field("AHCI", description="The bus the guest finds the disk on.")
    logical_sectorsize: SectorSize = Field(None, description="Bytes of a sector; null leaves it to QEMU.")
    physical_sectorsize: SectorSize = Field(
        None, description="Bytes the disk says it writes at a time; needs logical_sectorsize."
    )
    iotype: Literal["NATIVE", "THREADS", "IO_URING"] = Field(
        "THREADS", description="How QEMU talks to the host's kernel about this disk."
    )
    serial: Serial | None = Field(None, description="Serial number the guest reads; made up if null.")

    async def complete(self, ctx: Ctx, others: Sequence[Placed], old: Self | None) -> Self:
        if self.serial:
            return self
        # It is made up once: the guest may know its disks by their numbers.
        return self.model_copy(update={"serial": (old and old.serial) or new_serial()})

    def check(self, siblings: Sequence[Placed], old: Self | None) -> Iterator[Problem]:
        if self.physical_sectorsize is not None and self.logical_sectorsize is None:
            yield problem("logical_sectorsize", "must be set when physical_sectorsize is set")
        elif (self.physical_sectorsize or 4096) < (self.logical_sectorsize or 512):
            yield problem("physical_sectorsize", "must not be smaller than logical_sectorsize")

    async def examine_sharing(self, ctx: Ctx, others: Sequence[Placed]) -> list[Problem]:
        """Whether another disk, of any VM, has the same bytes: two guests that write to one disk destroy it."""
        mine = await self.place(ctx)
        disks = [(other, other.device) for other in others if isinstance(other.device, BlockDevice)]
        places = await asyncio.gather(*(disk.place(ctx) for _, disk in disks))
        for (other, disk), place in zip(disks, places, strict=True):
            if mine is not None and place == mine:
                text = (
                    f"{self.identity} is a disk of VM {other.vm} already, as {other.label} ({disk.identity})"
                )
                return [problem("path", text)]
        return []

    async def place(self, ctx: Ctx) -> Path | None:
        """Where its bytes lie; None while they are nowhere."""
        try:
            source = await self.resolve(ctx)
        except VolumeError:
            return None
        assert isinstance(source, DiskSource)
        return source.path

    def disk_xml(self, source: DiskSource, slots: Slots) -> Element:
        """The ``disk`` element. See https://libvirt.org/formatdomain.html#hard-drives-floppy-disks-cdroms."""
        bus, prefix = _BUS[self.type]
        sectors = {
            "logical_block_size": self.logical_sectorsize,
            # QEMU refuses a disk whose physical sectors, 512 bytes if not set, are smaller than its logical ones.
            "physical_block_size": self.physical_sectorsize or self.logical_sectorsize,
        }
        blockio = el("blockio", **sectors) if self.logical_sectorsize is not None else None
        return el(
            "disk",
            # The host's page cache is left out, and freed blocks are handed back to the host.
            el("driver", name="qemu", type="raw", cache="none", io=self.iotype.lower(), discard="unmap"),
            source_xml(source),
            el("target", dev=slots.target(prefix), bus=bus),
            el("serial", self.serial) if self.serial else None,
            blockio,
            el("boot", order=slots.boot(first=self.boots_first)),
            type="block" if source.is_block else "file",
            device="disk",
        )


async def copied(stem: str, suffix: str, copy: Callable[[str], Awaitable[object]]) -> str:
    """Copy to the first name that is free, as TrueNAS names clones; returns the name. Raises VolumeError."""
    for count in itertools.count():
        target = f"{stem}_clone{count - 1}{suffix}" if count else f"{stem}{suffix}"
        try:
            await copy(target)
        except VolumeError as error:
            if error.kind is VolumeErrorKind.EXISTS:
                continue
            raise
        return target
    raise AssertionError("numbers do not end")


def source_xml(source: DiskSource) -> Element:
    """The ``source`` of a disk."""
    return el("source", dev=source.path) if source.is_block else el("source", file=source.path)


def new_serial() -> str:
    """Eight random letters and digits."""
    return "".join(secrets.choice(_SERIAL_CHARACTERS) for _ in range(8))


def same_path(path: str | None, siblings: Sequence[Placed]) -> Iterator[Problem]:
    """The rule that a VM has no path twice, whatever the types."""
    for sibling in siblings:
        other = getattr(sibling.device, "path", None)
        if path and other and _spelt_alike(other) == _spelt_alike(path):
            yield problem("path", f"{path} is attached to this VM already, as {sibling.label}")
            return


def _spelt_alike(path: str) -> str:
    """One spelling for all that say the same: without empty parts, with blanks of volumes as ``+``."""
    plain = os.path.normpath(path)
    return volume_path(volume_name(plain)) if plain.startswith(VOLUME_PREFIX) else plain
