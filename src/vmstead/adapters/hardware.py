"""PCI and USB devices from sysfs, with names from the distribution's tables of ids.

See https://docs.kernel.org/PCI/sysfs-pci.html and https://docs.kernel.org/ABI/testing/sysfs-bus-usb.
"""

import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from vmstead.ports.hardware import PciAddress, PciDevice, UsbDevice

_HUB = 0x09
#: Where distributions keep the tables, first the one that wins.
ID_FOLDERS = (Path("/usr/share/misc"), Path("/usr/share/hwdata"))


def pci_devices(sys: Path, ids: Collection[Path] = ID_FOLDERS) -> dict[PciAddress, PciDevice]:
    """Every PCI function, by address. Raises OSError."""
    folders = _entries(sys / "bus/pci/devices")
    codes = {folder.name: (_hex(folder, "vendor"), _hex(folder, "device")) for folder in folders}
    classes = {folder.name: _hex(folder, "class") for folder in folders}
    names = _Names.read(ids, "pci.ids", codes.values(), {code >> 8 for code in classes.values()})
    found = {}
    for folder in folders:
        address = PciAddress.parse(folder.name)
        vendor, product = codes[folder.name]
        place = folder.resolve()
        found[address] = PciDevice(
            address=address,
            class_code=classes[folder.name],
            vendor=names.vendors.get(vendor, ""),
            product=names.products.get((vendor, product), ""),
            class_name=names.classes.get(classes[folder.name] >> 8, ""),
            driver=_target(folder / "driver"),
            iommu_group=int(group) if (group := _target(folder / "iommu_group")) else None,
            can_reset=(folder / "reset").exists(),
            behind=tuple(_addresses(place.parts[:-1])),
            path=str(place),
        )
    return found


def usb_devices(sys: Path, ids: Collection[Path] = ID_FOLDERS) -> dict[str, UsbDevice]:
    """Every USB device that is plugged in, by libvirt's name for it. The hubs of the controllers are left out."""
    folders = [
        # Interfaces have a colon; the hubs that controllers have built in are called usb1, usb2, …
        folder
        for folder in _entries(sys / "bus/usb/devices")
        if folder.name[0].isdigit() and ":" not in folder.name
    ]
    found = {}
    for folder in folders:
        try:
            code = (_hex(folder, "idVendor"), _hex(folder, "idProduct"))
            bus, number = int(_text(folder, "busnum")), int(_text(folder, "devnum"))
            is_hub = _hex(folder, "bDeviceClass") == _HUB
        except (FileNotFoundError, ValueError):
            continue  # pulled out while being looked at
        node = "usb_" + folder.name.replace("-", "_").replace(".", "_")
        found[node] = UsbDevice(
            node,
            bus,
            number,
            *code,
            vendor=_text(folder, "manufacturer"),
            product=_text(folder, "product"),
            serial=_text(folder, "serial"),
            is_hub=is_hub,
        )
    # What a device does not say of itself, the table may know.
    names = _Names.read(ids, "usb.ids", [(each.vendor_id, each.product_id) for each in found.values()], set())
    return {node: names.completed(device) for node, device in found.items()}


def has_iommu(sys: Path) -> bool:
    """Whether devices are kept apart by an IOMMU: there is at least one group."""
    return bool(_entries(sys / "kernel/iommu_groups"))


class _Names:
    """What a table says of some ids. Such tables have 30,000 lines, of which a host needs twenty."""

    def __init__(self) -> None:
        self.vendors: dict[int, str] = {}
        self.products: dict[tuple[int, int], str] = {}
        self.classes: dict[int, str] = {}

    @classmethod
    def read(
        cls,
        folders: Collection[Path],
        file: str,
        codes: Collection[tuple[int, int]],
        classes: Collection[int],
    ) -> "_Names":
        """The names of these (vendor, product) pairs and classes. Raises OSError."""
        names = cls()
        table = next((folder / file for folder in folders if (folder / file).exists()), None)
        if table is None or not (codes or classes):
            return names
        wanted = {f"{vendor:04x}": vendor for vendor, _ in codes}
        section, key = "", 0
        with table.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line[0] in "#\n":
                    continue  # stand within sections too
                head, _, text = line.strip().partition("  ")
                if line[0] == "\t":
                    if line[1] != "\t" and section:
                        names._add(section, key, int(head, 16), text)
                elif head in wanted:
                    section, key = "product", wanted[head]
                    names.vendors[key] = text
                elif head.startswith("C "):
                    section, key = "class", int(head.split()[1], 16)
                else:
                    section = ""
        pairs, kinds = set(codes), set(classes)
        names.products = {pair: name for pair, name in names.products.items() if pair in pairs}
        names.classes = {kind: name for kind, name in names.classes.items() if kind in kinds}
        return names

    def _add(self, section: str, key: int, number: int, text: str) -> None:
        if section == "product":
            self.products[key, number] = text
        else:
            self.classes[key << 8 | number] = text

    def completed(self, device: UsbDevice) -> UsbDevice:
        """The device, with names where it had none of its own."""
        vendor = device.vendor or self.vendors.get(device.vendor_id, "")
        product = device.product or self.products.get((device.vendor_id, device.product_id), "")
        return replace(device, vendor=vendor, product=product)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []  # a host without such a bus


def _text(folder: Path, name: str) -> str:
    """What a device says of itself; empty where it says nothing. It may say anything: one line of it is kept."""
    try:
        text = (folder / name).read_text(errors="replace")
    except FileNotFoundError:
        return ""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _hex(folder: Path, name: str) -> int:
    return int((folder / name).read_text(), 16)


def _target(link: Path) -> str | None:
    """The last part of where a link leads; None where there is none."""
    try:
        return Path(os.readlink(link)).name
    except FileNotFoundError:
        return None


def _addresses(parts: Collection[str]) -> list[PciAddress]:
    found = []
    for part in parts:
        try:
            found.append(PciAddress.parse(part))
        except ValueError:
            continue  # not every folder on the way is a device
    return found
