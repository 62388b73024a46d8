"""The device types. Adding one takes its file and its name in ``Attributes``."""

from typing import Annotated, Any, TypeAlias, get_args

from pydantic import Discriminator

from vmstead.devices.base import Device, Placed, Slots
from vmstead.devices.cdrom import Cdrom
from vmstead.devices.disk import Disk
from vmstead.devices.display import Display
from vmstead.devices.nic import Nic
from vmstead.devices.pci import Pci
from vmstead.devices.raw import Raw
from vmstead.devices.usb import Usb

AnyDevice: TypeAlias = Cdrom | Disk | Display | Nic | Pci | Raw | Usb
#: What ``attributes`` can be, told apart by ``dtype``.
Attributes = Annotated[AnyDevice, Discriminator("dtype")]

#: The types by the name that the wire has for them.
TYPES: dict[str, type[Device]] = {
    get_args(member.model_fields["dtype"].annotation)[0]: member for member in get_args(AnyDevice)
}


def load(attributes: dict[str, Any]) -> Device:
    """A device from stored attributes."""
    device: Device = TYPES[attributes["dtype"]].of(attributes)
    return device


__all__ = ["TYPES", "AnyDevice", "Attributes", "Device", "Placed", "Slots", "load"]
