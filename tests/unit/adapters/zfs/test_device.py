"""Which dataset a device is."""

import os
from pathlib import Path

from vmstead.adapters.zfs.device import is_device_of


def test_what_is_no_volume_of_zfs_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/dev/null")
    (tmp_path / "dangling").symlink_to("nothing")
    for name in ("file", "link", "dangling", "missing", "file/x"):
        assert not is_device_of(tmp_path / name, "tank/a")


def test_who_may_not_open_it_sees_that_it_is_no_device(tmp_path: Path) -> None:
    (tmp_path / "file").touch(0)
    tmp_path.chmod(0o755)
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        assert not is_device_of(tmp_path / "file", "tank/a")
    finally:
        os.seteuid(before)
