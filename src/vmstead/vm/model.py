"""What clients send about a VM, and the VM as the rest of the package reads it."""

import uuid as uuids
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from vmstead.kernel.model import Model, NonEmpty, Text, patch_of

#: The largest number that every JSON client can hold exactly.
_LARGEST = 2**53 - 1
MiB = 1024 * 1024
#: Bytes of a huge page, by its name.
HUGE_PAGES = {"2M": 2 * MiB, "1G": 1024 * MiB}

Megabytes = Annotated[int, Field(ge=20, le=_LARGEST)]


def _uuid(text: str) -> str:
    try:
        return str(uuids.UUID(text))
    except ValueError:
        raise ValueError("Not a UUID; write it like 6f9f4f5e-6d3c-4b44-9df9-0d6f7d3f9a52") from None


class VmCreate(Model):
    """A virtual machine to be made. Only name and memory are required."""

    name: NonEmpty = Field(description="Unique name: letters, digits, underscores and hyphens.")
    description: Text = Field("", description="For people.")
    vcpus: int = Field(1, ge=1, le=16, description="Processor sockets.")
    cores: int = Field(1, ge=1, description="Cores of each socket.")
    threads: int = Field(1, ge=1, description="Threads of each core.")
    memory: Megabytes = Field(description="Memory in MiB.")
    min_memory: Megabytes | None = Field(
        None, description="MiB that the guest gets at least; the rest can be taken back. Null: all of memory."
    )
    autostart: bool = Field(True, description="Start when the server starts.")
    time: Literal["LOCAL", "UTC"] = Field("LOCAL", description="What the guest's hardware clock shows.")
    bootloader: Literal["UEFI", "UEFI_CSM"] = Field(
        "UEFI", description="UEFI, or UEFI_CSM for a legacy BIOS."
    )
    bootloader_ovmf: NonEmpty | None = Field(
        None, description="UEFI image, one of the distribution's; null: the best for the other settings."
    )
    cpu_mode: Literal["CUSTOM", "HOST-MODEL", "HOST-PASSTHROUGH"] = Field(
        "CUSTOM", description="Which processor the guest sees."
    )
    cpu_model: Text | None = Field(None, description="Its model, with cpu_mode CUSTOM; null: a good default.")
    cpuset: Text | None = Field(
        None, description="Host processors to run on, such as 0-3,^2,8: these, not 2."
    )
    nodeset: Text | None = Field(None, description="NUMA nodes to take memory from, such as 0-2,^1.")
    hugepages: Literal["2M", "1G"] | None = Field(
        None,
        description="Take memory from pages of this size, which the host has set aside; null: ordinary memory.",
    )
    enable_cpu_topology_extension: bool = Field(
        False, description="Show cores and threads of AMD processors, with HOST-PASSTHROUGH."
    )
    pin_vcpus: bool = Field(False, description="Bind each virtual processor to one of cpuset.")
    hyperv_enlightenments: bool = Field(False, description="Make Windows guests faster.")
    shutdown_timeout: int = Field(
        90, ge=5, le=300, description="Seconds that a guest gets to shut itself down."
    )
    hide_from_msr: bool = Field(False, description="Hide from the guest that KVM runs it.")
    ensure_display_device: bool = Field(
        True, description="Give the guest a graphics card also when there is no DISPLAY device."
    )
    suspend_on_snapshot: bool = Field(False, description="Suspend during periodic snapshots of its disks.")
    trusted_platform_module: bool = Field(False, description="Give the guest a TPM 2.0.")
    enable_secure_boot: bool = Field(False, description="Boot only what is signed.")
    arch_type: Text | None = Field(None, description="Architecture, such as x86_64; null: the host's.")
    machine_type: Text | None = Field(None, description="Machine, such as q35; null: QEMU's default.")
    uuid: Annotated[Text, AfterValidator(_uuid)] | None = Field(
        None, description="UUID that the guest reads; made up if null."
    )
    command_line_args: Text = Field("", description="Extra arguments for QEMU.")


#: The fields of a VM, all optional.
VmFields = patch_of(VmCreate, "VmFields")


@dataclass(frozen=True)
class Vm:
    """A stored VM. Attributes are the fields of the API, with its names and units."""

    id: int
    name: str
    description: str
    vcpus: int
    cores: int
    threads: int
    memory: int
    min_memory: int | None
    autostart: bool
    time: str
    bootloader: str
    bootloader_ovmf: str
    cpu_mode: str
    cpu_model: str | None
    cpuset: str | None
    nodeset: str | None
    hugepages: str | None
    enable_cpu_topology_extension: bool
    pin_vcpus: bool
    hyperv_enlightenments: bool
    shutdown_timeout: int
    hide_from_msr: bool
    ensure_display_device: bool
    suspend_on_snapshot: bool
    trusted_platform_module: bool
    enable_secure_boot: bool
    arch_type: str | None
    machine_type: str | None
    uuid: str
    command_line_args: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> "Vm":
        """The VM of a row of the store."""
        return cls(**row)

    @property
    def cpus(self) -> int:
        """How many processors the guest counts."""
        return self.vcpus * self.cores * self.threads

    @property
    def memory_bytes(self) -> int:
        """Bytes that the guest can come to hold."""
        return self.memory * MiB

    @property
    def domain_name(self) -> str:
        """What libvirt, its log files and ``virsh`` call it."""
        return f"{self.id}_{self.name}"

    def __str__(self) -> str:
        return f"VM {self.id} ({self.name})"
