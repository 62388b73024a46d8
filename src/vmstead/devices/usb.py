"""USB: a USB device of the host, handed to the guest as it is."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Any, ClassVar, Literal, Self, get_args

from pydantic import Field, StringConstraints

from vmstead.ctx import Ctx
from vmstead.devices.base import Device, Placed, Slots, problem
from vmstead.errors import Problem
from vmstead.kernel.model import Model, NonEmpty
from vmstead.kernel.xml import Element, el
from vmstead.ports.hardware import UsbDevice

ControllerType = Literal[
    "piix3-uhci", "piix4-uhci", "ehci", "ich9-ehci1", "vt82c686b-uhci", "pci-ohci", "nec-xhci", "qemu-xhci"
]
#: The controllers, in the contract's order.
CONTROLLER_TYPES: tuple[str, ...] = get_args(ControllerType)

_Id = Annotated[str, StringConstraints(pattern=r"^0x[0-9A-Fa-f]{1,4}$")]


class UsbId(Model):
    """What makes devices of one kind."""

    vendor_id: _Id = Field(description="Vendor, such as 0x046d.")
    product_id: _Id = Field(description="Product, such as 0xc52b.")

    @property
    def numbers(self) -> tuple[int, int]:
        """Both, as numbers."""
        return int(self.vendor_id, 16), int(self.product_id, 16)


class Usb(Device):
    """A USB device of the host: the one that is plugged into a place, or the one of a kind wherever it is.

    It is looked up at each start of the VM, so one that was pulled out and plugged in again is found again.
    """

    must_resolve: ClassVar[bool] = True

    dtype: Literal["USB"] = "USB"
    usb: UsbId | None = Field(None, description="The device by its kind, wherever it is plugged in.")
    controller_type: ControllerType = Field("nec-xhci", description="The controller that the guest sees.")
    device: NonEmpty | None = Field(
        None,
        description="The device by its name in vm.device.usb_passthrough_choices, which is its place, or as "
        "usb_<vendor>_<product> or usb_<vendor>_<product>_<serial number> wherever it is plugged in.",
    )

    def check(self, siblings: Sequence[Placed], old: Self | None) -> Iterator[Problem]:
        if self.usb is not None and self.device is not None:
            yield problem("usb", "must not be set together with device: one of the two says which it is")
        elif self.usb is None and self.device is None:
            yield problem("device", "is required, or usb with vendor_id and product_id")

    async def examine(self, ctx: Ctx, others: Sequence[Placed], old: Self | None) -> list[Problem]:
        if old is not None and (old.usb, old.device) == (self.usb, self.device):
            return []
        attribute = "usb" if self.usb is not None else "device"
        plugged_in = await ctx.host.usb_devices()
        found = self.found_in(plugged_in)
        if found is None:
            return [problem(attribute, f"{self._missing}; vm.device.usb_passthrough_choices lists what is")]
        if found.is_hub:
            return [problem(attribute, f"{found.node} is a hub; give the guest what is plugged into it")]
        for other in others:
            if isinstance(other.device, Usb) and (
                other.device.found_in(plugged_in) == found or other.device.means_the_same(self)
            ):
                text = f"{self.identity} is {other.label} of VM {other.vm} already"
                return [problem(attribute, text)]
        return []

    async def copy_for(self, name: str, ctx: Ctx, steps: AsyncExitStack) -> Self | None:
        return None  # no two guests can have it; it stays with the original

    async def preflight(self, ctx: Ctx) -> Iterator[str]:
        found = self.found_in(await ctx.host.usb_devices())
        return iter(() if found is not None else (self._missing,))

    async def resolve(self, ctx: Ctx) -> UsbDevice | None:
        return self.found_in(await ctx.host.usb_devices())

    def xml(self, resolved: object, slots: Slots) -> Iterator[Element]:
        """See https://libvirt.org/formatdomain.html#usb-pci-scsi-devices.

        The bus and number of the moment are part of it, so that of two devices of a kind the right one is taken.
        """
        assert isinstance(resolved, UsbDevice)
        index, controller = slots.usb_controller(self.controller_type)
        yield from controller
        source = el(
            "source",
            el("vendor", id=f"{resolved.vendor_id:#06x}"),
            el("product", id=f"{resolved.product_id:#06x}"),
            el("address", bus=resolved.bus, device=resolved.device),
        )
        yield el(
            "hostdev",
            source,
            el("address", type="usb", bus=index),
            mode="subsystem",
            type="usb",
            managed=True,
        )

    def found_in(self, plugged_in: Mapping[str, UsbDevice]) -> UsbDevice | None:
        """The device that is meant, None when it is not plugged in. Of several of a kind the first."""
        if self.device is not None and self.device in plugged_in:
            return plugged_in[self.device]
        in_order = sorted(plugged_in.values(), key=lambda each: (each.bus, each.device))
        return next((each for each in in_order if self._means(each)), None)

    def _means(self, device: UsbDevice) -> bool:
        if self.usb is not None:
            return (device.vendor_id, device.product_id) == self.usb.numbers
        return self.device in device.names

    def means_the_same(self, other: "Usb") -> bool:
        """Whether both say the same, however it is spelt; for what is not plugged in at the moment."""
        mine, others = (each.usb.numbers if each.usb else each.device for each in (self, other))
        return mine == others

    @classmethod
    def of(cls, attributes: Mapping[str, Any]) -> Self:
        usb = attributes.get("usb")
        return super().of({**attributes, "usb": UsbId.model_construct(**usb) if usb else None})

    @property
    def _missing(self) -> str:
        return f"the USB device {self.identity} is not plugged in"

    @property
    def identity(self) -> str:
        if self.usb is not None:
            return f"{self.usb.vendor_id}:{self.usb.product_id}"
        return self.device or ""


def details(device: UsbDevice | None, asked: str) -> dict[str, Any]:
    """A device as ``vm.device.usb_passthrough_device`` shows it."""
    if device is None:
        capability = dict.fromkeys(("product", "product_id", "vendor", "vendor_id", "bus", "device"))
        error = f"the USB device {asked} is not plugged in"
        return {"capability": capability, "available": False, "error": error, "description": ""}
    is_hub = f"{device.node} is a hub; give the guest what is plugged into it" if device.is_hub else None
    return {
        "capability": {
            "product": device.product or "Not Available",
            "product_id": f"{device.product_id:#06x}",
            "vendor": device.vendor or "Not Available",
            "vendor_id": f"{device.vendor_id:#06x}",
            "bus": str(device.bus),
            "device": str(device.device),
        },
        "available": is_hub is None,
        "error": is_hub,
        "description": f"{device.product or 'Not Available'} by {device.vendor or 'Not Available'}",
    }
