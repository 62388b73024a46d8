"""A secret that a client sends is found nowhere but where it belongs.

Every method that takes secrets is called with ones that are good, bad and in the wrong place. Then everything that
came of it is searched: the log in both formats, error answers, events, records of jobs, arguments of programs, and
every file of the state folder.
"""

import asyncio
import json
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import structlog

from tests.api.test_auth import account, api_key
from tests.daemons import needs_private_libvirtd, state_folder
from tests.harness import Api, ApiFailure, Host, server
from tests.mortal import private_server
from vmstead.adapters.memory_engine import MemoryEngine
from vmstead.kernel.clock import ManualClock
from vmstead.kernel.model import SECRET_KEYS
from vmstead.log import configure
from vmstead.ports.engine import Domain
from vmstead.rpc.registry import table
from vmstead.surface import NAMESPACES

#: What no place but the one that it is for may show.
PASSWORD, TYPED, OTHER = "Hush-Password", "Typed-Wrong", "In-The-Wrong-Place"
DISPLAY = {"dtype": "DISPLAY", "type": "VNC", "password": "Hush-Dsp"}


@cache
def _started() -> list[list[str]]:
    """The arguments of programs that this process has started since it asked first, as the interpreter tells."""
    found: list[list[str]] = []

    def hear(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            found.append([str(each) for each in arguments[1]])

    sys.addaudithook(hear)
    return found


@dataclass
class BreakingEngine(MemoryEngine):
    """An engine that fails in a way that nobody has thought of, with the document at hand."""

    breaks: bool = field(default=False)

    async def check(self, domain: Domain) -> None:
        await super().check(domain)
        if self.breaks:
            raise ZeroDivisionError


def methods_with_secrets() -> set[str]:
    """Every method of which a parameter has the name of a secret, at any depth."""

    def names(schema: object) -> Iterator[str]:
        if isinstance(schema, dict):
            yield from schema.get("properties", {})
            for each in schema.values():
                yield from names(each)
        elif isinstance(schema, list):
            for each in schema:
                yield from names(each)

    return {
        name
        for name, method in table(NAMESPACES).items()
        if not method.is_query and SECRET_KEYS & {*names(method.model.model_json_schema())}
    }


#: Where a name only looks like a secret's.
HARMLESS = {"pool.dataset.update", "auth.set_attribute"}
#: Methods whose answers are secrets, for whoever asked alone, and where in the answer.
MADE: list[tuple[str, list[Any], Callable[[Any], list[str]]]] = [
    ("auth.generate_token", [], lambda token: [token]),
    ("core.download", ["vm.log_file_download", [1], "log"], lambda answer: [answer[1].partition("=")[2]]),
    (
        "api_key.create",
        [{"name": "another", "username": "alice"}],
        lambda entry: [entry["key"].partition("-")[2]],
    ),
    (
        "user.create",
        [{"username": "carol", "full_name": "Carol", "random_password": True, "granted_roles": ["VM_READ"]}],
        lambda entry: [entry["password"]],
    ),
    (
        "user.renew_2fa_secret",
        ["alice", {}],
        lambda entry: re.findall(r"secret=(\w+)", entry["twofactor_config"]["provisioning_uri"]),
    ),
]


def account_calls(alice: int) -> dict[str, list[list[Any]]]:
    bob = {"username": "bob", "full_name": "Bob", "granted_roles": ["VM_READ"]}
    reset = {"username": "bob", "new_password": "Hush-Account-3"}
    return {
        "user.create": [
            [{**bob, "password": "Hush-Account-1"}],
            [{**bob, "password": "Hush-Account-1"}],
            [{**bob, "username": "b b", "password": "Hush-Account-1"}],
            [{**bob, "password": [OTHER]}],
            [{**bob, "password": "Hush-Account-1", "passwd": OTHER}],
        ],
        "user.update": [
            [alice, {"password": "Hush-Account-2"}],
            [alice, {"password": "Hush-Account-2", "uid": -1}],
            [10**6, {"password": "Hush-Account-2"}],
            [alice, {"password": {"is": OTHER}}],
        ],
        "user.set_password": [
            [reset],
            [{**reset, "username": "nobody-at-all"}],
            [{**reset, "old_password": [OTHER]}],
            [{**reset, "new_password": ""}],
        ],
        "auth.login_ex_continue": [
            [{"mechanism": "OTP_TOKEN", "otp_token": TYPED}],
            [{"mechanism": "OTP_TOKEN", "otp_token": [OTHER]}],
        ],
        "pool.dataset.unlock": [
            ["default", {"datasets": [{"name": "default", "passphrase": "Hush-Unlock"}]}],
            ["none", {"datasets": [{"name": "none", "key": "Hush-Unlock"}]}],
            ["default", {"datasets": [{"name": "default", "passphrase": [OTHER]}]}],
        ],
        "pool.dataset.create": [
            [
                {
                    "name": "default/sealed",
                    "encryption": True,
                    "inherit_encryption": False,
                    "encryption_options": {"passphrase": "Hush-Dataset"},
                }
            ],
            [{"name": "default/sealed", "encryption": True, "encryption_options": {"passphrase": "Hush"}}],
        ],
    }


def calls(key: str, alice: int = 0) -> dict[str, list[list[Any]]]:
    """For each method with secrets: calls that succeed, that are refused, and that are not even understood."""
    plain = {"mechanism": "PASSWORD_PLAIN", "username": "alice"}
    return {
        "auth.login": [["alice", PASSWORD], ["alice", TYPED], ["alice", PASSWORD, OTHER], ["alice", [OTHER]]],
        "auth.login_ex": [
            [{**plain, "password": PASSWORD}],
            [{**plain, "password": TYPED}],
            [{**plain, "password": PASSWORD, "more": OTHER}],
            [{"mechanism": "API_KEY_PLAIN", "username": "alice", "api_key": key}],
            [{"mechanism": "API_KEY_PLAIN", "username": "alice", "api_key": TYPED}],
            [{"mechanism": "TOKEN_PLAIN", "token": TYPED}],
        ],
        "auth.login_with_api_key": [[key], [TYPED], [{"api_key": OTHER}]],
        "auth.login_with_token": [[TYPED], [[OTHER]]],
        "vm.device.create": [
            [{"vm": 1, "attributes": DISPLAY}],
            [{"vm": 99, "attributes": DISPLAY}],
            [{"vm": 1, "attributes": {**DISPLAY, "port": 1}}],
            [{"vm": 1, "attributes": {**DISPLAY, "password": [OTHER]}}],
            [{"vm": 1, "attributes": {**DISPLAY, "password": f"{OTHER}, and much too long"}}],
            [{"vm": 1, "attributes": {"dtype": "NIC", "password": OTHER}}],
        ],
        "vm.device.update": [
            [1, {"attributes": {"password": "Hush-2"}}],
            [1, {"attributes": {"password": "Hush-2", "port": 1}}],
            [1, {"attributes": {"password": {"value": OTHER}}}],
        ],
        "vm.update": [
            [1, {"devices": [{"id": 1, "attributes": {"password": "Hush-3"}}]}],
            [1, {"devices": [{"id": 1, "attributes": {"password": "Hush-3", "port": 1}}]}],
            [1, {"password": OTHER}],
        ],
        **account_calls(alice),
        "vm.clone": [[1, "copy"]],
        "vm.start": [[1]],
        "vm.stop": [[1, {"password": OTHER}], [1, {"password": [OTHER]}], [1, {"force": True}]],
    }


async def attempt(api: Api, method: str, params: list[Any]) -> None:
    try:
        await api.call(method, *params)
    except ApiFailure:
        return


async def everything(host: Host, viewer: Api) -> str:
    """All that anybody gets to read: answers to mistakes, events, jobs, and files."""
    errors = [frame for frame in host.api.frames if "error" in frame]
    jobs = [await host.api.call("core.get_jobs"), await host.api.call("audit.query", {})]
    files = [path for path in host.config.state.rglob("*") if path.is_file() and path.name != "secret.key"]
    texts = [json.dumps([errors, jobs, host.api.events, viewer.events])]
    texts += [path.read_bytes().decode(errors="replace") for path in files]
    return "\n".join(texts)


@pytest.mark.parametrize("format", ["text", "json"])
async def test_secrets_are_found_nowhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], format: str
) -> None:
    configure(format)
    clock = ManualClock()
    engine = BreakingEngine(clock)
    _started().clear()
    async with server(tmp_path, engine=engine, clock=clock) as host:
        alice = await account(host, "alice", PASSWORD)
        key = await api_key(host, alice)
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        async with host.connect() as viewer, host.connect(over_tcp=True) as api:
            for each in (viewer, host.api):
                await each.call("core.subscribe", "*")
            for method, variants in calls(key, alice).items():
                for params in variants:
                    await attempt(api if method.startswith("auth.login") else host.api, method, params)
            made = [
                secret
                for method, params, find in MADE
                for secret in find(await host.api.call(method, *params))
            ]
            # Nobody has foreseen that: the log has where it happened.
            engine.breaks = True
            await attempt(host.api, "vm.device.update", [1, {"attributes": {"password": "Hush-4"}}])
            found = await everything(host, viewer)
            found += json.dumps([frame for frame in api.frames if "error" in frame])
            stored = host.server.services.vms.device(1)
    found += json.dumps(_started()) + capsys.readouterr().err
    assert "ZeroDivisionError" in found
    assert stored is not None
    assert stored["attributes"]["password"] == "Hush-3"
    assert len(made) == len(MADE)
    assert all(len(secret) > 10 for secret in made)
    secrets = [key, key.partition("-")[2], PASSWORD, TYPED, OTHER, "Hush-", *made]
    assert [secret for secret in secrets if secret in found] == []


def test_every_method_that_takes_secrets_is_tried() -> None:
    """One that is added needs a line above."""
    assert methods_with_secrets() - HARMLESS - calls("").keys() == set()


def test_a_log_on_a_terminal_shows_no_variables(capsys: pytest.CaptureFixture[str]) -> None:
    """Where people read the log, tracebacks could show what the functions had in hand."""
    configure("text")

    def fails(password: str) -> None:
        raise ZeroDivisionError

    try:
        fails(PASSWORD)
    except ZeroDivisionError:
        structlog.get_logger().exception("it happened")
    text = capsys.readouterr().err
    assert "ZeroDivisionError" in text
    assert "in fails" in text
    assert PASSWORD not in text


@needs_private_libvirtd
async def test_a_guests_password_is_no_argument_of_any_process() -> None:
    with state_folder() as folder:
        async with private_server(folder) as host:
            small = {"memory": 32, "bootloader": "UEFI_CSM", "autostart": False}
            vm = (await host.api.call("vm.create", {"name": "a", **small}))["id"]
            for kind, password in (("SPICE", "Hush-Spice"), ("VNC", "Hush-Vnc")):
                display = {"dtype": "DISPLAY", "type": kind, "password": password}
                await host.api.call("vm.device.create", {"vm": vm, "attributes": display})
            await host.api.call("vm.start", vm)
            pid = (await host.api.call("vm.status", vm))["pid"]
            arguments = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
            log = await host.api.call("vm.log_file_path", vm)
            assert b"spice" in arguments
            assert b"Hush" not in arguments
            assert "Hush" not in Path(log).read_text()
            # libvirt itself needs them, and keeps them from everybody else.
            holders = await asyncio.to_thread(
                lambda: [
                    path
                    for path in folder.rglob("*")
                    if path.is_file()
                    and path.suffix in (".xml", ".log", ".db")
                    and b"Hush" in path.read_bytes()
                ]
            )
            assert holders
            assert [path for path in holders if path.stat().st_mode & 0o077] == []
            await host.api.call("vm.poweroff", vm)
