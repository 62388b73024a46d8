"""What the methods about VMs answer with, as types: for the API reference and for the tests of the answers."""

from typing import Literal

from pydantic import create_model

from vmstead.devices import Attributes
from vmstead.kernel.model import Field, Model
from vmstead.vm.model import VmCreate


class VmStatus(Model):
    """How a virtual machine is."""

    state: Literal["RUNNING", "STOPPED", "SUSPENDED"] = Field(description="What clients act on.")
    pid: int | None = Field(description="Process id of the guest on the host; null while there is none.")
    domain_state: str = Field(description="libvirt's word for it, such as SHUTOFF or PAUSED.")


class DeviceShape(Model):
    """A device of a virtual machine."""

    id: int = Field(description="Its number.")
    attributes: Attributes = Field(description="What it is; dtype tells the type.")
    vm: int = Field(description="Id of the virtual machine.")
    order: int = Field(description="Place among the VM's devices; never null here.")


class _Computed(Model):
    id: int = Field(description="Its number.")
    bootloader_ovmf: str = Field(description="UEFI image.")
    uuid: str = Field(description="UUID that the guest reads.")
    status: VmStatus = Field(description="How it is now.")
    devices: list[DeviceShape] = Field(description="Its devices, by id.")
    display_available: bool = Field(description="Whether it has a DISPLAY device.")
    hugepages: Literal["2M", "1G"] | None = Field(
        None, description="Pages that its memory is taken from; only there where it is set."
    )


VmShape = create_model(
    "VmShape",
    __base__=_Computed,
    __doc__="A virtual machine with its devices and state.",
    # Fields that are read have no defaults: every one is always there.
    **{
        name: (info.rebuild_annotation(), Field(description=info.description))
        for name, info in VmCreate.model_fields.items()
        if name not in _Computed.model_fields
    },  # type: ignore[call-overload]
)


class PciCapability(Model):
    """What a PCI device is. Numbers are texts."""

    class_: str | None = Field(alias="class", description="Its class, in hex digits.")
    domain: str = Field(description="Where it is: domain.")
    bus: str = Field(description="Where it is: bus.")
    slot: str = Field(description="Where it is: slot.")
    function: str = Field(description="Where it is: function.")
    product: str = Field(description="What it is called.")
    vendor: str = Field(description="Who made it.")


class PciPlace(Model):
    """Where a PCI device is, in hex digits."""

    domain: str = Field(description="Domain.")
    bus: str = Field(description="Bus.")
    slot: str = Field(description="Slot.")
    function: str = Field(description="Function.")


class IommuGroup(Model):
    """Devices that an IOMMU cannot keep apart."""

    number: int = Field(description="Its number.")
    addresses: list[PciPlace] = Field(description="Its members.")


class PciShape(Model):
    """A PCI device of the host."""

    capability: PciCapability = Field(description="What it is.")
    controller_type: str | None = Field(description="Its class, for people.")
    critical: bool = Field(description="The host cannot do without it.")
    iommu_group: IommuGroup | None = Field(description="What it can only be given away with.")
    available: bool = Field(description="A guest could have it now.")
    drivers: list[str] = Field(description="The host's driver that has it.")
    error: str | None = Field(description="Why no guest can have it.")
    device_path: str | None = Field(description="Where the kernel tells of it.")
    reset_mechanism_defined: bool = Field(description="It can be reset between two guests.")
    description: str = Field(description="For people.")


class UsbCapability(Model):
    """What a USB device is. All null for one that is not there."""

    product: str | None = Field(description="What it is called.")
    product_id: str | None = Field(description="Its number among those of its maker, in hex digits.")
    vendor: str | None = Field(description="Who made it.")
    vendor_id: str | None = Field(description="The maker's number, in hex digits.")
    bus: str | None = Field(description="The bus that it is on.")
    device: str | None = Field(description="Its number there.")


class UsbShape(Model):
    """A USB device of the host."""

    capability: UsbCapability = Field(description="What it is.")
    available: bool = Field(description="A guest can have it.")
    error: str | None = Field(description="Why no guest can have it.")
    description: str = Field(description="For people.")
