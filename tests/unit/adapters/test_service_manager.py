"""The service manager is told, where there is one."""

import asyncio
import signal
import socket
import sys
from pathlib import Path

import pytest

from tests.processes import program
from vmstead.adapters.service_manager import notify


def receiver(path: str) -> socket.socket:
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(path)
    channel.settimeout(30)
    return channel


@pytest.mark.parametrize("kind", ["a path", "an abstract name"])
def test_a_state_arrives_where_the_environment_says(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{tmp_path}/notify"
    path, variable = (name, name) if kind == "a path" else ("\0" + name, "@" + name)
    with receiver(path) as channel:
        monkeypatch.setenv("NOTIFY_SOCKET", variable)
        notify("READY=1")
        assert channel.recv(100) == b"READY=1"


@pytest.mark.parametrize("variable", ["", "relative", "/nonexistent/notify"])
def test_nothing_happens_where_nobody_listens(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", variable)
    notify("READY=1")


async def test_a_server_says_when_it_answers_and_when_it_ends(tmp_path: Path) -> None:
    with receiver(f"{tmp_path}/notify") as channel:
        argv = ["serve", "--state", f"{tmp_path}/state", "--socket", f"{tmp_path}/socket", "--listen", "none"]
        environment = {"NOTIFY_SOCKET": f"{tmp_path}/notify"}
        command = (sys.executable, "-m", "vmstead.cli.main", *argv, "--engine", "memory")
        async with program(*command, env=environment) as server:
            assert await asyncio.to_thread(channel.recv, 100) == b"READY=1"
            await server.end(signal.SIGTERM)
            assert await asyncio.to_thread(channel.recv, 100) == b"STOPPING=1"
