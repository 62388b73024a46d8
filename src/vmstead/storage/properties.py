"""Datasets as clients read them: ZFS's way, in which every property is an object. Pure."""

from typing import Any

from pydantic import ConfigDict

from vmstead.kernel.model import Field, Model
from vmstead.ports.pools import Dataset, DatasetKind

_UNITS = ("", "K", "M", "G", "T", "P", "E")
#: Where nothing was set.
_DEFAULTS = {
    "compression": "LZ4",
    "sync": "STANDARD",
    "deduplication": "OFF",
    "checksum": "ON",
    "readonly": "OFF",
    "snapdev": "HIDDEN",
    "copies": 1,
    "reservation": 0,
    "refreservation": 0,
}
_OF_FILESYSTEMS = {
    "atime": "OFF",
    "exec": "ON",
    "snapdir": "HIDDEN",
    "recordsize": "128K",
    "quota": 0,
    "refquota": 0,
}
_BLOCK_SIZE = 16384


class PropertyShape(Model):
    """A property."""

    parsed: Any = Field(description="Its value.")
    rawvalue: str = Field(description="The same, as text.")
    value: str | None = Field(description="The same, for people.")
    source: str = Field(description="LOCAL when it was set, DEFAULT, or NONE when it cannot be.")
    source_info: str | None = Field(description="Null.")


class DatasetShape(Model):
    """A file system or a volume. ZFS's other properties are there too, in the same form."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, PropertyShape]

    id: str = Field(description="Its name.")
    name: str = Field(description="Its name.")
    pool: str = Field(description="Its pool.")
    type: DatasetKind = Field(description="What it is.")
    mountpoint: str | None = Field(description="Where the files of a file system are.")
    encrypted: bool = Field(description="False.")
    encryption_root: str | None = Field(description="Null.")
    key_loaded: bool = Field(description="False.")
    locked: bool = Field(description="False.")
    children: list[Any] = Field(description="Empty: datasets below it are in the list themselves.")
    user_properties: dict[str, PropertyShape] = Field(description="Properties of the client's own.")
    used: PropertyShape = Field(description="Bytes that it takes.")
    available: PropertyShape = Field(description="Bytes that it can still take.")


def entry(dataset: Dataset) -> dict[str, Any]:
    """A dataset as ``pool.dataset.query`` has it."""
    properties = dict(dataset.properties)
    user = properties.pop("user_properties", None)
    is_volume = dataset.kind is DatasetKind.VOLUME
    known: dict[str, Any] = {
        "used": _told(dataset.used, size_of(dataset.used)),
        "available": _told(dataset.available, size_of(dataset.available)),
        "creation": _told({"$date": int(dataset.created) * 1000}, None, raw=str(int(dataset.created))),
        "origin": _told("", "", raw=""),
    }
    if is_volume:
        size = dataset.size or 0
        block = bytes_of(str(properties.pop("volblocksize", size_of(_BLOCK_SIZE))))
        known["volsize"] = _set(size, size_of(size))
        known["volblocksize"] = _set(block, size_of(block))
    for name, default in {**_DEFAULTS, **({} if is_volume else _OF_FILESYSTEMS)}.items():
        value = properties.pop(name, None)
        known[name] = _default(default) if value is None else _set(value, str(value))
    known |= {name: _set(value, str(value)) for name, value in properties.items()}
    return {
        "id": dataset.name,
        "name": dataset.name,
        "pool": dataset.name.partition("/")[0],
        "type": str(dataset.kind),
        "mountpoint": dataset.mountpoint,
        "encrypted": False,
        "encryption_root": None,
        "key_loaded": False,
        "locked": False,
        "children": [],
        "user_properties": {
            name: _set(value, str(value)) for name, value in (user if isinstance(user, dict) else {}).items()
        },
        **known,
    }


def _property(parsed: object, value: str | None, source: str, raw: str | None = None) -> dict[str, Any]:
    raw = str(parsed).lower() if raw is None else raw
    return {"parsed": parsed, "rawvalue": raw, "value": value, "source": source, "source_info": None}


def _told(parsed: object, value: str | None, raw: str | None = None) -> dict[str, Any]:
    return _property(parsed, value, "NONE", raw)


def _set(parsed: object, value: str) -> dict[str, Any]:
    return _property(parsed, value, "LOCAL", raw=str(parsed))


def _default(value: object) -> dict[str, Any]:
    return _property(value, None if value == 0 else str(value), "DEFAULT")


def size_of(number: int) -> str:
    """A size as ZFS writes it: ``16K``, ``1.50G``, ``512B``."""
    amount, unit = float(number), 0
    while amount >= 1024 and unit < len(_UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    text = f"{amount:.0f}" if amount == int(amount) else f"{amount:.3g}"
    return f"{text}{_UNITS[unit] or 'B'}"


def bytes_of(text: str) -> int:
    """Bytes of a size such as ``16K``; those of ZFS's default where it is none."""
    number, unit = text.rstrip("KMGTPEB"), text[-1:]
    power = _UNITS.index(unit) if unit in _UNITS else 0
    return int(number) * 1024**power if number.isdecimal() else _BLOCK_SIZE
