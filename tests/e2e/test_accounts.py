"""``vmstead user`` and ``vmstead api-key`` as a person runs them, and what a running server makes of it."""

import asyncio
import json
import re
import signal
from contextlib import closing
from pathlib import Path

import pyotp
import pytest

from tests.processes import midclt, serving, vmstead
from vmstead.store.db import connect


async def ok(*arguments: str, stdin: str = "") -> str:
    result = await vmstead(*arguments, stdin=stdin)
    assert (result.status, result.stderr) == (0, ""), arguments
    return result.stdout


def rows(table: str) -> list[list[str]]:
    return [re.split(r"  +", line) for line in table.splitlines()[1:]]


async def test_accounts_are_made_listed_changed_and_removed(tmp_path: Path) -> None:
    where = ["--state", str(tmp_path)]
    assert rows(await ok("user", "list", *where)) == []
    await ok("user", "add", "boss", "--password-stdin", *where, stdin="x\n")
    await ok("user", "add", "alice", "--full-name", "Alice A.", "--no-password", "--role", "VM_READ", *where)
    await ok("user", "set", "alice", "--role", "VM_WRITE", "--role", "POOL_READ", *where)
    await ok("user", "set", "alice", "--group", "truenas_readonly_administrators", "--lock", *where)
    assert rows(await ok("user", "list", *where)) == [
        ["boss", "-", "FULL_ADMIN", "-", "password", "0"],
        [
            *("alice", "Alice A.", "POOL_READ, READONLY_ADMIN, VM_WRITE"),
            *("truenas_readonly_administrators", "locked", "0"),
        ],
    ]
    await ok("user", "set", "alice", "--unlock", "--no-roles", "--full-name", "A.", *where)
    assert rows(await ok("user", "list", *where))[1][:3] == ["alice", "A.", "READONLY_ADMIN"]
    assert await ok("user", "delete", "alice", *where) == "Deleted alice.\n"
    assert len(rows(await ok("user", "list", *where))) == 1


async def test_keys_are_made_listed_and_revoked(tmp_path: Path) -> None:
    where = ["--state", str(tmp_path)]
    for name in ("boss", "alice"):
        await ok("user", "add", name, "--password-stdin", *where, stdin="x\n")
    await ok("api-key", "create", "laptop", "--user", "alice", *where)
    await ok("api-key", "create", "short", "--user", "boss", "--expires", "12h", *where)
    listed = rows(await ok("api-key", "list", *where))
    assert listed[0][:3] + listed[0][4:] == ["1", "laptop", "alice", "always"]
    assert listed[1][1:3] == ["short", "boss"]
    assert listed[1][4].startswith("until 20")
    assert [row[1] for row in rows(await ok("api-key", "list", "--user", "alice", *where))] == ["laptop"]
    assert await ok("api-key", "revoke", "laptop", *where) == "Revoked laptop of alice.\n"
    assert await ok("api-key", "revoke", "2", *where) == "Revoked short of boss.\n"
    assert rows(await ok("api-key", "list", *where)) == []


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["user", "set", "boss"], "say what to change"),
        (["user", "set", "boss", "--role", "GOD"], "is not one of"),
        (["user", "set", "boss", "--group", "x"], "there is no group x; there is builtin_administrators"),
        (["user", "set", "eve", "--lock"], "there is no account named eve; there is boss"),
        (["user", "set", "boss", "--lock"], "nobody but boss can log in and do everything"),
        (["user", "set", "boss", "--role", "VM_READ"], "nobody but boss"),
        (["user", "set", "boss", "--no-password"], "nobody but boss"),
        (["user", "delete", "boss"], "or use --force"),
        (["user", "delete", "eve"], "there is no account named eve"),
        (["user", "2fa", "eve"], "there is no account named eve"),
        (["api-key", "create", "k", "--expires", "soon"], "'soon' is no time"),
        (["api-key", "create", "k", "--expires", "0d"], "'0d' is no time"),
        (["api-key", "revoke", "k"], "there is no API key k; there is none"),
        (["api-key", "list", "--user", "eve"], "there is no account named eve"),
    ],
)
async def test_mistakes_are_one_clear_line_and_change_nothing(
    tmp_path: Path, arguments: list[str], text: str
) -> None:
    where = ["--state", str(tmp_path)]
    await ok("user", "add", "boss", "--password-stdin", *where, stdin="x\n")
    result = await vmstead(*arguments, *where)
    assert result.status != 0
    assert text in result.stderr
    assert "Traceback" not in result.stderr
    assert rows(await ok("user", "list", *where)) == [["boss", "-", "FULL_ADMIN", "-", "password", "0"]]


async def test_whoever_may_write_the_database_can_empty_it(tmp_path: Path) -> None:
    where = ["--state", str(tmp_path)]
    await ok("user", "add", "boss", "--no-password", *where)
    await ok("api-key", "create", "k", *where)
    assert "nobody but boss" in (await vmstead("api-key", "revoke", "k", *where)).stderr
    await ok("api-key", "revoke", "k", "--force", *where)
    await ok("user", "delete", "boss", "--force", *where)


async def test_a_second_factor_is_shown_once(tmp_path: Path) -> None:
    state = tmp_path / "state"
    where = ["--state", str(state)]
    await ok("user", "add", "alice", "--password-stdin", *where, stdin="open sesame\n")
    uri, text = (await ok("user", "2fa", "alice", *where)).splitlines()
    app = pyotp.parse_uri(uri)
    assert isinstance(app, pyotp.TOTP)
    assert text == f"Secret, to type into an app: {app.secret}"
    assert rows(await ok("user", "list", *where))[0][4] == "password and code"
    async with serving(state):
        unix = f"ws+unix://{state}.sock"
        result = await midclt(
            unix,
            "call",
            "auth.login_ex",
            json.dumps({"mechanism": "PASSWORD_PLAIN", "username": "alice", "password": "open sesame"}),
        )
        assert json.loads(result.stdout) == {"response_type": "OTP_REQUIRED", "username": "alice"}
        result = await midclt(unix, "call", "auth.login", "alice", "open sesame", f'"{app.now()}"')
        assert result.stdout == "True\n"
        assert await ok("user", "2fa", "alice", "--off", *where) == "alice logs in without a code.\n"
        result = await midclt(unix, "call", "auth.login", "alice", "open sesame")
        assert result.stdout == "True\n"


async def test_what_the_commands_change_is_in_the_audit_trail(tmp_path: Path) -> None:
    state = tmp_path / "state"
    where = ["--state", str(state)]
    async with serving(state):
        await ok("user", "add", "alice", "--password-stdin", *where, stdin="hush-hush\n")
        key = (await ok("api-key", "create", "k", *where)).strip()
        uri = (await ok("user", "2fa", "alice", *where)).splitlines()[0]
        assert (await vmstead("user", "delete", "alice", *where)).status != 0
        result = await midclt(f"ws+unix://{state}.sock", "call", "audit.query")
        entries = json.loads(result.stdout)
    assert [(each["event_data"]["description"], each["success"]) for each in entries] == [
        ("Create user alice", True),
        ("Create API key k", True),
        ("Renew two-factor authentication secret of alice", True),
    ]
    assert {each["service_data"]["protocol"] for each in entries} == {"CLI"}
    for secret in ("hush-hush", key.partition("-")[2], uri):
        assert secret not in result.stdout


async def test_no_change_is_without_its_entry_however_the_server_ends(tmp_path: Path) -> None:
    state = tmp_path / "state"
    for round in range(3):
        async with serving(state) as server:
            creating = [
                asyncio.create_task(
                    midclt(
                        f"ws+unix://{state}.sock",
                        "call",
                        "vm.create",
                        json.dumps({"name": f"vm{round}x{number}", "memory": 64}),
                    )
                )
                for number in range(6)
            ]
            await asyncio.wait(creating, return_when=asyncio.FIRST_COMPLETED)
            await server.end(signal.SIGKILL)
            await asyncio.wait(creating)
    with closing(connect(state / "vmstead.db")) as database:
        made = {str(name) for (name,) in database.execute("SELECT name FROM vm")}
    with closing(connect(state / "audit.db")) as trail:
        recorded = [json.loads(data) for (data,) in trail.execute("SELECT event_data FROM audit")]
    assert made
    assert made <= {each["params"][0]["name"] for each in recorded if each["method"] == "vm.create"}
