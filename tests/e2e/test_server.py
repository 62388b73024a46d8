"""The server as a process: how it starts, stops, and is found again after it was killed."""

import asyncio
import json
import re
import signal
import sys
from pathlib import Path

import pytest

from tests.processes import command, midclt, program, serving, vmstead


async def call(state: Path, *arguments: str) -> object:
    result = await midclt(f"ws+unix://{state}.sock", "call", *arguments)
    assert result.status == 0, result
    return json.loads(result.stdout) if result.stdout[:1] in "[{n" else result.stdout.strip()


async def test_it_says_where_it_listens_when_it_accepts_calls(tmp_path: Path) -> None:
    state = tmp_path / "state"
    options = [
        "--state",
        str(state),
        "--socket",
        f"{state}.sock",
        "--listen",
        "127.0.0.1:0",
        "--engine",
        "memory",
    ]
    async with program(sys.executable, "-m", "vmstead.cli.main", "serve", *options) as server:
        line = await server.line("is ready")
        unix, tcp = line.split(": ", 1)[1].split()
        assert unix == f"ws+unix://{state}.sock"
        assert tcp.startswith("ws://127.0.0.1:")
        assert tcp.endswith("/api/current")
        assert (await midclt(unix, "ping")).stdout == "pong\n"
        assert (await midclt(tcp, "ping")).stdout == "pong\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_it_stops_cleanly_when_told_to(tmp_path: Path, number: int) -> None:
    state = tmp_path / "state"
    async with serving(state) as server:
        await call(state, "vm.create", '{"name": "a", "memory": 64}')
        assert await server.end(number) == 0
        assert not Path(f"{state}.sock").exists()
        assert not any("Traceback" in line for line in server.stderr)
    async with serving(state):
        rows = await call(state, "vm.query")
        assert isinstance(rows, list)
        assert len(rows) == 1


async def test_it_stops_while_a_job_is_waiting(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with serving(state) as server:
        await call(state, "vm.create", '{"name": "a", "memory": 64}')
        await call(state, "vm.start", "1")
        async with program(
            sys.executable,
            "-m",
            "vmstead.cli.midclt",
            "-u",
            f"ws+unix://{state}.sock",
            "subscribe",
            "vm.query",
        ) as follower:
            assert await server.end() == 0
            async with asyncio.timeout(20):
                assert await follower.process.wait() != 0


async def test_what_was_answered_survives_a_kill(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for round in range(1, 6):
        async with serving(state) as server:
            await call(state, "vm.create", json.dumps({"name": f"vm{round}", "memory": 64}))
            await call(state, "vm.device.create", json.dumps({"vm": round, "attributes": {"dtype": "NIC"}}))
            await server.end(signal.SIGKILL)
    async with serving(state):
        rows = await call(state, "vm.query")
        assert isinstance(rows, list)
        assert [(row["name"], len(row["devices"])) for row in rows] == [(f"vm{n}", 1) for n in range(1, 6)]


async def test_two_servers_do_not_share_a_state_folder(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with serving(state):
        other = await vmstead(
            "serve",
            "--state",
            str(state),
            "--socket",
            f"{state}2.sock",
            "--listen",
            "none",
            "--engine",
            "memory",
        )
        assert other.status == 1
        assert other.stderr == (
            f"Error: another server is using {state}; stop it, or choose another folder with --state\n"
        )


async def test_two_servers_do_not_share_a_socket(tmp_path: Path) -> None:
    async with serving(tmp_path / "state"):
        other = await vmstead(
            "serve",
            *("--state", str(tmp_path / "other"), "--socket", str(tmp_path / "state.sock")),
            *("--listen", "none", "--engine", "memory"),
        )
        assert other.status == 1
        assert "another server is listening there already" in other.stderr
        # The one that was there is not harmed.
        assert await call(tmp_path / "state", "core.ping") == "pong"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--listen", "nonsense"], "--listen: listen = 'nonsense' is not understood"),
        (["--accel", "warp"], "auto, kvm or tcg is expected"),
        (["--engine", "xen"], "a libvirt URI such as qemu:///system is expected"),
        (["--config", "/nonexistent.toml"], "/nonexistent.toml: there is no such file"),
        (["--state", "/proc/nowhere"], "the state folder /proc/nowhere cannot be used"),
        (["--tls-cert", "/nonexistent.pem"], "the certificate /nonexistent.pem cannot be used"),
        (["--plain-http", "--tls"], "plain_http is set, and so is tls or tls_cert: leave out one"),
        (["--origins", "vm.example"], "origins such as https://vm.example.org are expected"),
    ],
)
async def test_a_server_that_cannot_start_says_why_in_one_line(
    tmp_path: Path, options: list[str], text: str
) -> None:
    usual = ["--state", str(tmp_path / "s"), "--socket", str(tmp_path / "s.sock"), "--engine", "memory"]
    listen = [] if "--listen" in options else ["--listen", "127.0.0.1:0"]
    result = await vmstead("serve", *usual, *listen, *options)
    assert result.status == 1
    assert text in result.stderr
    assert len(result.stderr.splitlines()) == 1


async def test_a_database_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with serving(state):
        pass
    import sqlite3

    with sqlite3.connect(state / "vmstead.db") as database:
        database.execute("PRAGMA user_version = 99")
    database.close()
    result = await vmstead("serve", "--state", str(state), "--socket", f"{state}.sock", "--engine", "memory")
    assert result.status == 1
    assert "was written by a later version of Vmstead" in result.stderr


@pytest.mark.parametrize(("options", "scheme"), [([], "wss"), (["--plain-http"], "ws")])
async def test_where_others_can_listen_in_it_encrypts_unless_told_not_to(
    tmp_path: Path, options: list[str], scheme: str
) -> None:
    state = tmp_path / "state"
    where = ["--state", str(state), "--socket", f"{state}.sock", "--engine", "memory"]
    serve = [sys.executable, "-m", "vmstead.cli.main", "serve", *where, "--listen", "0.0.0.0:6080", *options]
    # In a network of its own, where nobody else is.
    async with program("unshare", "--net", *serve) as server:
        assert f"  {scheme}://0.0.0.0:6080/api/current" in await server.line("is ready")
        assert await call(state, "core.ping") == "pong"
    assert (state / "certificate.pem").exists() is (scheme == "wss")


async def test_clients_elsewhere_connect_encrypted_and_compressed(tmp_path: Path) -> None:
    state = tmp_path / "state"
    where = ["--state", str(state), "--socket", f"{state}.sock", "--engine", "memory"]
    serve = [sys.executable, "-m", "vmstead.cli.main", "serve", *where, "--listen", "192.0.2.1:6080"]
    network = 'ip link set lo up && ip address add 192.0.2.1/32 dev lo && exec "$@"'
    uri = "wss://192.0.2.1:6080/api/current"
    async with program("unshare", "--net", "sh", "-c", network, "sh", *serve) as server:
        assert uri in await server.line("is ready")
        within = ["nsenter", "--target", str(server.process.pid), "--net", sys.executable]
        asked = [*within, "-m", "vmstead.cli.midclt", "-u", uri]
        assert (await command(*asked, "ping")).stderr.startswith("SSL certificate verification failed.")
        assert (await command(*asked, "--insecure", "ping")).stdout == "pong\n"
        result = await command(*within, "-c", COMPRESSED, uri, str(state / "certificate.pem"))
        assert result.stdout == "15 pong\n", result


#: Connects with the server's certificate as the one that is trusted, and tells what was negotiated.
COMPRESSED = """
import aiohttp, asyncio, ssl, sys
async def main(uri, certificate):
    trusting = ssl.create_default_context(cafile=certificate)
    async with aiohttp.ClientSession() as http, http.ws_connect(uri, ssl=trusting, compress=15) as socket:
        await socket.send_json({"jsonrpc": "2.0", "id": 1, "method": "core.ping"})
        print(socket.compress, (await socket.receive_json())["result"])
asyncio.run(main(*sys.argv[1:]))
"""


async def test_it_takes_as_many_descriptors_as_it_may(tmp_path: Path) -> None:
    limit = "import resource, os, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 2000)); "
    start = f"{limit} os.execv(sys.argv[1], sys.argv[1:])"
    async with serving(tmp_path / "state", within=(sys.executable, "-c", start)) as server:
        limits = Path(f"/proc/{server.process.pid}/limits").read_text()
        assert re.search(r"Max open files +2000 +2000 ", limits)


async def test_logs_are_json_for_machines(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with serving(state, "--log-format", "json", engine="test:///default") as server:
        await server.end()
    entries = [json.loads(line) for line in server.stderr]
    assert "connected to libvirt" in [entry["event"] for entry in entries]
    assert all({"event", "level", "timestamp"} <= entry.keys() for entry in entries)


async def test_the_test_driver_of_libvirt_serves_client_authors(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with serving(state, engine="test:///default"):
        await call(state, "vm.create", '{"name": "a", "memory": 64}')
        for attributes in ('{"dtype": "NIC"}', '{"dtype": "DISPLAY"}'):
            await call(state, "vm.device.create", f'{{"vm": 1, "attributes": {attributes}}}')
        await call(state, "vm.start", "1")
        assert "RUNNING" in str(await call(state, "vm.status", "1"))
        await call(state, "vm.suspend", "1")
        assert "SUSPENDED" in str(await call(state, "vm.status", "1"))
        await call(state, "vm.resume", "1")
        await call(state, "-j", "vm.stop", "1")
        assert "STOPPED" in str(await call(state, "vm.status", "1"))
        assert await call(state, "vm.delete", "1") == "True"


async def test_guests_can_reach_their_disks_whatever_the_umask_is(tmp_path: Path) -> None:
    state = tmp_path / "deep" / "state"
    async with serving(state, within=("sh", "-c", 'umask 077; exec "$@"', "sh")):
        folders = (state, state / "pools", state / "pools/default", state / "nvram")
        assert [oct(folder.stat().st_mode & 0o777) for folder in folders] == ["0o711"] * 4
