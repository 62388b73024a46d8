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
