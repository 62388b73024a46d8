"""Roles and what they include."""

from collections.abc import Iterable, Mapping

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
    "ACCOUNT_READ": (),
    "ACCOUNT_WRITE": ("ACCOUNT_READ",),
    "PRIVILEGE_READ": (),
    "PRIVILEGE_WRITE": ("PRIVILEGE_READ",),
    "API_KEY_READ": (),
    "API_KEY_WRITE": ("API_KEY_READ",),
    "AUTH_SESSIONS_READ": (),
    "AUTH_SESSIONS_WRITE": ("AUTH_SESSIONS_READ",),
    "SYSTEM_SECURITY_READ": (),
    "SYSTEM_SECURITY_WRITE": ("SYSTEM_SECURITY_READ",),
    "SYSTEM_AUDIT_READ": (),
    "SYSTEM_AUDIT_WRITE": ("SYSTEM_AUDIT_READ",),
}
#: Everything that only looks, but not into files: a disk image is all that its guest knows.
_INCLUDES["READONLY_ADMIN"] = tuple(
    role for role in _INCLUDES if role.endswith("_READ") and role != "FILESYSTEM_DATA_READ"
)
#: Everything that can be given to an account.
ROLES = frozenset({*_INCLUDES, FULL_ADMIN})


def expand(roles: Iterable[str], includes: Mapping[str, tuple[str, ...]] = _INCLUDES) -> frozenset[str]:
    """The roles with all that they include, each looked at once: overlaps and circles cost nothing."""
    found: set[str] = set()
    pending = [*roles]
    while pending:
        role = pending.pop()
        if role == FULL_ADMIN:
            return ROLES
        if role in includes and role not in found:
            found.add(role)
            pending.extend(includes[role])
    return frozenset(found)


def is_everything(roles: Iterable[str]) -> bool:
    """Whether who has these roles may do everything."""
    return FULL_ADMIN in roles


def includes(role: str) -> list[str]:
    """The roles that a role includes directly, by name."""
    return sorted(ROLES - {FULL_ADMIN}) if role == FULL_ADMIN else sorted(_INCLUDES[role])
