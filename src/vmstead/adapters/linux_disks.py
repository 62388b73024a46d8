"""The disks of a Linux machine, from sysfs. See https://docs.kernel.org/ABI/testing/sysfs-block."""

import os
import re
from pathlib import Path

from vmstead.adapters.linux_machine import text_of
from vmstead.ports.disks import BlockDevice

#: Bytes of the unit that sysfs counts in, whatever the disk's own sectors are.
_UNIT = 512
#: Optical and floppy drives have a device too.
_NO_DISKS = re.compile(r"(sr|fd|nbd)\d+")
#: Of what a SCSI disk says of itself: the pages for its serial number and for what it is made of.
_SERIAL_PAGE, _NATURE_PAGE = "vpd_pg80", "vpd_pgb1"
#: What a folder on the way to the device says of the bus, in the order in which it decides.
_BUSES = (("usb", "USB"), ("ata", "ATA"), ("nvme", "NVME"), ("virtio", "VIRTIO"), ("mmc", "MMC"))


def read_disks(sys: Path) -> list[BlockDevice]:
    """Every disk, by name. One that is pulled out meanwhile is left out. Raises OSError."""
    found = []
    for folder in sorted((sys / "block").iterdir()):
        # What is made of files, memory or other disks has no device.
        if not (folder / "device").exists() or _NO_DISKS.fullmatch(folder.name):
            continue
        try:
            found.append(_disk(folder))
        except (FileNotFoundError, ValueError):
            continue
    return found


def _disk(folder: Path) -> BlockDevice:
    device = folder / "device"
    major, minor = (int(part) for part in (folder / "dev").read_text().split(":"))
    is_rotating = text_of(folder / "queue/rotational") == "1"
    return BlockDevice(
        name=folder.name,
        number=os.makedev(major, minor),
        size=int((folder / "size").read_text()) * _UNIT,
        serial=text_of(folder / "serial") or text_of(device / "serial") or _page_text(device / _SERIAL_PAGE),
        lunid=_world_wide_name(folder),
        model=" ".join(text_of(device / "model").split()) or None,
        is_rotating=is_rotating,
        rotation_rate=_rotation_rate(device / _NATURE_PAGE) if is_rotating else None,
        subsystem=_subsystem(device),
        bus=_bus(folder.resolve()),
    )


def _page_text(page: Path) -> str:
    """The text of a page: four bytes of a head, then what the disk says."""
    return _bytes_of(page)[4:].decode("ascii", errors="replace").strip("\0 ")


def _rotation_rate(page: Path) -> int | None:
    """Turns a minute, in two bytes; 1 stands for no spindle at all."""
    rate = int.from_bytes(_bytes_of(page)[4:6], "big")
    return rate if rate > 1 else None


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _world_wide_name(folder: Path) -> str | None:
    """Written as ``naa.5001…`` or ``eui.0025…``; other forms repeat model and serial number."""
    name = text_of(folder / "wwid") or text_of(folder / "device/wwid")
    kind, _, digits = name.partition(".")
    return digits if kind in ("naa", "eui") and re.fullmatch("[0-9A-Fa-f]+", digits) else None


def _subsystem(device: Path) -> str:
    try:
        return Path(os.readlink(device / "subsystem")).name
    except OSError:
        return ""


def _bus(place: Path) -> str:
    parts = [re.match("[a-z]*", part).group() for part in place.parts]  # type: ignore[union-attr]
    return next((bus for part, bus in _BUSES if part in parts), "UNKNOWN")
