"""Which ports programs listen on, asked from the kernel and read from its files."""

import socket
from contextlib import closing, suppress
from pathlib import Path

import pytest

from vmstead.adapters.listening import listening_ports

FAMILIES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


def written(folder: Path) -> Path:
    """The kernel's files as they are at this moment, in another place, so that they are read."""
    (folder / "net").mkdir(parents=True)
    for table in ("tcp", "tcp6"):
        with suppress(FileNotFoundError):
            (folder / "net" / table).write_text(Path("/proc/net", table).read_text())
    return folder


@pytest.mark.parametrize(("family", "address"), FAMILIES)
def test_a_port_is_there_for_as_long_as_somebody_listens(family: int, address: str, tmp_path: Path) -> None:
    with closing(socket.socket(family)) as one:
        one.bind((address, 0))
        port = one.getsockname()[1]
        assert port not in listening_ports(Path("/proc"))
        one.listen()
        assert port in listening_ports(Path("/proc"))
        assert port in listening_ports(written(tmp_path / "listening"))
    assert port not in listening_ports(Path("/proc"))
    assert port not in listening_ports(written(tmp_path / "closed"))


def test_connections_are_no_listeners(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        port = server.getsockname()[1]
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            own = client.getsockname()[1]
            assert own not in listening_ports(Path("/proc"))
            assert own not in listening_ports(written(tmp_path))


def test_many_listeners_are_all_there() -> None:
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(300)]
    try:
        ports = {server.getsockname()[1] for server in servers}
        assert ports <= listening_ports(Path("/proc"))
    finally:
        for server in servers:
            server.close()


def test_without_files_there_is_nothing(tmp_path: Path) -> None:
    assert listening_ports(tmp_path) == frozenset()
