"""What a role includes."""

import pytest

from vmstead.rpc.caller import FULL_ADMIN
from vmstead.system.roles import ROLES, expand, includes, is_everything


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
                "ACCOUNT_READ",
                "PRIVILEGE_READ",
                "API_KEY_READ",
                "AUTH_SESSIONS_READ",
                "SYSTEM_SECURITY_READ",
                "SYSTEM_AUDIT_READ",
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


def test_roles_that_overlap_or_go_in_circles_are_all_found() -> None:
    circle = {"A": ("B", "C"), "B": ("C", "A"), "C": ("A",), "D": ("B",)}
    for start in "ABC":
        assert expand([start], circle) == {"A", "B", "C"}
    assert expand(["D", "A"], circle) == {"A", "B", "C", "D"}
    assert expand(["A", FULL_ADMIN], circle) == ROLES


def test_who_may_do_everything_is_told_by_one_role() -> None:
    assert is_everything(["VM_READ", FULL_ADMIN])
    assert not is_everything(sorted(ROLES - {FULL_ADMIN}))


def test_what_a_role_includes_can_be_listed() -> None:
    assert includes("VM_DEVICE_WRITE") == ["VM_DEVICE_READ", "VM_WRITE"]
    assert {*includes(FULL_ADMIN), FULL_ADMIN} == ROLES


def test_reading_never_includes_writing() -> None:
    for role in ("VM_READ", "VM_DEVICE_READ", "READONLY_ADMIN"):
        assert not any(name.endswith("_WRITE") or name == FULL_ADMIN for name in expand([role]))


def test_every_role_can_be_given() -> None:
    for role in ROLES:
        assert role in expand([role])
        assert expand([role]) <= ROLES
