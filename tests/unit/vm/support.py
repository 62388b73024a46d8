"""VMs as values."""

from typing import Any

from vmstead.vm.model import Vm, VmCreate
from vmstead.vm.rules import DEFAULT_OVMF

UUID = "6f9f4f5e-6d3c-4b44-9df9-0d6f7d3f9a52"


def vm_values(**fields: Any) -> dict[str, Any]:
    """A VM as it would be stored, from what a client sends; checked as what it sends is."""
    values = VmCreate.model_validate({"name": "web01", "memory": 512, **fields}).model_dump()
    values["uuid"] = values["uuid"] or UUID
    values["bootloader_ovmf"] = values["bootloader_ovmf"] or DEFAULT_OVMF
    return values


def make_vm(**fields: Any) -> Vm:
    """A stored VM."""
    return Vm.of({"id": 1, **vm_values(**fields)})
