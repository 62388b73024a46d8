"""What every device type is: the attributes of the wire, and what happens to them.

A type is one frozen model in one file. ``vm/device.py`` and ``vm/lifecycle.py`` call its hooks in the order
in which they stand in ``Device``; the defaults do nothing, so a type overrides only what concerns it.
"""

import string
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self, cast

from pydantic import ConfigDict

from vmstead.ctx import Ctx
from vmstead.errors import Problem
from vmstead.kernel.model import Model
from vmstead.kernel.xml import Element, el
from vmstead.store.unfinished import Unfinished


def problem(attribute: str, message: str, errno: int = 22) -> Problem:
    """A problem with one of a device's attributes, under the name TrueNAS gives it."""
    return Problem(f"attributes.{attribute}", message, errno)


@dataclass(frozen=True)
class Placed:
    """A stored device: where it stands and what it is."""

    id: int
    vm: int
    order: int | None
    device: "Device"

    @property
    def effective_order(self) -> int:
        """The order as clients see it: the default of the type where none was set."""
        return self.order or self.device.default_order

    @property
    def label(self) -> str:
        """What a text calls it. A device that is made by the same call has no id yet."""
        return f"device {self.id}" if self.id > 0 else "another new device"


#: Controllers for slow devices that share the ports of a fast one, which by itself knows only fast devices.
_COMPANIONS = {"ich9-ehci1": (("ich9-uhci1", 0), ("ich9-uhci2", 2), ("ich9-uhci3", 4))}


@dataclass
class Slots:
    """Names and numbers that the devices of one domain take one after the other.

    Boot order counts every device that can be booted from. Disk names continue after ``z`` with ``aa``.

    Attributes:
        kept: places at the head of the boot order that are kept for devices which boot before all others.
    """

    kept: int = 0
    first_boots: int = 0
    boots: int = 0
    targets: dict[str, int] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    usb: dict[str, int] = field(default_factory=dict)

    def boot(self, *, first: bool = False) -> int:
        """The next place in the boot order, from 1; with ``first`` the next of those that are kept."""
        if first:
            self.first_boots += 1
            return self.first_boots
        self.boots += 1
        return self.kept + self.boots

    def target(self, prefix: str) -> str:
        """The next disk name: ``sda``, ``sdb``, … or ``vda``, …"""
        number = self.targets.get(prefix, 0)
        self.targets[prefix] = number + 1
        letters = ""
        while number >= 0:
            letters = string.ascii_lowercase[number % 26] + letters
            number = number // 26 - 1
        return prefix + letters

    def usb_controller(self, model: str) -> tuple[int, list[Element]]:
        """The number of the USB controller of this model, and its elements the first time it is asked for."""
        is_new = model not in self.usb
        index = self.usb.setdefault(model, len(self.usb))
        if not is_new:
            return index, []
        companions = [
            el("controller", el("master", startport=port), type="usb", model=companion, index=index)
            for companion, port in _COMPANIONS.get(model, ())
        ]
        return index, [el("controller", type="usb", model=model, index=index), *companions]

    def once(self, what: str) -> bool:
        """True the first time it is asked for ``what``: for parts a domain has only one of."""
        is_first = what not in self.taken
        self.taken.add(what)
        return is_first


def _names_its_type(schema: dict[str, Any]) -> None:
    """Make ``dtype`` a member that must be sent: what tells the types apart has no default on the wire."""
    dtype = schema.get("properties", {}).get("dtype")
    if dtype is not None:
        dtype.pop("default", None)
        schema["required"] = ["dtype", *schema.get("required", ())]


class Device(Model):
    """Base of the device types."""

    model_config = ConfigDict(json_schema_extra=_names_its_type)

    #: Place in the device order where the client gives none.
    default_order: ClassVar[int] = 1002
    #: Attributes that tell what to do at creation and are not stored.
    write_only: ClassVar[frozenset[str]] = frozenset()
    #: Whether ``xml`` needs something from ``resolve``.
    must_resolve: ClassVar[bool] = False

    # --- creating and updating, in this order -----------------------------------------------------

    async def complete(self, ctx: Ctx, others: Sequence[Placed], old: Self | None) -> Self:
        """Fill in what the client left to the server (a MAC address, a port). Reads only.

        ``others`` are the other devices of all VMs, ``old`` is the stored device when it is being updated.
        """
        return self

    def check(self, siblings: Sequence[Placed], old: Self | None) -> Iterator[Problem]:
        """Rules that follow from values alone. ``siblings`` are the other devices of the same VM."""
        return iter(())

    async def examine(self, ctx: Ctx, others: Sequence[Placed], old: Self | None) -> list[Problem]:
        """Rules that need a look at the host or at other VMs. Reads only.

        What the client did not change is not examined again: an edit must not fail because something else
        has meanwhile gone.
        """
        return []

    async def provision(self, ctx: Ctx, steps: AsyncExitStack, old: Self | None) -> Self:
        """Make what the device needs (a volume, a file) and return it as it is to be stored.

        Pushes onto ``steps`` what takes each effect back if a later step fails.
        """
        return self

    # --- cloning ----------------------------------------------------------------------------------

    async def copy_for(self, name: str, ctx: Ctx, steps: AsyncExitStack) -> Self | None:
        """The device for a clone of its VM with that name, with a copy of the storage behind it.

        What no two VMs can share is left out, for ``complete`` to fill in. Undo steps as for ``provision``.
        None for a device that stays with the original.
        """
        return self

    # --- starting ---------------------------------------------------------------------------------

    async def preflight(self, ctx: Ctx) -> Iterator[str]:
        """What keeps the VM from starting with this device now, as sentences. Reads only."""
        return iter(())

    async def resolve(self, ctx: Ctx) -> object:
        """Look up what ``xml`` needs of the host: the file behind a path, the bridge behind a name."""
        return None

    def xml(self, resolved: object, slots: Slots) -> Iterator[Element]:
        """The elements of the domain document, from what ``resolve`` returned. Pure."""
        raise NotImplementedError

    # --- deleting ---------------------------------------------------------------------------------

    def storage(self, *, zvol: bool, raw_file: bool) -> Unfinished | None:
        """The storage behind the device that goes with it, if it is of the kind that the caller named."""
        return None

    # --- facts ------------------------------------------------------------------------------------

    @property
    def boots_first(self) -> bool:
        """Whether the VM boots from it before any other device, wherever it stands."""
        return False

    @property
    def holds_guest(self) -> bool:
        """Whether the guest begins only when somebody looks at its display."""
        return False

    @property
    def caution(self) -> str | None:
        """What the host's operator should know of the device while its VM runs."""
        return None

    @property
    def identity(self) -> str:
        """What the device is to a person: a path, an interface, an address."""
        return ""

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> Self:
        """From stored attributes. They were checked when they were stored and are not checked again."""
        fields = cls.model_fields  # once: looking it up costs more than the rest
        known = {key: value for key, value in attributes.items() if key in fields}
        return cast("Self", cls.model_construct(**known))

    def entry(self) -> dict[str, object]:
        """The attributes as clients read them, and as they are stored."""
        return self.model_dump()
