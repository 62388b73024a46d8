"""The demo guest's inventory: what it found out about its own hardware, as typed values.

The guest prints it on its serial console at the end of its start and when somebody types ``inventory``.
The line format is described at the top of ``guest/rootfs/bin/inventory``.
"""

import re
import shlex
from dataclasses import dataclass, fields
from typing import Any, TypeVar, get_type_hints

_BEGIN = "VMSTEAD-INVENTORY BEGIN version=1"
_END = re.compile(r"VMSTEAD-INVENTORY END records=(\d+)")


@dataclass(frozen=True)
class System:
    """The machine as a whole: ``cores`` are per socket, ``threads`` per core, ``rtc`` is the raw clock."""

    cpus: int
    sockets: int
    cores: int
    threads: int
    memory_kib: int
    firmware: str
    secure_boot: str
    kernel: str
    rtc: str
    clocksource: str


@dataclass(frozen=True)
class Cpu:
    """The processor model, and which of a few telling features it has."""

    vendor: str
    model: str
    flags: tuple[str, ...]


@dataclass(frozen=True)
class Dmi:
    """What the firmware says about the machine; an empty text where it says nothing."""

    uuid: str
    serial: str
    vendor: str
    product: str


@dataclass(frozen=True)
class Disk:
    """A disk or an optical drive; ``bus`` is virtio, scsi, ata, usb, nvme or other."""

    name: str
    bus: str
    bytes: int
    serial: str
    model: str
    readonly: bool
    logical_sector: int
    physical_sector: int
    removable: bool
    cdrom: bool


@dataclass(frozen=True)
class Nic:
    """A network card; ``ipv4`` is address/prefix, or empty while there is none."""

    name: str
    mac: str
    driver: str
    carrier: bool
    ipv4: str


@dataclass(frozen=True)
class Usb:
    """A USB device other than a hub inside a controller; ``controller`` is that controller's driver."""

    port: str
    id: str
    name: str
    serial: str
    mbit: str
    controller: str


@dataclass(frozen=True)
class Pci:
    """A PCI function; ``driver`` is empty where the guest has none for it."""

    address: str
    id: str
    class_: str
    driver: str


@dataclass(frozen=True)
class Tpm:
    """A trusted platform module; ``version`` is its major version."""

    name: str
    version: int


@dataclass(frozen=True)
class Display:
    """The first framebuffer; a BIOS machine whose card has no driver here stays in text mode without one."""

    name: str
    driver: str
    resolution: str


@dataclass(frozen=True)
class Balloon:
    """A memory balloon."""

    name: str


@dataclass(frozen=True)
class Inventory:
    """Everything the guest reported, in the order it reported it."""

    system: System
    cpu: Cpu
    dmi: Dmi
    disks: tuple[Disk, ...]
    nics: tuple[Nic, ...]
    usb: tuple[Usb, ...]
    pci: tuple[Pci, ...]
    tpms: tuple[Tpm, ...]
    displays: tuple[Display, ...]
    balloons: tuple[Balloon, ...]

    def disk(self, serial: str) -> Disk:
        """The disk with this serial number.

        Raises:
            ValueError: there is none; the text names those that are there.
        """
        for disk in self.disks:
            if disk.serial == serial:
                return disk
        there = ", ".join(f"{disk.name} ({disk.serial or 'no serial'})" for disk in self.disks) or "none"
        raise ValueError(f"no disk has the serial number {serial}; disks: {there}")

    def nic(self, mac: str) -> Nic:
        """The network card with this MAC address, in any case.

        Raises:
            ValueError: there is none; the text names those that are there.
        """
        for nic in self.nics:
            if nic.mac == mac.lower():
                return nic
        there = ", ".join(f"{nic.name} ({nic.mac})" for nic in self.nics) or "none"
        raise ValueError(f"no network card has the address {mac}; cards: {there}")


_KINDS: dict[str, type] = {
    "system": System,
    "cpu": Cpu,
    "dmi": Dmi,
    "disk": Disk,
    "nic": Nic,
    "usb": Usb,
    "pci": Pci,
    "tpm": Tpm,
    "display": Display,
    "balloon": Balloon,
}

R = TypeVar("R")


def parse_inventory(text: str) -> Inventory:
    """The last complete inventory in what a serial console printed.

    Carriage returns, prompts and other lines around it and between its records do not matter; neither does a
    later inventory that has begun but not ended.

    Args:
        text: console output, from anywhere before the inventory to anywhere after it.

    Raises:
        ValueError: there is no complete inventory, or one of its records cannot be read; says what is wrong.
    """
    found = _last_complete(text)
    records = [_record(line) for line in found.lines if line.split(" ", 1)[0] in _KINDS]
    if len(records) != found.promised:
        raise ValueError(
            f"the inventory should have {found.promised} records, but {len(records)} are readable"
        )

    def every(kind: type[R]) -> tuple[R, ...]:
        return tuple(record for record in records if isinstance(record, kind))

    def only(kind: type[R]) -> R:
        of_kind = every(kind)
        if len(of_kind) != 1:
            raise ValueError(
                f"the inventory has {len(of_kind)} {kind.__name__.lower()} records instead of one"
            )
        return of_kind[0]

    return Inventory(
        system=only(System),
        cpu=only(Cpu),
        dmi=only(Dmi),
        disks=every(Disk),
        nics=every(Nic),
        usb=every(Usb),
        pci=every(Pci),
        tpms=every(Tpm),
        displays=every(Display),
        balloons=every(Balloon),
    )


@dataclass(frozen=True)
class _Found:
    """The lines between two markers, and how many records the second one promises."""

    lines: list[str]
    promised: int


def _last_complete(text: str) -> _Found:
    """Look for the last end marker, and from there back to its begin marker."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", text)]
    for end in range(len(lines) - 1, -1, -1):
        marker = _END.search(lines[end])
        if marker is None:
            continue
        for begin in range(end - 1, -1, -1):
            if lines[begin].endswith(_BEGIN):
                return _Found(lines[begin + 1 : end], int(marker[1]))
        raise ValueError(f"the inventory has no beginning: {_BEGIN!r} is missing before {lines[end]!r}")
    if any(line.endswith(_BEGIN) for line in lines):
        raise ValueError("the inventory has no end: 'VMSTEAD-INVENTORY END' is missing")
    raise ValueError(f"there is no inventory: neither {_BEGIN!r} nor its end is in the text")


def _record(line: str) -> object:
    """One record as an object of its kind."""
    kind, *words = _words(line)
    values = dict(word.split("=", 1) for word in words if "=" in word)
    record = _KINDS[kind]
    types = get_type_hints(record)
    arguments: dict[str, Any] = {}
    for field in fields(record):
        key = field.name.rstrip("_")
        if key not in values:
            raise ValueError(f"a {kind} record has no {key}: {line}")
        try:
            arguments[field.name] = _value(types[field.name], values[key])
        except (KeyError, ValueError):
            raise ValueError(f"a {kind} record has a wrong {key}: {line}") from None
    return record(**arguments)


def _words(line: str) -> list[str]:
    """Split a record at its spaces; double quotes and backslashes have the meaning they have for a shell."""
    try:
        return shlex.split(line)
    except ValueError:
        raise ValueError(f"a record has a quote too many or too few: {line}") from None


def _value(type_: object, text: str) -> int | bool | str | tuple[str, ...]:
    """A value as its record wants it: a number, yes or no, several words, or the text itself."""
    if type_ is int:
        return int(text)
    if type_ is bool:
        return {"yes": True, "no": False}[text]
    if type_ is str:
        return text
    return tuple(text.split(",")) if text else ()
