"""Whether the host's QEMU has the machine that a VM asks for: another version has others."""

from vmstead.ctx import Ctx
from vmstead.ports.engine import EngineError

#: Where clients find what there is.
_CHOICES = "vm.guest_architecture_and_machine_choices"


async def unknown_machine(ctx: Ctx, arch: str | None, machine: str | None) -> tuple[str, str] | None:
    """The field that asks for what is not there, ``arch_type`` or ``machine_type``, with what to do about it.

    None where all is well, or where the engine cannot tell. The engine may take seconds for its first answer.
    """
    if not arch or ctx.engine.info is None:
        return None
    try:
        machines = (await ctx.engine.capabilities()).machines
    except EngineError:
        return None
    if not machines:
        return None
    if arch not in machines:
        known = ", ".join(sorted(machines))
        return "arch_type", f"{arch} is no architecture that this host has a QEMU for; it has {known}"
    if machine and machine not in machines[arch]:
        newest = [name for name in ("q35", "pc", "virt") if name in machines[arch]]
        such_as = f", such as {' or '.join(newest)}" if newest else ""
        text = f"{machine} is no machine that QEMU has here for {arch}; choose one of {_CHOICES}{such_as}"
        return "machine_type", text
    return None
