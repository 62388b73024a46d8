"""Every role against every method, collection, download, upload and the console: as ``tests/rights.py`` has it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from tests import rights
from tests.api.test_auth import account
from tests.api.test_console import opened, running, shell
from tests.harness import Api, Host, server
from vmstead.rpc.caller import FULL_ADMIN
from vmstead.rpc.registry import table
from vmstead.surface import NAMESPACES
from vmstead.system.accounts import caller_for
from vmstead.system.roles import ROLES

METHODS = table(NAMESPACES)
#: One more than any method takes: allowed calls fail for that, after the role was looked at, and do nothing.
TOO_MANY = [None] * 20
WAY_OUT = "put it into tests/rights.py"


def test_every_method_has_its_place_in_the_table() -> None:
    listed = " ".join([rights.EVERYBODY, rights.LOGGED_IN, *rights.METHODS.values()]).split()
    assert len(listed) == len({*listed})
    assert METHODS.keys() - {*listed} == set(), WAY_OUT
    assert {*listed} - METHODS.keys() == set()
    wrong = {
        name: (method.role, rights.role_of(name))
        for name, method in METHODS.items()
        if ("" if method.is_public else method.role) != rights.role_of(name)
    }
    assert wrong == {}, WAY_OUT


def test_every_role_has_its_place_in_the_table() -> None:
    assert {*rights.ROLES, FULL_ADMIN} == ROLES, WAY_OUT
    taken = {*rights.METHODS, *filter(None, rights.COLLECTIONS.values()), rights.CONSOLE}
    assert taken <= ROLES


def test_every_change_is_recorded() -> None:
    """Reads are not: that would cost time, and hide in their number what matters."""
    reads = ("_READ", "READONLY_ADMIN")
    for name, method in METHODS.items():
        role = rights.role_of(name)
        if role and not role.endswith(reads) and name not in rights.NOT_RECORDED:
            assert method.audit, name
            assert method.audit != name, f"{name}: say what it does, with audit="
    unsaid = {name for name in rights.LOGGED_IN.split() if not METHODS[name].audit}
    looks = {"api_key.my_keys", "auth.me", "core.get_jobs", "core.job_wait", "vmstead.version"}
    looks |= {"core.get_events", "core.get_methods", "core.get_services", "core.job_download_logs"}
    looks |= {"system.hostname", "system.version", "system.version_short"}
    assert unsaid - looks - rights.NOT_RECORDED.keys() == set()


@asynccontextmanager
async def somebody(host: Host, role: str) -> AsyncIterator[Api]:
    """A client whose account has that role and no other. With a token, as passwords take their time."""
    services = host.server.services
    await account(host, role.lower(), None, role)
    owner = services.accounts.by_name(role.lower())
    assert owner is not None
    token = services.tokens.issue(caller_for(services, owner, "LOGIN_PASSWORD"), "a test", ttl=10_000)
    async with host.connect(over_tcp=True) as api:
        assert await api.call("auth.login_with_token", token) is True
        yield api


async def test_a_role_allows_what_the_table_says_and_nothing_else(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        assert {*host.server.services.event_roles} == {*rights.COLLECTIONS}, WAY_OUT
        for role in [*rights.ROLES, FULL_ADMIN]:
            async with somebody(host, role) as api:
                await _check(api, role)


async def _check(api: Api, role: str) -> None:
    is_all = role == FULL_ADMIN
    for name in METHODS:
        needed = rights.role_of(name)
        may = is_all or not needed or needed in rights.allowed(role)
        assert await _is_refused(api, name) is not may, (role, name)
    for collection, needed in rights.COLLECTIONS.items():
        may = is_all or needed is None or needed in rights.allowed(role)
        answer = await api.frame_of("core.subscribe", collection)
        refused = "error" in answer and answer["error"]["data"]["error"] == 13
        assert refused is not may, (role, collection)


async def _is_refused(api: Api, method: str) -> bool:
    if METHODS[method].is_job:
        # What is wrong with the arguments of a job is told by the job.
        failures = [*(await _failures(api, method))]
        return bool(failures) and failures[0][0] == 13
    failure = await api.failure(method, *TOO_MANY)
    assert failure.code == -32602 or (failure.errno, failure.reason) == (13, "[EACCES] Not authorized"), (
        method
    )
    return failure.code != -32602


async def _failures(api: Api, method: str) -> list[tuple[int, str]]:
    if METHODS[method].pipe is not None and METHODS[method].needs_pipe:
        failure = await api.failure(method, *TOO_MANY)
        return [(failure.errno, failure.reason)]
    answer = await api.frame_of(method, *TOO_MANY)
    return [(answer["error"]["data"]["error"], "")] if "error" in answer else []


async def test_before_login_only_what_is_for_everybody_can_be_called(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        for name in METHODS:
            failure = await api.failure(name, *TOO_MANY)
            if name in rights.EVERYBODY.split():
                assert failure.code == -32602, name
            else:
                assert failure.errno == 207, name
        for collection in rights.COLLECTIONS:
            assert (await api.failure("core.subscribe", collection)).errno == 207


async def test_downloads_obey_the_roles_of_their_methods(tmp_path: Path) -> None:
    names = [name for name, method in METHODS.items() if method.pipe == "output"]
    async with server(tmp_path) as host:
        for role in rights.ROLES:
            async with somebody(host, role) as api:
                for name in names:
                    answer = await api.frame_of("core.download", name, [None], "file")
                    refused = "error" in answer and answer["error"]["data"]["error"] == 13
                    assert refused is not (rights.role_of(name) in rights.allowed(role)), (role, name)


async def test_uploads_obey_the_roles_of_their_methods(tmp_path: Path) -> None:
    names = [name for name, method in METHODS.items() if method.pipe == "input"]
    async with server(tmp_path) as host:
        url = host.tcp_url.replace("ws://", "http://")
        for role in [*rights.ROLES, FULL_ADMIN]:
            async with somebody(host, role) as api:
                for name in names:
                    token = await api.call("auth.generate_token")
                    form = aiohttp.FormData()
                    form.add_field("data", f'{{"method": "{name}", "params": []}}')
                    form.add_field("file", b"x", filename="x")
                    headers = {"Authorization": f"Token {token}"}
                    async with host.http.post(f"{url}/_upload", data=form, headers=headers) as answer:
                        may = role == FULL_ADMIN or rights.role_of(name) in rights.allowed(role)
                        assert (answer.status == 200) is may, (role, name, await answer.text())
                        assert may or answer.status == 403


async def test_the_console_takes_its_role(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await running(host)
        for role in [*rights.ROLES, FULL_ADMIN]:
            async with somebody(host, role) as api, shell(host) as socket:
                token = await api.call("auth.generate_token", 60, {}, False)
                greeting = await opened(host, socket, token=token)
                may = role == FULL_ADMIN or rights.CONSOLE in rights.allowed(role)
                assert greeting["msg"] == ("connected" if may else "failed"), role
