"""PCI: a PCI function of the host, handed to the guest as it is."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field

from vmstead.ctx import Ctx
from vmstead.devices.base import Device, Placed, Slots, problem
from vmstead.errors import Problem
from vmstead.kernel.model import NonEmpty
from vmstead.kernel.xml import Element, el
from vmstead.ports.hardware import PciAddress, PciDevice


def _address(text: str) -> str:
    try:
        PciAddress.parse(text)
    except ValueError:
        raise ValueError("Not a PCI address; write it like 0000:01:00.0 or pci_0000_01_00_0") from None
    return text


class Pci(Device):
    """A PCI function of the host. While the VM runs, the host itself has no use of it."""

    dtype: Literal["PCI"] = "PCI"
    pptdev: Annotated[NonEmpty, AfterValidator(_address)] = Field(
        description="Its address, such as 0000:01:00.0, or its name in vm.device.passthrough_device_choices."
    )

    @property
    def address(self) -> PciAddress:
        """Where it is, however it is spelt."""
        return PciAddress.parse(self.pptdev)

    async def examine(self, ctx: Ctx, others: Sequence[Placed], old: Self | None) -> list[Problem]:
        if old is not None and old.address == self.address:
            return []
        for other in others:
            if isinstance(other.device, Pci) and other.device.address == self.address:
                text = f"{self.address} is {other.label} of VM {other.vm} already"
                return [problem("pptdev", text)]
        devices = await ctx.host.pci_devices()
        reason = unusable(self.address, devices, has_iommu=await ctx.host.has_iommu())
        return [problem("pptdev", reason)] if reason else []

    async def copy_for(self, name: str, ctx: Ctx, steps: AsyncExitStack) -> Self | None:
        return None  # no two guests can have it; it stays with the original

    async def preflight(self, ctx: Ctx) -> Iterator[str]:
        info = ctx.engine.info
        if info is not None and not info.privileged:
            return iter([f"the PCI device {self.address} needs a libvirt that runs as root"])
        devices = await ctx.host.pci_devices()
        reason = unusable(self.address, devices, has_iommu=await ctx.host.has_iommu())
        if reason:
            return iter([reason])
        held = _held_back(self.address, devices, _given_with(ctx, self.address))
        if held:
            texts = ", ".join(f"{each.address} ({each.driver})" for each in held)
            return iter(
                [
                    f"{self.address} shares IOMMU group {devices[self.address].iommu_group} with {texts}, "
                    "which the host uses: add them to this VM too, or take them from their drivers"
                ]
            )
        return iter(())

    def xml(self, resolved: object, slots: Slots) -> Iterator[Element]:
        """See https://libvirt.org/formatdomain.html#usb-pci-scsi-devices."""
        at = self.address
        place = el(
            "address",
            domain=f"{at.domain:#06x}",
            bus=f"{at.bus:#04x}",
            slot=f"{at.slot:#04x}",
            function=f"{at.function:#x}",
        )
        driver = el("driver", name="vfio")
        yield el("hostdev", driver, el("source", place), mode="subsystem", type="pci", managed=True)

    @property
    def identity(self) -> str:
        return self.pptdev


def is_critical(address: PciAddress, devices: Mapping[PciAddress, PciDevice]) -> bool:
    """Whether the host cannot do without it: by what it is, by what lies behind it, or as it has no IOMMU group."""
    device = devices[address]
    if device.iommu_group is None or device.is_vital:
        return True
    behind = (each for each in devices.values() if address in each.behind)
    return device.is_bridge and any(each.is_vital for each in behind)


def unusable(address: PciAddress, devices: Mapping[PciAddress, PciDevice], *, has_iommu: bool) -> str | None:
    """Why no guest can have this device, None when one can."""
    if address not in devices:
        return f"this host has no PCI device {address}; vm.device.passthrough_device_choices lists them"
    if not has_iommu:
        return (
            f"{address} cannot be given to a guest: this host has no IOMMU in use. Switch it on in the "
            "firmware (VT-d, AMD-Vi) and with the kernel parameter intel_iommu=on on Intel machines"
        )
    if devices[address].is_bridge or is_critical(address, devices):
        kind = devices[address].class_name or "such a device"
        return f"{address} cannot be given to a guest: the host needs it itself ({kind})"
    return None


def _held_back(
    address: PciAddress, devices: Mapping[PciAddress, PciDevice], given: Collection[PciAddress]
) -> list[PciDevice]:
    """What keeps an IOMMU group together: members that a driver of the host has and the guest will not get."""
    group = devices[address].iommu_group
    return [
        each
        for each in devices.values()
        if each.iommu_group == group and not each.is_bridge and not each.is_free and each.address not in given
    ]


def _given_with(ctx: Ctx, address: PciAddress) -> set[PciAddress]:
    """The PCI devices of the VM that has this one."""
    rows = [row for row in ctx.vms.all_devices() if "pptdev" in row["attributes"]]
    addresses = {row["id"]: PciAddress.parse(row["attributes"]["pptdev"]) for row in rows}
    owners = {row["vm"] for row in rows if addresses[row["id"]] == address}
    return {addresses[row["id"]] for row in rows if row["vm"] in owners}


def details(
    address: PciAddress, devices: Mapping[PciAddress, PciDevice], *, has_iommu: bool
) -> dict[str, Any]:
    """A device as ``vm.device.passthrough_device`` shows it; ``error`` says why no guest can have it."""
    device = devices.get(address) or PciDevice(address, 0)
    error = unusable(address, devices, has_iommu=has_iommu)
    group = [each for each in devices.values() if each.iommu_group == device.iommu_group is not None]
    known = address in devices
    return {
        "capability": {
            "class": f"{device.class_code:#08x}" if known else None,
            **{name: str(getattr(address, name)) for name in ("domain", "bus", "slot", "function")},
            "product": device.product or "Not Available",
            "vendor": device.vendor or "Not Available",
        },
        "controller_type": device.class_name or None,
        "critical": known and is_critical(address, devices),
        "iommu_group": {
            "number": device.iommu_group,
            "addresses": [_hexadecimal(each.address) for each in group],
        }
        if group
        else None,
        "available": error is None and device.is_free,
        "drivers": [device.driver] if device.driver else [],
        "error": error,
        "device_path": device.path or None,
        "reset_mechanism_defined": device.can_reset,
        "description": f"{address} {device.class_name or 'Unknown'!r}: "
        f"{device.product or 'Not Available'} by {device.vendor or 'Not Available'!r}",
    }


def _hexadecimal(at: PciAddress) -> dict[str, str]:
    return {
        "domain": f"{at.domain:#06x}",
        "bus": f"{at.bus:#04x}",
        "slot": f"{at.slot:#04x}",
        "function": f"{at.function:#03x}",
    }
