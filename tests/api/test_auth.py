"""Logging in, and who may do what."""

import pwd
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Host, server
from vmstead.rpc.caller import Origin
from vmstead.system.accounts import by_unix_peer
from vmstead.system.secrets import hash_password, new_api_key


async def account(host: Host, name: str = "alice", password: str | None = "open sesame", *roles: str) -> int:
    """An account; a full administrator where no role is given."""
    accounts = host.server.services.accounts
    hashed = None if password is None else await hash_password(password)
    now = host.clock.now()
    return await accounts.write(accounts.add(name, hashed, roles or ("FULL_ADMIN",), "Alice A.", now))


async def api_key(host: Host, owner: int, name: str = "laptop", expires_at: float | None = None) -> str:
    accounts = host.server.services.accounts
    key, verifier = new_api_key()
    number = await accounts.write(accounts.add_key(name, owner, verifier, host.clock.now(), expires_at))
    return f"{number}-{key}"


async def test_root_on_the_unix_socket_is_logged_in_before_the_first_message(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        me = await host.api.call("auth.me")
        assert me["pw_name"] == "root"
        assert me["pw_uid"] == 0
        assert me["privilege"]["roles"] == {"$set": ["FULL_ADMIN"]}
        assert me["account_attributes"] == ["LOCAL", "SYS_ADMIN"]


async def test_other_local_users_need_an_account_of_their_name(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        services = host.server.services
        nobody = pwd.getpwnam("nobody")
        origin = Origin(pid=1, uid=nobody.pw_uid, gid=nobody.pw_gid)
        assert by_unix_peer(services, origin, server_uid=0) is None
        await account(host, "nobody", None, "VM_READ")
        caller = by_unix_peer(services, origin, server_uid=0)
        assert caller is not None
        assert caller.roles == {"VM_READ"}
        assert not caller.is_internal
        own = by_unix_peer(services, origin, server_uid=nobody.pw_uid)
        assert own is not None
        assert own.is_admin


async def test_login_with_a_password(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        assert await api.call("auth.mechanism_choices") == ["API_KEY_PLAIN", "TOKEN_PLAIN", "PASSWORD_PLAIN"]
        wrong = {"mechanism": "PASSWORD_PLAIN", "username": "alice", "password": "wrong"}
        assert await api.call("auth.login_ex", wrong) == {"response_type": "AUTH_ERR"}
        assert await api.call("auth.login_ex", {**wrong, "username": "bob"}) == {"response_type": "AUTH_ERR"}
        answer = await api.call("auth.login_ex", {**wrong, "password": "open sesame"})
        assert answer["response_type"] == "SUCCESS"
        assert answer["authenticator"] == "LEVEL_1"
        assert answer["user_info"] == await api.call("auth.me")
        assert answer["user_info"]["pw_gecos"] == "Alice A."
        assert "FULL_ADMIN" in answer["user_info"]["privilege"]["roles"]["$set"]
        assert await api.call("vm.query") == []


async def test_the_answer_can_leave_out_the_user(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        answer = await api.call(
            "auth.login_ex",
            {
                "mechanism": "PASSWORD_PLAIN",
                "username": "alice",
                "password": "open sesame",
                "login_options": {"user_info": False},
            },
        )
        assert answer == {"response_type": "SUCCESS", "user_info": None, "authenticator": "LEVEL_1"}


async def test_the_older_logins_answer_yes_or_no(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        key = await api_key(host, await account(host))
        async with host.connect(over_tcp=True) as api:
            assert await api.call("auth.login", "alice", "wrong") is False
            assert await api.call("auth.login", "alice", "open sesame") is True
            assert (await api.call("auth.me"))["pw_name"] == "alice"
        async with host.connect(over_tcp=True) as api:
            assert await api.call("auth.login_with_api_key", key[:-1] + "-") is False
            assert await api.call("auth.login_with_api_key", "99-" + key.partition("-")[2]) is False
            assert await api.call("auth.login_with_api_key", "nonsense") is False
            assert await api.call("auth.login_with_api_key", key) is True
            assert "API_KEY" in (await api.call("auth.me"))["account_attributes"]


async def test_login_with_an_api_key_checks_the_user_too(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "bob")
        key = await api_key(host, await account(host))
        data = {"mechanism": "API_KEY_PLAIN", "username": "bob", "api_key": key}
        assert await api.call("auth.login_ex", data) == {"response_type": "AUTH_ERR"}
        answer = await api.call("auth.login_ex", {**data, "username": "alice"})
        assert answer["response_type"] == "SUCCESS"


async def test_an_expired_key_says_so_only_to_who_has_it(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        key = await api_key(host, await account(host), expires_at=host.clock.now() + 60)
        data = {"mechanism": "API_KEY_PLAIN", "username": "alice", "api_key": key}
        assert (await api.call("auth.login_ex", data))["response_type"] == "SUCCESS"
        host.clock.advance(61)
        assert await api.call("auth.login_ex", data) == {"response_type": "EXPIRED"}
        other = {**data, "api_key": key[:-1] + ("a" if key[-1] != "a" else "b")}
        assert await api.call("auth.login_ex", other) == {"response_type": "AUTH_ERR"}


async def test_a_token_hands_a_session_on(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        await api.call("auth.login", "alice", "open sesame")
        token = await api.call("auth.generate_token")
        async with host.connect(over_tcp=True) as other:
            answer = await other.call("auth.login_ex", {"mechanism": "TOKEN_PLAIN", "token": token})
            assert answer["user_info"]["pw_name"] == "alice"
        # From another place it is worth nothing, nor with attributes, nor twice where it is for once.
        async with host.connect() as other:
            assert await other.call("auth.login_with_token", token) is False
        bound = await api.call("auth.generate_token", 60, {"job": 1}, True, False)
        once = await api.call("auth.generate_token", 60, {}, False, True)
        async with host.connect(over_tcp=True) as other:
            assert await other.call("auth.login_with_token", bound) is False
            assert await other.call("auth.login_with_token", once) is True
            assert await other.call("auth.login_with_token", once) is False
            assert await other.call("auth.login_with_token", "nonsense") is False


async def test_a_token_lives_as_long_as_it_is_used_and_its_session_lasts(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as other:
        await account(host)
        async with host.connect(over_tcp=True) as api:
            await api.call("auth.login", "alice", "open sesame")
            token = await api.call("auth.generate_token", 100)
            for _ in range(3):
                host.clock.advance(90)
                assert await other.call("auth.login_with_token", token) is True
            host.clock.advance(101)
            assert await other.call("auth.login_with_token", token) is False
            token = await api.call("auth.generate_token", None)
        assert await other.call("auth.login_with_token", token) is False


async def test_logging_out_ends_the_rights_and_not_the_connection(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "vm.query")
        assert await host.api.call("auth.logout") is True
        assert (await host.api.failure("vm.query")).errno == 207
        async with host.connect() as other:
            await other.call("vm.create", {"name": "a", "memory": 512})
        assert await host.api.call("core.ping") == "pong"
        assert host.api.events == []


async def test_a_locked_account_cannot_log_in(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        owner = await account(host)
        key = await api_key(host, owner)
        accounts = host.server.services.accounts
        await accounts.write(lambda connection: connection.execute("UPDATE account SET locked = 1"))
        assert await api.call("auth.login", "alice", "open sesame") is False
        assert await api.call("auth.login_with_api_key", key) is False


@pytest.mark.parametrize(
    ("data", "attribute"),
    [
        ({}, "login_data.mechanism"),
        ({"mechanism": "MAGIC"}, "login_data"),
        ({"mechanism": "PASSWORD_PLAIN", "username": "a"}, "login_data.PASSWORD_PLAIN.password"),
        ("text", "login_data"),
    ],
)
async def test_a_malformed_login_names_the_field(tmp_path: Path, data: Any, attribute: str) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        failure = await api.failure("auth.login_ex", data)
        assert failure.code == -32602
        assert failure.attributes == [attribute]


READ: dict[str, list[Any]] = {"vm.query": [], "vm.get_instance": [1], "vm.status": [1], "vm.random_mac": []}
WRITE: dict[str, list[Any]] = {
    "vm.start": [1],
    "vm.poweroff": [1],
    "vm.create": [{"name": "b", "memory": 64}],
}
DEVICE_READ: dict[str, list[Any]] = {"vm.device.query": [], "vm.device.get_instance": [1]}
DEVICE_WRITE: dict[str, list[Any]] = {
    "vm.device.create": [{"vm": 1, "attributes": {"dtype": "NIC"}}],
    "vm.device.delete": [1],
}


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        ("VM_READ", [READ]),
        ("VM_WRITE", [READ, WRITE]),
        ("VM_DEVICE_READ", [READ, DEVICE_READ]),
        ("VM_DEVICE_WRITE", [READ, WRITE, DEVICE_READ, DEVICE_WRITE]),
        ("READONLY_ADMIN", [READ, DEVICE_READ]),
        ("FULL_ADMIN", [READ, WRITE, DEVICE_READ, DEVICE_WRITE]),
    ],
)
async def test_roles_decide_what_can_be_called(
    tmp_path: Path, role: str, allowed: list[dict[str, list[Any]]]
) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "alice", "open sesame", role)
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        await host.api.call("vm.device.create", {"vm": 1, "attributes": {"dtype": "NIC"}})
        await api.call("auth.login", "alice", "open sesame")
        may = {method for group in allowed for method in group}
        for method, params in {**READ, **WRITE, **DEVICE_READ, **DEVICE_WRITE}.items():
            if method in may:
                await api.call(method, *params)
            else:
                failure = await api.failure(method, *params)
                assert (failure.errno, failure.reason) == (13, "[EACCES] Not authorized"), method


async def test_roles_decide_what_can_be_subscribed_to(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "alice", "open sesame", "VM_READ")
        await api.call("auth.login", "alice", "open sesame")
        await api.call("core.subscribe", "vm.query")
        await api.call("core.subscribe", "core.get_jobs")
        for name in ("vm.device.query", "*", "unheard.of"):
            assert (await api.failure("core.subscribe", name)).errno == 13
        await host.api.call("core.subscribe", "unheard.of")


async def test_secrets_are_shown_only_to_those_who_could_change_them(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "alice", "open sesame", "READONLY_ADMIN")
        await api.call("auth.login", "alice", "open sesame")
        await host.api.call("core.subscribe", "*")
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        display = {"dtype": "DISPLAY", "password": "hush-hush"}
        await host.api.call("vm.device.create", {"vm": 1, "attributes": display})
        assert (await host.api.call("vm.device.query"))[0]["attributes"]["password"] == "hush-hush"
        for method in ("vm.query", "vm.device.query"):
            assert "hush-hush" not in str(await api.call(method))
            assert "********" in str(await api.call(method))
        # An event is the same for everybody, so it shows nothing to anybody.
        await host.api.event(lambda event: event["collection"] == "vm.device.query")
        assert "hush-hush" not in str(host.api.events)
        state = tmp_path / "state"
        stored = b"".join(file.read_bytes() for file in state.glob("vmstead.db*"))
        assert b"hush-hush" not in stored
        assert (state / "secret.key").stat().st_mode & 0o777 == 0o600


async def test_attributes_of_an_account_are_kept_for_its_clients(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        await api.call("auth.login", "alice", "open sesame")
        await api.call("auth.set_attribute", "theme", {"dark": True})
        assert (await api.call("auth.me"))["attributes"] == {"theme": {"dark": True}}
        assert (await host.api.failure("auth.set_attribute", "theme", 1)).attributes == ["key"]
