"""What the server answers about machines, beside what the reference says."""

from typing import Any

from tests.harness import ApiFailure
from tests.property.reference_machines import Device, Machine, Refused, World


def expect_power(world: World, id: int, active: bool) -> None:
    """A method that is for machines that run, or for those that do not."""
    if world.find(id).active is not active:
        raise Refused(14)


def numbers(failure: ApiFailure) -> set[int]:
    """The error numbers that a client is told."""
    if isinstance(failure.data.get("extra"), list):
        return {number for _, _, number in failure.data["extra"]}
    return {failure.errno}


def learned(device: Device, row: dict[str, Any]) -> Device:
    """The device with what the server has made up."""
    attributes = row["attributes"]
    ports = (attributes["port"], attributes["web_port"]) if device.dtype == "DISPLAY" else None
    return Device(
        device.dtype, device.place, attributes.get("mac") or device.mac, device.type, ports, device.waits
    )


def compare(machine: Machine, row: dict[str, Any]) -> None:
    """A machine as the server has it is the reference's."""
    for name in ("name", "memory", "min_memory", "description", "autostart"):
        assert row[name] == getattr(machine, name), name
    assert row["status"]["state"] == machine.power
    assert row["display_available"] is any(each.dtype == "DISPLAY" for each in machine.devices.values())
    found = {each["id"]: each for each in row["devices"]}
    assert found.keys() == machine.devices.keys()
    for id, device in machine.devices.items():
        attributes = found[id]["attributes"]
        assert attributes["dtype"] == device.dtype
        assert (attributes.get("path") or "").rpartition("/")[2] == (device.place or "")
        assert attributes.get("mac") == device.mac
        if device.ports is not None:
            assert (attributes["port"], attributes["web_port"]) == device.ports
