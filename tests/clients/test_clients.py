"""Published clients of TrueNAS, as they are, with a server as it is.

Each is run in an environment of its own that ``bin/setup --dev`` makes in ``.venv-clients``; two of them need
Python 3.13 and are left out where there is none.
"""

import json
from pathlib import Path

import pyotp
import pytest

from tests.clients.served import ENVIRONMENTS, INSTALLED, served
from tests.processes import Result, command, midclt


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
async def test_pytruenas_with_a_second_factor(tmp_path: Path, options: list[str]) -> None:
    async with served(tmp_path / "state", *options) as server:
        socket = f"ws+unix://{server.where['socket']}"
        # A code is still good when the next is shown already.
        assert (await midclt(socket, "call", "auth.twofactor.update", '{"window": 1}')).status == 0
        made = await midclt(socket, "call", "user.renew_2fa_secret", "alice", '{"interval": 120}')
        assert made.status == 0, made.stderr
        app = pyotp.parse_uri(json.loads(made.stdout)["twofactor_config"]["provisioning_uri"])
        assert isinstance(app, pyotp.TOTP)
        code = app.now()
        seen = await server.ask("pytruenas", "pytruenas_and_a_code", code=code)
    assert seen == {"with": "alice", "without": "login failed: AUTH_ERR"}


@BOTH
async def test_the_command_of_pytruenas(tmp_path: Path, options: list[str]) -> None:
    async with served(tmp_path / "state", *options) as server:
        # A password travels in the address of a server that this machine alone can reach.
        remote = server.where["uri"].replace("://", "://alice:open%20sesame@")
        trusted = {"SSL_CERT_FILE": str(server.where["verify"])} if options else {}

        async def run(*arguments: str) -> Result:
            return await command(
                str(ENVIRONMENTS / "pytruenas/bin/pytruenas"), *arguments, env={**server.home, **trusted}
            )

        made = await run("call", "vm.create", "-p", '{"name": "a", "memory": 64}', remote)
        assert made.status == 0, made.stderr
        found = await run("query", "vm", "-f", "name=a", f"ws+unix://{server.where['socket']}")
        assert '"name": "a"' in found.stdout, found.stderr
        # What a method takes is told by the server, and checked before anything is sent.
        typed = await run("call", "vm.create", remote, "--", "--name=b", "--memory=64", "--autostart=false")
        assert '"autostart": false' in typed.stdout, typed.stderr
        wrong = await run("call", "vm.create", remote, "--", "--name=c", "--memory=lots")
        assert "--memory: 'lots' is not a valid integer" in wrong.stderr
        told = await run("help", "vm.stop", remote)
        assert "JOB: returns a job id" in told.stdout
        assert "--force_after_timeout=<boolean>" in told.stdout


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
