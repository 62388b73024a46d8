"""What a role includes."""

import pytest

from vmstead.rpc.caller import FULL_ADMIN
from vmstead.system.roles import ROLES, expand


@pytest.mark.parametrize(
    ("given", "expanded"),
    [
        ([], set()),
        (["VM_READ"], {"VM_READ"}),
        (["VM_WRITE"], {"VM_WRITE", "VM_READ"}),
        (["VM_DEVICE_READ"], {"VM_DEVICE_READ", "VM_READ"}),
        (["VM_DEVICE_WRITE"], {"VM_DEVICE_WRITE", "VM_DEVICE_READ", "VM_WRITE", "VM_READ"}),
        (
            ["READONLY_ADMIN"],
            {
                "READONLY_ADMIN",
                "VM_READ",
                "VM_DEVICE_READ",
                "POOL_READ",
                "DATASET_READ",
                "SNAPSHOT_READ",
                "FILESYSTEM_ATTRS_READ",
                "ALERT_LIST_READ",
                "DISK_READ",
                "FAILOVER_READ",
                "NETWORK_GENERAL_READ",
                "NETWORK_INTERFACE_READ",
                "SERVICE_READ",
                "SYSTEM_ADVANCED_READ",
                "SYSTEM_GENERAL_READ",
                "SYSTEM_PRODUCT_READ",
                "REPORTING_READ",
            },
        ),
        (["VM_READ", "VM_READ", "VM_DEVICE_READ"], {"VM_READ", "VM_DEVICE_READ"}),
        (["NO_SUCH_ROLE"], set()),
        (["NO_SUCH_ROLE", "VM_READ"], {"VM_READ"}),
        ([FULL_ADMIN], ROLES),
        (["VM_READ", FULL_ADMIN], ROLES),
    ],
)
def test_a_role_includes_what_it_needs_and_nothing_more(given: list[str], expanded: set[str]) -> None:
    assert expand(given) == expanded


def test_reading_never_includes_writing() -> None:
    for role in ("VM_READ", "VM_DEVICE_READ", "READONLY_ADMIN"):
        assert not any(name.endswith("_WRITE") or name == FULL_ADMIN for name in expand([role]))


def test_every_role_can_be_given() -> None:
    for role in ROLES:
        assert role in expand([role])
        assert expand([role]) <= ROLES
