"""Datasets and snapshots that are pretended, and what ZFS does with them. No programs, no output."""

import itertools
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vmstead.adapters._sparse import copy_file, make_file

#: When everything here was made, in seconds since 1970.
_BEGIN = 1_700_000_000


class Complaint(Exception):
    """What a program says when it cannot do what it was told, and its status."""

    def __init__(self, text: str, status: int = 1) -> None:
        super().__init__(text)
        self.status = status


@dataclass
class Key:
    """The key of an encryption root."""

    format: str
    secret: str
    is_loaded: bool = True


@dataclass(eq=False)
class Snapshot:
    """A snapshot. ``content``: a file with the bytes of a volume."""

    name: str
    owner: "Dataset"
    number: int
    size: int | None
    content: Path
    is_going: bool = False

    @property
    def full_name(self) -> str:
        return f"{self.owner.name}@{self.name}"


@dataclass(eq=False)
class Dataset:
    """A file system or, with a size, a volume.

    Attributes:
        content: a file with the bytes of a volume; the folder of a file system while it is not mounted.
        local: what was set on it, by ZFS's names.
        root: whose key it is encrypted with.
    """

    name: str
    number: int
    content: Path
    size: int | None = None
    block_size: int = 8192
    local: dict[str, str] = field(default_factory=dict)
    origin: Snapshot | None = None
    key: Key | None = None
    root: "Dataset | None" = None
    is_mounted: bool = False

    @property
    def is_volume(self) -> bool:
        return self.size is not None

    @property
    def kind(self) -> str:
        return "volume" if self.is_volume else "filesystem"

    @property
    def is_locked(self) -> bool:
        return self.root is not None and self.root.key is not None and not self.root.key.is_loaded


class Model:
    """All that there is, below a folder.

    Attributes:
        busy: datasets that somebody has open.
        links: links to devices that udev has not made yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.datasets: dict[str, Dataset] = {}
        self.snapshots: list[Snapshot] = []
        self.busy: set[str] = set()
        self.links: dict[Path, Path] = {}
        self._numbers = itertools.count(1)
        for name in ("dev", "mnt", "store"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    # --- finding ----------------------------------------------------------------------------------

    def dataset(self, name: str) -> Dataset:
        if name not in self.datasets:
            raise Complaint(f"cannot open '{name}': dataset does not exist")
        return self.datasets[name]

    def snapshot(self, full_name: str) -> Snapshot:
        for each in self.snapshots:
            if each.full_name == full_name:
                return each
        raise Complaint(f"cannot open '{full_name}': dataset does not exist")

    def below(self, name: str) -> list[Dataset]:
        """The dataset and all below it, in ZFS's order."""
        return [self.datasets[each] for each in sorted(self.datasets) if f"{each}/".startswith(f"{name}/")]

    def snapshots_of(self, dataset: Dataset) -> list[Snapshot]:
        """Oldest first."""
        return sorted(
            (each for each in self.snapshots if each.owner is dataset), key=lambda each: each.number
        )

    def clones(self, snapshot: Snapshot) -> list[str]:
        return sorted(each.name for each in self.datasets.values() if each.origin is snapshot)

    def created(self, number: int) -> int:
        """When something with that number was made."""
        return _BEGIN + number

    def check_pool(self, name: str) -> None:
        """Something new is to be in a pool that is there."""
        pool = name.partition("/")[0]
        if pool not in self.datasets:
            raise Complaint(f"cannot create '{name}': no such pool '{pool}'")

    # --- making -----------------------------------------------------------------------------------

    def next(self) -> tuple[int, Path]:
        """A number, and a place for what has it."""
        number = next(self._numbers)
        return number, self.folder / "store" / str(number)

    def check_new(self, name: str) -> Dataset:
        """The file system that something new is to be in."""
        for character in name:
            if not (character.isascii() and (character.isalnum() or character in "-_.: /")):
                raise Complaint(f"cannot create '{name}': invalid character '{character}' in name")
        if len(name) > 255:
            raise Complaint(f"cannot create '{name}': name is too long")
        self.check_pool(name)
        above = self.datasets.get(name.rpartition("/")[0])
        if name in self.datasets:
            raise Complaint(f"cannot create '{name}': dataset already exists")
        if above is None:
            raise Complaint(f"cannot create '{name}': parent does not exist")
        if above.is_volume:
            raise Complaint(f"cannot create '{name}': parent is not a filesystem")
        return above

    def add(self, dataset: Dataset) -> None:
        """Take up a dataset, with its device or its files."""
        self.datasets[dataset.name] = dataset
        if dataset.is_volume:
            self.show(dataset)
        else:
            dataset.content.mkdir()
            if self.mount_property(dataset) == "on" and self.mountpoint(dataset).startswith("/"):
                self.mount(dataset)

    def make_snapshot(self, dataset: Dataset, name: str) -> None:
        number, content = self.next()
        if dataset.is_volume:
            self._copy(dataset.content, content)
        self.snapshots.append(Snapshot(name, dataset, number, dataset.size, content))

    def make_clone(self, snapshot: Snapshot, name: str) -> None:
        number, content = self.next()
        origin = snapshot.owner
        self._copy(snapshot.content, content)
        clone = Dataset(
            name, number, content, snapshot.size, origin.block_size, origin=snapshot, root=origin.root
        )
        self.add(clone)

    def roll_back(self, snapshot: Snapshot) -> None:
        """Let a volume have the bytes that a snapshot of it has, in the same place."""
        volume = snapshot.owner
        volume.size = snapshot.size
        volume.content.write_bytes(snapshot.content.read_bytes())

    def rename(self, dataset: Dataset, name: str) -> None:
        """Give a dataset another name, and those below it."""
        self.check_pool(name)
        above = self.datasets.get(name.rpartition("/")[0])
        if name in self.datasets:
            raise Complaint(f"cannot rename '{dataset.name}': dataset already exists")
        if name.partition("/")[0] != dataset.name.partition("/")[0]:
            raise Complaint(f"cannot rename to '{name}': datasets must be within same pool")
        if above is None:
            raise Complaint(f"cannot create '{name}': parent does not exist")
        old, moving = dataset.name, self.below(dataset.name)
        for each in moving:
            self.hide(each)
            del self.datasets[each.name]
            each.name = name + each.name.removeprefix(old)
            self.datasets[each.name] = each
            self.show(each)

    def promote(self, clone: Dataset) -> None:
        """Let a clone and its original change places."""
        last = clone.origin
        if last is None:
            raise Complaint(f"cannot promote '{clone.name}': not a cloned filesystem")
        old = last.owner
        moving = [each for each in self.snapshots_of(old) if each.number <= last.number]
        taken = {each.name for each in self.snapshots_of(clone)}
        for each in moving:
            if each.name in taken:
                text = f"conflicting snapshot '{each.name}' from parent '{each.full_name}'"
                raise Complaint(f"cannot promote '{clone.name}': {text}")
        for snapshot in moving:
            snapshot.owner = clone
        clone.origin, old.origin = old.origin, last
        if old.root is old:
            # The key goes to the clone, and is not found there any more.
            clone.key, old.key = old.key, None
            for dataset in self.datasets.values():
                dataset.root = clone if dataset.root is old else dataset.root
            assert clone.key is not None
            clone.key.is_loaded = False

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        copy_file(source, target, "a copy", threading.Event())

    def make_bytes(self, content: Path, size: int) -> None:
        """A file with the bytes of a new volume. Sizes beyond those of files are not kept."""
        make_file(content, min(size, 2**40), "a volume")

    # --- taking away ------------------------------------------------------------------------------

    def drop(self, dataset: Dataset) -> None:
        """Take a dataset away, with its snapshots."""
        if dataset.is_mounted:
            place = Path(self.mountpoint(dataset))
            self.unmount(dataset)
            place.rmdir()
        self.hide(dataset)
        del self.datasets[dataset.name]
        for each in self.snapshots_of(dataset):
            self.drop_snapshot(each)
        origin, dataset.origin = dataset.origin, None
        if dataset.is_volume:
            dataset.content.unlink()
        else:
            shutil.rmtree(dataset.content)
        if origin is not None and origin.is_going and not self.clones(origin):
            self.drop_snapshot(origin)

    def drop_snapshot(self, snapshot: Snapshot) -> None:
        self.snapshots.remove(snapshot)
        snapshot.content.unlink(missing_ok=True)

    # --- devices and mounts -----------------------------------------------------------------------

    def device(self, dataset: Dataset) -> Path:
        return self.folder / "dev" / dataset.name.replace(" ", "+")

    def show(self, dataset: Dataset) -> None:
        """Tell udev of a device."""
        if dataset.is_volume and not dataset.is_locked:
            self.links[self.device(dataset)] = dataset.content

    def hide(self, dataset: Dataset) -> None:
        if dataset.is_volume:
            self.links.pop(self.device(dataset), None)
            self.device(dataset).unlink(missing_ok=True)

    def make_links(self) -> list[Path]:
        """What udev does, when it comes to it."""
        made = [*self.links]
        for link, content in self.links.items():
            link.parent.mkdir(parents=True, exist_ok=True)
            # As udev does it: at no time is there no link where there was one.
            new = link.with_name(f".#{link.name}")
            new.symlink_to(content)
            new.replace(link)
        self.links.clear()
        return made

    def mount_property(self, dataset: Dataset) -> str:
        return dataset.local.get("canmount", "on")

    def mountpoint(self, dataset: Dataset) -> str:
        """Where it is to be mounted, as it was set or as it follows from those above."""
        above, _, name = dataset.name.rpartition("/")
        if "mountpoint" in dataset.local:
            return dataset.local["mountpoint"]
        if not above:
            return str(self.folder / "mnt" / name)
        place = self.mountpoint(self.datasets[above])
        return f"{place}/{name}" if place.startswith("/") else place

    def mount(self, dataset: Dataset) -> None:
        """Put the files in place. What is in that place is out of sight until they are gone."""
        place = Path(self.mountpoint(dataset))
        place.mkdir(parents=True, exist_ok=True)
        place.rename(self._under(dataset))
        dataset.content.rename(place)
        dataset.is_mounted = True

    def unmount(self, dataset: Dataset) -> None:
        place = Path(self.mountpoint(dataset))
        place.rename(dataset.content)
        self._under(dataset).rename(place)
        dataset.is_mounted = False

    def _under(self, dataset: Dataset) -> Path:
        return dataset.content.with_name(f"{dataset.content.name}.under")

    def mount_table(self) -> Iterator[str]:
        """Lines as in ``/proc/self/mountinfo``."""
        yield "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw"
        for each in sorted(self.datasets.values(), key=lambda dataset: dataset.name):
            if each.is_mounted:
                place = _escaped(self.mountpoint(each))
                device = f"{each.number + 100} 22 0:{each.number} /"
                yield f"{device} {place} rw shared:{each.number} - zfs {_escaped(each.name)} rw,xattr,noacl"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\134").replace(" ", "\\040").replace("\t", "\\011")
