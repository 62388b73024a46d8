"""VMs and devices as clients read them: stored rows with what is computed."""

from collections.abc import Iterable, Sequence
from typing import Any

from vmstead.ctx import Ctx, Services
from vmstead.devices import TYPES, Placed, load
from vmstead.errors import NotFound
from vmstead.kernel.model import masked
from vmstead.ports.engine import DomainState, PowerState
from vmstead.query.ast import And, Cmp
from vmstead.store.kept import Stored
from vmstead.vm.model import Vm

Entry = dict[str, Any]

#: Seconds that a reader waits for the first listing after a start of the server.
_PATIENCE = 10
#: VMs that are looked up one by one; for more, reading the whole table is quicker.
_FEW = 200


def status(state: DomainState) -> dict[str, object]:
    """The ``status`` of a VM: RUNNING, STOPPED or SUSPENDED, the process, and libvirt's word for it."""
    name = "SUSPENDED" if state.power is PowerState.PAUSED else "RUNNING"
    return {"state": name if state.active else "STOPPED", "pid": state.pid, "domain_state": str(state.power)}


def device_entry(row: Entry) -> Entry:
    """A device as clients read it."""
    kind = TYPES[row["attributes"]["dtype"]]
    return {
        "id": row["id"],
        # Attributes that came with a later version than the row are there with their defaults.
        "attributes": {**_DEFAULTS[kind.__name__], **row["attributes"]},
        "vm": row["vm"],
        "order": row["order"] or kind.default_order,
    }


_DEFAULTS = {
    kind.__name__: {name: info.default for name, info in kind.model_fields.items() if not info.is_required()}
    for kind in TYPES.values()
}


def vm_entry(services: Services, vm: Stored, *, secrets: bool = True) -> Entry:
    """A VM as clients read it: what is stored of it, and the state that it is in now. Below its own members it is
    shared with others, and not to be changed.
    """
    known = vm.once("entry", _entry) if secrets else vm.once("masked entry", _masked_entry)
    return {**known, "status": status(services.states.get(known["uuid"]))}


def _entry(vm: Stored) -> Entry:
    devices = [device_entry(device) for device in vm.devices]
    has_display = any(each["attributes"]["dtype"] == "DISPLAY" for each in devices)
    row = vm.row
    if row["hugepages"] is None:
        # Entries are those of TrueNAS until somebody uses what it does not have.
        row = {name: value for name, value in row.items() if name != "hugepages"}
    return {**row, "status": None, "devices": devices, "display_available": has_display}


def _masked_entry(vm: Stored) -> Entry:
    return masked(vm.once("entry", _entry))


async def vm_entries(services: Services, where: And = And(), *, secrets: bool = True) -> list[Entry]:
    """Every VM that could match, by id; most filters leave that open. Without ``secrets`` those are masked."""
    await services.states.settled(_PATIENCE)
    few = _candidates(services, where)
    vms = services.vms.all_stored() if few is None else few
    return [vm_entry(services, vm, secrets=secrets) for vm in vms]


def _candidates(services: Services, where: And) -> list[Stored] | None:
    """The VMs that alone can satisfy the first condition; None where only a look at every one would tell.

    No later condition counts: an error of it is to come from the same VMs as if all had been looked at.
    """
    first = where.items[0] if where.items else None
    if not isinstance(first, Cmp) or first.op != "=" or first.fold or first.dated:
        return None
    if first.path.parts == ("id",) and isinstance(first.value, int):
        found = services.vms.stored(first.value)
        return [] if found is None else [found]
    if first.path.parts == ("status", "state") and first.value in ("RUNNING", "SUSPENDED"):
        active = services.states.active()
        if len(active) > _FEW:
            return None
        ids = sorted(id for id in map(services.vms.id_of_uuid, active) if id is not None)
        return [vm for vm in map(services.vms.stored, ids) if vm is not None]
    return None


async def read_vm(services: Services, id: int) -> Entry:
    """One VM, with secrets in clear. Raises NotFound."""
    await services.states.settled(_PATIENCE)
    vm = services.vms.stored(id)
    if vm is None:
        raise NotFound("VM", id)
    return vm_entry(services, vm)


def read_device(services: Services, id: int) -> Entry:
    """One device, with secrets in clear. Raises NotFound."""
    row = services.vms.device(id)
    if row is None:
        raise NotFound("VMDevice", id)
    return device_entry(row)


def shown(ctx: Ctx, entry: Entry, role: str) -> Entry:
    """The entry as this caller may see it: secrets only for those who could change them."""
    return entry if ctx.caller.may(role) else masked(entry)


def find(services: Services, id: int) -> Vm:
    """The VM itself. Raises NotFound."""
    row = services.vms.by_id(id)
    if row is None:
        raise NotFound("VM", id)
    return Vm.of(row)


def placed(rows: Iterable[Entry]) -> list[Placed]:
    """Stored devices as objects."""
    return [Placed(row["id"], row["vm"], row["order"], load(row["attributes"])) for row in rows]


def devices_of(services: Services, id: int) -> list[Placed]:
    """A VM's devices, by id; none where there is no such VM."""
    vm = services.vms.stored(id)
    return [] if vm is None else [*_devices(vm)]


def all_devices(services: Services) -> list[Placed]:
    """Every device of every VM, by id."""
    devices = (device for vm in services.vms.all_stored() for device in _devices(vm))
    return sorted(devices, key=lambda device: device.id)


def _devices(vm: Stored) -> list[Placed]:
    return vm.once("devices", lambda vm: placed(vm.devices))


def in_boot_order(devices: Sequence[Placed]) -> list[Placed]:
    """Devices in the order in which the guest meets them."""
    return sorted(devices, key=lambda device: (device.effective_order, device.id))


async def settled(services: Services, id: int) -> Vm:
    """The VM, once its state is known. Raises NotFound."""
    target = find(services, id)
    await services.states.settled(_PATIENCE)
    return target
