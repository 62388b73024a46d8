"""Where a connection comes from and what its caller may do."""

import pytest

from vmstead.rpc.caller import FULL_ADMIN, Caller, Grounds, Origin

ROOT = Origin(pid=10, uid=0, gid=0)
USER = Origin(pid=11, uid=1000, gid=100)
TCP = Origin(address="192.0.2.1", port=5000)


@pytest.mark.parametrize(
    ("origin", "is_secure"),
    [
        (ROOT, True),
        (USER, True),
        (TCP, False),
        (Origin(address="192.0.2.1", is_tls=True), True),
        (Origin(address="127.0.0.1"), True),
        (Origin(address="127.9.9.9"), True),
        (Origin(address="::1"), True),
        (Origin(address="::ffff:127.0.0.1"), True),
        (Origin(address="::ffff:192.0.2.1"), False),
        (Origin(address="fe80::1%eth0"), False),
        (Origin(address="localhost"), False),
        (Origin(address=""), False),
    ],
)
def test_what_can_be_read_on_the_way_is_not_secure(origin: Origin, is_secure: bool) -> None:
    assert origin.is_secure is is_secure


@pytest.mark.parametrize(
    ("origin", "is_local"),
    [
        (ROOT, True),
        (TCP, False),
        (Origin(address="192.0.2.1", is_tls=True), False),
        (Origin(address="127.0.0.1", is_tls=True), True),
    ],
)
def test_what_is_local_is_on_this_machine(origin: Origin, is_local: bool) -> None:
    assert origin.is_local is is_local


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        (ROOT, Origin(pid=99, uid=0, gid=0), True),
        (USER, Origin(pid=99, uid=1000, gid=100), True),
        (USER, Origin(pid=11, uid=1000, gid=101), False),
        (USER, Origin(pid=11, uid=1001, gid=100), False),
        (TCP, Origin(address="192.0.2.1", port=6000), True),
        (TCP, Origin(address="192.0.2.2", port=5000), False),
        (ROOT, TCP, False),
        (ROOT, Origin(), False),
    ],
)
def test_a_place_is_a_user_or_an_address_whatever_the_process_or_port(
    first: Origin, second: Origin, same: bool
) -> None:
    assert first.same_place(second) is same
    assert second.same_place(first) is same


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
        ("somewhere", "somewhere"),
    ],
)
def test_attempts_are_counted_by_network(address: str, network: str) -> None:
    assert Origin(address=address).network == network


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (ROOT, "UNIX socket (pid=10 uid=0 gid=0)"),
        (TCP, "192.0.2.1:5000"),
        (Origin(address="fe80::1", port=80), "[fe80::1]:80"),
    ],
)
def test_an_origin_reads_well_in_a_log(origin: Origin, text: str) -> None:
    assert str(origin) == text


def caller(*roles: str) -> Caller:
    return Caller("ann", frozenset(roles), "LOGIN_PASSWORD", {"username": "ann"})


@pytest.mark.parametrize(
    ("roles", "asked", "may"),
    [
        ((), None, True),
        ((), "VM_READ", False),
        (("VM_READ",), "VM_READ", True),
        (("VM_READ",), "VM_WRITE", False),
        ((FULL_ADMIN,), "VM_WRITE", True),
        ((FULL_ADMIN,), "A_ROLE_OF_TOMORROW", True),
    ],
)
def test_a_caller_may_what_its_roles_say_and_an_administrator_everything(
    roles: tuple[str, ...], asked: str | None, may: bool
) -> None:
    assert caller(*roles).may(asked) is may
    assert caller(*roles).is_admin is (FULL_ADMIN in roles)


def test_only_who_has_all_roles_may_all() -> None:
    assert caller("VM_READ", "POOL_READ").may_all(["VM_READ"])
    assert not caller("VM_READ").may_all(["VM_READ", "POOL_READ"])
    assert caller().may_all([])
    assert caller(FULL_ADMIN).may_all(["VM_READ", FULL_ADMIN])
    assert not caller("VM_READ").may_all([FULL_ADMIN])


def test_what_a_login_rests_on_is_not_printed() -> None:
    assert "hash" not in repr(Grounds(1, "hash"))


def test_credentials_are_a_copy_in_the_shape_of_job_records() -> None:
    somebody = caller()
    assert somebody.credentials == {"type": "LOGIN_PASSWORD", "data": {"username": "ann"}}
    assert somebody.credentials["data"] is not somebody.details
