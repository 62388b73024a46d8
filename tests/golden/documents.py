"""Golden documents: a VM as JSON, and the domain document that it becomes, side by side.

``<name>.json`` holds what clients send (``vm``, ``devices``) and what the host adds: where each device was found
(``resolved``), whether KVM is there (``accelerators``, by default not), the UEFI images (``images``), and whether
the engine keeps what is written to the console (``keeps_console``).
``<name>.xml`` is the document under emulation, ``<name>.kvm.xml`` the one under KVM.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tests.unit.vm.support import make_vm, vm_values
from vmstead.devices import Attributes, Device, Placed
from vmstead.devices.nic import Attachment
from vmstead.ports.hardware import UsbDevice
from vmstead.ports.volumes import DiskSource
from vmstead.vm.entries import in_boot_order
from vmstead.vm.firmware import choose
from vmstead.vm.model import Vm
from vmstead.vm.xml import Launch, domain_xml

FOLDER = Path(__file__).parent
#: What Debian's package ovmf has.
IMAGES = (
    "OVMF_CODE.fd",
    "OVMF_CODE.secboot.fd",
    "OVMF_CODE_4M.fd",
    "OVMF_CODE_4M.ms.fd",
    "OVMF_CODE_4M.secboot.fd",
    "OVMF_CODE_4M.snakeoil.fd",
    "OVMF_VARS.fd",
    "OVMF_VARS.ms.fd",
    "OVMF_VARS_4M.fd",
    "OVMF_VARS_4M.ms.fd",
    "OVMF_VARS_4M.snakeoil.fd",
)
FIRMWARE_FOLDER = Path("/usr/share/OVMF")
VARIABLES = Path("/var/lib/vmstead/nvram")
CONSOLES = Path("/var/lib/vmstead/consoles")

_DEVICE: TypeAdapter[Device] = TypeAdapter(Attributes)


@dataclass(frozen=True)
class Case:
    """One JSON file with one of its documents."""

    name: str
    accelerator: str
    content: dict[str, Any]

    @property
    def file(self) -> Path:
        """Where the document is kept."""
        suffix = ".xml" if self.accelerator == "tcg" else f".{self.accelerator}.xml"
        return FOLDER / f"{self.name}{suffix}"

    @property
    def values(self) -> dict[str, Any]:
        """The VM as it would be stored."""
        return vm_values(**self.content["vm"])

    @property
    def vm(self) -> Vm:
        return make_vm(**self.content["vm"])

    @property
    def placed(self) -> list[Placed]:
        """The devices in boot order."""
        return in_boot_order(
            [
                Placed(number, 1, item.get("order"), _DEVICE.validate_python(item["attributes"]))
                for number, item in enumerate(self.content.get("devices", []), 1)
            ]
        )

    def document(self) -> bytes:
        """What the VM becomes."""
        vm, items = self.vm, self.content.get("devices", [])
        images = self.content.get("images", IMAGES)
        uefi = vm.bootloader == "UEFI"
        launch = Launch(
            self.accelerator,
            choose(vm.bootloader_ovmf, images, secure_boot=vm.enable_secure_boot) if uefi else None,
            FIRMWARE_FOLDER,
            VARIABLES / f"{vm.uuid}_VARS.fd",
            CONSOLES / vm.uuid / "serial.log" if self.content.get("keeps_console") else None,
        )
        devices = [(each.device, _resolved(items[each.id - 1].get("resolved"))) for each in self.placed]
        return domain_xml(vm, devices, launch) + b"\n"


def _resolved(found: dict[str, Any] | None) -> object:
    if found is None:
        return None
    if "path" in found:
        return DiskSource(Path(found["path"]), found.get("is_block", False))
    if "node" in found:
        return UsbDevice(**found)
    return Attachment(found["kind"], found.get("name"))


def cases() -> list[Case]:
    """All of them, by name."""
    found = []
    for file in sorted(FOLDER.glob("*.json")):
        content = json.loads(file.read_text())
        found += [Case(file.stem, each, content) for each in content.get("accelerators", ["tcg"])]
    return found


CASES = cases()
IDS = [case.file.stem for case in CASES]
