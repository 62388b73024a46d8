"""The subcommands of ``vmstead`` as a person runs them."""

import json
import re
from pathlib import Path

import pytest

from tests.processes import midclt, serving, vmstead


async def test_every_command_has_its_help() -> None:
    overview = await vmstead("--help")
    assert overview.status == 0
    commands = re.findall(r"^  ([a-z][a-z-]+)  ", overview.stdout, re.MULTILINE)
    assert {"serve", "doctor", "vm", "user", "api-key", "config", "demo"} <= set(commands)
    for command in commands:
        result = await vmstead(command, "--help")
        assert result.status == 0, command
        assert "Usage:" in result.stdout
    assert (await vmstead("nonsense")).status == 2


async def test_settings_are_shown_with_where_they_come_from(tmp_path: Path) -> None:
    file = tmp_path / "vmstead.toml"
    pools = '[pools.tank]\nroot = "/srv/tank"\n[pools.fast]\nzfs = "nvme/vms"\n'
    file.write_text(f'listen = "127.0.0.1:7000"\naccel = "tcg"\n{pools}')
    result = await vmstead(
        "config", "show", "--config", str(file), "--engine", "memory", env={"VMSTEAD_ACCEL": "kvm"}
    )
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert rows["listen"] == ["127.0.0.1:7000", str(file)]
    assert rows["accel"] == ["kvm", "VMSTEAD_ACCEL"]
    assert rows["engine"] == ["memory", "--engine"]
    assert rows["pools.tank"] == ["/srv/tank", str(file)]
    assert rows["pools.fast"] == ["zfs", "nvme/vms", str(file)]
    assert rows["log_format"] == ["auto", "default"]


async def test_the_first_account_and_its_key_let_a_client_in(tmp_path: Path) -> None:
    state = tmp_path / "state"
    where = ["--state", str(state)]
    made = await vmstead("user", "add", "alice", "--password-stdin", *where, stdin="open sesame\n")
    assert (made.status, made.stdout) == (0, "Added alice (FULL_ADMIN).\n")
    key = (await vmstead("api-key", "create", "laptop", *where)).stdout.strip()
    assert re.fullmatch(r"1-[A-Za-z0-9]{64}", key)
    async with serving(state, "--listen", "127.0.0.1:0") as server:
        del server
        unix = f"ws+unix://{state}.sock"
        assert (await midclt(unix, "-U", "alice", "-P", "open sesame", "call", "vm.query")).stdout == "[]\n"
        assert (await midclt(unix, "-K", key, "call", "vm.query")).stdout == "[]\n"
        # While the server runs, too.
        assert (await vmstead("user", "add", "bob", "--no-password", "--role", "VM_READ", *where)).status == 0
        changed = await vmstead("user", "passwd", "alice", "--password-stdin", *where, stdin="new one\n")
        assert changed.status == 0
        old = await midclt(unix, "-U", "alice", "-P", "open sesame", "call", "auth.me")
        assert "Failed to login" in old.stdout
        new = await midclt(unix, "-U", "alice", "-P", "new one", "call", "auth.me")
        assert '"pw_name": "alice"' in new.stdout
    database = b"".join(path.read_bytes() for path in state.glob("vmstead.db*"))
    assert b"open sesame" not in database
    assert key.partition("-")[2].encode() not in database


@pytest.mark.parametrize(
    ("arguments", "stdin", "text"),
    [
        (["user", "add", "a b", "--no-password"], "", "'a b' is no user name"),
        (["user", "add", "alice", "--no-password"], "", "there is an account named alice already"),
        (["user", "add", "eve", "--password-stdin"], "\n", "the password is empty"),
        (["user", "add", "eve", "--role", "GOD"], "", "is not one of"),
        (["user", "passwd", "eve"], "", "there is no account named eve; there is alice"),
        (["api-key", "create", "k", "--user", "eve"], "", "there is no account named eve; there is alice"),
    ],
)
async def test_mistakes_are_one_clear_line(
    tmp_path: Path, arguments: list[str], stdin: str, text: str
) -> None:
    where = ["--state", str(tmp_path)]
    await vmstead("user", "add", "alice", "--no-password", *where)
    result = await vmstead(*arguments, *where, stdin=stdin)
    assert result.status != 0
    assert text in result.stderr
    assert "Traceback" not in result.stderr


async def test_a_key_needs_to_know_whose_it_is(tmp_path: Path) -> None:
    where = ["--state", str(tmp_path)]
    assert "there is no account yet" in (await vmstead("api-key", "create", "k", *where)).stderr
    for name in ("alice", "bob"):
        await vmstead("user", "add", name, "--no-password", *where)
    assert "there is alice, bob" in (await vmstead("api-key", "create", "k", *where)).stderr
    assert (await vmstead("api-key", "create", "k", "--user", "bob", *where)).stdout.startswith("1-")
    again = await vmstead("api-key", "create", "k", "--user", "bob", *where)
    assert "there is an API key named k already" in again.stderr


async def test_people_can_list_start_and_stop(tmp_path: Path) -> None:
    state = tmp_path / "state"
    uri = ["vm", "-u", f"ws+unix://{state}.sock"]
    async with serving(state):
        for name in ("web01", "db01"):
            await midclt(
                f"ws+unix://{state}.sock", "call", "vm.create", f'{{"name": "{name}", "memory": 64}}'
            )
        assert (await vmstead(*uri, "start", "web01")).status == 0
        table = (await vmstead(*uri, "list")).stdout.splitlines()
        assert table[0].split() == ["ID", "NAME", "STATE", "PID", "CPUS", "MEMORY", "DESCRIPTION"]
        assert table[1].split()[:3] == ["2", "db01", "STOPPED"]
        assert table[2].split()[:3] == ["1", "web01", "RUNNING"]
        assert (await vmstead(*uri, "suspend", "1")).status == 0
        assert (await vmstead(*uri, "resume", "1")).status == 0
        stopped = await vmstead(*uri, "stop", "web01")
        assert stopped.status == 0
        assert "VM 1 (web01) is off" in stopped.stderr
        refused = await vmstead(*uri, "stop", "web01")
        assert (refused.status, refused.stderr) == (1, "Error: [EFAULT] VM 1 (web01) is not running\n")
        unknown = await vmstead(*uri, "start", "nope")
        assert unknown.stderr == "Error: there is no VM nope; there is db01, web01\n"


async def test_doctor_says_what_is_there_and_what_is_missing(tmp_path: Path) -> None:
    where = ["--state", str(tmp_path / "state"), "--socket", str(tmp_path / "s.sock")]
    result = await vmstead("doctor", *where, "--engine", "memory")
    assert result.status == 0
    assert "guests are only pretended" in result.stdout
    assert "server    not running" in result.stdout
    empty = {"PATH": str(tmp_path)}
    result = await vmstead("doctor", *where, "--engine", "qemu:///system", env=empty)
    assert result.status == 1
    assert "MISSING qemu      qemu-system-x86_64 is not installed" in result.stdout
    assert "mend: apt-get install qemu-system-x86" in result.stdout


async def test_doctor_tells_programs_the_same_as_people(tmp_path: Path) -> None:
    where = ["--state", str(tmp_path / "state"), "--socket", str(tmp_path / "s.sock"), "--json"]
    result = await vmstead("doctor", *where, "--engine", "memory")
    assert result.status == 0
    report = json.loads(result.stdout)
    assert report["can_run"] is True
    server = {"name": "server", "verdict": "POOR", "text": "not running", "mend": "vmstead serve"}
    assert server in report["findings"]
    result = await vmstead("doctor", *where, "--engine", "qemu:///system", env={"PATH": str(tmp_path)})
    assert result.status == 1
    report = json.loads(result.stdout)
    assert report["can_run"] is False
    (qemu,) = (finding for finding in report["findings"] if finding["name"] == "qemu")
    assert qemu["verdict"] == "MISSING"
    assert qemu["mend"].startswith("apt-get install qemu-system-x86")


async def test_doctor_and_the_log_point_out_displays_that_anybody_may_use(tmp_path: Path) -> None:
    state = tmp_path / "state"
    uri = f"ws+unix://{state}.sock"
    async with serving(state) as server:
        assert (await midclt(uri, "call", "vm.create", '{"name": "a", "memory": 64}')).status == 0
        for kind, bind in (("SPICE", "127.0.0.1"), ("VNC", "0.0.0.0")):
            attributes = {"dtype": "DISPLAY", "type": kind, "bind": bind}
            device = json.dumps({"vm": 1, "attributes": attributes})
            assert (await midclt(uri, "call", "vm.device.create", device)).status == 0
        assert (await midclt(uri, "call", "vm.start", "1")).status == 0
        where = ["--state", str(state), "--socket", f"{state}.sock", "--engine", "memory"]
        result = await vmstead("doctor", *where)
        assert "note    display   VM 1: the VNC display at 0.0.0.0:590" in result.stdout
        assert "the SPICE display" not in result.stdout
        assert await server.end() == 0
    assert "the VNC display at 0.0.0.0" in "".join(server.stderr)
