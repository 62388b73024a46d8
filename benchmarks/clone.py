"""``vm.clone`` of a VM with a 10 GiB disk on XFS, next to ``cp --reflink=always`` of that disk.

XFS is made in a file and mounted, which takes root, ``mkfs.xfs`` (xfsprogs) and loop devices.
"""

import contextlib
import itertools
import os
import subprocess  # noqa: TID251 - measures programs
from collections.abc import Iterator
from pathlib import Path

from benchmarks.pairs import Line, by_turns, seconds
from benchmarks.servers import folder, vmstead
from benchmarks.wire import Wire

TARGET, MORE = 1.2, 0.05
SIZE, PIECE = 10 << 30, 1 << 20
#: Pieces with something in them, far from each other: what a guest has written is never in one place.
PIECES = 1000


@contextlib.contextmanager
def xfs(place: Path) -> Iterator[Path]:
    """A file system of its own that can share blocks between files."""
    image, top = place / "xfs.img", place / "xfs"
    top.mkdir()
    with image.open("wb") as file:
        file.truncate(2 * SIZE)
    subprocess.run(["mkfs.xfs", "-q", "-m", "reflink=1", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, top], check=True)
    try:
        yield top
    finally:
        subprocess.run(["umount", top], check=True)


def used(path: Path) -> None:
    """Have a disk look as if a guest had used it."""
    with path.open("r+b") as file:
        for number in range(PIECES):
            file.seek(number * (SIZE // PIECES))
            file.write(os.urandom(PIECE))
        os.fsync(file.fileno())


def lines(runs: int = 10) -> Iterator[Line]:
    """1,000 pieces of the disk have something in them."""
    with folder() as place, xfs(place) as top:
        with vmstead(top / "state") as server, Wire(server.socket) as wire:
            vm = wire.call("vm.create", {"name": "original", "memory": 64})
            disk = {"dtype": "DISK", "create_zvol": True, "zvol_name": "default/disk", "zvol_volsize": SIZE}
            wire.call("vm.device.create", {"vm": vm["id"], "attributes": disk})
            (path,) = [
                each for each in server.state.rglob("*") if each.is_file() and each.stat().st_size == SIZE
            ]
            used(path)
            numbers = itertools.count()

            def ours():
                name = f"copy{next(numbers)}"
                taken = seconds(lambda: wire.call("vm.clone", vm["id"], name))
                copy = wire.call("vm.query", [["name", "=", name]], {"get": True})
                wire.call("vm.delete", copy["id"], {"zvols": True})
                return taken

            def theirs():
                argv = ["cp", "--reflink=always", path, top / "copy"]
                taken = seconds(lambda: subprocess.run(argv, check=True))
                (top / "copy").unlink()
                return taken

            pairs = by_turns(ours, theirs, runs)
        mine, other = (1000 * value for value in pairs.middle)
        over = [mine - TARGET * other for mine, other in zip(pairs.ours, pairs.theirs, strict=True)]
        yield Line(
            "`vm.clone` with a 10 GiB disk, XFS",
            "`cp --reflink=always` of the disk",
            f"at most {TARGET} times and {1000 * MORE:.0f} ms",
            f"{pairs.ratio.shown()}; {mine:.0f} and {other:.0f} ms",
            sorted(over)[len(over) // 2] <= MORE,
        )


if __name__ == "__main__":
    print(*lines(), sep="\n")
