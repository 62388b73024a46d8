"""What the kernel shows of a machine's devices, written down in a few lines and put back into folders."""

import os
from pathlib import Path


def build(sys: Path, record: str) -> None:
    """Make folders, files and links below ``sys``.

    A line is ``<path> = <content>`` for a file, ``<path> -> <path>`` for a link, both from ``sys`` on; a line
    without either is a folder.
    """
    sys.mkdir(parents=True, exist_ok=True)
    for line in filter(None, map(str.strip, record.splitlines())):
        if line.startswith("#"):
            continue
        if " -> " in line:
            name, _, target = line.partition(" -> ")
            link = sys / name
            link.parent.mkdir(parents=True, exist_ok=True)
            (sys / target).mkdir(parents=True, exist_ok=True)
            link.symlink_to(os.path.relpath(sys / target, link.parent))
        elif " = " in line:
            name, _, content = line.partition(" = ")
            (sys / name).parent.mkdir(parents=True, exist_ok=True)
            (sys / name).write_text(content + "\n")
        else:
            (sys / line).mkdir(parents=True, exist_ok=True)


#: A board with a graphics card behind a root port, an NVMe disk, and a chipset; the IOMMU is on.
PCI_FUNCTIONS = {
    # address: (class, vendor, device, driver, group, resets, above)
    "0000:00:00.0": ("0x060000", "0x8086", "0x3ec2", "skl_uncore", 0, False, ""),
    "0000:00:01.0": ("0x060400", "0x8086", "0x1901", "pcieport", 1, False, ""),
    "0000:01:00.0": ("0x030000", "0x10de", "0x1c82", "nouveau", 1, True, "0000:00:01.0"),
    "0000:01:00.1": ("0x040300", "0x10de", "0x0fb9", "snd_hda_intel", 1, False, "0000:00:01.0"),
    "0000:00:14.0": ("0x0c0330", "0x8086", "0xa36d", "xhci_hcd", 4, True, ""),
    "0000:00:1c.0": ("0x060400", "0x8086", "0xa338", "pcieport", 7, False, ""),
    "0000:02:00.0": ("0x010802", "0x144d", "0xa808", "vfio-pci", 13, True, "0000:00:1c.0"),
    "0000:00:1d.0": ("0x060400", "0x8086", "0xa330", "pcieport", 8, False, ""),
    "0000:03:00.0": ("0x060100", "0x8086", "0xa303", "", 8, False, "0000:00:1d.0"),
    "0000:00:1f.4": ("0x0c0500", "0x8086", "0xa323", "i801_smbus", 9, False, ""),
    "10000:e1:00.0": ("0x020000", "0x8086", "0x15f3", "", 20, True, ""),
}


def pci_record(*, iommu: bool = True) -> str:
    """The board's PCI functions as a record."""
    lines = []
    for address, (kind, vendor, device, driver, group, resets, above) in PCI_FUNCTIONS.items():
        domain = address.partition(":")[0]
        place = "/".join(filter(None, (f"devices/pci{domain}:00", above, address)))
        lines += [f"bus/pci/devices/{address} -> {place}"]
        lines += [f"{place}/{name} = {text}" for name, text in (("class", kind), ("vendor", vendor))]
        lines += [f"{place}/device = {device}"]
        if driver:
            lines += [f"{place}/driver -> bus/pci/drivers/{driver}"]
        if iommu:
            lines += [f"{place}/iommu_group -> kernel/iommu_groups/{group}"]
        if resets:
            lines += [f"{place}/reset = 0"]
    if not iommu:
        lines += ["kernel/iommu_groups"]
    return "\n".join(lines)


_USB = {
    # name: (vendor, product, bus, number, class, manufacturer, product text, serial)
    "usb1": ("1d6b", "0002", 1, 1, "09", "Linux xhci-hcd", "xHCI Host Controller", "0000:00:14.0"),
    "1-4": ("05e3", "0608", 1, 2, "09", "", "USB2.0 Hub", ""),
    "1-4.2": ("0781", "5581", 1, 7, "00", "SanDisk", "Ultra", "4C530001"),
    "1-4.3": ("0781", "5581", 1, 8, "00", "SanDisk", "Ultra", "4C530002"),
    "2-1": ("046d", "c52b", 2, 3, "00", "", "", ""),
}


def usb_record() -> str:
    """A hub with two sticks of one kind, and a receiver that says nothing of itself."""
    lines = ["bus/usb/devices/2-1:1.0 -> devices/usb/2-1:1.0"]
    for name, (vendor, product, bus, number, kind, maker, text, serial) in _USB.items():
        place = f"devices/usb/{name}"
        lines += [f"bus/usb/devices/{name} -> {place}"]
        lines += [f"{place}/idVendor = {vendor}", f"{place}/idProduct = {product}"]
        lines += [f"{place}/busnum = {bus}", f"{place}/devnum = {number}", f"{place}/bDeviceClass = {kind}"]
        told = {"manufacturer": maker, "product": text, "serial": serial}
        lines += [f"{place}/{key} = {value}" for key, value in told.items() if value]
    return "\n".join(lines)
