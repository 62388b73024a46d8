"""Disk images: files in the formats of hypervisors, with a disk in them.

Images come from anybody. What one says of itself is not believed, and no file that it names is ever opened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from vmstead.ports.volumes import DiskSource

#: The formats that images can be made in, by QEMU's names.
FORMATS = frozenset({"qcow2", "qed", "raw", "vdi", "vhdx", "vmdk", "vpc"})


class ImageError(Exception):
    """An image could not be used. The text goes on after the image's name, and is fit for a client."""


@dataclass(frozen=True, slots=True)
class Image:
    """What is known of an image: its format by QEMU's name, and the bytes of the disk in it."""

    format: str
    size: int


class Images(Protocol):
    """Looks at images and copies them. Every method raises ``ImageError``."""

    async def examine(self, path: Path, format: str | None) -> Image:
        """What the file is; refused when it is not of ``format`` (None: whatever it is) or needs other files."""

    async def weigh(self, source: DiskSource, image: Image) -> int:
        """Bytes that a sparse copy of the disk takes. Refuses an image that is damaged or cut off."""

    async def convert(
        self,
        source: DiskSource,
        image: Image,
        target: DiskSource,
        format: str,
        *,
        is_blank: bool,
        progress: Callable[[int], None],
    ) -> None:
        """Write the disk in ``source`` to ``target``, which exists, in that format.

        ``is_blank``: the target is as large as the disk at least, and reads as zeros; otherwise it is made anew.
        ``progress`` is called with percents that grow. Cancelling ends the copy and leaves the target undefined.
        """
