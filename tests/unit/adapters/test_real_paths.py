"""Paths are walked without following a link, and without waiting."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from vmstead.adapters.real_paths import (
    folder_at,
    is_folder,
    link_at,
    make_folder_at,
    make_folders_at,
    open_at,
    regular_file,
    remove_at,
    replace_at,
    status_at,
    sync_at,
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a file in it, and a link to that folder beside it."""
    (tmp_path / "real").mkdir()
    (tmp_path / "real/file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("real")
    return tmp_path


def test_what_is_real_is_opened_changed_and_removed(tree: Path) -> None:
    file, other = tree / "real/file", tree / "real/other"
    with regular_file(file, os.O_RDONLY) as descriptor:
        assert os.read(descriptor, 100) == b"content"
    assert status_at(file).st_size == 7
    link_at(file, other)
    with pytest.raises(FileExistsError):
        link_at(file, other)
    sync_at(other)
    replace_at(other, tree / "real/third")
    remove_at(file)
    assert [path.name for path in (tree / "real").iterdir()] == ["third"]


@pytest.mark.parametrize(
    "use",
    [
        lambda path: open_at(path, os.O_RDONLY),
        lambda path: open_at(path.with_name("new"), os.O_WRONLY | os.O_CREAT | os.O_EXCL),
        status_at,
        remove_at,
        sync_at,
        lambda path: replace_at(path, path.with_name("new")),
        lambda path: link_at(path, path.with_name("new")),
        lambda path: make_folder_at(path.with_name("new"), 0o755),
        lambda path: make_folders_at(path.with_name("new") / "below", 0o755),
    ],
)
def test_a_link_on_the_way_is_not_followed(tree: Path, use: Callable[[Path], object]) -> None:
    with pytest.raises(OSError, match="Not a directory") as raised:
        use(tree / "link/file")
    assert raised.value.errno == errno.ENOTDIR
    assert [path.name for path in (tree / "real").iterdir()] == ["file"]
    assert not is_folder(tree / "link")
    assert is_folder(tree / "real")


def test_a_link_at_the_end_is_not_followed(tree: Path) -> None:
    (tree / "real/link").symlink_to("file")
    with pytest.raises(OSError, match="symbolic links"):
        open_at(tree / "real/link", os.O_RDWR)
    assert stat.S_ISLNK(status_at(tree / "real/link").st_mode)
    remove_at(tree / "real/link")
    assert (tree / "real/file").read_bytes() == b"content"


def test_a_pipe_is_no_file_and_nobody_waits_for_its_other_end(tree: Path) -> None:
    os.mkfifo(tree / "real/pipe")
    with pytest.raises(OSError, match="not a regular file"), regular_file(tree / "real/pipe", os.O_RDONLY):
        raise AssertionError
    with pytest.raises(OSError, match="No such device"):
        open_at(tree / "real/pipe", os.O_WRONLY)


def test_folders_have_the_bits_they_are_given_whatever_the_mask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        make_folders_at(tmp_path / "a/b", 0o711)
        make_folders_at(tmp_path / "a/b/c", 0o755)
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/c")]
    assert modes == [0o711, 0o711, 0o755]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_folder_can_get_the_owner_of_the_one_above(tmp_path: Path) -> None:
    os.chown(tmp_path, 1234, 4321)
    make_folder_at(tmp_path / "theirs", 0o755, owned=True)
    make_folder_at(tmp_path / "ours", 0o755)
    assert [(tmp_path / name).stat().st_uid for name in ("theirs", "ours")] == [1234, 0]
    assert (tmp_path / "theirs").stat().st_gid == 4321


def test_descriptors_are_closed(tree: Path) -> None:
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = count()
    for path in (tree / "real/file", tree / "link/file", tree / "none/file"):
        for use in (status_at, sync_at):
            try:
                use(path)
            except OSError:
                continue
    with folder_at(tree / "real"):
        assert count() == before + 1
    assert count() == before
