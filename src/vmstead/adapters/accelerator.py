"""KVM or emulation: decided before libvirt is asked, because a wrong guess costs it a minute."""

import os
import pwd
import stat
from collections.abc import Callable
from pathlib import Path

KVM = Path("/dev/kvm")
CPUINFO = Path("/proc/cpuinfo")


def choose(
    setting: str,
    guest_user: str | None,
    *,
    read_flags: Callable[[], frozenset[str]] | None = None,
    may_open: Callable[[str | None], str | None] | None = None,
) -> tuple[str, str | None]:
    """The accelerator, and why it is not KVM.

    Args:
        setting: ``auto``, ``kvm`` or ``tcg``.
        guest_user: whom guests run as; None: as this process.
        read_flags: gives the processor's flags; the host's by default.
        may_open: gives what keeps that user from opening /dev/kvm; looks at the host by default.
    """
    if setting == "kvm":
        return "kvm", None
    if setting == "tcg":
        return "tcg", "emulation was asked for (accel = tcg)"
    # A virtual machine can have a /dev/kvm that its processor cannot back; guests hang on it.
    if not {"vmx", "svm"} & (read_flags or cpu_flags)():
        return (
            "tcg",
            "the processor lists neither vmx nor svm: virtualization is off in the firmware or not passed on",
        )
    obstacle = (may_open or kvm_obstacle)(guest_user)
    return ("kvm", None) if obstacle is None else ("tcg", obstacle)


def cpu_flags(cpuinfo: Path = CPUINFO) -> frozenset[str]:
    """What /proc/cpuinfo says that the first processor can do."""
    for line in cpuinfo.read_text().splitlines():
        if line.startswith("flags"):
            return frozenset(line.partition(":")[2].split())
    return frozenset()


def kvm_obstacle(user: str | None, kvm: Path = KVM) -> str | None:
    """What keeps a user from /dev/kvm; None when nothing does."""
    try:
        node = kvm.stat()
    except OSError:
        return "there is no /dev/kvm: the kvm module is not loaded, or this machine has no virtualization"
    if user is None:
        accessible = os.access(kvm, os.R_OK | os.W_OK)
    else:
        try:
            account = pwd.getpwnam(user)
        except KeyError:
            return f"there is no user {user}, as whom guests would run"
        groups = os.getgrouplist(user, account.pw_gid)
        accessible = may_read_and_write(node, account.pw_uid, groups)
    if accessible:
        return None
    return (
        f"{user or 'this user'} may not open /dev/kvm; allow it with: chgrp kvm /dev/kvm && chmod 660 /dev/kvm"
        + ("" if user else f" && usermod -aG kvm {pwd.getpwuid(os.geteuid()).pw_name}")
    )


def may_read_and_write(node: os.stat_result, uid: int, groups: list[int]) -> bool:
    """Whether a file lets a user with these groups read and write it."""
    mode = stat.S_IMODE(node.st_mode)
    if uid in (0, node.st_uid):
        return uid == 0 or mode & 0o600 == 0o600
    return mode & 0o060 == 0o060 if node.st_gid in groups else mode & 0o006 == 0o006
