"""The devices of a VM given as a whole, with ``vm.update``: what goes, what changes and what is new."""

import errno
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import Any

from vmstead.ctx import Ctx
from vmstead.devices import Device, Placed
from vmstead.errors import Problem, ValidationErrors, raise_if
from vmstead.kernel.model import Field, Model
from vmstead.store.db import Connection
from vmstead.vm.device_changes import below, changed, filled_in, parsed, problems_with
from vmstead.vm.entries import all_devices
from vmstead.vm.model import Vm

_FIELD = "vm_update.devices"
#: The largest order; SQLite and every JSON client hold it.
LARGEST_ORDER = 2**31 - 1


class InlineDevice(Model):
    """A device of the VM: with an id one that it has, without a new one."""

    id: int | None = Field(None, description="Which device it is; null for a new one.")
    attributes: dict[str, Any] = Field(
        default={}, description="As for vm.device.create; of a device with an id, what is left out stays."
    )
    vm: int | None = Field(None, description="Id of the virtual machine, if given.")
    order: int | None = Field(
        None, ge=0, le=LARGEST_ORDER, description="Place among the devices; null or 0: that of the type."
    )


@dataclass
class Reconciliation:
    """What it takes to get from the stored devices to those that were asked for.

    Attributes:
        removed: devices that are not in the list. What lies behind them stays.
        updated: stored devices as they are to be. Those that stay as they are are in no list.
        created: new devices; they have no ids yet.
    """

    removed: list[Placed] = field(default_factory=list)
    updated: list[Placed] = field(default_factory=list)
    created: list[Placed] = field(default_factory=list)

    def applied_to(self, stored: Sequence[Placed]) -> list[Placed]:
        """The devices that there are afterwards."""
        gone = {each.id for each in (*self.removed, *self.updated)}
        return [*(each for each in stored if each.id not in gone), *self.updated, *self.created]

    def writes(self, ctx: Ctx) -> list[Callable[[Connection], object]]:
        """The changes for one transaction. The ids of what is created come last, in order."""
        return [
            *(ctx.vms.delete_device(each.id) for each in self.removed),
            *(
                ctx.vms.update_device(each.id, each.vm, each.order, each.device.entry())
                for each in self.updated
            ),
            *(ctx.vms.insert_device(each.vm, each.order, each.device.entry()) for each in self.created),
        ]


@dataclass
class _Wanted:
    """One element of the list: where it stands in it, and the device before and after."""

    index: int
    old: Placed | None
    new: Placed

    @property
    def is_changed(self) -> bool:
        return self.old is None or self.old != self.new

    @property
    def field(self) -> str:
        return f"{_FIELD}.{self.index}"


async def reconcile(
    ctx: Ctx, steps: AsyncExitStack, vm: Vm, devices: Sequence[InlineDevice]
) -> Reconciliation:
    """Check the final set as a whole, and make the storage of what is new or grown.

    So two devices can swap paths or ports, which one at a time could not. Pushes onto ``steps`` what takes
    back the storage. The caller holds the locks of the VM and of all devices, and writes the result.

    Raises:
        ValidationErrors: fields are ``vm_update.devices.<index>.…``.
    """
    rows = all_devices(ctx)
    stored = {each.id: each for each in rows if each.vm == vm.id}
    elsewhere = [each for each in rows if each.vm != vm.id]
    wanted = _read(vm, devices, stored)
    kept = {each.old.id for each in wanted if each.old is not None}
    removed = [each for each in stored.values() if each.id not in kept]
    if removed and ctx.states.get(vm.uuid).active:
        numbers = ", ".join(str(each.id) for each in removed)
        text = (
            f"device {numbers} cannot be removed while {vm} is active; stop it first, or keep it in the list"
        )
        raise ValidationErrors([Problem(_FIELD, text, errno.EBUSY)])

    def others_of(one: _Wanted) -> list[Placed]:
        return [*elsewhere, *(each.new for each in wanted if each is not one)]

    def before(one: _Wanted) -> Device | None:
        return one.old.device if one.old is not None else None

    moving = [each for each in wanted if each.is_changed]
    for one in moving:
        # What the others have now they may keep, where the client leaves it to the server.
        kept_by_others = [each.old for each in moving if each.old is not None and each is not one]
        device = await filled_in(ctx, one.new.device, [*others_of(one), *kept_by_others], before(one))
        one.new = replace(one.new, device=device)
    problems: list[Problem] = []
    for one in moving:
        found = await problems_with(ctx, vm.id, one.new.device, others_of(one), before(one))
        problems += below(one.field, found)
    raise_if(problems)
    for one in moving:
        try:
            one.new = replace(one.new, device=await one.new.device.provision(ctx, steps, before(one)))
        except ValidationErrors as error:
            raise ValidationErrors(below(one.field, error.problems)) from None
    return Reconciliation(
        removed,
        [each.new for each in moving if each.old is not None],
        [each.new for each in moving if each.old is None],
    )


def _read(vm: Vm, devices: Sequence[InlineDevice], stored: dict[int, Placed]) -> list[_Wanted]:
    """The list in the store's terms. Raises ValidationErrors with everything that is wrong with it."""
    problems: list[Problem] = []
    wanted: list[_Wanted] = []
    seen: set[int] = set()
    for index, each in enumerate(devices):
        name = f"{_FIELD}.{index}"
        if each.vm not in (None, vm.id):
            problems.append(Problem(f"{name}.vm", f"is VM {each.vm}, but this is an update of {vm}"))
        if each.id is not None and each.id not in stored:
            text = f"{vm} has no device {each.id}; leave the id out for a new device"
            problems.append(Problem(f"{name}.id", text, errno.ENOENT))
            continue
        if each.id is not None and each.id in seen:
            problems.append(Problem(f"{name}.id", f"device {each.id} is in the list twice"))
        try:
            wanted.append(_one(index, vm, each, stored.get(each.id) if each.id is not None else None))
        except ValidationErrors as error:
            problems.extend(below(name, error.problems))
        seen.update({each.id} if each.id is not None else ())
    raise_if(problems)
    return wanted


def _one(index: int, vm: Vm, given: InlineDevice, old: Placed | None) -> _Wanted:
    if old is None:
        device = parsed(given.attributes, "attributes")
        # Ids of the store are positive: nothing that is compared by id takes this one for another.
        return _Wanted(index, None, Placed(-1 - index, vm.id, given.order or None, device))
    device = changed(old.device, given.attributes, "attributes")
    # Clients send back the order that they read, which is the type's where none was set.
    has_order = "order" in given.model_fields_set and given.order != old.effective_order
    order = (given.order or None) if has_order else old.order
    return _Wanted(index, old, replace(old, order=order, device=device))
