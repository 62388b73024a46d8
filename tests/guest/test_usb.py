"""Each kind of USB controller, seen from inside a guest that has something plugged into every one of them."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Literal

from tests.contract.engine import Machine, connected, forget
from tests.daemons import lasting_engine, state_folder
from tests.guest.guests import PATIENCE
from tests.unit.vm.support import make_vm
from vmstead.demo.guest import READY, Inventory, build, default_cache, parse_inventory
from vmstead.devices import Device, Slots
from vmstead.devices.raw import Raw
from vmstead.devices.usb import CONTROLLER_TYPES
from vmstead.kernel.run import run
from vmstead.kernel.xml import Element, el
from vmstead.ports.engine import Domain, Engine
from vmstead.ports.volumes import DiskSource
from vmstead.vm.xml import Launch, domain_xml

#: One that QEMU has in other machines only: a VM with it is refused when it is written.
ELSEWHERE = "vt82c686b-uhci"
#: The driver that Linux has for each of the others.
DRIVERS = {
    "piix3-uhci": "uhci_hcd",
    "piix4-uhci": "uhci_hcd",
    "pci-ohci": "ohci-pci",
    "ehci": "ehci-pci",
    "ich9-ehci1": "ehci-pci",
    "nec-xhci": "xhci_hcd",
    "qemu-xhci": "xhci_hcd",
}


class Tablet(Device):
    """A pointing device of QEMU's own, where a USB device of the host would be."""

    dtype: Literal["TABLET"] = "TABLET"
    controller_type: str

    def xml(self, resolved: object, slots: Slots) -> Iterator[Element]:
        index, controller = slots.usb_controller(self.controller_type)
        yield from controller
        yield el("input", el("address", type="usb", bus=index), type="tablet", bus="usb")


async def test_what_is_plugged_into_each_controller_is_found_there() -> None:
    assert {*CONTROLLER_TYPES} == {*DRIVERS, ELSEWHERE}
    with state_folder() as folder:
        disk = folder / "disk.raw"
        await run(["cp", "--sparse=always", "--", str(await build(default_cache())), str(disk)])
        vm = make_vm(bootloader="UEFI_CSM", memory=256)
        devices: list[tuple[Device, object]] = [(Raw(path="/x", boot=True), DiskSource(disk, is_block=False))]
        devices += [(Tablet(controller_type=each), None) for each in DRIVERS]
        xml = domain_xml(vm, devices, Launch("tcg", None, folder, folder))
        machine = Machine(lasting_engine(folder), lambda uuid, name: b"")
        async with connected(machine) as (engine, _):
            found = await inventory(engine, Domain(vm.uuid, vm.domain_name, xml))
    tablets = sorted(device.controller for device in found.usb if "Tablet" in device.name)
    assert tablets == sorted(DRIVERS.values())


async def inventory(engine: Engine, domain: Domain) -> Inventory:
    """What the guest prints of itself when it has started."""
    async with AsyncExitStack() as stack:
        await engine.define(domain)
        stack.push_async_callback(forget, engine, domain.uuid)
        await engine.start(domain.uuid)
        console = await engine.console(domain.uuid)
        stack.push_async_callback(console.close)
        printed = b""
        async with asyncio.timeout(PATIENCE):
            async for chunk in console:
                printed += chunk
                if READY.encode() in printed:
                    break
        return parse_inventory(printed.decode(errors="replace"))
