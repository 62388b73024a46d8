"""Two pools of ZFS for the contract tests: pretended ones and, where a variable names a pool, real ones.

``VMSTEAD_TEST_ZFS=tank`` makes the tests work in new datasets of that pool, which they remove. They run as root.
"""

import asyncio
import os
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from vmstead.adapters.all_pools import Storage, storage
from vmstead.adapters.fake_zfs import FakeZfs
from vmstead.adapters.zfs.programs import THIS_HOST
from vmstead.kernel.run import CommandError, run

REAL_POOL = os.environ.get("VMSTEAD_TEST_ZFS")
#: The kinds of ZFS that there are.
KINDS = ["pretended", *(["real"] if REAL_POOL else [])]


@dataclass
class ZfsPair:
    """The pools ``tank`` and ``other``, with the ports on them.

    Attributes:
        make_dataset: gives a pool a file system behind the driver's back, by its name with the pool's.
    """

    storage: Storage
    make_dataset: Callable[[str], None]


def pretended_pools(folder: Path) -> ZfsPair:
    """Pools that there are in this folder alone."""
    zfs = FakeZfs(folder / "zfs", {"tank": ["/dev/sda"], "nvme": ["/dev/sdb"]})
    zfs.do("zfs", "create", "nvme/other")
    pools = storage({}, {}, {"tank": "tank", "other": "nvme/other"}, zfs.host)

    def make(name: str) -> None:
        zfs.do("zfs", "create", name.replace("other/", "nvme/other/"))

    return ZfsPair(pools, make)


class RealPools:
    """Datasets of a real pool, for one test after the other.

    They are made anew only where a test has left something behind: that takes seconds.
    """

    def __init__(self, pool: str) -> None:
        self._base = f"{pool}/vmstead-test-{secrets.token_hex(4)}"
        self._roots = {name: f"{self._base}/{name}" for name in ("tank", "other")}

    def pair(self) -> ZfsPair:
        """The two pools with nothing in them."""
        if not self._are_new():
            self.remove()
            for dataset in (self._base, *self._roots.values()):
                _run("zfs", "create", dataset)
        return ZfsPair(storage({}, {}, self._roots, THIS_HOST), self._make)

    def remove(self) -> None:
        """Take away what there is."""
        if self._told():
            _run("udevadm", "settle")
            _run("zfs", "destroy", "-R", self._base)

    def _make(self, name: str) -> None:
        pool, _, rest = name.partition("/")
        _run("zfs", "create", f"{self._roots[pool]}/{rest}")

    def _are_new(self) -> bool:
        told = self._told()
        if {name for name, *_ in told} != {self._base, *self._roots.values()}:
            return False
        if any(source == "local" for *_, source in told):
            return False
        places = {name: value for name, property, value, _ in told if property == "mountpoint"}
        return not any([*Path(places[root]).iterdir()] for root in self._roots.values())

    def _told(self) -> list[tuple[str, ...]]:
        """Of all that is there: its name and each of its properties with the value and where that is from."""
        try:
            lines = _run("zfs", "get", "-H", "-r", "all", self._base)
        except CommandError:
            return []
        return [tuple(line.split("\t")) for line in lines.splitlines()]


def _run(*argv: str) -> str:
    """What a program prints, also where a loop is running: it gets another one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, run(argv)).result().decode()
