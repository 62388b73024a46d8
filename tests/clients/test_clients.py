"""Published clients of TrueNAS, as they are, with a server as it is.

Each is run in an environment of its own that ``bin/setup --dev`` makes in ``.venv-clients``; two of them need
Python 3.13 and are left out where there is none.
"""

from pathlib import Path

import pytest

from tests.clients.served import ENVIRONMENTS, INSTALLED, served
from tests.processes import command


def test_the_clients_are_there() -> None:
    assert {"pytruenas", "aiotruenas-client"} <= INSTALLED, "run bin/setup --dev"


BOTH = pytest.mark.parametrize("options", [[], ["--tls"]], ids=["ws", "wss"])
MISSING = "[ENOENT] None: VM 99 does not exist"


@BOTH
async def test_pytruenas(tmp_path: Path, options: list[str]) -> None:
    async with served(tmp_path / "state", *options) as server:
        seen = await server.ask("pytruenas")
    assert seen["ways"] == {
        "unix": "root",
        "password": "alice",
        "key": "alice",
        "token": "alice",
        "name and key": "alice",
        "wrong password": "login failed: AUTH_ERR",
    }
    assert seen["memory"] == [64, 128]
    assert seen["devices"] == ["DISK", "NIC", "DISPLAY"]
    assert (seen["state"], seen["stopped"], seen["waited"]) == (
        "RUNNING",
        ["int", None, "SUCCESS"],
        [None, None],
    )
    assert seen["log"] == ""
    assert seen["deleted"] == [True, []]
    assert (seen["told"][0], seen["told"][-1]) == (["added", "STOPPED"], ["removed", None])
    assert ["changed", "RUNNING"] in seen["told"]
    assert (seen["downloaded"], seen["read"], seen["size"], seen["missing"]) == (
        "by http",
        "by path",
        7,
        False,
    )
    assert seen["listed"] == ["other.txt", "there.txt"]
    assert seen["create"] == [["vm_create.memory", "Input should be greater than or equal to 20", 22]]
    assert seen["stop"] == [MISSING, "VALIDATION"]


@BOTH
async def test_the_command_of_pytruenas(tmp_path: Path, options: list[str]) -> None:
    async with served(tmp_path / "state", *options) as server:
        uri = f"ws+unix://{server.where['socket']}"
        program = str(ENVIRONMENTS / "pytruenas/bin/pytruenas")
        made = await command(program, "call", "vm.create", "-p", '{"name": "a", "memory": 64}', uri)
        assert made.status == 0, made.stderr
        result = await command(program, "query", "vm", "-f", "name=a", uri)
        assert result.status == 0, result.stderr
        assert '"name": "a"' in result.stdout
        # A password travels in the address of a server that this machine alone can reach.
        remote = server.where["uri"].replace("://", "://alice:open%20sesame@")
        environment = {"SSL_CERT_FILE": str(server.where["verify"])} if options else None
        result = await command(program, "call", "core.ping", remote, env=environment)
        assert (result.status, "pong" in result.stdout) == (0, True), result


@BOTH
async def test_aiotruenas_client(tmp_path: Path, options: list[str]) -> None:
    """The older protocol."""
    async with served(tmp_path / "state", *options) as server:
        seen = await server.ask("aiotruenas-client")
    assert seen == {
        "ways": {"password": "25.10.5", "key": "25.10.5", "wrong password": "Unable to authenticate."},
        "name": ["aiotruenas_client", ""],
        "states": [f"VirtualMachineState.{state}" for state in ("STOPPED", "RUNNING", "STOPPED")],
        "ended": [None, True, True],
        "pools": [["default", "PoolStatus.ONLINE"]],
        "datasets": ["default"],
        "download": ["int", True],
        "deleted": True,
        "left": [],
    }


if "aiotruenas" in INSTALLED:

    @BOTH
    async def test_aiotruenas(tmp_path: Path, options: list[str]) -> None:
        async with served(tmp_path / "state", *options) as server:
            seen = await server.ask("aiotruenas")
        assert seen == {
            "wrong key": "TrueNAS rejected the API key",
            "device": "NIC",
            "machine": [["aiotruenas", "RUNNING", True]],
            "ended": [None, None, True],
            "failed": MISSING,
            "download": True,
            "told": ["added", "removed"],
            "version": "25.10.5",
            "interfaces": True,
            "datasets": ["default"],
            "services": ["libvirtd", "ssh", "vmstead"],
        }


if "truenaspy" in INSTALLED:

    @BOTH
    async def test_truenaspy(tmp_path: Path, options: list[str]) -> None:
        async with served(tmp_path / "state", *options) as server:
            seen = await server.ask("truenaspy")
        failed = seen.pop("failed")
        assert seen == {
            "wrong password": "Login failed",
            "state": "RUNNING",
            "ended": [None, "int", "int", True],
            "told": ["added", "removed"],
        }
        assert (failed["code"], failed["data"]["reason"]) == (-32602, MISSING)
