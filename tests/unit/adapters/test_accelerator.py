"""KVM or emulation, and why."""

import os
import stat
from pathlib import Path

import pytest

from vmstead.adapters.accelerator import choose, cpu_flags, kvm_obstacle, may_read_and_write

NO_FLAGS = "the processor lists neither vmx nor svm: virtualization is off in the firmware or not passed on"
NO_NODE = "there is no /dev/kvm: the kvm module is not loaded, or this machine has no virtualization"


def looked_at(_: object = None) -> None:
    raise AssertionError("it was looked at")


# --- the choice -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "choice"),
    [("kvm", ("kvm", None)), ("tcg", ("tcg", "emulation was asked for (accel = tcg)"))],
)
def test_whoever_says_what_it_shall_be_gets_it_without_a_look_at_the_host(
    setting: str, choice: tuple[str, str | None]
) -> None:
    def no_flags() -> frozenset[str]:
        raise AssertionError("it was looked at")

    assert choose(setting, None, read_flags=no_flags, may_open=looked_at) == choice


@pytest.mark.parametrize(
    ("flags", "obstacle", "choice"),
    [
        ({"fpu", "vmx"}, None, ("kvm", None)),
        ({"svm"}, None, ("kvm", None)),
        ({"vmx"}, "it is locked away", ("tcg", "it is locked away")),
        # Flags that only look alike.
        ({"vmx_", "svmx", "VMX"}, None, ("tcg", NO_FLAGS)),
        (set(), "it is locked away", ("tcg", NO_FLAGS)),
    ],
)
def test_left_to_itself_it_takes_kvm_where_guests_can_use_it(
    flags: set[str], obstacle: str | None, choice: tuple[str, str | None]
) -> None:
    asked = []

    def may_open(user: str | None) -> str | None:
        asked.append(user)
        return obstacle

    found = choose("auto", "libvirt-qemu", read_flags=lambda: frozenset(flags), may_open=may_open)
    assert found == choice
    assert set(asked) <= {"libvirt-qemu"}


def test_a_device_without_a_processor_behind_it_is_not_even_looked_at() -> None:
    assert choose("auto", None, read_flags=frozenset, may_open=looked_at) == ("tcg", NO_FLAGS)


# --- the processor ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "flags"),
    [
        (
            "processor\t: 0\nflags\t\t: fpu vme svm\nbugs\t\t: spectre\n\nprocessor\t: 1\nflags\t\t: fpu\n",
            {"fpu", "vme", "svm"},
        ),
        ("processor\t: 0\nflags\t\t:\n", set()),
        # Other architectures have other words for it.
        ("processor\t: 0\nFeatures\t: fp asimd\nCPU flags\t: x\n", set()),
        ("", set()),
    ],
)
def test_the_flags_are_those_of_the_first_processor(tmp_path: Path, text: str, flags: set[str]) -> None:
    (tmp_path / "cpuinfo").write_text(text)
    assert cpu_flags(tmp_path / "cpuinfo") == flags


# --- the device -------------------------------------------------------------------------------------


@pytest.fixture
def kvm(tmp_path: Path) -> Path:
    """What stands for /dev/kvm; only its modes matter."""
    (tmp_path / "kvm").touch()
    return tmp_path / "kvm"


@pytest.mark.parametrize("user", [None, "nobody", "root", "no-such-user"])
def test_where_there_is_no_device_that_is_what_is_told(tmp_path: Path, user: str | None) -> None:
    assert kvm_obstacle(user, tmp_path / "kvm") == NO_NODE


def test_this_process_may_open_what_is_its_own(kvm: Path) -> None:
    kvm.chmod(0o600)
    assert kvm_obstacle(None, kvm) is None


def test_root_may_open_everything(kvm: Path) -> None:
    kvm.chmod(0)
    assert kvm_obstacle("root", kvm) is None


@pytest.mark.parametrize(
    ("mode", "is_open"), [(0o666, True), (0o606, True), (0o660, False), (0o604, False), (0o602, False)]
)
def test_another_user_may_open_what_is_open_to_all(kvm: Path, mode: int, is_open: bool) -> None:
    kvm.chmod(mode)
    text = "nobody may not open /dev/kvm; allow it with: chgrp kvm /dev/kvm && chmod 660 /dev/kvm"
    assert kvm_obstacle("nobody", kvm) == (None if is_open else text)


def test_a_user_that_is_not_there_is_told(kvm: Path) -> None:
    assert kvm_obstacle("no-such-user", kvm) == "there is no user no-such-user, as whom guests would run"


@pytest.mark.parametrize(
    ("mode", "uid", "groups", "allowed"),
    [
        (0o600, 7, [7], True),
        (0o777, 7, [7], True),
        (0o777, 8, [70], True),
        (0o777, 8, [8], True),
        (0o400, 7, [7], False),
        (0o200, 7, [7], False),
        # An owner is not helped by what others may.
        (0o066, 7, [70], False),
        (0o060, 8, [8, 70], True),
        (0o040, 8, [8, 70], False),
        # Nor is a member of the group.
        (0o606, 8, [8, 70], False),
        (0o660, 8, [8], False),
        (0o006, 8, [8], True),
        (0o004, 8, [8], False),
        (0o000, 0, [0], True),
    ],
)
def test_the_first_of_owner_group_and_others_that_is_meant_decides(
    mode: int, uid: int, groups: list[int], allowed: bool
) -> None:
    node = os.stat_result((stat.S_IFCHR | mode, 0, 0, 1, 7, 70, 0, 0, 0, 0))
    assert may_read_and_write(node, uid, groups) is allowed
