"""What ``zfs list -Hp`` and ``zfs get -Hp`` write, as values. Pure.

Columns are separated by tabs, ``-`` stands for "does not apply", numbers are whole.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

#: What is asked of datasets. The place of the mount is the last, because it alone may have any character.
COLUMNS = (
    *(
        "name",
        "type",
        "used",
        "available",
        "volsize",
        "volblocksize",
        "logicalreferenced",
        "origin",
        "creation",
    ),
    *("keystatus", "encryptionroot", "keyformat", "canmount", "mounted", "mountpoint"),
)
#: What is asked of snapshots.
SNAPSHOT_COLUMNS = ("name", "creation", "used", "referenced", "volsize", "createtxg", "defer_destroy")
#: What is asked about properties.
PROPERTY_COLUMNS = ("name", "property", "value", "source")
_NOTHING = "-"


@dataclass(frozen=True, slots=True)
class Found:
    """A file system or volume, by ZFS's names. Sizes are bytes, times seconds since 1970.

    Attributes:
        data: bytes that are stored in it, before they were compressed.
        key: ``available`` or ``unavailable``; None when it is not encrypted.
        can_mount: ``on``, ``off`` or ``noauto``; None for a volume.
        mountpoint: where ZFS would mount it, ``none`` or ``legacy``; None for a volume.
    """

    name: str
    is_volume: bool
    used: int
    available: int
    size: int | None
    block_size: int | None
    data: int
    origin: str | None
    created: int
    key: str | None
    encryption_root: str | None
    key_format: str
    can_mount: str | None
    is_mounted: bool
    mountpoint: str | None

    @property
    def is_locked(self) -> bool:
        """Its key is not there."""
        return self.key == "unavailable"


def datasets(output: str) -> dict[str, Found]:
    """By name, from ``zfs list`` with ``COLUMNS``."""
    rows = (line.split("\t", len(COLUMNS) - 1) for line in output.splitlines())
    return {row[0]: _dataset(row) for row in rows if len(row) == len(COLUMNS)}


def _dataset(row: Sequence[str]) -> Found:
    value = dict(zip(COLUMNS, row, strict=True))
    return Found(
        name=value["name"],
        is_volume=value["type"] == "volume",
        used=_number(value["used"]) or 0,
        available=_number(value["available"]) or 0,
        size=_number(value["volsize"]),
        block_size=_number(value["volblocksize"]),
        data=_number(value["logicalreferenced"]) or 0,
        origin=_text(value["origin"]),
        created=_number(value["creation"]) or 0,
        key=_text(value["keystatus"]),
        encryption_root=_text(value["encryptionroot"]),
        key_format=value["keyformat"],
        can_mount=_text(value["canmount"]),
        is_mounted=value["mounted"] == "yes",
        mountpoint=_text(value["mountpoint"]),
    )


@dataclass(frozen=True, slots=True)
class FoundSnapshot:
    """A snapshot. ``dataset`` is ZFS's name.

    Attributes:
        is_going: it was destroyed, and stays only until what was cloned from it is gone.
    """

    dataset: str
    name: str
    created: int
    used: int
    referenced: int
    size: int | None
    number: int
    is_going: bool


def snapshots(output: str) -> list[FoundSnapshot]:
    """In the order of ``zfs list -t snapshot`` with ``SNAPSHOT_COLUMNS``."""
    return [_snapshot(line.split("\t")) for line in output.splitlines()]


def _snapshot(row: Sequence[str]) -> FoundSnapshot:
    value = dict(zip(SNAPSHOT_COLUMNS, row, strict=True))
    dataset, _, name = value["name"].partition("@")
    return FoundSnapshot(
        dataset=dataset,
        name=name,
        created=_number(value["creation"]) or 0,
        used=_number(value["used"]) or 0,
        referenced=_number(value["referenced"]) or 0,
        size=_number(value["volsize"]),
        number=_number(value["createtxg"]) or 0,
        is_going=value["defer_destroy"] == "on",
    )


@dataclass(frozen=True, slots=True)
class FoundProperty:
    """A property: its value, and where it is from: ``local``, ``default``, ``inherited from <dataset>``, ``-``."""

    value: str
    source: str


def properties(output: str, roots: Sequence[str]) -> dict[str, dict[str, FoundProperty]]:
    """By dataset and property, from ``zfs get`` with ``PROPERTY_COLUMNS``. What does not apply is left out.

    ``roots``: the datasets that were asked about, maybe with those below them.
    """
    found: dict[str, dict[str, FoundProperty]] = {}
    for line in _whole_lines(output, roots):
        name, property, rest = line.split("\t", 2)
        value, _, source = rest.rpartition("\t")
        if value != _NOTHING or source != _NOTHING:
            found.setdefault(name, {})[property] = FoundProperty(value, source)
    return found


def _whole_lines(output: str, roots: Sequence[str]) -> Iterator[str]:
    """The lines, with those together that a value with line ends in it has made."""
    begin = re.compile(rf"({'|'.join(map(re.escape, roots))})(/[^\t]*)?\t[a-z0-9:_.@-]+\t")
    line = ""
    for piece in output.removesuffix("\n").split("\n"):
        if line and begin.match(piece):
            yield line
            line = piece
        else:
            line = f"{line}\n{piece}" if line else piece
    if line:
        yield line


def mounts(table: str) -> Mapping[str, str]:
    """Where each dataset is mounted as a whole, from the kernel's table (proc(5), mountinfo)."""
    found: dict[str, str] = {}
    for line in table.splitlines():
        fields, _, rest = line.partition(" - ")
        _, _, _, root, place, *_ = fields.split(" ")
        kind, source, *_ = rest.split(" ")
        if kind == "zfs" and root == "/" and "@" not in source:
            found.setdefault(_unescaped(source), _unescaped(place))
    return found


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)


def _number(text: str) -> int | None:
    return int(text) if text.isdecimal() else None


def _text(text: str) -> str | None:
    return None if text == _NOTHING else text
