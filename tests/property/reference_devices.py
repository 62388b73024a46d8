"""What becomes of a VM's devices when a list of them is given: as short and as slow as it can be said."""

from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

#: What there is on the host beside the devices. Another VM has the file ``theirs`` and the ports 5918 and 5919.
THEIRS = {"theirs"}
THEIR_PORTS = {5918, 5919}
DEFAULT_ORDER = {"CDROM": 1000, "RAW": 1001, "DISK": 1001, "NIC": 1002, "DISPLAY": 1002}


@dataclass
class Host:
    """A VM and the storage around it: files with their sizes, volumes, and the devices by id."""

    files: dict[str, int]
    volumes: set[str]
    devices: dict[int, dict[str, Any]] = field(default_factory=dict)
    active: bool = False


class Refused(Exception):
    """The list is not possible."""


def reconciled(host: Host, elements: list[dict[str, Any]]) -> tuple[Host, list[dict[str, Any]]]:
    """The host afterwards, with new devices under the ids -1, -2, …; and the devices in order. Raises Refused."""
    after = deepcopy(host)
    final: list[tuple[dict[str, Any] | None, dict[str, Any]]] = []
    ids = [element["id"] for element in elements if element.get("id") is not None]
    require(len(set(ids)) == len(ids) and set(ids) <= host.devices.keys())
    require(not host.active or set(ids) == host.devices.keys())
    for element in elements:
        require(element.get("vm", "ours") == "ours")
        final.append(one(host, element))
    for index, (old, new) in enumerate(final):
        others = [each for number, (_, each) in enumerate(final) if number != index]
        if old != new:
            check(host, old, new, others)
    for old, new in final:
        if old != new:
            make(after, new)
    after.devices = {
        new["id"] if old is not None else -1 - number: {**new, "exists": True}
        for number, (old, new) in enumerate(final)
    }
    return after, [new for _, new in final]


def require(condition: bool) -> None:
    if not condition:
        raise Refused


def one(host: Host, element: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """A device before and after, flat: attributes with ``id`` and ``order``."""
    attributes = element["attributes"]
    if element.get("id") is None:
        defaults = {"exists": False, "size": None, "create_zvol": False, "mac": None, "port": None}
        order = element.get("order") or DEFAULT_ORDER[attributes["dtype"]]
        return None, {**defaults, "web_port": None, "id": None, **attributes, "order": order}
    old = host.devices[element["id"]]
    require(attributes.get("dtype", old["dtype"]) == old["dtype"])
    new = {**old, **attributes}
    for name in ("mac", "port", "web_port"):
        # Left to the server, it stays, unless the client gives it to something else.
        if name in attributes and attributes[name] is None and old[name] not in attributes.values():
            new[name] = old[name]
    if "order" in element:
        new["order"] = element["order"] or DEFAULT_ORDER[old["dtype"]]
    return old, new


def check(host: Host, old: dict[str, Any] | None, new: dict[str, Any], others: list[dict[str, Any]]) -> None:
    """Raises Refused when a device that is new or changed is not possible beside the others."""
    kind = new["dtype"]
    is_new_place = old is None or place(old) != place(new)
    require(place(new) is None or place(new) not in [place(each) for each in others])
    if kind == "NIC":
        require(new["mac"] is None or new["mac"] not in [each.get("mac") for each in others])
    elif kind == "DISPLAY":
        check_display(old, new, others)
    elif kind == "CDROM":
        require(not is_new_place or new["path"] in host.files)
    elif kind == "DISK" and new["create_zvol"]:
        require(new["zvol_name"] not in host.volumes)
    elif kind == "DISK":
        require(not is_new_place or new["path"] in host.volumes)
    elif is_new_place and not new["exists"]:
        require(new["path"] not in host.files and new["size"] is not None)
    elif old is None or is_new_place or old["size"] != new["size"]:
        require(new["path"] in host.files and (new["size"] or 2**60) >= host.files[new["path"]])
        require(not is_new_place or new["path"] not in THEIRS)


def check_display(old: dict[str, Any] | None, new: dict[str, Any], others: list[dict[str, Any]]) -> None:
    displays = [each for each in others if each["dtype"] == "DISPLAY"]
    require(new["type"] not in [each["type"] for each in displays])
    require(new["port"] is None or new["port"] != new["web_port"])
    taken = THEIR_PORTS.union(*({each["port"], each["web_port"]} for each in displays))
    kept = {old["port"], old["web_port"]} if old else set()
    require(not ({new["port"], new["web_port"]} - {None} - kept) & taken)


def place(device: dict[str, Any]) -> tuple[str, str] | None:
    """What no two devices of a VM can have."""
    if device["dtype"] == "DISK":
        return "volume", device["zvol_name"] if device["create_zvol"] else device["path"]
    return ("file", device["path"]) if device["dtype"] in ("RAW", "CDROM") else None


def make(host: Host, new: dict[str, Any]) -> None:
    """Make or grow what is behind a device."""
    if new["dtype"] == "RAW":
        host.files[new["path"]] = max(host.files.get(new["path"], 0), new["size"] or 0)
    elif new["dtype"] == "DISK" and new["create_zvol"]:
        host.volumes.add(new["zvol_name"])
        new.update(path=new["zvol_name"], create_zvol=False, zvol_name=None)
