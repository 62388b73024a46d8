"""``vm.device.*``: the same for every type; what differs is in ``devices/``."""

import errno
from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

from vmstead.ctx import Ctx
from vmstead.devices import Attributes, Placed
from vmstead.devices._claims import discard
from vmstead.errors import CallError, Problem, ValidationErrors, raise_if
from vmstead.kernel.bus import Change
from vmstead.kernel.model import Field, Model
from vmstead.kernel.undo import undo
from vmstead.ports.volumes import VolumeError
from vmstead.query import Query
from vmstead.rpc.queries import QueryOptions, query_for_one
from vmstead.rpc.registry import Namespace
from vmstead.store.unfinished import Unfinished, noting
from vmstead.vm import events
from vmstead.vm.device_changes import changed, prepared
from vmstead.vm.entries import (
    Entry,
    all_devices,
    device_entry,
    devices_of,
    find,
    in_boot_order,
    placed,
    read_device,
    settled,
    shown,
)
from vmstead.vm.reconcile import LARGEST_ORDER
from vmstead.vm.shapes import DeviceShape
from vmstead.vm.startable import refusals

vm_device = Namespace("vm.device")


@vm_device.query(role="VM_DEVICE_READ", returns=DeviceShape)
async def query(ctx: Ctx, query: Query) -> object:
    """Devices of all virtual machines, by id."""
    entries = (device_entry(row) for row in ctx.vms.all_devices())
    return query.apply([shown(ctx, entry, "VM_DEVICE_WRITE") for entry in entries])


@vm_device.method(role="VM_DEVICE_READ", returns=DeviceShape)
async def get_instance(ctx: Ctx, id: int, options: QueryOptions = {}) -> Entry:  # noqa: B006
    """One device. Options are those of ``vm.device.query``. Fails with ENOENT when there is none."""
    chosen = query_for_one(options)
    entry: Entry = chosen.apply([shown(ctx, read_device(ctx, id), "VM_DEVICE_WRITE")])  # type: ignore[assignment]
    return entry


class DeviceCreate(Model):
    """A device for a virtual machine."""

    attributes: Attributes = Field(description="What it is; dtype tells the type.")
    vm: int = Field(description="Id of the virtual machine.")
    order: int | None = Field(
        None,
        ge=0,
        le=LARGEST_ORDER,
        description="Place among the VM's devices; null or 0: that of the type.",
    )


@vm_device.method(
    role="VM_DEVICE_WRITE",
    returns=DeviceShape,
    audit="Add a {vm_device_create[attributes][dtype]} device to VM {vm_device_create[vm]}",
)
async def create(ctx: Ctx, vm_device_create: DeviceCreate) -> Entry:
    """Give a virtual machine a device; a running one gets it at its next start.

    Storage that has to be made for it is made now, and taken back if anything fails.
    """
    vm, device, order = vm_device_create.vm, vm_device_create.attributes, vm_device_create.order
    async with (
        ctx.locks.edit(("vm", vm), f"VM {vm} is being updated"),
        # Ports and addresses are unique over all VMs: what one call has chosen, the next must see.
        ctx.locks.edit("devices", "Another device is being made"),
        undo() as steps,
    ):
        target = find(ctx, vm)
        siblings = devices_of(ctx, vm)
        ready = await prepared(ctx, steps, vm, device, all_devices(ctx), old=None)
        final = [*siblings, Placed(0, vm, order, ready)]
        raise_if(await refusals(ctx, "attributes", target, final, (target, siblings)))
        orders = _make_room(siblings, order)
        id = await ctx.vms.write(ctx.vms.insert_device(vm, order or None, ready.entry(), orders))
    assert isinstance(id, int)
    _tell(ctx, "added", id, vm)
    return shown(ctx, read_device(ctx, id), "VM_DEVICE_WRITE")


def _make_room(siblings: Sequence[Placed], order: int | None) -> dict[int, int]:
    """New orders for siblings that stand where a device with an explicit order goes.

    Each moves to the lowest place above that is free; the others keep theirs (TrueNAS does the same).
    """
    siblings = in_boot_order(siblings)
    if not order or order not in {sibling.effective_order for sibling in siblings}:
        return {}
    taken = {sibling.effective_order for sibling in siblings}
    orders = {}
    for sibling in siblings:
        if sibling.effective_order == order:
            free = order + 1
            while free in taken:
                free += 1
            orders[sibling.id] = free
            taken.add(free)
    return orders


class DeviceUpdate(Model):
    """What to change of a device."""

    attributes: dict[str, Any] = Field(
        default={}, description="Attributes to change; those left out stay. The type cannot change."
    )
    vm: int = Field(default=0, description="Id of the virtual machine to move the device to.")
    order: int | None = Field(
        None,
        ge=0,
        le=LARGEST_ORDER,
        description="Place among the VM's devices; null or 0: that of the type.",
    )


@vm_device.method(role="VM_DEVICE_WRITE", returns=DeviceShape, audit="Update VM device {id}")
async def update(ctx: Ctx, id: int, vm_device_update: DeviceUpdate) -> Entry:
    """Change a device; what is left out stays. A running virtual machine follows at its next start."""
    given = vm_device_update.model_fields_set
    row = read_device(ctx, id)
    vm = vm_device_update.vm if "vm" in given else row["vm"]
    async with AsyncExitStack() as held:
        # Always in the order of the ids, so that two moves in opposite directions cannot wait for each other.
        for each in sorted({row["vm"], vm}):
            await held.enter_async_context(ctx.locks.edit(("vm", each), f"VM {each} is being updated"))
        await held.enter_async_context(ctx.locks.edit("devices", "Another device is being made"))
        steps = await held.enter_async_context(undo())
        stored = next((each for each in all_devices(ctx) if each.id == id), None)
        if stored is None or stored.vm != row["vm"]:
            read_device(ctx, id)
            raise CallError(
                f"device {id} was changed by somebody else at this moment; try again", errno.EBUSY
            )
        await _check_move(ctx, stored, vm)
        device = changed(stored.device, vm_device_update.attributes, "vm_device_update.attributes")
        others = [each for each in all_devices(ctx) if each.id != id]
        ready = await prepared(ctx, steps, vm, device, others, old=stored.device)
        order = vm_device_update.order or None if "order" in given else stored.order
        siblings = [other for other in others if other.vm == vm]
        final = [*siblings, Placed(id, vm, order, ready)]
        target = find(ctx, vm)
        before = (target, [*siblings, stored] if stored.vm == vm else siblings)
        raise_if(await refusals(ctx, "attributes", target, final, before))
        orders = _make_room(siblings, order) if order != stored.order or vm != stored.vm else {}
        await ctx.vms.write(ctx.vms.update_device(id, vm, order, ready.entry(), orders))
    if vm != row["vm"]:
        events.vm_changed(ctx, "changed", row["vm"])
    _tell(ctx, "changed", id, vm)
    return shown(ctx, read_device(ctx, id), "VM_DEVICE_WRITE")


async def _check_move(ctx: Ctx, stored: Placed, vm: int) -> None:
    """A device goes to another VM only when neither of the two is active."""
    target = await settled(ctx, vm)
    if vm == stored.vm:
        return
    for each in (find(ctx, stored.vm), target):
        if ctx.states.get(each.uuid).active:
            text = f"device {stored.id} cannot be moved while {each} is active; stop it first"
            raise ValidationErrors([Problem("vm_device_update.vm", text, errno.EBUSY)])


class DeviceDeleteOptions(Model):
    """What goes with the device."""

    zvol: bool = Field(False, description="Also destroy the volume of a DISK.")
    raw_file: bool = Field(False, description="Also remove the file of a RAW disk.")
    force: bool = Field(False, description="Go on when the storage cannot be removed.")


@vm_device.method(role="VM_DEVICE_WRITE", audit="Delete VM device {id}")
async def delete(ctx: Ctx, id: int, options: DeviceDeleteOptions = DeviceDeleteOptions()) -> bool:
    """Take a device from a virtual machine, which must not be active.

    ``zvol`` and ``raw_file`` concern devices of the kind they name; for others they mean nothing.
    """
    vm = read_device(ctx, id)["vm"]
    async with (
        ctx.locks.edit(("vm", vm), f"VM {vm} is being updated"),
        # Until the storage is gone or the device is back, nobody else takes it.
        ctx.locks.edit("devices", "A device is being removed"),
    ):
        (stored,) = placed([ctx.vms.device(id) or read_device(ctx, id)])
        target = await settled(ctx, stored.vm)
        if ctx.states.get(target.uuid).active:
            raise CallError(f"device {id} cannot be deleted while {target} is active; stop it first")
        storage = stored.device.storage(zvol=options.zvol, raw_file=options.raw_file)
        if storage is None:
            await ctx.vms.write(ctx.vms.delete_device(id))
        else:
            await _remove_with(ctx, stored, storage, force=options.force)
    events.device_removed(ctx, id)
    events.vm_changed(ctx, "changed", vm)
    return True


async def _remove_with(ctx: Ctx, stored: Placed, storage: Unfinished, *, force: bool) -> None:
    """Remove a device with the storage behind it. When the storage cannot be removed, the device is back."""
    await ctx.vms.write(ctx.vms.delete_device(stored.id), noting([storage]))
    try:
        await discard(ctx, storage)
    except VolumeError as error:
        if not force:
            entry = stored.device.entry()
            await ctx.vms.write(ctx.vms.restore_device(stored.id, stored.vm, stored.order, entry))
            raise CallError(f"{stored.device.identity} could not be removed: {error}") from None
    await ctx.unfinished.forget(storage)


def _tell(ctx: Ctx, change: Change, id: int, vm: int) -> None:
    events.device_changed(ctx, change, id)
    events.vm_changed(ctx, "changed", vm)
