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


async def refusals(ctx: Ctx, attribute: str, vm: Vm, devices: Sequence[Placed]) -> list[Problem]:
    """What the engine would refuse at the next start, as a problem with that field.

    Nothing where the engine is not connected. What lies behind a device may come later (a volume, a stick): a
    device that is not there now is left out here, and looked for again by the start.
    """
    if ctx.engine.info is None:
        return []
    try:
        launch = await launch_for(ctx, vm)
    except CallError:
        return []
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
            text = f"the virtual machine could not be started like this: {error}"
            return [Problem(attribute, text, errno.EINVAL)]
    return []


async def refusals_of_change(
    ctx: Ctx, schema: str, vm: Vm, changed: Sequence[str], devices: Sequence[Placed]
) -> list[Problem]:
    """As ``refusals``, after these fields of the VM have changed: a field that changed alone is named."""
    fields = [name for name in changed if name not in _OUTSIDE]
    if not fields:
        return []
    return await refusals(ctx, f"{schema}.{fields[0]}" if len(fields) == 1 else schema, vm, devices)
