"""Where unix sockets lie, and under which names."""

import os
import socket
from pathlib import Path

import pytest

from vmstead.web.unix_socket import link_other_name, remove_stale


def listening(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(path))
    listener.listen()
    return listener


def test_the_socket_of_a_server_that_is_gone_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    listening(path).close()
    remove_stale(path)
    assert not path.exists()
    remove_stale(path)


def test_the_socket_of_a_server_that_is_there_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with listening(path), pytest.raises(OSError, match="another server is listening there already"):
        remove_stale(path)
    assert path.exists()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    path.write_text("precious")
    with pytest.raises(FileExistsError):
        remove_stale(path)
    assert path.read_text() == "precious"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "run/middleware").mkdir(parents=True)
    (tmp_path / "var").mkdir()
    return tmp_path


NAME = "run/middleware/middlewared.sock"


def test_where_both_folders_are_one_there_is_nothing_to_do(root: Path) -> None:
    (root / "var/run").symlink_to("../run")
    with listening(root / NAME):
        link_other_name(root / NAME, root)
    assert (root / "var" / NAME).samefile(root / NAME)
    assert os.listdir(root / "run/middleware") == ["middlewared.sock"]


def test_where_they_are_two_there_is_a_link(root: Path) -> None:
    for _ in range(2):
        with listening(root / NAME):
            link_other_name(root / NAME, root)
            assert (root / "var" / NAME).readlink() == root / NAME
        remove_stale(root / NAME)
    # One that leads nowhere is replaced.
    (root / "var" / NAME).unlink()
    (root / "var" / NAME).symlink_to("/nowhere/x.sock")
    with listening(root / NAME):
        link_other_name(root / NAME, root)
    assert (root / "var" / NAME).readlink() == root / NAME


def test_sockets_elsewhere_have_one_name(root: Path) -> None:
    (root / "srv").mkdir()
    with listening(root / "srv/x.sock"):
        link_other_name(root / "srv/x.sock", root)
    assert os.listdir(root / "var") == []


def test_a_server_whose_folder_others_own_has_one_name(root: Path) -> None:
    (root / "var/run").write_text("not even a folder")
    with listening(root / NAME):
        link_other_name(root / NAME, root)
    assert (root / "var/run").read_text() == "not even a folder"
