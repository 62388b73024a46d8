"""How much memory virtual machines have and want: methods without side effects. All numbers are bytes."""

from vmstead.ctx import Ctx
from vmstead.errors import CallError
from vmstead.kernel.model import Field, Model
from vmstead.rpc.registry import Namespace
from vmstead.vm import memory
from vmstead.vm.entries import settled
from vmstead.vm.model import Vm

vm = Namespace("vm")


@vm.method(role="VM_READ")
async def get_available_memory(ctx: Ctx, overcommit: bool = False) -> int:
    """Bytes that can still be given to VMs.

    With overcommit, what running VMs have not touched counts as free, and what ZFS's cache would give up.
    """
    return await memory.available(ctx, overcommit=overcommit)


@vm.method(role="VM_READ")
async def get_memory_usage(ctx: Ctx, id: int) -> int:
    """Bytes of the host's memory that an active virtual machine holds now."""
    target = await settled(ctx, id)
    state = ctx.states.get(target.uuid)
    if not state.active:
        raise CallError(f"{target} is not running, so it holds no memory")
    if state.pid is None:
        raise CallError(f"it is not known which process {target} is, so neither how much memory it holds")
    resident = await ctx.host.resident({target.uuid: state.pid})
    return resident.get(target.uuid, 0)


class MemoryInUse(Model):
    """What virtual machines were given, in bytes, as their settings say."""

    RNP: int = Field(description="Of those that run and do not start with the host.")
    PRD: int = Field(description="Of those that do not run and start with the host.")
    RPRD: int = Field(description="Of those that run and start with the host.")


@vm.method(role="VM_READ", returns=MemoryInUse)
async def get_vmemory_in_use(ctx: Ctx) -> dict[str, int]:
    """Memory of the virtual machines that run, or would after a start of the host, as their settings say."""
    active = ctx.states.active()
    sums = {"RNP": 0, "PRD": 0, "RPRD": 0}
    for each in map(Vm.of, ctx.vms.all()):
        runs = each.uuid in active
        if runs or each.autostart:
            key = "RPRD" if runs and each.autostart else "RNP" if runs else "PRD"
            sums[key] += each.memory_bytes
    return sums


class MemoryInfo(Model):
    """What a start would need. The ARC is ZFS's cache, which Vmstead leaves as it is: its numbers are 0."""

    minimum_memory_requested: int | None = Field(description="min_memory.")
    total_memory_requested: int = Field(description="memory.")
    actual_vm_requested_memory: int = Field(description="What must be free: min_memory where it is set.")
    overcommit_required: bool = Field(description="A start takes the option overcommit.")
    memory_req_fulfilled_after_overcommit: bool = Field(description="There is enough with that option.")
    arc_to_shrink: int = Field(description="0.")
    current_arc_max: int = Field(description="0.")
    arc_min: int = Field(description="0.")
    arc_max_after_shrink: int = Field(description="0.")


@vm.method(role="VM_READ", returns=MemoryInfo)
async def get_vm_memory_info(ctx: Ctx, id: int) -> dict[str, int | bool | None]:
    """Whether there is memory to start a virtual machine, which must not be active."""
    target = await settled(ctx, id)
    if ctx.states.get(target.uuid).active:
        raise CallError(f"{target} is active; vm.get_memory_usage tells what it holds")
    needed = memory.needed(target)
    return {
        "minimum_memory_requested": needed if target.min_memory is not None else None,
        "total_memory_requested": target.memory_bytes,
        "actual_vm_requested_memory": needed,
        "overcommit_required": not await memory.fits(ctx, target, overcommit=False),
        "memory_req_fulfilled_after_overcommit": await memory.fits(ctx, target, overcommit=True),
        "arc_to_shrink": 0,
        "current_arc_max": 0,
        "arc_min": 0,
        "arc_max_after_shrink": 0,
    }
