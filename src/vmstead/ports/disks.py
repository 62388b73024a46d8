"""The machine's disks: whole devices, without their partitions and what is made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class BlockDevice:
    """A disk. Texts are empty and values None where it does not tell.

    Attributes:
        name: as the kernel has it, such as ``sda``.
        number: the kernel's number for it, in the form of ``st_rdev``.
        size: bytes.
        lunid: its world-wide name, in hex digits.
        is_rotating: it has a spindle.
        rotation_rate: turns a minute.
        subsystem: the kernel's driver family: ``scsi``, ``nvme``, ``virtio``, …
        bus: what it is plugged into: ``ATA``, ``SAS``, ``USB``, ``NVME``, ``VIRTIO``, …
    """

    name: str
    number: int
    size: int
    serial: str = ""
    lunid: str | None = None
    model: str | None = None
    is_rotating: bool = False
    rotation_rate: int | None = None
    subsystem: str = ""
    bus: str = "UNKNOWN"


class DiskFacts(Protocol):
    """The machine's disks, read when asked. Errors of the operating system come through as ``OSError``."""

    async def disks(self) -> Sequence[BlockDevice]:
        """Disks by name, without optical drives and devices that are backed by files, memory or other disks."""
