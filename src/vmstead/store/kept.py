"""VMs as they were read last, for as long as nothing of them changes.

The database itself numbers the changes, so it does not matter who has made them: what was kept of a VM is given up
as soon as a commit is visible that concerns it. That costs a look at shared memory (``Database.version``) where
nothing has changed, and reading the numbers of the VMs that have where something has.
"""

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from vmstead.store.db import Database

Form = TypeVar("Form")

#: VMs that are kept at most, about ten kilobytes each.
MOST = 5_000
#: VMs that are read one by one; for more, reading all is quicker.
_FEW = 50

_CHANGED = (
    "SELECT revision, vm, EXISTS (SELECT 1 FROM vm WHERE id = vm_revision.vm) FROM vm_revision"
    " WHERE revision > ? ORDER BY revision"
)


class Stored:
    """A VM and its devices as of one moment, as rows. It belongs to all who ask: nobody changes what is in it."""

    __slots__ = ("_forms", "devices", "row")

    def __init__(self, row: dict[str, Any], devices: list[dict[str, Any]]) -> None:
        self.row = row
        self.devices = devices
        self._forms: dict[str, Any] = {}

    def once(self, form: str, make: Callable[["Stored"], Form]) -> Form:
        """What ``make`` makes of it: the first time, and again for all who ask for the same form."""
        if form not in self._forms:
            self._forms[form] = make(self)
        made: Form = self._forms[form]
        return made


class Kept:
    """The VMs of a database.

    Args:
        read: reads the VM with that id, or with None every VM, by id.
        most: VMs that are kept at most.
    """

    def __init__(self, database: Database, read: Callable[[int | None], Iterable[Stored]], most: int) -> None:
        self._database = database
        self._read = read
        self._most = most
        self._kept: dict[int, Stored] = {}
        #: Ids of all VMs in their order, where they are known.
        self._ids: dict[int, None] | None = None
        self._version = b""
        self._revision = 0

    def get(self, id: int) -> Stored | None:
        """The VM with that id as it is now."""
        self._forget_changed()
        found = self._kept.get(id)
        if found is None:
            with self._database.snapshot():
                found = next(iter(self._read(id)), None)
            if found is not None:
                self._keep(id, found)
        return found

    def all(self) -> list[Stored]:
        """Every VM as it is now, by id."""
        self._forget_changed()
        if self._ids is not None and len(self._kept) == len(self._ids):
            return [self._kept[id] for id in self._ids]
        with self._database.snapshot():
            # Something may have changed since.
            self._forget_changed(at_once=True)
            return self._read_missing()

    def _read_missing(self) -> list[Stored]:
        if self._ids is None:
            rows = self._database.read("SELECT id FROM vm ORDER BY id")
            self._ids = {int(str(id)): None for (id,) in rows}
        missing = [id for id in self._ids if id not in self._kept]
        every = [None] if len(missing) > _FEW else missing
        found = {each.row["id"]: each for id in every for each in self._read(id)}
        stored = [self._kept.get(id) or found[id] for id in self._ids]
        for id in missing:
            self._keep(id, found[id])
        return stored

    def _keep(self, id: int, stored: Stored) -> None:
        if len(self._kept) >= self._most:
            del self._kept[next(iter(self._kept))]
        self._kept[id] = stored

    def _forget_changed(self, *, at_once: bool = False) -> None:
        version = self._database.version
        if version == self._version and not at_once:
            return
        # The version first: what is committed between the two is looked at again.
        for revision, vm, exists in self._database.read(_CHANGED, (self._revision,)):
            self._revision, id = int(str(revision)), int(str(vm))
            self._kept.pop(id, None)
            if self._ids is not None and bool(exists) != (id in self._ids):
                self._ids = None
        self._version = version
