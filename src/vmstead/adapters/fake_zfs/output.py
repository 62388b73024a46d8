"""What the programs write about what there is: columns and properties, as ``-Hp`` has them. Pure."""

from collections.abc import Sequence

from vmstead.adapters.fake_zfs.model import Complaint, Dataset, Model, Snapshot

#: Bytes that are free in every pool.
AVAILABLE = 64 * 2**30
_UNLIMITED = str(2**64 - 1)
#: What has a value that nobody has set: for both kinds, for file systems, for volumes.
_DEFAULTS = {
    "reservation": "0",
    "checksum": "on",
    "compression": "off",
    "readonly": "off",
    "copies": "1",
    "refreservation": "0",
    "dedup": "off",
    "sync": "standard",
    "snapdev": "hidden",
    "volmode": "default",
    "primarycache": "all",
    "secondarycache": "all",
    "logbias": "latency",
    "redundant_metadata": "all",
}
_OF_FILESYSTEMS = {
    "quota": "0",
    "recordsize": "131072",
    "atime": "on",
    "exec": "on",
    "snapdir": "hidden",
    "refquota": "0",
    "canmount": "on",
    "devices": "on",
    "setuid": "on",
    "xattr": "on",
    "acltype": "off",
    "relatime": "off",
}
#: Those that say something of a file system alone, or of a volume alone.
_INHERITABLE = {
    *("checksum", "compression", "readonly", "copies", "dedup", "sync", "snapdev", "recordsize", "atime"),
    *("exec", "snapdir", "primarycache", "secondarycache", "logbias"),
}
#: Words that can be set, where not every word can.
_WORDS = {
    "compression": "on | off | lzjb | gzip | gzip-[1-9] | zle | lz4 | zstd | zstd-[1-19] | zstd-fast | "
    "zstd-fast-[1-10,20,30,40,50,60,70,80,90,100,500,1000]",
    "sync": "standard | always | disabled",
    "readonly": "on | off",
    "atime": "on | off",
    "exec": "on | off",
}
_UNITS = {"k": 10, "m": 20, "g": 30, "t": 40, "p": 50, "e": 60}


def column(model: Model, each: Dataset | Snapshot, name: str) -> str:
    """The value of a column of ``zfs list``."""
    value = value_of(model, each, name)
    return "-" if value is None else value[0]


def value_of(model: Model, each: Dataset | Snapshot, name: str) -> tuple[str, str] | None:
    """The value of a property and where it is from; None where it does not apply."""
    if isinstance(each, Snapshot):
        return _of_snapshot(model, each, name)
    told = _told(model, each, name)
    if told is not None:
        return told, "-"
    own = _own(model, each, name)
    return own if own is not None else _set_or_default(model, each, name)


def _of_snapshot(model: Model, each: Snapshot, name: str) -> tuple[str, str] | None:
    told = {
        "name": each.full_name,
        "type": "snapshot",
        "creation": str(model.created(each.number)),
        "used": "0",
        "referenced": str(_used(each.owner)),
        "volsize": None if each.size is None else str(each.size),
        "createtxg": str(each.number),
        "defer_destroy": "on" if each.is_going else "off",
        "userrefs": "0",
        "clones": ",".join(model.clones(each)) or "-",
    }.get(name)
    return None if told is None else (told, "-")


def _used(dataset: Dataset) -> int:
    return 16384 + (dataset.content.stat().st_blocks * 512 if dataset.is_volume else 0)


def _told(model: Model, each: Dataset, name: str) -> str | None:
    """What can only be read."""
    is_mounted = "yes" if each.is_mounted else "no"
    return {
        "name": each.name,
        "type": each.kind,
        "creation": str(model.created(each.number)),
        "used": str(_used(each)),
        "available": str(AVAILABLE),
        "referenced": str(_used(each)),
        "logicalreferenced": str(_used(each)),
        "compressratio": "1.00",
        "mounted": None if each.is_volume else is_mounted,
        "origin": each.origin.full_name if each.origin else None,
        "createtxg": str(each.number),
        "guid": str(10**18 + each.number),
        "snapshot_limit": _UNLIMITED,
        "keystatus": ("unavailable" if each.is_locked else "available") if each.root else None,
        "encryptionroot": each.root.name if each.root else None,
    }.get(name)


def _own(model: Model, each: Dataset, name: str) -> tuple[str, str] | None:
    """What was fixed when it was made, or is worked out."""
    key = each.root.key if each.root else None
    if name == "volsize":
        return (str(each.size), "local") if each.is_volume else None
    if name == "volblocksize":
        return (
            (str(each.block_size), "-" if each.block_size != 8192 else "default") if each.is_volume else None
        )
    if name == "mountpoint":
        source = "local" if name in each.local else "default"
        return None if each.is_volume else (model.mountpoint(each), source)
    if name == "encryption":
        return ("aes-256-gcm", "-") if key else ("off", "default")
    if name == "keyformat":
        return (key.format, "-") if key else ("none", "default")
    if name == "keylocation":
        return ("prompt", "local") if each.key else ("none", "default")
    if name == "pbkdf2iters":
        return ("350000", "-") if key and key.format == "passphrase" else ("0", "default")
    return None


def _set_or_default(model: Model, each: Dataset, name: str) -> tuple[str, str] | None:
    if not applies(each, name):
        return None
    if name in each.local:
        return each.local[name], "local"
    above = each
    while (":" in name or name in _INHERITABLE) and "/" in above.name:
        above = model.datasets[above.name.rpartition("/")[0]]
        if name in above.local:
            return above.local[name], f"inherited from {above.name}"
    default = _DEFAULTS.get(name) or _OF_FILESYSTEMS.get(name)
    return None if default is None else (default, "default")


def applies(each: Dataset, name: str) -> bool:
    """Whether a dataset of that kind can have the property."""
    return ":" in name or name in _DEFAULTS or (name in _OF_FILESYSTEMS and not each.is_volume)


def all_properties(model: Model, each: Dataset) -> list[str]:
    """The names of all properties that it has, users' own at the end."""
    names = [
        *("type", "creation", "used", "available", "referenced", "compressratio", "mounted", "origin"),
        *("volsize", "volblocksize", "mountpoint", "createtxg", "guid", "snapshot_limit", "encryption"),
        *(
            "keylocation",
            "keyformat",
            "pbkdf2iters",
            "encryptionroot",
            "keystatus",
            *_DEFAULTS,
            *_OF_FILESYSTEMS,
        ),
    ]
    above = [model.datasets[name] for name in _path(each.name)]
    own = dict.fromkeys(name for dataset in above for name in dataset.local if ":" in name)
    return [name for name in (*names, *own) if value_of(model, each, name) is not None]


def _path(name: str) -> Sequence[str]:
    parts = name.split("/")
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def checked(each: Dataset, name: str, text: str) -> str:
    """What a property is to have, as it is kept. Raises Complaint."""
    refused = f"cannot set property for '{each.name}': "
    if ":" in name:
        if name != name.lower():
            raise Complaint(f"{refused}invalid property '{name}'")
        return text
    if name in ("volblocksize", "used", "available", "origin", "encryption"):
        raise Complaint(f"{refused}'{name}' is readonly")
    if name not in _DEFAULTS and name not in _OF_FILESYSTEMS and name not in ("mountpoint", "volsize"):
        raise Complaint(f"{refused}invalid property '{name}'")
    if not applies(each, name) and not (name == "volsize" and each.is_volume) and name != "mountpoint":
        raise Complaint(f"{refused}'{name}' does not apply to datasets of this type")
    if name in _WORDS and text.partition("-")[0] not in _WORDS[name].split(" | "):
        raise Complaint(f"{refused}'{name}' must be one of '{_WORDS[name]}'")
    if name in ("quota", "refquota", "reservation", "refreservation") and text == "none":
        return "0"
    if name in ("recordsize", "volsize", "quota", "refquota", "reservation", "refreservation"):
        return str(bytes_of(text))
    return text


def bytes_of(text: str) -> int:
    """Bytes of a size as it can be written: ``16K``, ``1G``, ``512``."""
    unit = _UNITS.get(text[-1:].lower())
    return int(text) if unit is None else int(text[:-1]) << unit
