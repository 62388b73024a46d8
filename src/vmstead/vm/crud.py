"""``vm.query``, ``get_instance``, ``create``, ``update``, ``delete``."""

import errno
import uuid as uuids
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

import structlog

from vmstead.ctx import Ctx
from vmstead.devices._claims import discard_noted
from vmstead.errors import CallError, Problem, ValidationErrors, raise_if
from vmstead.kernel.model import Field, Model, sent
from vmstead.kernel.undo import undo
from vmstead.query import Query
from vmstead.rpc.queries import QueryOptions, query_for_one
from vmstead.rpc.registry import Namespace
from vmstead.store.db import IntegrityError
from vmstead.store.unfinished import Kind, Unfinished, noting
from vmstead.vm import events, hardware, rules
from vmstead.vm.engine_calls import engine_errors
from vmstead.vm.entries import Entry, devices_of, read_vm, settled, shown, vm_entries
from vmstead.vm.firmware import choose
from vmstead.vm.holding import let_go
from vmstead.vm.lifecycle import power_off
from vmstead.vm.model import Vm, VmCreate, VmFields
from vmstead.vm.reconcile import InlineDevice, Reconciliation, reconcile
from vmstead.vm.recovery import remove_remains
from vmstead.vm.shapes import VmShape
from vmstead.vm.startable import refusals_of_change

vm = Namespace("vm")

log = structlog.get_logger()


@vm.query(role="VM_READ", returns=VmShape)
async def query(ctx: Ctx, query: Query) -> object:
    """Virtual machines with their devices and state. Costs the engine nothing."""
    return query.apply(await vm_entries(ctx, query.where, secrets=ctx.caller.may("VM_WRITE")))


@vm.method(role="VM_READ", returns=VmShape)
async def get_instance(ctx: Ctx, id: int, options: QueryOptions = {}) -> Entry:  # noqa: B006
    """One virtual machine. Options are those of ``vm.query``. Fails with ENOENT when there is none."""
    chosen = query_for_one(options)
    entry: Entry = chosen.apply([shown(ctx, await read_vm(ctx, id), "VM_WRITE")])  # type: ignore[assignment]
    return entry


@vm.method(role="VM_WRITE", returns=VmShape, audit="Create VM {vm_create[name]}")
async def create(ctx: Ctx, vm_create: VmCreate) -> Entry:
    """Make a virtual machine, without devices and stopped.

    The engine only says whether it could start it; a domain is defined when the VM starts.
    """
    values = vm_create.model_dump()
    values["uuid"] = values["uuid"] or str(uuids.uuid4())
    values["bootloader_ovmf"] = values["bootloader_ovmf"] or rules.DEFAULT_OVMF
    raise_if(await field_problems(ctx, "vm_create", values))
    given = [name for name in values if name in vm_create.model_fields_set and name not in _HARMLESS]
    raise_if(await refusals_of_change(ctx, "vm_create", Vm(id=0, **values), given, []))
    try:
        id = await ctx.vms.write(ctx.vms.insert(values))
    except IntegrityError as error:
        raise name_or_uuid_taken("vm_create", error) from None
    assert isinstance(id, int)
    events.vm_changed(ctx, "added", id)
    return await read_vm(ctx, id)


#: Fields that no engine refuses, and nearly every client sends.
_HARMLESS = {"name", "description", "memory", "vcpus", "cores", "threads", "uuid"}


class VmUpdate(VmFields):  # type: ignore[valid-type, misc]
    """What to change of a virtual machine."""

    devices: list[InlineDevice] | None = Field(None, description="All its devices; left out, they stay.")


@vm.method(role="VM_WRITE", returns=VmShape, audit="Update VM {id}")
async def update(ctx: Ctx, id: int, vm_update: VmUpdate) -> Entry:
    """Change a virtual machine; what is left out stays. A running one follows at its next start.

    Name, uuid and firmware are bound to the running domain and can be changed only while it is stopped.
    ``devices``, if given, are all the devices that it shall have: one that is missing is removed (what lies
    behind it stays), one with an id is changed, one without is made. Either everything happens or nothing.
    """
    given = sent(vm_update)
    devices = getattr(vm_update, "devices", None)
    given.pop("devices", None)
    async with AsyncExitStack() as held:
        await held.enter_async_context(ctx.locks.edit(("vm", id), f"VM {id} is being updated"))
        if devices is not None:
            await held.enter_async_context(ctx.locks.edit("devices", "Another device is being made"))
        steps = await held.enter_async_context(undo())
        old = await settled(ctx, id)
        changes = _changes(old, given)
        merged = {**vars(old), **changes}
        raise_if([*await field_problems(ctx, "vm_update", merged, old), *_frozen(ctx, old, changes)])
        found = Reconciliation() if devices is None else await reconcile(ctx, steps, old, devices)
        names = [*changes, *(["devices"] if devices is not None else [])]
        before = (old, devices_of(ctx, id))
        final = found.applied_to(before[1])
        raise_if(await refusals_of_change(ctx, "vm_update", Vm(**merged), names, final, before))
        try:
            results = await ctx.vms.write_all([ctx.vms.update(id, changes), *found.writes(ctx)])
        except IntegrityError as error:
            raise name_or_uuid_taken("vm_update", error) from None
    for device in found.removed:
        events.device_removed(ctx, device.id)
    for device in found.updated:
        events.device_changed(ctx, "changed", device.id)
    for number in results[len(results) - len(found.created) :]:
        assert isinstance(number, int)
        events.device_changed(ctx, "added", number)
    events.vm_changed(ctx, "changed", id)
    return shown(ctx, await read_vm(ctx, id), "VM_WRITE")


def _changes(old: Vm, given: dict[str, Any]) -> dict[str, Any]:
    """What differs from what is stored. Null for the two that have no null means "as it is"."""
    for name in ("uuid", "bootloader_ovmf"):
        if name in given and given[name] is None:
            del given[name]
    return {name: value for name, value in given.items() if getattr(old, name) != value}


#: The role for ``command_line_args``, which no other role includes.
_ARGUMENTS_ROLE = "VM_COMMAND_LINE_ARGS"
#: Fields that name or make the domain, which cannot change under a running guest.
_FROZEN = ("name", "uuid", "bootloader_ovmf", "enable_secure_boot")


def _frozen(ctx: Ctx, vm: Vm, changes: Mapping[str, Any]) -> list[Problem]:
    if not ctx.states.get(vm.uuid).active:
        return []
    text = f"cannot be changed while {vm} is running; stop it first"
    return [Problem(f"vm_update.{name}", text, errno.EBUSY) for name in _FROZEN if name in changes]


async def field_problems(
    ctx: Ctx, schema: str, values: Mapping[str, Any], old: Vm | None = None
) -> list[Problem]:
    """What is wrong with the fields of a VM as it is to be, by its rules and by what this host has."""
    owner = ctx.vms.id_of_name(values["name"])
    taken = owner is not None and (old is None or owner != old.id)
    found = list(rules.problems(schema, values, name_taken=taken))
    is_changed = old is None or values["command_line_args"] != old.command_line_args
    if values["command_line_args"] and is_changed and not ctx.caller.may(_ARGUMENTS_ROLE):
        text = f"takes the role {_ARGUMENTS_ROLE}: whoever gives QEMU arguments can do anything on the host"
        found.append(Problem(f"{schema}.command_line_args", text, errno.EACCES))
    if old is None or any(values[name] != getattr(old, name) for name in hardware.FIELDS):
        unknown = await hardware.unknown_hardware(ctx, values)
        if unknown is not None:
            found.append(Problem(f"{schema}.{unknown[0]}", unknown[1]))
    images = await ctx.host.firmware()
    wanted = values["bootloader_ovmf"]
    # Where the host has no images at all (a server for client authors) any name does.
    is_new = old is None or wanted != old.bootloader_ovmf
    if images and is_new and choose(wanted, images, secure_boot=False) is None:
        known = ", ".join(sorted(name for name in images if name.startswith("OVMF_CODE")))
        text = f"{wanted} is not among this host's images, nor anything like it; there is {known}"
        found.append(Problem(f"{schema}.bootloader_ovmf", text))
    return found


def name_or_uuid_taken(schema: str, error: IntegrityError) -> ValidationErrors:
    """Two calls raced for a name or uuid, and the database decided; or a uuid was given that exists."""
    field = "uuid" if "vm.uuid" in str(error) else "name"
    return ValidationErrors(
        [Problem(f"{schema}.{field}", f"a VM with this {field} exists already", errno.EEXIST)]
    )


class DeleteOptions(Model):
    """What goes with the VM."""

    zvols: bool = Field(False, description="Also destroy the volumes of its disks.")
    force: bool = Field(False, description="Power it off first if it is active, and go on past failures.")


@vm.method(role="VM_WRITE", audit="Delete VM {id}")
async def delete(ctx: Ctx, id: int, options: DeleteOptions = DeleteOptions()) -> bool:
    """Remove a virtual machine with its devices, UEFI variables, TPM state and log. Files of RAW disks stay.

    An active VM is refused with EBUSY unless ``force`` is set.
    """
    async with (
        ctx.locks.transition(("vm", id), f"VM {id} is being deleted"),
        # Until its volumes are gone, nobody else takes them.
        ctx.locks.edit("devices", "Disks of a deleted VM are being removed"),
    ):
        target = await settled(ctx, id)
        if ctx.states.get(target.uuid).active:
            if not options.force:
                raise CallError(f"{target} is active; stop it first, or delete it with force", errno.EBUSY)
            await power_off(ctx, target)
        # The domain goes first: a disk is destroyed only when no guest can write to it any more. What belongs to
        # the VM goes after it, so that a server that is killed leaves all of it or nothing.
        with engine_errors(f"{target} could not be deleted", ignore_unreachable=options.force):
            await ctx.engine.undefine(target.uuid, keep_state=True)
        devices = devices_of(ctx, id)
        disks = [each.device.storage(zvol=options.zvols, raw_file=False) for each in devices]
        volumes = [each for each in disks if each is not None]
        remains = [Unfinished(Kind.FIRMWARE, target.uuid), Unfinished(Kind.LOG, target.domain_name)]
        await ctx.vms.write(ctx.vms.delete(id), noting([*volumes, *remains]))
        for device in devices:
            events.device_removed(ctx, device.id)
        events.vm_removed(ctx, id)
        await let_go(ctx, target.uuid)
        await remove_remains(ctx, remains)
        failures = await discard_noted(ctx, volumes)
    if failures:
        texts = "; ".join(map(str, failures))
        log.warning("volumes of a deleted VM are left", vm=str(target), failures=texts)
        if not options.force:
            raise CallError(f"{target} is deleted, but not all of its volumes: {texts}")
    return True
