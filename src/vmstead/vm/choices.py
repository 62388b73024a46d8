"""``vm.device.*_choices``: what the host has for devices to be made of. None of them asks libvirt."""

from typing import Any, get_args

from vmstead.ctx import Ctx
from vmstead.devices import pci, usb
from vmstead.devices.disk import Disk
from vmstead.devices.nic import attachment_labels
from vmstead.kernel.model import NonEmpty
from vmstead.ports.hardware import PciAddress
from vmstead.ports.volumes import volume_path
from vmstead.rpc.registry import Namespace
from vmstead.vm.shapes import PciShape, UsbShape

vm_device = Namespace("vm.device")

_ANYWHERE = ("0.0.0.0", "::", "127.0.0.1", "::1")  # noqa: S104 - a choice, not a listener


@vm_device.method(role="VM_DEVICE_READ")
async def disk_choices(ctx: Ctx) -> dict[str, str]:
    """The volumes that a DISK can be, by path; not those that are locked."""
    volumes = await ctx.volumes.list()
    return {volume_path(volume.name): volume.name for volume in volumes if volume.obstacle is None}


@vm_device.method(role="VM_DEVICE_READ")
async def iotype_choices(ctx: Ctx) -> dict[str, str]:
    """The ways in which QEMU talks to the host's kernel about a disk."""
    return {name: name for name in get_args(Disk.model_fields["iotype"].annotation)}


@vm_device.method(role="VM_DEVICE_READ")
async def nic_attach_choices(ctx: Ctx) -> dict[str, str]:
    """What a NIC can be attached to: bridges and interfaces of the host, and always user-mode NAT."""
    return await attachment_labels(ctx)


@vm_device.method(role="VM_DEVICE_READ")
async def bind_choices(ctx: Ctx) -> dict[str, str]:
    """The addresses that a DISPLAY can listen on: all, this host only, and each address that the host has now."""
    return {address: address for address in (*_ANYWHERE, *await ctx.host.addresses())}


@vm_device.method(role="VM_DEVICE_READ")
async def usb_controller_choices(ctx: Ctx) -> dict[str, str]:
    """The USB controllers that a guest can be given."""
    return {name: name for name in usb.CONTROLLER_TYPES}


@vm_device.method(role="VM_DEVICE_READ", returns=dict[str, UsbShape])
async def usb_passthrough_choices(ctx: Ctx) -> dict[str, dict[str, Any]]:
    """The USB devices that are plugged in, by the name that says where."""
    return {node: usb.details(device, node) for node, device in (await ctx.host.usb_devices()).items()}


@vm_device.method(role="VM_DEVICE_READ", returns=UsbShape)
async def usb_passthrough_device(ctx: Ctx, device: NonEmpty) -> dict[str, Any]:
    """One USB device, by any of its names; ``error`` says why no guest can have it."""
    found = usb.Usb(device=device).found_in(await ctx.host.usb_devices())
    return usb.details(found, device)


@vm_device.method(role="VM_DEVICE_READ", returns=dict[str, PciShape])
async def passthrough_device_choices(ctx: Ctx) -> dict[str, dict[str, Any]]:
    """The PCI devices of the host, by libvirt's names; ``error`` says why no guest can have one."""
    devices, has_iommu = await ctx.host.pci_devices(), await ctx.host.has_iommu()
    return {address.node: pci.details(address, devices, has_iommu=has_iommu) for address in sorted(devices)}


@vm_device.method(role="VM_DEVICE_READ", returns=dict[str, PciShape])
async def pptdev_choices(ctx: Ctx) -> dict[str, dict[str, Any]]:
    """The same as ``vm.device.passthrough_device_choices``, by its older name."""
    return await passthrough_device_choices(ctx)


@vm_device.method(role="VM_DEVICE_READ", returns=PciShape)
async def passthrough_device(ctx: Ctx, device: NonEmpty) -> dict[str, Any]:
    """One PCI device, by its address or libvirt's name; ``error`` says why no guest can have it."""
    devices, has_iommu = await ctx.host.pci_devices(), await ctx.host.has_iommu()
    try:
        address = PciAddress.parse(device)
    except ValueError as error:
        unknown = pci.details(PciAddress(0, 0, 0, 0), {}, has_iommu=has_iommu)
        return {**unknown, "error": f"{error}", "description": "Unknown"}
    return pci.details(address, devices, has_iommu=has_iommu)


@vm_device.method(role="VM_DEVICE_READ")
async def iommu_enabled(ctx: Ctx) -> bool:
    """Whether PCI devices can be given to guests: an IOMMU keeps them apart."""
    return await ctx.host.has_iommu()
