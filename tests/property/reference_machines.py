"""What becomes of machines when something is done to them: as short as it can be said."""

import errno
import itertools
from dataclasses import dataclass, field
from typing import Any

MiB = 1024 * 1024
#: Part of the available memory that machines may take.
SHARE = 0.9


class Refused(Exception):
    """It is not possible; ``number`` is what the client is told beside the text."""

    def __init__(self, number: int) -> None:
        super().__init__(errno.errorcode[number])
        self.number = number


def require(condition: bool, number: int = errno.EINVAL) -> None:
    if not condition:
        raise Refused(number)


@dataclass
class Device:
    """A device; ``place`` is the volume or file behind it. What it does not have is None."""

    dtype: str
    place: str | None = None
    mac: str | None = None
    type: str | None = None
    ports: tuple[int, int] | None = None
    waits: bool = False


@dataclass
class Machine:
    """A machine; ``obeys``: its guest heeds the power button."""

    name: str
    memory: int
    min_memory: int | None = None
    description: str = ""
    autostart: bool = False
    power: str = "STOPPED"
    obeys: bool = True
    devices: dict[int, Device] = field(default_factory=dict)

    @property
    def active(self) -> bool:
        return self.power != "STOPPED"


@dataclass
class World:
    """All machines by id, the storage there is, and the host's bytes of memory."""

    available: int
    machines: dict[int, Machine] = field(default_factory=dict)
    volumes: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)

    # --- machines -----------------------------------------------------------------------------------

    def find(self, id: int) -> Machine:
        require(id in self.machines, errno.ENOENT)
        return self.machines[id]

    def create(self, id: int, name: str, memory: int, min_memory: int | None, autostart: bool) -> None:
        require(min_memory is None or min_memory <= memory)
        self.require_free_name(name)
        self.machines[id] = Machine(name, memory, min_memory, autostart=autostart)

    def require_free_name(self, name: str, but: Machine | None = None) -> None:
        require(all(each is but or each.name != name for each in self.machines.values()), errno.EEXIST)

    def update(self, id: int, **changes: Any) -> None:
        machine = self.find(id)
        after = {**vars(machine), **changes}
        self.require_free_name(after["name"], machine)
        require(not machine.active or after["name"] == machine.name, errno.EBUSY)
        require(after["min_memory"] is None or after["min_memory"] <= after["memory"])
        vars(machine).update(changes)

    def delete(self, id: int, force: bool, zvols: bool) -> None:
        machine = self.find(id)
        require(force or not machine.active, errno.EBUSY)
        if zvols:
            self.volumes -= {each.place for each in machine.devices.values() if each.dtype == "DISK"}
        del self.machines[id]

    def clone(self, id: int, name: str | None) -> Machine:
        """The copy, which is not among the machines yet; its devices are numbered from 0."""
        source = self.find(id)
        if name is None:
            taken = {each.name for each in self.machines.values()}
            name = next(new for n in itertools.count() if (new := f"{source.name}_clone{n}") not in taken)
        self.require_free_name(name)
        devices = {}
        for number, each in enumerate(source.devices.values()):
            place = each.place
            if each.dtype in ("DISK", "RAW"):
                there = self.volumes if each.dtype == "DISK" else self.files
                require(place in there, errno.ENOENT)
                assert place is not None
                stem, dot, suffix = place.partition(".")
                names = (f"{stem}_{name}{more}{dot}{suffix}" for more in _endings())
                place = next(each for each in names if each not in there)
                there.add(place)
            devices[number] = Device(each.dtype, place, type=each.type, waits=each.waits)
        return Machine(
            name, source.memory, source.min_memory, source.description, source.autostart, devices=devices
        )

    # --- power --------------------------------------------------------------------------------------

    @property
    def free(self) -> int:
        """Bytes that a start without overcommit may take."""
        taken = sum(each.memory for each in self.machines.values() if each.active)
        return max(0, int(self.available * SHARE) - taken * MiB)

    def start(self, id: int, overcommit: bool) -> None:
        machine = self.find(id)
        require(machine.power == "STOPPED", errno.EFAULT)
        require(overcommit or (machine.min_memory or machine.memory) * MiB <= self.free, errno.ENOMEM)
        self.begin(machine)

    def begin(self, machine: Machine) -> None:
        for each in machine.devices.values():
            require(each.place is None or each.place in self.volumes | self.files, errno.EFAULT)
        machine.power = "SUSPENDED" if any(each.waits for each in machine.devices.values()) else "RUNNING"

    def stop(self, id: int, force: bool, force_after_timeout: bool) -> None:
        machine = self.find(id)
        require(machine.power in (["RUNNING", "SUSPENDED"] if force else ["RUNNING"]), errno.EFAULT)
        if force or machine.obeys or force_after_timeout:
            machine.power = "STOPPED"

    def poweroff(self, id: int) -> None:
        require(self.find(id).active, errno.EFAULT)
        self.machines[id].power = "STOPPED"

    def restart(self, id: int) -> None:
        require(self.find(id).power == "RUNNING", errno.EFAULT)
        self.machines[id].power = "STOPPED"
        self.begin(self.machines[id])

    def reset(self, id: int) -> None:
        require(self.find(id).active, errno.EFAULT)

    def suspend(self, id: int) -> None:
        require(self.find(id).power == "RUNNING", errno.EFAULT)
        self.machines[id].power = "SUSPENDED"

    def resume(self, id: int) -> None:
        require(self.find(id).power == "SUSPENDED", errno.EFAULT)
        self.machines[id].power = "RUNNING"

    # --- devices ------------------------------------------------------------------------------------

    def owner(self, device: int) -> Machine:
        found = [each for each in self.machines.values() if device in each.devices]
        require(bool(found), errno.ENOENT)
        return found[0]

    def require_room(self, machine: Machine, new: Device, but: int | None = None) -> None:
        """No other device of the machine has what only one can have."""
        for id, each in machine.devices.items():
            if id != but:
                require(new.place is None or each.place != new.place)
                require(new.mac is None or each.mac != new.mac)
                require(new.dtype != "DISPLAY" or (each.dtype, each.type) != (new.dtype, new.type))

    @property
    def ports(self) -> set[int]:
        """The ports of all displays."""
        devices = [device for each in self.machines.values() for device in each.devices.values()]
        return {port for device in devices for port in device.ports or ()}

    def require_free_port(self, port: int | None, but: tuple[int, int] | None = None) -> None:
        require(port is None or port in (but or ()) or port not in self.ports)

    def add(self, vm: int, id: int, new: Device, port: int | None, makes: bool) -> None:
        machine = self.find(vm)
        self.require_room(machine, new)
        if new.place is not None:
            there = self.volumes if new.dtype == "DISK" else self.files
            if makes:
                require(new.place not in there, errno.EEXIST)
                there.add(new.place)
            else:
                require(new.place in there, errno.ENOENT)
                others = [dev for each in self.machines.values() for dev in each.devices.values()]
                shared = [each for each in others if (each.dtype, each.place) == (new.dtype, new.place)]
                require(new.dtype == "CDROM" or not shared)
        self.require_free_port(port)
        machine.devices[id] = new

    def change(self, id: int, mac: str | None, port: int | None) -> None:
        machine = self.owner(id)
        device = machine.devices[id]
        if mac is not None:
            self.require_room(machine, Device("NIC", mac=mac), but=id)
            device.mac = mac
        if port is not None:
            require(device.ports is None or port != device.ports[1])
            self.require_free_port(port, device.ports)

    def move(self, id: int, vm: int) -> None:
        source, target = self.owner(id), self.find(vm)
        if source is target:
            return
        require(not source.active and not target.active, errno.EBUSY)
        self.require_room(target, source.devices[id])
        target.devices[id] = source.devices.pop(id)

    def remove(self, id: int, with_storage: bool) -> None:
        machine = self.owner(id)
        require(not machine.active, errno.EFAULT)
        device = machine.devices.pop(id)
        if with_storage and device.dtype in ("DISK", "RAW"):
            self.volumes.discard(device.place or "")
            self.files.discard(device.place or "")


def _endings() -> "itertools.chain[str]":
    return itertools.chain([""], (f"_clone{n}" for n in itertools.count()))
