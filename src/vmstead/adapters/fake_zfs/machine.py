"""A machine on which there is ZFS."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from vmstead.adapters.fake_zfs import zfs
from vmstead.adapters.fake_zfs.model import Complaint, Dataset, Model
from vmstead.adapters.fake_zfs.options import Options
from vmstead.adapters.fake_zfs.output import AVAILABLE
from vmstead.adapters.zfs.programs import ZfsHost
from vmstead.kernel.run import CommandError

_QUESTIONS = {"list", "get", "status", "monitor", "settle"}


class FakeZfs:
    """ZFS's programs and those that its driver needs besides, on folders and files.

    Volumes are sparse files, file systems are folders that are moved to where they are mounted. Udev makes its
    links only when it is waited for.

    Args:
        folder: where everything is kept.
        pools: the lines that ``zpool status`` shows below the name of each pool, without their indentation.

    Attributes:
        calls: every command that was run, in order, but those of udev.
        inputs: what the commands were given to read.
        imported: the pools that are there.
        is_installed: whether there are such programs at all.
        has_udev: whether links to devices are ever made.
        refuse: is asked before each change; the complaint that it answers with is the command's.
        looked_at: volumes that udev has open until it is waited for.
    """

    def __init__(self, folder: Path, pools: Mapping[str, Sequence[str]] | None = None) -> None:
        self.model = Model(folder)
        self.calls: list[list[str]] = []
        self.inputs: list[bytes] = []
        self.is_installed = True
        self.has_udev = True
        self.refuse: Callable[[Sequence[str]], str | None] = lambda argv: None
        self.looked_at: set[str] = set()
        self._shapes = {name: [*lines] for name, lines in (pools or {"tank": ["/dev/sda"]}).items()}
        self.imported = {*self._shapes}
        self._lock = threading.RLock()
        self._monitors: list[Callable[[str], None]] = []
        for name in self._shapes:
            number, content = self.model.next()
            self.model.add(Dataset(name, number, content))
        self._write_mounts()

    @property
    def host(self) -> ZfsHost:
        """What the driver is to be given."""
        folder = self.model.folder
        return ZfsHost(self.run, folder / "dev", folder / "mountinfo", self._is_device_of)

    def _is_device_of(self, path: Path, dataset: str) -> bool:
        found = self.model.datasets.get(dataset)
        return found is not None and path.is_symlink() and path.readlink() == found.content

    def export(self, pool: str) -> None:
        """Take a pool away, as if its disks were."""
        self.imported.discard(pool)
        self._write_mounts()

    def bring_back(self, pool: str) -> None:
        """Have a pool again."""
        self.imported.add(pool)
        self._write_mounts()

    async def run(
        self,
        argv: Sequence[str],
        *,
        stdin: bytes = b"",
        env: Mapping[str, str] | None = None,
        timeout: float = 600.0,
        on_line: Callable[[str], None] | None = None,
    ) -> bytes:
        """Run a program, as ``kernel.run.run`` does. Raises CommandError."""
        if argv[0] == "udevadm":
            return await self._udevadm(argv, timeout, on_line)
        return await asyncio.to_thread(self._run, argv, stdin)

    def do(self, *argv: str, stdin: str = "") -> str:
        """Have a command done that is not the driver's. Raises CommandError."""
        with self._lock:
            return self._answer(argv, stdin)

    def _run(self, argv: Sequence[str], stdin: bytes) -> bytes:
        with self._lock:
            self.calls.append([*argv])
            self.inputs.append(stdin)
            complaint = None if argv[1] in _QUESTIONS else self.refuse(argv)
            if complaint is not None:
                raise CommandError(argv, 1, complaint)
            return self._answer(argv, stdin.decode()).encode()

    def _answer(self, argv: Sequence[str], stdin: str) -> str:
        if not self.is_installed:
            raise CommandError(argv, 127, "No such file or directory")
        away = [word for word in argv if _pool_of(word) in self._shapes.keys() - self.imported]
        try:
            if away:
                _refuse(f"cannot open '{away[0]}': dataset does not exist")
            if argv[0] == "zfs":
                return self._zfs(argv[1:], stdin)
            return self._zpool(argv) if argv[0] == "zpool" else self._blkdiscard(argv)
        except Complaint as complaint:
            raise CommandError(argv, complaint.status, f"{complaint}\n") from None
        finally:
            self._write_mounts()

    def _zfs(self, argv: Sequence[str], stdin: str) -> str:
        busy = {*self.model.busy}
        self.model.busy |= self.looked_at
        try:
            return zfs.run(self.model, argv, stdin)
        finally:
            self.model.busy = busy

    def _write_mounts(self) -> None:
        lines = [line for line in self.model.mount_table() if _pool_in(line) in (None, *self.imported)]
        self.model.folder.joinpath("mountinfo").write_text("".join(f"{line}\n" for line in lines))

    async def _udevadm(
        self, argv: Sequence[str], timeout: float, on_line: Callable[[str], None] | None
    ) -> bytes:
        if argv[1] == "settle" or on_line is None:
            await self._make_links()
            return b""
        self._monitors.append(on_line)
        try:
            on_line("monitor will print the received events for:")
            await self._make_links()
            if self.has_udev:
                await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=timeout)
            raise CommandError(argv, None, f"killed after {timeout:g} seconds")
        finally:
            self._monitors.remove(on_line)

    async def _make_links(self) -> None:
        if not self.has_udev:
            return

        def make() -> list[Path]:
            with self._lock:
                self.looked_at.clear()
                return self.model.make_links()

        for link in await asyncio.to_thread(make):
            for tell in [*self._monitors]:
                tell(f"UDEV  [1.0] add      /devices/virtual/block/{link.name} (block)")

    # --- the other programs -----------------------------------------------------------------------

    def _zpool(self, argv: Sequence[str]) -> str:
        name = argv[-1]
        if name not in self.imported:
            raise Complaint(f"cannot open '{name}': no such pool")
        if argv[1] == "status":
            return self._status(name)
        if argv[1] == "list":
            options = Options(argv[2:], "Hp", "o")
            told = {"name": name, "size": str(2 * AVAILABLE), "allocated": str(AVAILABLE)}
            told |= {"free": str(AVAILABLE), "health": "ONLINE"}
            return "\t".join(told[each] for each in (options.value("o") or "name").split(",")) + "\n"
        return ""

    def _status(self, name: str) -> str:
        head = [f"  pool: {name}", " state: ONLINE", "config:", "", "\tNAME STATE READ WRITE CKSUM"]
        rows = [f"\t{name} ONLINE 0 0 0"]
        for line in self._shapes[name]:
            words = line.strip()
            depth = (len(line) - len(line.lstrip())) // 2
            rows.append(f"\t{'  ' * (depth + 1)}{words} ONLINE 0 0 0")
        return "\n".join([*head, *rows, "", "errors: No known data errors", ""])

    def _blkdiscard(self, argv: Sequence[str]) -> str:
        path = Path(argv[-1])
        if not path.exists():
            raise Complaint(f"blkdiscard: cannot open {path}: No such file or directory")
        size = path.stat().st_size
        with path.open("r+b") as device:
            device.truncate(0)
            device.truncate(size)
        return ""


def _pool_of(name: str) -> str:
    return name.partition("@")[0].partition("/")[0]


def _refuse(text: str) -> NoReturn:
    raise Complaint(text)


def _pool_in(line: str) -> str | None:
    """The pool of what a line of the mount table is about."""
    kind, source, _ = line.partition(" - ")[2].split(" ", 2)
    return source.partition("/")[0] if kind == "zfs" else None
