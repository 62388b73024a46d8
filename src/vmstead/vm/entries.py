"""VMs and devices as clients read them: stored rows with what is computed."""

from collections.abc import Iterable, Sequence
from typing import Any

from vmstead.ctx import Ctx, Services
from vmstead.devices import TYPES, Placed, load
from vmstead.errors import NotFound
from vmstead.kernel.model import masked
from vmstead.ports.engine import DomainState, PowerState
from vmstead.query.ast import And, Cmp, Path
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


def vm_entry(services: Services, row: Entry, devices: Iterable[Entry]) -> Entry:
    """A VM as clients read it, from its row and those of its devices."""
    entries = [device_entry(device) for device in devices]
    return {
        **row,
        "status": status(services.states.get(row["uuid"])),
        "devices": entries,
        "display_available": any(entry["attributes"]["dtype"] == "DISPLAY" for entry in entries),
    }


async def vm_entries(services: Services, where: And = And()) -> list[Entry]:
    """Every VM that could match, by id, with secrets in clear; most filters leave that open."""
    await services.states.settled(_PATIENCE)
    few = _candidates(services, where)
    if few is not None:
        return [vm_entry(services, row, services.vms.devices_of(row["id"])) for row in few]
    devices: dict[int, list[Entry]] = {}
    for device in services.vms.all_devices():
        devices.setdefault(device["vm"], []).append(device)
    return [vm_entry(services, row, devices.get(row["id"], ())) for row in services.vms.all()]


def _candidates(services: Services, where: And) -> list[Entry] | None:
    """The rows that alone can satisfy the first condition; None where only a look at every one would tell.

    No later condition counts: an error of it is to come from the same rows as if all had been looked at.
    """
    match where.items[:1]:
        case (Cmp(Path(parts=("id",)), "=", int(id), fold=False, dated=False),):
            row = services.vms.by_id(id)
            return [] if row is None else [row]
        case (Cmp(Path(parts=("status", "state")), "=", "RUNNING" | "SUSPENDED", fold=False, dated=False),):
            active = services.states.active()
            if len(active) > _FEW:
                return None
            rows = [row for row in map(services.vms.by_uuid, active) if row is not None]
            return sorted(rows, key=lambda row: int(row["id"]))
    return None


async def read_vm(services: Services, id: int) -> Entry:
    """One VM, with secrets in clear. Raises NotFound."""
    await services.states.settled(_PATIENCE)
    row = services.vms.by_id(id)
    if row is None:
        raise NotFound("VM", id)
    return vm_entry(services, row, services.vms.devices_of(id))


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


def in_boot_order(devices: Sequence[Placed]) -> list[Placed]:
    """Devices in the order in which the guest meets them."""
    return sorted(devices, key=lambda device: (device.effective_order, device.id))


async def settled(services: Services, id: int) -> Vm:
    """The VM, once its state is known. Raises NotFound."""
    target = find(services, id)
    await services.states.settled(_PATIENCE)
    return target
