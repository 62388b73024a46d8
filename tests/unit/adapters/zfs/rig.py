"""The driver on a ZFS that is pretended, with the parts in hand."""

from collections.abc import Sequence
from pathlib import Path

from vmstead.adapters.all_pools import Storage, storage
from vmstead.adapters.fake_zfs import FakeZfs
from vmstead.ports.pools import Pools
from vmstead.ports.volumes import Volume, Volumes

MiB = 1024 * 1024
#: What only looks, or waits.
QUESTIONS = {"list", "get", "status"}


class Rig:
    """A pool ``tank`` on ZFS.

    Attributes:
        fake: ZFS itself.
    """

    def __init__(self, folder: Path, pools: dict[str, str] | None = None) -> None:
        self.fake = FakeZfs(folder / "zfs")
        self.folder = folder
        self._pools = pools or {"tank": "tank"}
        self.storage = self.begin()

    def begin(self) -> Storage:
        """A driver that knows nothing yet, as that of a server that has just started."""
        folder = self.folder / "default"
        folder.mkdir(exist_ok=True)
        self.storage = storage({"default": folder}, {}, self._pools, self.fake.host)
        return self.storage

    @property
    def volumes(self) -> Volumes:
        return self.storage.volumes

    @property
    def pools(self) -> Pools:
        return self.storage.pools

    @property
    def changes(self) -> list[list[str]]:
        """The commands that have changed something, or were to."""
        return [call for call in self.fake.calls if call[1] not in QUESTIONS]

    def everything(self) -> dict[str, object]:
        """All datasets and snapshots that there are, with what clones hang on and the beginning of volumes."""
        model = self.fake.model
        found: dict[str, object] = {
            each.name: (
                each.origin and each.origin.full_name,
                each.size,
                _beginning(each.content),
                sorted(each.local.items()),
            )
            for each in model.datasets.values()
        }
        return found | {each.full_name: each.is_going for each in model.snapshots}

    def break_at(self, number: int | None, complaint: str = "cannot do that: out of space") -> None:
        """Have the change of that number fail, counted from now; None: none."""
        self.fake.calls.clear()

        def refuse(argv: Sequence[str]) -> str | None:
            return complaint if len(self.changes) == number else None

        self.fake.refuse = refuse


def _beginning(content: Path) -> bytes | None:
    if not content.is_file():
        return None
    with content.open("rb") as file:
        return file.read(8)


def write(volume: Volume, data: bytes) -> None:
    with volume.source.path.open("r+b") as disk:
        disk.write(data)


def read(volume: Volume, size: int = 3) -> bytes:
    with volume.source.path.open("rb") as disk:
        return disk.read(size)
