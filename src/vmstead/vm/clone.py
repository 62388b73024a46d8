"""``vm.clone``."""

import errno
import itertools
import os
import shutil
import uuid as uuids
from asyncio import to_thread
from contextlib import AsyncExitStack
from pathlib import Path

from vmstead.ctx import Ctx
from vmstead.devices import Placed
from vmstead.errors import CallError, raise_if
from vmstead.kernel.model import NonEmpty
from vmstead.kernel.undo import undo
from vmstead.ports.volumes import VolumeError
from vmstead.rpc.registry import Namespace
from vmstead.store.db import IntegrityError
from vmstead.store.unfinished import Kind, Unfinished
from vmstead.vm import events
from vmstead.vm.crud import field_problems, name_or_uuid_taken
from vmstead.vm.device_changes import filled_in
from vmstead.vm.engine_calls import engine_errors
from vmstead.vm.entries import all_devices, devices_of, in_boot_order, settled
from vmstead.vm.launch import variables_path
from vmstead.vm.model import Vm
from vmstead.vm.rules import LONGEST_NAME

vm = Namespace("vm")


@vm.method(role="VM_WRITE", audit="Clone VM {id}")
async def clone(ctx: Ctx, id: int, name: NonEmpty | None = None) -> bool:
    """Copy a virtual machine with its disks, UEFI variables and TPM state; returns when it is all there.

    The copy has a uuid, addresses, ports and serial numbers of its own, and is called ``<name>_clone<N>`` if
    no name is given. ISO images and passed-through devices are shared. In any state: disks of a guest that
    runs are copied as a power cut would leave them. If anything fails, nothing of the copy stays.
    """
    async with ctx.locks.edit(("vm", id), f"VM {id} is being cloned"), undo() as steps:
        source = await settled(ctx, id)
        values = {**vars(source), "name": name or _free_name(ctx, source.name), "uuid": str(uuids.uuid4())}
        del values["id"]
        raise_if(await field_problems(ctx, "vm_create", values))
        devices = await _copies(ctx, steps, source, str(values["name"]))
        await _copy_firmware(ctx, steps, source, str(values["uuid"]))
        async with ctx.locks.edit("devices", "Another device is being made"):
            devices = await _completed(ctx, devices)
            entries = [(each.order, each.device.entry()) for each in devices]
            try:
                ids = await ctx.vms.write(ctx.vms.insert_with_devices(values, entries))
            except IntegrityError as error:
                raise name_or_uuid_taken("vm_create", error) from None
    assert isinstance(ids, list)
    for device in ids[1:]:
        events.device_changed(ctx, "added", device)
    events.vm_changed(ctx, "added", ids[0])
    return True


def _free_name(ctx: Ctx, name: str) -> str:
    for number in itertools.count():
        ending = f"_clone{number}"
        candidate = name[: LONGEST_NAME - len(ending)] + ending
        if ctx.vms.id_of_name(candidate) is None:
            return candidate
    raise AssertionError("numbers do not end")


async def _copies(ctx: Ctx, steps: AsyncExitStack, source: Vm, name: str) -> list[Placed]:
    """The devices with copies of what lies behind them, in the order of the originals; not stored yet."""
    copies = []
    for index, each in enumerate(in_boot_order(devices_of(ctx, source.id))):
        try:
            device = await each.device.copy_for(name, ctx, steps)
        except VolumeError as error:
            number = errno.ENOENT if error.kind.name == "NOT_FOUND" else errno.EFAULT
            text = f"device {each.id} of {source} could not be copied: {error}"
            raise CallError(text, number) from None
        if device is None:
            continue
        # Ids of the store are positive: no device takes this one for itself.
        copies.append(Placed(-1 - index, -1, each.order, device))
    return copies


async def _completed(ctx: Ctx, devices: list[Placed]) -> list[Placed]:
    """The devices with addresses and ports that nobody else has."""
    others = all_devices(ctx)
    done: list[Placed] = []
    for each in devices:
        device = await filled_in(ctx, each.device, [*others, *done], None)
        done.append(Placed(each.id, each.vm, each.order, device))
    return done


async def _copy_firmware(ctx: Ctx, steps: AsyncExitStack, source: Vm, uuid: str) -> None:
    """Copy what the firmware remembers: boot entries, enrolled keys, what is sealed in the TPM."""
    variables = variables_path(ctx, uuid)
    note = Unfinished(Kind.FIRMWARE, uuid)
    await ctx.unfinished.note(note)
    steps.push_async_callback(ctx.unfinished.forget, note)
    steps.callback(variables.unlink, missing_ok=True)
    await to_thread(_copy_variables, variables_path(ctx, source.uuid), variables)
    if source.trusted_platform_module:
        with engine_errors(f"the TPM state of {source} could not be copied"):
            steps.push_async_callback(ctx.engine.undefine, uuid)
            await ctx.engine.copy_tpm(source.uuid, uuid)


def _copy_variables(source: Path, target: Path) -> None:
    """Copy a variable store with its owner; a VM that never started has none yet."""
    try:
        found = source.stat()
    except FileNotFoundError:
        return
    shutil.copy2(source, target)
    os.chown(target, found.st_uid, found.st_gid)
