"""From the API's names to those of ZFS and back, and names that are Vmstead's own."""

import hashlib
import secrets
from collections.abc import Mapping

from vmstead.adapters.names import check_name
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

#: What a volume is called while it takes the place of another, and while the other has not gone yet.
NEW, OLD = ":vmstead-new", ":vmstead-old"
#: Begins the names of snapshots that are made for copies, and of those that are forgotten while copies need them.
_HIDDEN = "vmstead-"


class Names:
    """The names.

    Args:
        pools: the dataset of each pool.
    """

    def __init__(self, pools: Mapping[str, str]) -> None:
        self.pools = dict(pools)

    def dataset(self, name: str) -> str:
        """ZFS's name of what the API calls ``pool/some/name``, or of a pool.

        Raises:
            VolumeError: BAD_NAME.
        """
        pool, slash, rest = name.partition("/")
        if slash or pool not in self.pools:
            check_name(name)
        if rest.endswith((NEW, OLD)):
            text = f"{name!r} is a name that is kept for volumes that are being replaced; choose another"
            raise VolumeError(VolumeErrorKind.BAD_NAME, text)
        return self.pools[pool] + slash + rest

    def name(self, dataset: str) -> str | None:
        """The API's name of a dataset; None when it lies in no pool."""
        for pool, root in self.pools.items():
            if f"{dataset}/".startswith(f"{root}/"):
                return pool + dataset.removeprefix(root)
        return None

    def told(self, datasets: list[str]) -> str:
        """Datasets and snapshots as the API names them, in one line; those outside the pools as ZFS does."""
        return ", ".join(self.name(each) or each for each in datasets)


def is_hidden(dataset: str, snapshot: str = "") -> bool:
    """Whether a dataset or a snapshot of it is Vmstead's own."""
    return dataset.endswith((NEW, OLD)) or snapshot.startswith(_HIDDEN)


def copy_prefix(target: str) -> str:
    """How the names of all snapshots begin that are made for copies of that name."""
    return f"{_HIDDEN}{hashlib.sha256(target.encode()).hexdigest()[:16]}-"


def copy_snapshot(target: str) -> str:
    """A new name for a snapshot that is made for a copy, which tells the copy's name to whoever knows it."""
    return copy_prefix(target) + secrets.token_hex(4)


def forgotten_snapshot() -> str:
    """A new name for a snapshot that is forgotten, and stays because something was cloned from it."""
    return f"{_HIDDEN}forgotten-{secrets.token_hex(8)}"
