"""What the kernel knows of a file beyond stat(2)."""

import os
from pathlib import Path

import pytest

from vmstead.adapters.statx import statx


def test_a_file_knows_when_it_was_made_and_where_it_is_mounted(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    os.symlink("a", tmp_path / "link")
    os.symlink("none", tmp_path / "broken")
    found = statx(tmp_path / "a", follow=True)
    assert found.born is not None
    assert abs(found.born - (tmp_path / "a").stat().st_ctime) < 10
    mounts = Path("/proc/self/mountinfo").read_text().splitlines()
    assert found.mount_id in {int(line.split()[0]) for line in mounts}
    assert found.attributes == ()
    assert statx(tmp_path / "link", follow=True) == found
    assert statx(tmp_path / "broken", follow=False).mount_id == found.mount_id
    with pytest.raises(FileNotFoundError, match="broken"):
        statx(tmp_path / "broken", follow=True)


def test_what_is_special_about_a_file_has_words() -> None:
    assert "MOUNT_ROOT" in statx(Path("/proc"), follow=True).attributes
    assert statx(Path("/proc"), follow=True).born is None
