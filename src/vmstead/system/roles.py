"""Roles and what they include."""

from collections.abc import Iterable

from vmstead.rpc.caller import FULL_ADMIN

#: Role -> the roles it includes directly.
_INCLUDES: dict[str, tuple[str, ...]] = {
    "VM_READ": (),
    "VM_WRITE": ("VM_READ",),
    "VM_DEVICE_READ": ("VM_READ",),
    "VM_DEVICE_WRITE": ("VM_WRITE", "VM_DEVICE_READ"),
    "VM_COMMAND_LINE_ARGS": (),
    "FILESYSTEM_ATTRS_READ": (),
    "FILESYSTEM_ATTRS_WRITE": ("FILESYSTEM_ATTRS_READ",),
    "FILESYSTEM_DATA_READ": (),
    "FILESYSTEM_DATA_WRITE": ("FILESYSTEM_DATA_READ", "FILESYSTEM_ATTRS_READ"),
    "POOL_READ": (),
    "DATASET_READ": (),
    "DATASET_WRITE": ("DATASET_READ",),
    "DATASET_DELETE": (),
    "SNAPSHOT_READ": (),
    "SNAPSHOT_WRITE": ("SNAPSHOT_READ",),
    "SNAPSHOT_DELETE": (),
    "ALERT_LIST_READ": (),
    "ALERT_LIST_WRITE": ("ALERT_LIST_READ",),
    "DISK_READ": (),
    "FAILOVER_READ": (),
    "NETWORK_GENERAL_READ": (),
    "NETWORK_INTERFACE_READ": (),
    "SERVICE_READ": (),
    "SYSTEM_ADVANCED_READ": (),
    "SYSTEM_GENERAL_READ": (),
    "SYSTEM_PRODUCT_READ": (),
    #: Shutting the host down; the setting ``host_power`` must allow it too.
    "HOST_POWER": (),
    "REPORTING_READ": (),
    "READONLY_ADMIN": (
        "VM_READ",
        "VM_DEVICE_READ",
        "ALERT_LIST_READ",
        "DISK_READ",
        "FAILOVER_READ",
        "NETWORK_GENERAL_READ",
        "NETWORK_INTERFACE_READ",
        "SERVICE_READ",
        "SYSTEM_ADVANCED_READ",
        "SYSTEM_GENERAL_READ",
        "SYSTEM_PRODUCT_READ",
        "FILESYSTEM_ATTRS_READ",
        "POOL_READ",
        "DATASET_READ",
        "SNAPSHOT_READ",
        "REPORTING_READ",
    ),
}
#: Everything that can be given to an account.
ROLES = frozenset({*_INCLUDES, FULL_ADMIN})


def expand(roles: Iterable[str]) -> frozenset[str]:
    """The roles with all that they include."""
    found: set[str] = set()
    pending = [*roles]
    while pending:
        role = pending.pop()
        if role == FULL_ADMIN:
            return ROLES
        if role in _INCLUDES and role not in found:
            found.add(role)
            pending.extend(_INCLUDES[role])
    return frozenset(found)
