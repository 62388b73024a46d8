"""Owners and permission bits of trees: as a whole or not at all, and nothing outside of them."""

import os
import stat
import struct
import threading
from pathlib import Path

import pytest

from tests.daemons import state_folder
from vmstead.adapters.permissions import change_permissions
from vmstead.ports.files import Permissions
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

#: An access control list that lets user 7 read, beside what mode 644 says.
ACL = struct.pack("<I", 2) + b"".join(
    struct.pack("<HHI", tag, bits, who)
    for tag, bits, who in (
        (1, 6, 2**32 - 1),
        (2, 4, 7),
        (4, 4, 2**32 - 1),
        (16, 4, 2**32 - 1),
        (32, 4, 2**32 - 1),
    )
)


def change(place: Path, to: Permissions, *, recursive: bool = False, stop: bool = False) -> int:
    told = threading.Event()
    if stop:
        told.set()
    return change_permissions(place, to, recursive, False, told)


def tree(tmp_path: Path) -> Path:
    """A folder with a folder, files, a volume, and a link to the outside."""
    top = tmp_path / "top"
    (top / "deep/.volumes").mkdir(parents=True)
    for name in ("a", "deep/b", "deep/.volumes/disk"):
        (top / name).touch(mode=0o640)
    (tmp_path / "outside").touch(mode=0o600)
    (top / "link").symlink_to("../outside")
    os.mkfifo(top / "pipe", 0o640)
    for each in (top, top / "deep", top / "deep/.volumes"):
        each.chmod(0o750)
    return top


def modes(top: Path) -> dict[str, int]:
    found = {}
    for folder, folders, files in os.walk(top):
        for name in (*folders, *files):
            path = Path(folder, name)
            found[str(path.relative_to(top))] = stat.S_IMODE(path.lstat().st_mode)
    return found


def test_one_thing_is_changed_without_what_is_in_it(tmp_path: Path) -> None:
    top = tree(tmp_path)
    before = modes(top)
    assert change(top, Permissions(mode=0o711)) == 1
    assert stat.S_IMODE(top.stat().st_mode) == 0o711
    assert modes(top) == before


def test_a_tree_is_changed_without_links_volumes_and_what_they_lead_to(tmp_path: Path) -> None:
    top = tree(tmp_path)
    assert change(top, Permissions(mode=0o777, uid=1234, gid=1235), recursive=True) == 5
    found = modes(top)
    changed = {"a", "deep", "deep/b", "pipe"}
    assert {name for name, mode in found.items() if mode == 0o777 and name != "link"} == changed
    for name in changed:
        status = (top / name).stat()
        assert (status.st_uid, status.st_gid) == (1234, 1235)
    assert (top / "link").lstat().st_uid == (tmp_path / "outside").stat().st_uid == os.geteuid()
    assert stat.S_IMODE((tmp_path / "outside").stat().st_mode) == 0o600
    assert (top / "deep/.volumes/disk").stat().st_uid == os.geteuid()


def test_what_is_none_stays(tmp_path: Path) -> None:
    top = tree(tmp_path)
    change(top, Permissions(gid=1235))
    assert (top.stat().st_uid, top.stat().st_gid) == (os.geteuid(), 1235)
    assert stat.S_IMODE(top.stat().st_mode) == 0o750


def test_access_control_lists_are_taken_away(tmp_path: Path) -> None:
    top = tree(tmp_path)
    os.setxattr(top / "a", "system.posix_acl_access", ACL)
    change(top, Permissions(strips_acl=True), recursive=True)
    assert "system.posix_acl_access" not in os.listxattr(top / "a")


def test_a_failure_leaves_everything_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "a"
    file.touch(mode=0o644)
    os.setxattr(file, "system.posix_acl_access", ACL)
    before = file.stat()
    # The list is gone when the kernel is asked for a number that it does not have.
    with pytest.raises(OverflowError):
        change(file, Permissions(mode=0o777, uid=2**40, strips_acl=True), recursive=True)
    after = file.stat()
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)
    assert os.getxattr(file, "system.posix_acl_access") == ACL


def test_what_cannot_be_changed_is_named() -> None:
    with state_folder() as folder:
        (folder / "a").touch(mode=0o644)
        before = os.geteuid()
        # Nobody owns nothing here; an ordinary user has nothing to give away.
        os.seteuid(65534 if before == 0 else before)
        try:
            with pytest.raises(PermissionError) as raised:
                change(folder / "a", Permissions(uid=4242))
        finally:
            os.seteuid(before)
        assert raised.value.filename == str(folder / "a")


def test_told_to_stop_it_leaves_everything_as_it_was(tmp_path: Path) -> None:
    top = tree(tmp_path)
    os.setxattr(top / "deep/b", "system.posix_acl_access", ACL)
    before = modes(top)

    class Later(threading.Event):
        """Set when it has been looked at three times."""

        looks = 0

        def is_set(self) -> bool:
            self.looks += 1
            return self.looks > 4

    with pytest.raises(InterruptedError):
        change_permissions(top, Permissions(0o777, 1234, strips_acl=True), True, False, Later())
    assert modes(top) == before
    assert os.getxattr(top / "deep/b", "system.posix_acl_access") == ACL
    assert {path.lstat().st_uid for path in top.rglob("*")} == {os.geteuid()}


def test_a_link_that_was_put_in_the_way_is_not_followed(tmp_path: Path) -> None:
    top = tree(tmp_path)
    (tmp_path / "moved").symlink_to(top)
    for place in (tmp_path / "moved", tmp_path / "moved/a", top / "link"):
        with pytest.raises(VolumeError) as raised:
            change(place, Permissions(mode=0o777))
        assert raised.value.kind is VolumeErrorKind.NOT_FOUND
    assert stat.S_IMODE((top / "a").stat().st_mode) == 0o640
