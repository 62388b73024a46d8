"""Every example of the contract's document runs, and every field of its tables is taken and read back."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness import Host, server
from tests.processes import Result, midclt
from tests.seed.document import Example, Field, device_fields, examples, listed, vm_defaults, vm_fields
from vmstead.adapters.fake_host import FakeHost
from vmstead.ports.hardware import PciAddress, PciDevice, UsbDevice
from vmstead.ports.host import Interface

#: State that a VM must be in for an example to make sense.
_STATES = {
    "vm.stop": "RUNNING",
    "vm.poweroff": "RUNNING",
    "vm.restart": "RUNNING",
    "vm.suspend": "RUNNING",
    "vm.get_display_web_uri": "RUNNING",
    "vm.resume": "SUSPENDED",
}
_JOBS = {"vm.stop", "vm.restart", "vm.log_file_download"}
_PLACEHOLDERS = {
    "<vm_id>": "1",
    "<device_id>": "1",
    "00:a0:98:xx:xx:xx": "00:a0:98:12:34:56",
    "usb_8086_1234_...": "usb_8086_1234_1_2",
}


def machine() -> FakeHost:
    """A host that has what the examples name."""
    network = {"br0": Interface("br0", is_bridge=True), "eth0": Interface("eth0")}
    card = PciDevice(PciAddress.parse("0000:01:00.0"), 0x030000, iommu_group=1)
    stick = UsbDevice("usb_1_2", 1, 5, 0x8086, 0x1234, serial="1_2")
    return FakeHost(network=network, pci=[card], usb=[stick])


async def prepare(host: Host, tmp_path: Path) -> None:
    """A VM with a CDROM and a display, and the storage that the examples name."""
    tank = tmp_path / "tank"
    for path in ("iso/ubuntu.iso", "iso/different.iso"):
        (tank / path).parent.mkdir(exist_ok=True)
        (tank / path).write_bytes(b"image")
    (tank / "vms").mkdir()
    await host.server.services.volumes.create("tank/vms/testvm-disk0", 1 << 20)


async def run(host: Host, example: Example) -> Result:
    arguments = list(example.arguments)
    for placeholder, value in _PLACEHOLDERS.items():
        arguments = [argument.replace(placeholder, value) for argument in arguments]
    options = ["-j"] if example.method in _JOBS else []
    return await midclt(f"ws+unix://{host.config.socket}", "call", *options, example.method, *arguments)


@pytest.mark.parametrize("example", examples(), ids=str)
async def test_the_example_runs(tmp_path: Path, example: Example) -> None:
    (tmp_path / "tank").mkdir()
    async with server(tmp_path, machine=machine(), pools={"tank": tmp_path / "tank"}) as host:
        await prepare(host, tmp_path)
        if example.method != "vm.create":
            await host.api.call("vm.create", {"name": "testvm", "memory": 64})
            if example.method != "vm.device.create":
                for attributes in (
                    {"dtype": "CDROM", "path": "/mnt/tank/iso/ubuntu.iso"},
                    {"dtype": "DISPLAY", "password": "hunter22"},
                ):
                    await host.api.call("vm.device.create", {"vm": 1, "attributes": attributes})
        state = _STATES.get(example.method)
        if state is not None:
            await host.api.call("vm.start", 1)
        if state == "SUSPENDED":
            await host.api.call("vm.suspend", 1)
        result = await run(host, example)
        assert result.status == 0, result


def test_the_document_was_read() -> None:
    assert len(examples()) == 50
    assert {example.method for example in examples()} >= {
        "vm.query",
        "vm.clone",
        "vm.device.usb_controller_choices",
    }
    assert {name: len(fields) for name, fields in device_fields().items()} == {
        "CDROM": 2,
        "DISK": 10,
        "RAW": 10,
        "NIC": 5,
        "DISPLAY": 10,
        "PCI": 2,
        "USB": 4,
    }


async def test_a_vm_has_every_field_with_its_default(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
        assert set(vm_fields()) == set(vm)
        defaults = vm_defaults()
        assert len(defaults) == 14
        assert {name: vm[name] for name in defaults} == defaults


#: A value that differs from the default, for fields whose values the tables do not list.
_OTHER: dict[str, dict[str, Any]] = {
    "CDROM": {"path": "/mnt/tank/iso/ubuntu.iso"},
    "DISK": {"path": "/dev/zvol/tank/vms/testvm-disk0", "serial": "ABCDEFGH"},
    "RAW": {
        "path": "/mnt/tank/vms/raw.img",
        "exists": True,
        "boot": True,
        "size": 1 << 20,
        "serial": "ABCDEFGH",
    },
    "NIC": {"nic_attach": "br0", "mac": "00:a0:98:12:34:56", "trust_guest_rx_filters": True},
    "DISPLAY": {
        "port": 5950,
        "web_port": 5951,
        "bind": "0.0.0.0",
        "wait": True,
        "password": "hunter22",
        "web": False,
    },
    "PCI": {"pptdev": "0000:01:00.0"},
    "USB": {"device": "usb_8086_1234_1_2", "usb": {"vendor_id": "0x8086", "product_id": "0x1234"}},
}
#: Fields that say what to do, or that only another method answers with.
_NOT_READ = {"create_zvol", "zvol_name", "zvol_volsize", "password_configured"}


def needed(dtype: str, field: Field) -> bool:
    """Whether the device cannot be made without the field."""
    return (field.is_required and field.name in _OTHER[dtype]) or (dtype, field.name) in {
        ("DISK", "path"),
        ("RAW", "exists"),
        ("USB", "device"),
    }


def cases() -> list[tuple[str, str, Any]]:
    """Every field of every table with every value it is to be tried with."""
    found = []
    for dtype, fields in device_fields().items():
        for field in fields:
            found += [(dtype, field.name, value) for value in _values(dtype, field)]
    return found


def _values(dtype: str, field: Field) -> list[Any]:
    if field.name in _NOT_READ or field.name == "dtype":
        return []
    if field.name == "resolution":
        return listed("Resolution options")
    if field.name == "controller_type":
        return listed("Controller types")
    other = _OTHER[dtype].get(field.name)
    # Null where something is required means that another field says what it is.
    choices = [each for each in field.choices if each is not None or not needed(dtype, field)]
    return [*choices, *([] if other is None else [other])] or [other]


@pytest.mark.parametrize(("dtype", "field", "value"), cases())
async def test_a_field_is_taken_and_read_back(tmp_path: Path, dtype: str, field: str, value: Any) -> None:
    (tmp_path / "tank").mkdir()
    async with server(tmp_path, machine=machine(), pools={"tank": tmp_path / "tank"}) as host:
        await prepare(host, tmp_path)
        await host.api.call("vm.create", {"name": "testvm", "memory": 64})
        fields = device_fields()[dtype]
        attributes = {each.name: _OTHER[dtype][each.name] for each in fields if needed(dtype, each)}
        if attributes.get("exists"):
            (tmp_path / "tank/vms/raw.img").write_bytes(bytes(1 << 20))
        if field == "physical_sectorsize" and value is not None:
            attributes["logical_sectorsize"] = 512
        if field == "usb" and value is not None:
            del attributes["device"]  # one of the two says which it is
        if field == "trust_guest_rx_filters":
            attributes |= {"type": "VIRTIO", "nic_attach": "eth0"}
        device = await host.api.call(
            "vm.device.create", {"vm": 1, "attributes": {"dtype": dtype, **attributes, field: value}}
        )
        assert device["attributes"][field] == (value if value is not None else device["attributes"][field])
        shown = await host.api.call("vm.device.get_instance", device["id"])
        assert shown == device
        chosen = {"serial", "mac", "port", "web_port"}
        for each in fields:
            if each.name in {field, *attributes, *_NOT_READ, *chosen} or each.is_required:
                continue
            assert device["attributes"][each.name] == each.default, each.name
