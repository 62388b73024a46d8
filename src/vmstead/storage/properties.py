"""Datasets as clients read them: ZFS's way, in which every property is an object. Pure."""

import re
from typing import Any

from pydantic import ConfigDict

from vmstead.kernel.model import Field, Model
from vmstead.ports.pools import Dataset, DatasetKind, Property

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
    source: str = Field(
        description="LOCAL when it was set, INHERITED, DEFAULT, RECEIVED, or NONE when it cannot be set."
    )
    source_info: str | None = Field(description="The dataset that it is inherited from.")


class DatasetShape(Model):
    """A file system or a volume. ZFS's other properties are there too, in the same form."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, PropertyShape]

    id: str = Field(description="Its name.")
    name: str = Field(description="Its name.")
    pool: str = Field(description="Its pool.")
    type: DatasetKind = Field(description="What it is.")
    mountpoint: str | None = Field(description="Where the files of a file system are.")
    encrypted: bool = Field(description="Its contents are encrypted; only in pools that are ZFS's.")
    encryption_root: str | None = Field(description="The dataset whose key it is; null when not encrypted.")
    key_loaded: bool = Field(description="It is encrypted, and its key is there.")
    locked: bool = Field(description="It is encrypted, and cannot be used: its key is not there.")
    children: list[Any] = Field(description="Empty: datasets below it are in the list themselves.")
    user_properties: dict[str, PropertyShape] = Field(description="Properties of the client's own.")
    used: PropertyShape = Field(description="Bytes that it takes.")
    available: PropertyShape = Field(description="Bytes that it can still take.")


def entry(dataset: Dataset) -> dict[str, Any]:
    """A dataset as ``pool.dataset.query`` has it."""
    lock = dataset.lock
    user = dataset.properties.get("user_properties")
    return {
        "id": dataset.name,
        "name": dataset.name,
        "pool": dataset.name.partition("/")[0],
        "type": str(dataset.kind),
        "mountpoint": dataset.mountpoint,
        "encrypted": lock is not None,
        "encryption_root": None if lock is None else lock.root,
        "key_loaded": lock is not None and lock.is_open,
        "locked": lock is not None and not lock.is_open,
        "children": [],
        "user_properties": {
            name: _set(value, str(value)) for name, value in (user if isinstance(user, dict) else {}).items()
        },
        **(_facts(dataset) if dataset.facts else _kept(dataset)),
        **_measured(dataset),
    }


def _measured(dataset: Dataset) -> dict[str, Any]:
    """What is known of every dataset."""
    created, origin = int(dataset.created), dataset.origin or ""
    return {
        "used": _told(dataset.used, size_of(dataset.used)),
        "available": _told(dataset.available, size_of(dataset.available)),
        "creation": _told({"$date": created * 1000}, None, raw=str(created)),
        "origin": _told(origin, origin, raw=origin),
    }


def _kept(dataset: Dataset) -> dict[str, Any]:
    """What was set on a dataset, of those that have an effect nowhere, and what others have by default."""
    properties = {name: value for name, value in dataset.properties.items() if name != "user_properties"}
    is_volume = dataset.kind is DatasetKind.VOLUME
    known: dict[str, Any] = {}
    if is_volume:
        size = dataset.size or 0
        block = bytes_of(str(properties.pop("volblocksize", size_of(_BLOCK_SIZE))))
        known["volsize"] = _set(size, size_of(size))
        known["volblocksize"] = _set(block, size_of(block))
    for name, default in {**_DEFAULTS, **({} if is_volume else _OF_FILESYSTEMS)}.items():
        value = properties.pop(name, None)
        known[name] = _default(default) if value is None else _set(value, str(value))
    return known | {name: _set(value, str(value)) for name, value in properties.items()}


#: Facts that are bytes, of which 0 means that there is no limit or no such thing.
_SIZES = re.compile(
    r"used.*|available|referenced|written|logical.*|vol.*size|recordsize|.*quota|.*reservation"
)


def _facts(dataset: Dataset) -> dict[str, Any]:
    """What the storage itself says of a dataset."""
    return {name: _fact(name, each) for name, each in dataset.facts.items()}


def _fact(name: str, fact: Property) -> dict[str, Any]:
    text: str | None = str(fact.value)
    if isinstance(fact.value, int) and _SIZES.fullmatch(name):
        text = size_of(fact.value) if fact.value or name.startswith(("used", "vol")) else None
    return {**_property(fact.value, text, fact.source, fact.raw), "source_info": fact.source_info}


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
