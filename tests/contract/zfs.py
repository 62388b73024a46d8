"""Two pools of ZFS for the contract tests: pretended ones and, where a variable names a pool, real ones.

``VMSTEAD_TEST_ZFS=tank`` makes the tests work in new datasets of that pool, which they remove. They run as root.
"""

import asyncio
import os
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from vmstead.adapters.all_pools import Storage, storage
from vmstead.adapters.fake_zfs import FakeZfs
from vmstead.adapters.zfs.programs import THIS_HOST
from vmstead.kernel.run import run

REAL_POOL = os.environ.get("VMSTEAD_TEST_ZFS")
#: The kinds of ZFS that there are.
KINDS = ["pretended", *(["real"] if REAL_POOL else [])]


@dataclass
class ZfsPair:
    """The pools ``tank`` and ``other``, with the ports on them.

    Attributes:
        make_dataset: gives a pool a file system, by its name with the pool's.
        do: has ZFS do something behind the driver's back: the arguments of ``zfs``, with the API's names.
    """

    storage: Storage
    make_dataset: Callable[[str], None]
    do: Callable[..., None]


@contextmanager
def zfs_pair(kind: str, folder: Path) -> Iterator[ZfsPair]:
    """The pools, gone again after the block."""
    if kind == "real":
        with _real() as pair:
            yield pair
    else:
        yield _pretended(folder)


def _pretended(folder: Path) -> ZfsPair:
    zfs = FakeZfs(folder / "zfs", {"tank": ["/dev/sda"], "nvme": ["/dev/sdb"]})
    zfs.do("zfs", "create", "nvme/other")

    def do(*argv: str, stdin: str = "") -> None:
        zfs.do("zfs", *(word.replace("other/", "nvme/other/") for word in argv), stdin=stdin)

    pools = storage({}, {}, {"tank": "tank", "other": "nvme/other"}, zfs.host)
    return ZfsPair(pools, lambda name: do("create", name), do)


@contextmanager
def _real() -> Iterator[ZfsPair]:
    base = f"{REAL_POOL}/vmstead-test-{secrets.token_hex(4)}"
    roots = {name: f"{base}/{name}" for name in ("tank", "other")}

    def do(*argv: str, stdin: str = "") -> None:
        _run("zfs", *(_in_pool(word, roots) for word in argv), stdin=stdin)

    _run("zfs", "create", base)
    try:
        for root in roots.values():
            _run("zfs", "create", root)
        yield ZfsPair(storage({}, {}, roots, THIS_HOST), lambda name: do("create", name), do)
    finally:
        _run("udevadm", "settle")
        _run("zfs", "destroy", "-R", base)


def _run(*argv: str, stdin: str = "") -> None:
    """Run a program, also where a loop is running: in another one."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, run(argv, stdin=stdin.encode())).result()


def _in_pool(word: str, roots: dict[str, str]) -> str:
    pool, slash, rest = word.partition("/")
    return f"{roots[pool]}{slash}{rest}" if pool in roots else word
