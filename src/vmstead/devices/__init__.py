"""The device types. Adding one takes its file and its name in ``Attributes``."""

from typing import Annotated, Any, TypeAlias, get_args

from pydantic import Discriminator

from vmstead.devices.base import Device, Placed, Slots
from vmstead.devices.cdrom import Cdrom
from vmstead.devices.disk import Disk
from vmstead.devices.display import Display
from vmstead.devices.nic import Nic
from vmstead.devices.raw import Raw

AnyDevice: TypeAlias = Cdrom | Disk | Display | Nic | Raw
#: What ``attributes`` can be, told apart by ``dtype``.
Attributes = Annotated[AnyDevice, Discriminator("dtype")]

#: The types by the name that the wire has for them.
TYPES: dict[str, type[Device]] = {
    get_args(member.model_fields["dtype"].annotation)[0]: member for member in get_args(AnyDevice)
}


def load(attributes: dict[str, Any]) -> Device:
    """A device from stored attributes. They were checked when they were stored and are not checked again."""
    kind = TYPES[attributes["dtype"]]
    known = {key: value for key, value in attributes.items() if key in kind.model_fields}
    return kind.model_construct(**known)


__all__ = ["TYPES", "AnyDevice", "Attributes", "Device", "Placed", "Slots", "load"]
