"""What a libvirt of the server's own is told about its guests."""

import os
import re
from pathlib import Path

import pytest

from vmstead.adapters.qemu_conf import make_folder, qemu_conf


def settings(text: str) -> dict[str, str]:
    return dict(re.findall(r"^(\w+) = (.+)$", text, re.MULTILINE))


def test_guests_write_their_logs_and_need_nothing_of_the_system() -> None:
    common = {
        "stdio_handler": '"file"',
        "security_driver": '"none"',
        "cgroup_controllers": "[]",
        "namespaces": "[]",
    }
    assert settings(qemu_conf(None)) == common
    assert settings(qemu_conf("root")) == {**common, "user": '"root"', "group": '"0"'}


def test_somebody_whom_there_is_not_is_an_error() -> None:
    with pytest.raises(KeyError):
        qemu_conf("nobody-of-that-name")


def test_folders_can_be_passed_through_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        make_folder(tmp_path / "a/b")
    finally:
        os.umask(before)
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o711
    # What is there stays as it is.
    (tmp_path / "a/b").chmod(0o700)
    make_folder(tmp_path / "a/b")
    assert (tmp_path / "a/b").stat().st_mode & 0o777 == 0o700
