"""Whether the host's QEMU has the machine and the processor that a VM asks for: another version has others."""

from collections.abc import Mapping
from typing import Any

from vmstead.ctx import Ctx
from vmstead.ports.engine import Capabilities, EngineError

#: The fields that this is about.
FIELDS = ("arch_type", "machine_type", "cpu_model")


async def unknown_hardware(ctx: Ctx, vm: Mapping[str, Any]) -> tuple[str, str] | None:
    """The field that asks for what is not there, with what to do about it.

    None where all is well, or where the engine cannot tell. The engine may take seconds for its first answer, so it
    is asked only about a VM that asks for something.
    """
    if ctx.engine.info is None or not any(vm[name] for name in FIELDS):
        return None
    try:
        found = await ctx.engine.capabilities()
    except EngineError:
        return None
    return _machine(vm["arch_type"], vm["machine_type"], found) or _processor(vm["cpu_model"], found)


def _machine(arch: str | None, machine: str | None, found: Capabilities) -> tuple[str, str] | None:
    if not arch or not found.machines:
        return None
    if arch not in found.machines:
        known = ", ".join(sorted(found.machines))
        return "arch_type", f"{arch} is no architecture that this host has a QEMU for; it has {known}"
    if not machine or machine in found.machines[arch]:
        return None
    newest = [name for name in ("q35", "pc", "virt") if name in found.machines[arch]]
    return "machine_type", (
        f"{machine} is no machine that QEMU has here for {arch}; choose one of "
        f"vm.guest_architecture_and_machine_choices{', such as ' if newest else ''}{' or '.join(newest)}"
    )


def _processor(model: str | None, found: Capabilities) -> tuple[str, str] | None:
    if not model or not found.cpu_models or model in found.cpu_models:
        return None
    text = (
        "is no processor that QEMU has here; choose one of vm.cpu_model_choices, or null for a good default"
    )
    return "cpu_model", f"{model} {text}"
