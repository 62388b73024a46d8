"""Addresses: what people write, and where the sockets are looked for."""

from pathlib import Path

import pytest

from vmstead.client import ConnectError, endpoint


@pytest.mark.parametrize(
    ("uri", "url", "socket"),
    [
        ("ws://h", "ws://h/api/current", None),
        ("ws://h:6080/", "ws://h:6080/api/current", None),
        ("wss://[::1]:443", "wss://[::1]:443/api/current", None),
        ("wss://h/api/v25.10.0", "wss://h/api/v25.10.0", None),
        ("ws://h/websocket", "ws://h/api/current", None),
        ("ws+unix:///a b/c.sock", "ws://localhost/api/current", "/a b/c.sock"),
    ],
)
def test_resolve(uri: str, url: str, socket: str | None) -> None:
    found = endpoint.resolve(uri)
    assert (found.url, found.socket) == (url, socket)


@pytest.mark.parametrize(
    ("uri", "shell"),
    [
        ("ws://h:1/api/current", "ws://h:1/websocket/shell"),
        ("wss://h", "wss://h/websocket/shell"),
        ("ws+unix:///s", "ws://localhost/_shell"),
    ],
)
def test_shell(uri: str, shell: str) -> None:
    found = endpoint.resolve(uri)
    assert found.shell().url == shell
    assert found.shell().socket == found.socket


@pytest.mark.parametrize("uri", ["", "h:80", "http://h", "ws://", "ws:///x", "ws+unix://rel", "ws://h:x"])
def test_not_an_address(uri: str) -> None:
    with pytest.raises(ConnectError):
        endpoint.resolve(uri)


def test_credentials_in_an_address_are_refused_and_not_repeated() -> None:
    with pytest.raises(ConnectError) as caught:
        endpoint.resolve("ws://root:secret@h")
    assert "secret" not in str(caught.value)


def test_environment_decides_on_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VMSTEAD_SOCKET", "/x/y.sock")
    assert endpoint.resolve(None).socket == "/x/y.sock"
    monkeypatch.setenv("VMSTEAD_SOCKET", "ws+unix:///z.sock")
    assert endpoint.resolve(None).socket == "/z.sock"


def test_the_first_socket_that_exists(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    system = [str(tmp_path / "var.sock"), str(tmp_path / "run.sock")]
    own = tmp_path / "vmstead" / "middlewared.sock"
    monkeypatch.delenv("VMSTEAD_SOCKET", raising=False)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert endpoint.default_socket(system) == system[0]
    own.parent.mkdir()
    own.touch()
    assert endpoint.default_socket(system) == str(own)
    Path(system[1]).touch()
    assert endpoint.default_socket(system) == system[1]
    Path(system[0]).touch()
    assert endpoint.default_socket(system) == system[0]


def test_without_a_runtime_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VMSTEAD_SOCKET", raising=False)
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    assert endpoint.default_socket(["/nonexistent/a.sock"]) == "/nonexistent/a.sock"


def test_the_names_that_all_generations_of_clients_know() -> None:
    assert endpoint.SYSTEM_SOCKETS == (
        "/var/run/middleware/middlewared.sock",
        "/run/middleware/middlewared.sock",
    )
