"""``vm.device.*_choices``: what the host has, as clients read it."""

from pathlib import Path

from tests.harness import server
from tests.unit.adapters.sysfs import build, pci_record, usb_record
from vmstead.adapters.fake_host import FakeHost
from vmstead.adapters.hardware import pci_devices, usb_devices


def machine(tmp_path: Path) -> FakeHost:
    """A host with the recorded board's devices."""
    build(tmp_path / "sys", pci_record() + "\n" + usb_record())
    return FakeHost(
        pci=list(pci_devices(tmp_path / "sys", []).values()),
        usb=list(usb_devices(tmp_path / "sys", []).values()),
    )


async def test_choices_that_are_the_same_everywhere(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        assert await host.api.call("vm.device.iotype_choices") == {
            "NATIVE": "NATIVE",
            "THREADS": "THREADS",
            "IO_URING": "IO_URING",
        }
        controllers = await host.api.call("vm.device.usb_controller_choices")
        assert len(controllers) == 8
        assert controllers["nec-xhci"] == "nec-xhci"


async def test_volumes_can_be_chosen_by_path(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        assert await host.api.call("vm.device.disk_choices") == {}
        for name in ("web 01", "db"):
            await host.server.services.volumes.create(f"default/{name}", 1 << 20)
        assert await host.api.call("vm.device.disk_choices") == {
            "/dev/zvol/default/db": "default/db",
            "/dev/zvol/default/web+01": "default/web 01",
        }


async def test_a_display_can_listen_on_every_address_of_the_host(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        choices = await host.api.call("vm.device.bind_choices")
        assert choices == {
            each: each for each in ("0.0.0.0", "::", "127.0.0.1", "::1", "192.0.2.10", "2001:db8::10")
        }


async def test_pci_devices_are_told_by_both_names(tmp_path: Path) -> None:
    async with server(tmp_path, machine=machine(tmp_path)) as host:
        choices = await host.api.call("vm.device.passthrough_device_choices")
        assert await host.api.call("vm.device.pptdev_choices") == choices
        assert len(choices) == 11
        nvme = choices["pci_0000_02_00_0"]
        assert (nvme["available"], nvme["error"], nvme["critical"]) == (True, None, False)
        assert choices["pci_0000_00_00_0"]["critical"] is True
        for name in ("0000:02:00.0", "pci_0000_02_00_0"):
            assert await host.api.call("vm.device.passthrough_device", name) == nvme
        assert await host.api.call("vm.device.iommu_enabled") is True


async def test_a_pci_device_that_is_not_there_is_told_with_an_error(tmp_path: Path) -> None:
    async with server(tmp_path, machine=machine(tmp_path)) as host:
        for name in ("0000:ff:00.0", "card"):
            shown = await host.api.call("vm.device.passthrough_device", name)
            assert (shown["available"], shown["capability"]["class"]) == (False, None)
            assert name in shown["error"]


async def test_usb_devices_are_told_by_their_place(tmp_path: Path) -> None:
    async with server(tmp_path, machine=machine(tmp_path)) as host:
        choices = await host.api.call("vm.device.usb_passthrough_choices")
        assert sorted(choices) == ["usb_1_4", "usb_1_4_2", "usb_1_4_3", "usb_2_1"]
        assert choices["usb_1_4_2"]["capability"]["vendor"] == "SanDisk"
        by_kind = await host.api.call("vm.device.usb_passthrough_device", "usb_0781_5581_4C530002")
        assert by_kind == choices["usb_1_4_3"]
        unknown = await host.api.call("vm.device.usb_passthrough_device", "usb_7_7")
        assert (unknown["available"], unknown["error"]) == (False, "the USB device usb_7_7 is not plugged in")


async def test_a_vm_with_devices_of_the_host_has_them_in_its_document(tmp_path: Path) -> None:
    async with server(tmp_path, machine=machine(tmp_path)) as host:
        vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
        for attributes in (
            {"dtype": "PCI", "pptdev": "0000:02:00.0"},
            {"dtype": "USB", "usb": {"vendor_id": "0x0781", "product_id": "0x5581"}},
        ):
            await host.api.call("vm.device.create", {"vm": 1, "attributes": attributes})
        await host.api.call("vm.start", 1)
        document = host.engine.document(vm["uuid"]).decode()
        assert '<address bus="1" device="7" />' in document
        assert '<address domain="0x0000" bus="0x02" slot="0x00" function="0x0" />' in document


async def test_what_no_two_vms_can_have_is_refused_and_not_cloned(tmp_path: Path) -> None:
    async with server(tmp_path, machine=machine(tmp_path)) as host:
        for name in ("a", "b"):
            await host.api.call("vm.create", {"name": name, "memory": 64})
        usb = {"dtype": "USB", "device": "usb_2_1"}
        pci = {"dtype": "PCI", "pptdev": "pci_0000_02_00_0"}
        for attributes in (usb, pci):
            await host.api.call("vm.device.create", {"vm": 1, "attributes": attributes})
        again = [
            ({**usb, "device": "usb_046d_c52b"}, "device"),
            ({**pci, "pptdev": "0000:02:00.0"}, "pptdev"),
        ]
        for attributes, field in again:
            failure = await host.api.failure("vm.device.create", {"vm": 2, "attributes": attributes})
            assert failure.attributes == [f"attributes.{field}"]
        await host.api.call("vm.clone", 1, "c")
        clone = await host.api.call("vm.query", [["name", "=", "c"]], {"get": True})
        assert clone["devices"] == []
