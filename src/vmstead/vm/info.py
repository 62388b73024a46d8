"""What the host can do for virtual machines: methods without side effects."""

from vmstead.ctx import Ctx
from vmstead.devices.nic import random_mac as new_mac
from vmstead.rpc.registry import Namespace
from vmstead.vm import memory
from vmstead.vm.rules import MAXIMUM_VCPUS

vm = Namespace("vm")


@vm.method(role="VM_READ")
async def virtualization_details(ctx: Ctx) -> dict[str, object]:
    """Whether guests run at the processor's speed (KVM), and if not, why. They run in either case."""
    info = ctx.engine.info
    if info is None:
        return {"supported": False, "error": ctx.states.disconnected_reason}
    return {"supported": info.accelerator == "kvm", "error": info.accelerator_reason}


@vm.method(role="VM_READ")
async def supports_virtualization(ctx: Ctx) -> bool:
    """Whether guests run at the processor's speed (KVM)."""
    return ctx.engine.info is not None and ctx.engine.info.accelerator == "kvm"


@vm.method(role="VM_READ")
async def get_available_memory(ctx: Ctx, overcommit: bool = False) -> int:
    """Bytes that can still be given to VMs; with overcommit, what running VMs have not touched counts as free."""
    return await memory.available(ctx, overcommit=overcommit)


@vm.method(role="VM_READ")
async def maximum_supported_vcpus(ctx: Ctx) -> int:
    """The most virtual processors a VM can have."""
    return MAXIMUM_VCPUS


@vm.method(role="VM_READ")
async def random_mac(ctx: Ctx) -> str:
    """A hardware address for a NIC."""
    return new_mac()


@vm.method(role="VM_READ")
async def bootloader_options(ctx: Ctx) -> dict[str, str]:
    """The boot loaders, with what people call them."""
    return {"UEFI": "UEFI", "UEFI_CSM": "Legacy BIOS"}


@vm.method(role="VM_READ")
async def bootloader_ovmf_choices(ctx: Ctx) -> dict[str, str]:
    """The UEFI images that this host has."""
    return {name: name for name in sorted(await ctx.host.firmware()) if name.startswith("OVMF_CODE")}
