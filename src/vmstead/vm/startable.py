"""Whether a virtual machine could be started as it is to be stored, as far as the engine can tell beforehand."""

import errno
from collections.abc import Sequence

from vmstead.ctx import Ctx
from vmstead.devices import Placed
from vmstead.errors import CallError, Problem
from vmstead.ports.engine import Domain, EngineError, EngineErrorKind
from vmstead.ports.volumes import VolumeError
from vmstead.vm.entries import in_boot_order
from vmstead.vm.launch import launch_for
from vmstead.vm.model import Vm
from vmstead.vm.xml import domain_xml

#: What has no part in the domain document.
_OUTSIDE = {"autostart", "shutdown_timeout", "suspend_on_snapshot"}


async def refusals(
    ctx: Ctx,
    attribute: str,
    vm: Vm,
    devices: Sequence[Placed],
    before: tuple[Vm, Sequence[Placed]] | None = None,
) -> list[Problem]:
    """What the engine would refuse at the next start, as a problem with that field.

    Nothing where the engine is not connected, nor where it refuses already what there is ``before`` the change:
    QEMU may have become another one, and an edit is not to blame for that. What lies behind a device may come later
    (a volume, a stick): a device that is not there now is left out here, and looked for again by the start.
    """
    reason = await _refusal(ctx, vm, devices)
    if reason is None or (before is not None and await _refusal(ctx, *before) is not None):
        return []
    return [Problem(attribute, f"the virtual machine could not be started like this: {reason}", errno.EINVAL)]


async def _refusal(ctx: Ctx, vm: Vm, devices: Sequence[Placed]) -> str | None:
    if ctx.engine.info is None:
        return None
    try:
        launch = await launch_for(ctx, vm)
    except CallError:
        return None
    resolved = []
    for each in in_boot_order(devices):
        try:
            found = await each.device.resolve(ctx)
        except VolumeError:
            continue
        if found is not None or not each.device.must_resolve:
            resolved.append((each.device, found))
    document = domain_xml(vm, resolved, launch)
    try:
        await ctx.engine.check(Domain(vm.uuid, vm.domain_name, document))
    except EngineError as error:
        if error.kind is EngineErrorKind.REFUSED:
            return str(error)
    return None


async def refusals_of_change(
    ctx: Ctx,
    schema: str,
    vm: Vm,
    changed: Sequence[str],
    devices: Sequence[Placed],
    before: tuple[Vm, Sequence[Placed]] | None = None,
) -> list[Problem]:
    """As ``refusals``, after these fields of the VM have changed: a field that changed alone is named."""
    fields = [name for name in changed if name not in _OUTSIDE]
    if not fields:
        return []
    field = f"{schema}.{fields[0]}" if len(fields) == 1 else schema
    return await refusals(ctx, field, vm, devices, before)
