"""Copies of what TPMs remember."""

from pathlib import Path

import pytest

from vmstead.adapters.libvirt_engine.tpm import copy_state, remove_state


def make(folder: Path, uuid: str) -> None:
    (folder / uuid / "tpm2").mkdir(parents=True)
    (folder / uuid / "tpm2/tpm2-00.permall").write_bytes(b"sealed")
    (folder / uuid / "tpm2").chmod(0o700)


def test_a_copy_has_the_same_files_with_the_same_modes(tmp_path: Path) -> None:
    make(tmp_path, "a")
    copy_state(tmp_path, "a", "b")
    assert (tmp_path / "b/tpm2/tpm2-00.permall").read_bytes() == b"sealed"
    assert (tmp_path / "b/tpm2").stat().st_mode == (tmp_path / "a/tpm2").stat().st_mode
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_where_there_is_none_nothing_is_made(tmp_path: Path) -> None:
    copy_state(tmp_path, "a", "b")
    copy_state(tmp_path / "missing", "a", "b")
    assert list(tmp_path.iterdir()) == []


def test_a_state_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    make(tmp_path, "a")
    make(tmp_path, "b")
    (tmp_path / "b/tpm2/tpm2-00.permall").write_bytes(b"other")
    with pytest.raises(OSError, match="not empty"):
        copy_state(tmp_path, "a", "b")
    assert (tmp_path / "b/tpm2/tpm2-00.permall").read_bytes() == b"other"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_removing_takes_only_what_is_asked_for(tmp_path: Path) -> None:
    make(tmp_path, "a")
    make(tmp_path, "b")
    remove_state(tmp_path, "a")
    remove_state(tmp_path, "a")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_what_a_copy_left_that_was_broken_off_goes_too(tmp_path: Path) -> None:
    make(tmp_path, "a")
    make(tmp_path, ".b.part")
    remove_state(tmp_path, "b")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
