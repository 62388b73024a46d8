"""What the host can do for virtual machines: methods without side effects."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

from vmstead.ctx import Ctx
from vmstead.devices.nic import random_mac as new_mac
from vmstead.kernel.model import Field, Model
from vmstead.kernel.pipes import send_file
from vmstead.rpc.registry import Namespace
from vmstead.vm.engine_calls import engine_errors
from vmstead.vm.entries import find
from vmstead.vm.model import Vm
from vmstead.vm.rules import MAXIMUM_VCPUS

vm = Namespace("vm")

#: Bytes of a log that fit into an answer.
_LOG_TAIL = 64 * 1024


class Virtualization(Model):
    """Whether guests run at the processor's speed."""

    supported: bool = Field(description="They do.")
    error: str | None = Field(description="Why they do not.")


@vm.method(role="VM_READ", returns=Virtualization)
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


@vm.method(role="VM_READ")
async def cpu_model_choices(ctx: Ctx) -> dict[str, str]:
    """The processor models that a guest can be shown with cpu_mode CUSTOM."""
    with engine_errors("processor models cannot be listed"):
        return {model: model for model in (await ctx.engine.capabilities()).cpu_models}


@vm.method(role="VM_READ")
async def guest_architecture_and_machine_choices(ctx: Ctx) -> dict[str, Sequence[str]]:
    """The machine types that a guest can be, by architecture."""
    with engine_errors("machine types cannot be listed"):
        return dict((await ctx.engine.capabilities()).machines)


class Flags(Model):
    """What the processors have for virtualization. All false where guests are emulated."""

    intel_vmx: bool = Field(description="Intel's VT-x.")
    unrestricted_guest: bool = Field(description="Intel: guests run in any mode, also that of a BIOS.")
    amd_rvi: bool = Field(description="AMD: nested page tables.")
    amd_asids: bool = Field(description="AMD: SVM, with tags for the guests' address spaces.")


@vm.method(role="VM_READ", returns=Flags)
async def flags(ctx: Ctx) -> dict[str, bool]:
    """What the processors have for virtualization."""
    has_kvm = ctx.engine.info is not None and ctx.engine.info.accelerator == "kvm"
    known = await ctx.host.processor_flags() if has_kvm else frozenset()
    return {
        "intel_vmx": "vmx" in known,
        "unrestricted_guest": "unrestricted_guest" in known,
        "amd_rvi": "npt" in known,
        "amd_asids": "svm" in known,
    }


@vm.method(role="VM_READ")
async def get_console(ctx: Ctx, id: int) -> str:
    """The name that libvirt has for a virtual machine: ``virsh console`` takes it. Fails with ENOENT."""
    return find(ctx, id).domain_name


@vm.method(role="VM_READ")
async def log_file_path(ctx: Ctx, id: int) -> str | None:
    """The file with what QEMU has said of a virtual machine; null where there is none. Fails with ENOENT."""
    path = await log_file(ctx, find(ctx, id))
    return str(path) if path is not None else None


@vm.method(role="VM_READ", job=True, pipe="output", needs_pipe=False)
async def log_file_download(ctx: Ctx, id: int) -> str | None:
    """The log of a virtual machine, empty where there is none.

    Through ``core.download`` it is a file, and the result is null. Called by itself, the result is the end of
    the log, at most 64 KiB of it.
    """
    path = await log_file(ctx, find(ctx, id))
    if ctx.has_pipe:
        if path is not None:
            await send_file(asyncio.to_thread(path.open, "rb"), ctx.pipe)
        return None
    return await asyncio.to_thread(_end_of, path) if path is not None else ""


def _end_of(path: Path) -> str:
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - _LOG_TAIL))
        return file.read(_LOG_TAIL).decode(errors="replace")


async def log_file(ctx: Ctx, target: Vm) -> Path | None:
    """QEMU's log of a VM, None where there is none within reach."""
    info = ctx.engine.info
    if info is None or info.log_folder is None:
        return None
    path = info.log_folder / f"{target.domain_name}.log"
    return path if await asyncio.to_thread(path.is_file) else None
