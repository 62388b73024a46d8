"""What a ZFS pool is made of, from ``zpool status -P``. Pure."""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from vmstead.ports.pools import Device

#: Sections of the output, and what they are called in the API.
_SECTIONS = {"logs": "log", "cache": "cache", "spares": "spare", "special": "special", "dedup": "dedup"}
#: Disks of each stripe that hold no data, by kind.
_PARITY = {"RAIDZ1": 1, "RAIDZ2": 2, "RAIDZ3": 3}
_GROUP = re.compile(r"(mirror|raidz[123]?|draid[123]?|spare|replacing)(:[^-]*)?-[0-9]+")
#: The stripes of a draid are of one width, whatever is written.
_OF_DRAID = 16
_KiB = 1024


def parts(output: str) -> dict[str, list[Device]]:
    """The devices of a pool, by use."""
    found: dict[str, list[Device]] = {"data": []}
    use = "data"
    rows: list[tuple[int, str, str]] = []
    for depth, name, status in _rows(output):
        if depth == 0:
            # The pool itself, or the title of a section.
            found[use] += _trees(rows, 1)
            rows = []
            use = _SECTIONS.get(name, "data")
            found.setdefault(use, [])
        else:
            rows.append((depth, name, status))
    found[use] += _trees(rows, 1)
    return found


def _rows(output: str) -> Iterator[tuple[int, str, str]]:
    """Each line of the table: how deep it stands, the name and the state."""
    _, _, config = output.partition("\nconfig:\n")
    for line in config.splitlines():
        if line.startswith("errors:"):
            return
        text = line.removeprefix("\t")
        words = text.split()
        if words and words[0] != "NAME":
            yield (len(text) - len(text.lstrip(" "))) // 2, words[0], words[1] if len(words) > 1 else "ONLINE"


def _trees(rows: Sequence[tuple[int, str, str]], depth: int) -> Iterator[Device]:
    starts = [index for index, row in enumerate(rows) if row[0] == depth]
    for start, end in itertools.pairwise([*starts, len(rows)]):
        _, name, status = rows[start]
        children = tuple(_trees(rows[start + 1 : end], depth + 1))
        group = _GROUP.fullmatch(name)
        kind = group[1].upper() if group else "DISK"
        path = name if name.startswith("/") else None
        yield Device(name, "RAIDZ1" if kind == "RAIDZ" else kind, status, path, children)


def block_size(devices: Mapping[str, Iterable[Device]]) -> int:
    """Bytes that volumes should be stored by: so many that a block fills a stripe of the widest group.

    8 KiB for each disk with data, as a power of two from 16 to 128 KiB: the rule that TrueNAS has.
    """
    widest = max((_data_disks(each) for each in devices.get("data", ())), default=1)
    wanted = 1 << (8 * widest - 1).bit_length()
    return max(16, min(128, wanted)) * _KiB


def _data_disks(group: Device) -> int:
    if group.kind.startswith("DRAID"):
        return _OF_DRAID
    return len(group.children) - _PARITY[group.kind] if group.kind in _PARITY else 1


def problem(output: str) -> str | None:
    """What ``zpool status`` says is wrong, and what to do, in one line; None when all is well."""
    found = {}
    for name in ("status", "action"):
        match = re.search(rf"^ *{name}: (.*(?:\n\t.*)*)", output, re.MULTILINE)
        if match:
            found[name] = " ".join(match[1].split())
    return " ".join(found.values()) or None
