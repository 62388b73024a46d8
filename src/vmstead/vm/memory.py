"""Whether there is memory for one more VM."""

import errno
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

from vmstead.ctx import Ctx
from vmstead.errors import CallError
from vmstead.vm.model import HUGE_PAGES, MiB, Vm

#: Part of the available memory that VMs may take; the rest stays for the host's own swings.
_SHARE = 0.9


async def available(ctx: Ctx, *, overcommit: bool) -> int:
    """Bytes that can still be given to VMs.

    Without overcommit, what running VMs have been promised and have not touched yet counts as taken, and so does
    ZFS's cache.
    """
    memory = await ctx.host.memory()
    usable = int(memory.available * _SHARE)
    if overcommit:
        usable += memory.cache
    else:
        usable -= await _outstanding(ctx) + ctx.promised_memory.total
    return max(0, usable)


async def _outstanding(ctx: Ctx) -> int:
    active = ctx.states.active()
    # Huge pages are nobody else's from the moment they are set aside.
    rows = [row for row in ctx.vms.all() if row["uuid"] in active and row["hugepages"] is None]
    sizes = {row["uuid"]: int(row["memory"]) * MiB for row in rows}
    resident = await ctx.host.resident({uuid: pid for uuid in sizes if (pid := active[uuid].pid) is not None})
    # Where nothing is known of the process, it may still come to want everything.
    return sum(max(0, size - resident.get(uuid, 0)) for uuid, size in sizes.items())


def needed(vm: Vm) -> int:
    """Bytes that a start must find free."""
    return (vm.min_memory or vm.memory) * MiB


@asynccontextmanager
async def reserved(ctx: Ctx, vm: Vm, *, overcommit: bool) -> AsyncIterator[None]:
    """Hold the VM's memory while it starts, so that two starts cannot both be promised the last of it.

    Raises:
        CallError: ENOMEM, when there is not enough and the caller does not want to overcommit. Nobody can have more
            huge pages than there are.
    """
    with ExitStack() as promise:
        async with ctx.locks.edit("memory", "Memory is being reserved for a VM"):
            if vm.hugepages is not None:
                await _require_pages(ctx, vm, vm.hugepages)
                promise.enter_context(ctx.promised_pages[vm.hugepages].promise(vm.id, needed(vm)))
            else:
                await _require(ctx, vm, overcommit=overcommit)
                promise.enter_context(ctx.promised_memory.promise(vm.id, needed(vm)))
        yield


async def fits(ctx: Ctx, vm: Vm, *, overcommit: bool) -> bool:
    """Whether a start would find what it needs."""
    if vm.hugepages is not None:
        return needed(vm) // HUGE_PAGES[vm.hugepages] <= await _free_pages(ctx, vm.hugepages)
    return needed(vm) <= await available(ctx, overcommit=overcommit)


async def _free_pages(ctx: Ctx, name: str) -> int:
    size = HUGE_PAGES[name]
    free = (await ctx.host.huge_pages()).get(size, 0)
    return max(0, free - ctx.promised_pages[name].total // size)


async def _require(ctx: Ctx, vm: Vm, *, overcommit: bool) -> None:
    wanted, free = needed(vm), await available(ctx, overcommit=overcommit)
    if wanted > free and not overcommit:
        raise CallError(
            f"{vm} needs {wanted // MiB} MiB of memory and {free // MiB} MiB are free; "
            f"stop another VM, give this one less memory, or start it with overcommit{_hint(vm)}",
            errno.ENOMEM,
        )


async def _require_pages(ctx: Ctx, vm: Vm, name: str) -> None:
    size = HUGE_PAGES[name]
    wanted, left = needed(vm) // size, await _free_pages(ctx, name)
    if wanted > left:
        raise CallError(
            f"{vm} needs {wanted} huge pages of {name} and {left} are free; have the host set more aside "
            f"(/sys/kernel/mm/hugepages/hugepages-{size // 1024}kB/nr_hugepages), stop another VM that uses them, "
            "or set hugepages to null",
            errno.ENOMEM,
        )


def _hint(vm: Vm) -> str:
    """Some clients send bytes."""
    if vm.memory < 2**24:
        return ""
    return f". Memory is counted in MiB: {vm.memory} may have been bytes, which is {vm.memory // MiB} MiB"
