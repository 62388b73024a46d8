"""What a start needs to know of this host."""

import dataclasses
import errno
from pathlib import Path

from vmstead.ctx import Ctx, Services
from vmstead.errors import CallError
from vmstead.vm.firmware import choose
from vmstead.vm.model import Vm
from vmstead.vm.xml import Launch

#: Where distributions put the UEFI images.
FIRMWARE_FOLDER = Path("/usr/share/OVMF")


def variables_path(services: Services, uuid: str) -> Path:
    """Where a VM's UEFI variables are kept: named after its uuid, so that renaming the VM changes nothing."""
    return services.config.state / "nvram" / f"{uuid}_VARS.fd"


async def launch_for(ctx: Ctx, vm: Vm) -> Launch:
    """The host's part of a domain document.

    Raises:
        CallError: the engine is not connected, or the host has no firmware for this VM.
    """
    info = ctx.engine.info
    if info is None:
        raise CallError(
            f"{vm} cannot start: {ctx.states.disconnected_reason or 'the engine is not connected'}",
            errno.EHOSTUNREACH,
        )
    firmware = None
    if vm.bootloader == "UEFI":
        images = await ctx.host.firmware()
        firmware = choose(vm.bootloader_ovmf, images, secure_boot=vm.enable_secure_boot)
        if firmware is None and info.runs_guests:
            raise CallError(
                f"{vm} cannot start: there is no UEFI image for {vm.bootloader_ovmf} in {FIRMWARE_FOLDER}; "
                "install the package ovmf, or use the bootloader UEFI_CSM"
            )
    return Launch(info.accelerator, firmware, FIRMWARE_FOLDER, variables_path(ctx, vm.uuid))


async def with_console_log(ctx: Ctx, vm: Vm, launch: Launch) -> Launch:
    """For a start that is about to happen: with a new console log, where the engine writes one."""
    # Made in any case: what an engine that writes none does not add to must not be taken for its guest's.
    path = await ctx.console_logs.begin(vm.uuid)
    if ctx.engine.info is None or not ctx.engine.info.keeps_consoles:
        return launch
    return dataclasses.replace(launch, console_log=path)
