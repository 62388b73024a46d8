"""What happens to VMs, told to whoever subscribed to ``vm.query`` and ``vm.device.query``."""

from vmstead.ctx import Services
from vmstead.kernel.bus import Change, Event
from vmstead.kernel.model import masked
from vmstead.ports.engine import DomainState
from vmstead.vm.entries import device_entry, vm_entry

VMS = "vm.query"
DEVICES = "vm.device.query"
#: The role that subscribing takes.
ROLES: dict[str, str | None] = {VMS: "VM_READ", DEVICES: "VM_DEVICE_READ"}


def state_changed(services: Services, uuid: str, new: DomainState) -> None:
    """A domain changed its state, whoever caused it: tell it of the VM that it belongs to, if of any."""
    id = services.vms.id_of_uuid(uuid)
    if id is not None:
        _publish_vm(services, "changed", id, extra={"state": str(new.power)})


def vm_changed(services: Services, change: Change, id: int) -> None:
    """A VM was added, or something in it changed."""
    _publish_vm(services, change, id)


def vm_removed(services: Services, id: int) -> None:
    """A VM is gone."""
    services.bus.publish(Event(VMS, "removed", id))


def device_changed(services: Services, change: Change, id: int) -> None:
    """A device was added or changed."""
    row = services.vms.device(id)
    if row is not None and services.bus.has_subscribers(DEVICES):
        entry = masked(device_entry(row))
        services.bus.publish(Event(DEVICES, change, id, entry, is_passing=change == "changed"))


def device_removed(services: Services, id: int) -> None:
    """A device is gone."""
    services.bus.publish(Event(DEVICES, "removed", id))


def _publish_vm(services: Services, change: Change, id: int, extra: dict[str, object] | None = None) -> None:
    vm = services.vms.stored(id) if services.bus.has_subscribers(VMS) else None
    if vm is not None:
        # Without secrets: an event is one frame for everybody, whatever each may see.
        entry = vm_entry(services, vm, secrets=False)
        # Whoever is behind can do without what is out of date, but not without a transition.
        is_passing = change == "changed" and extra is None
        services.bus.publish(Event(VMS, change, id, entry, extra, is_passing=is_passing))
