"""Properties of datasets: the API's names and words, and those of ZFS. Pure."""

import re
from collections.abc import Mapping

from vmstead.adapters.zfs.listing import FoundProperty
from vmstead.ports.pools import Property
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

#: Those that are called otherwise, and those that TrueNAS keeps as properties of its own.
_ZFS_NAMES = {
    "deduplication": "dedup",
    "special_small_block_size": "special_small_blocks",
    "key_format": "keyformat",
    "encryption_algorithm": "encryption",
    "comments": "org.freenas:description",
    "managedby": "org.truenas:managedby",
}
_API_NAMES = {zfs: api for api, zfs in _ZFS_NAMES.items()}
#: Those whose values are words, which the API has in capitals.
_WORDS = {
    *(
        "compression",
        "sync",
        "dedup",
        "checksum",
        "readonly",
        "atime",
        "relatime",
        "exec",
        "snapdev",
        "snapdir",
    ),
    *("aclmode", "acltype", "aclinherit", "casesensitivity", "xattr", "encryption", "keyformat", "logbias"),
    *("primarycache", "secondarycache", "redundant_metadata", "volmode", "canmount", "setuid", "devices"),
}
#: Those that can be set here. What is not among them was fixed when the dataset was made.
_SETTABLE = {
    *(
        "comments",
        "managedby",
        "compression",
        "sync",
        "deduplication",
        "checksum",
        "readonly",
        "atime",
        "exec",
    ),
    *("snapdev", "snapdir", "recordsize", "copies", "quota", "refquota", "reservation", "refreservation"),
}
#: Those that are not inherited, with what takes them away.
_NOT_INHERITED = {"quota", "refquota", "reservation", "refreservation"}
#: Told in other places of a dataset.
_ELSEWHERE = {"name", "type", "mountpoint", "mounted", "keystatus", "encryptionroot"}
#: A limit that there is none of.
_UNLIMITED = str(2**64 - 1)
_USER_PROPERTY = re.compile(r"[a-z0-9][a-z0-9+._-]*:[a-z0-9:+._-]*")
#: Properties of TrueNAS's and Vmstead's own, which no client has set.
_OWN = ("org.freenas:", "org.truenas:")


def facts(found: Mapping[str, FoundProperty]) -> dict[str, Property]:
    """What ZFS says of a dataset, by the API's names."""
    return {
        _API_NAMES.get(name, name): _property(name, each)
        for name, each in found.items()
        if name not in _ELSEWHERE and (":" not in name or name in _API_NAMES)
    }


def user_properties(found: Mapping[str, FoundProperty]) -> dict[str, str]:
    """The properties of clients' own that were set on the dataset itself."""
    return {
        name: each.value
        for name, each in found.items()
        if ":" in name and not name.startswith(_OWN) and each.source in ("local", "received")
    }


def _property(name: str, found: FoundProperty) -> Property:
    text, value = found.value, found.value
    number = int(text) if text.isdecimal() and ":" not in name else None
    if text == _UNLIMITED:
        return Property(0, text, *_source(found.source))
    if name in _WORDS:
        value = text.upper()
    return Property(value if number is None else number, text, *_source(found.source))


def _source(text: str) -> tuple[str, str | None]:
    kind, _, dataset = text.partition(" from ")
    return ("NONE" if kind in ("-", "none") else kind.upper()), dataset or None


def changes(
    wanted: Mapping[str, object], found: Mapping[str, FoundProperty]
) -> tuple[dict[str, str], list[str]]:
    """What to set and what to inherit, by ZFS's names.

    Args:
        wanted: by the API's names; None takes one away. ``user_properties`` are all that there are to be.
        found: what the dataset has.

    Raises:
        VolumeError: BAD_NAME for a property that cannot be, FAILED for a value that cannot be kept.
    """
    to_set: dict[str, str] = {}
    to_inherit: list[str] = []
    for name, value in wanted.items():
        zfs_name = _ZFS_NAMES.get(name, name)
        if name == "user_properties":
            _change_own(value, user_properties(found), to_set, to_inherit)
        elif name not in _SETTABLE:
            continue
        elif value is None and name in _NOT_INHERITED:
            to_set[zfs_name] = "none"
        elif value is None:
            to_inherit.append(zfs_name)
        else:
            to_set[zfs_name] = str(value) if ":" in zfs_name else str(value).lower()
    for name, text in to_set.items():
        if re.search(r"[\x00-\x1f\x7f]", text):
            raise VolumeError(VolumeErrorKind.FAILED, f"{name} has control characters, which are not kept")
    return to_set, to_inherit


def _change_own(value: object, old: Mapping[str, str], to_set: dict[str, str], to_inherit: list[str]) -> None:
    wanted = value if isinstance(value, Mapping) else {}
    for name in wanted:
        if not _USER_PROPERTY.fullmatch(name) or len(name) > 255:
            text = (
                f"{name!r} is no name of a property: it has lower-case letters, digits, + . _ - and a colon"
            )
            raise VolumeError(VolumeErrorKind.BAD_NAME, text)
    to_set.update({name: str(text) for name, text in wanted.items() if old.get(name) != text})
    to_inherit.extend(sorted(old.keys() - wanted.keys()))


def copied(found: Mapping[str, FoundProperty]) -> dict[str, str]:
    """What is to be set on a volume that takes the place of another, to have what was set on that."""
    fixed = {"volsize", "volblocksize", "keylocation"}
    return {
        name: each.value
        for name, each in found.items()
        if name not in fixed and each.source in ("local", "received")
    }
