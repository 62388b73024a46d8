"""Logging in, and who may do what."""

import pwd
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.harness import Api, Host, server
from tests.unit.client.certificate import self_signed
from tests.unit.system.test_scram import ScramClient
from vmstead.ctx import Ctx
from vmstead.rpc.caller import Origin
from vmstead.rpc.session import InternalSession
from vmstead.system.accounts import by_unix_peer
from vmstead.system.auth import mechanism_choices
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
        assert await api.call("auth.mechanism_choices") == [
            "API_KEY_PLAIN",
            "TOKEN_PLAIN",
            "PASSWORD_PLAIN",
            "SCRAM",
        ]
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
        bound = await api.call("auth.generate_token", 60, {"for": 1}, True, False)
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


# --- proofs instead of keys -------------------------------------------------------------------------


SCRAM = {"mechanism": "SCRAM"}


async def prove(api: Api, client: ScramClient) -> dict[str, Any]:
    """Log in by proof; the last answer."""
    first = {**SCRAM, "scram_type": "CLIENT_FIRST_MESSAGE", "rfc_str": client.first}
    answer = await api.call("auth.login_ex", first)
    assert (answer["response_type"], answer["scram_type"]) == ("SCRAM_RESPONSE", "SERVER_FIRST_RESPONSE")
    assert answer["user_info"] is None
    final = {**SCRAM, "scram_type": "CLIENT_FINAL_MESSAGE", "rfc_str": client.final(answer["rfc_str"])}
    result: dict[str, Any] = await api.call("auth.login_ex", final)
    return result


async def test_a_key_can_be_proved_without_being_sent(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        key = await api_key(host, await account(host))
        client = ScramClient("alice", key)
        answer = await prove(api, client)
        assert (answer["response_type"], answer["scram_type"]) == ("SCRAM_RESPONSE", "SERVER_FINAL_RESPONSE")
        assert answer["rfc_str"] == client.server_signature
        assert answer["user_info"]["pw_name"] == "alice"
        assert "API_KEY" in (await api.call("auth.me"))["account_attributes"]


async def test_a_proof_that_is_wrong_says_no_more_than_a_wrong_key(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "bob")
        key = await api_key(host, await account(host))
        number, _, secret = key.partition("-")
        for wrong in (
            ScramClient("alice", f"{number}-{secret[::-1]}"),
            ScramClient("alice", f"99-{secret}"),
            ScramClient("bob", key),
            ScramClient("nobody", key),
            ScramClient("alice", key, "p=tls-server-end-point", b"digest"),
        ):
            assert await prove(api, wrong) == {"response_type": "AUTH_ERR"}
        accounts = host.server.services.accounts
        await accounts.write(accounts.update(2, {"locked": True}))
        assert await prove(api, ScramClient("alice", key)) == {"response_type": "AUTH_ERR"}


async def test_a_proof_is_bound_to_the_certificate_where_connections_are_encrypted(tmp_path: Path) -> None:
    file = self_signed(tmp_path / "both.pem")
    own = x509.load_pem_x509_certificate(file.read_bytes()).fingerprint(hashes.SHA256())
    async with server(tmp_path, tls_cert=file) as host, host.connect(over_tcp=True) as api:
        assert host.tcp_url.startswith("wss://")
        key = await api_key(host, await account(host))
        flag = "p=tls-server-end-point"
        answer = await prove(api, ScramClient("alice", key, flag, own))
        assert answer["response_type"] == "SCRAM_RESPONSE"
        # Somebody on the way has a certificate of its own.
        other = ScramClient("alice", key, flag, bytes(32))
        assert await prove(api, other) == {"response_type": "AUTH_ERR"}
        assert await prove(api, ScramClient("alice", key, "y")) == {"response_type": "AUTH_ERR"}
        assert (await prove(api, ScramClient("alice", key)))["response_type"] == "SCRAM_RESPONSE"


async def test_an_expired_key_can_be_proved_and_does_not_let_in(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        key = await api_key(host, await account(host), expires_at=host.clock.now() + 60)
        host.clock.advance(61)
        assert await prove(api, ScramClient("alice", key)) == {"response_type": "EXPIRED"}
        accounts = host.server.services.accounts
        await accounts.write(accounts.update(1, {"roles": []}))
        fresh = await api_key(host, 1, "fresh")
        assert await prove(api, ScramClient("alice", fresh)) == {"response_type": "DENIED"}


async def test_a_proof_has_two_steps_in_their_order(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        key = await api_key(host, await account(host))
        client = ScramClient("alice", key)
        final = {**SCRAM, "scram_type": "CLIENT_FINAL_MESSAGE", "rfc_str": "c=biws,r=x,p=x"}
        failure = await api.failure("auth.login_ex", final)
        assert "send CLIENT_FIRST_MESSAGE first" in failure.reason
        await prove(api, client)
        assert (await api.failure("auth.login_ex", final)).errno == 22
        for text in ("nonsense", "n,,n=alice:1,r=short"):
            bad = {**SCRAM, "scram_type": "CLIENT_FIRST_MESSAGE", "rfc_str": text}
            failure = await api.failure("auth.login_ex", bad)
            assert failure.attributes == ["login_data.SCRAM.rfc_str"]


# --- what is left of logins -------------------------------------------------------------------------


async def test_an_account_without_roles_is_let_in_nowhere(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        owner = await account(host)
        accounts = host.server.services.accounts
        await accounts.write(accounts.update(owner, {"roles": []}))
        data = {"mechanism": "PASSWORD_PLAIN", "username": "alice", "password": "open sesame"}
        assert await api.call("auth.login_ex", data) == {"response_type": "DENIED"}
        assert await api.call("auth.login_ex", {**data, "password": "x"}) == {"response_type": "AUTH_ERR"}
        assert await api.call("auth.login", "alice", "open sesame") is False


async def test_where_others_can_read_keys_are_not_to_be_sent(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        session = InternalSession(origin=Origin(address="192.0.2.7"), caller=None)
        ctx = Ctx(**vars(host.server.services), session=session)
        assert await mechanism_choices(ctx) == ["TOKEN_PLAIN", "PASSWORD_PLAIN", "SCRAM"]


async def test_a_token_for_a_download_names_a_job_of_ones_own(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "alice", "open sesame", "VM_READ")
        await api.call("auth.login", "alice", "open sesame")
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        foreign, _ = await host.api.call("core.download", "vm.log_file_download", [1], "log")
        own, _ = await api.call("core.download", "vm.log_file_download", [1], "log")
        plain = await api.call("core.job_wait", own)
        for number in (foreign, 999, "1", None):
            failure = await api.failure("auth.generate_token", 60, {"job": number})
            assert (failure.errno, str(number) in failure.reason) == (14, True)
        assert "nothing to download" in (await api.failure("auth.generate_token", 60, {"job": plain})).reason
        token = await api.call("auth.generate_token", 60, {"job": own})
        url = f"{host.tcp_url.replace('ws://', 'http://')}/_download/{own}?auth_token={token}"
        async with host.http.get(url) as answer:
            assert answer.status == 200
            assert 'filename="download"' in answer.headers["Content-Disposition"]


async def test_too_many_wrong_passwords_from_one_place_must_wait(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        key = await api_key(host, await account(host))
        for _ in range(5):
            assert await api.call("auth.login", "alice", "wrong") is False
        failure = await api.failure("auth.login", "alice", "open sesame")
        assert (failure.code, failure.errno) == (-32001, 16)
        assert "Too many failed logins of alice; try again in 1 seconds" in failure.reason
        # Users that are not there are treated the same.
        for _ in range(5):
            assert await api.call("auth.login", "carl", "wrong") is False
        assert (await api.failure("auth.login", "carl", "wrong")).errno == 16
        assert await api.call("auth.login_with_api_key", key) is True
        host.clock.advance(1)
        assert await api.call("auth.login", "alice", "open sesame") is True
        for _ in range(5):
            assert await api.call("auth.login", "alice", "wrong") is False, "it starts anew"


async def test_callers_who_are_not_logged_in_are_slowed_down(tmp_path: Path) -> None:
    async with server(tmp_path, login_rate=3) as host, host.connect(over_tcp=True) as api:
        await account(host)
        for _ in range(3):
            await api.call("auth.login", "alice", "wrong")
        failure = await api.failure("auth.login", "alice", "open sesame")
        assert (failure.errno, failure.reason[:28]) == (16, "[EBUSY] Rate Limit Exceeded;")
        assert len(await api.call("auth.mechanism_choices")) == 4, "each method by itself"
        for _ in range(10):
            await api.call("core.set_options", {})
        async with host.connect() as local:
            await local.call("auth.logout")
            for _ in range(9):
                await local.call("core.ping")
        host.clock.advance(60)
        assert await api.call("auth.login", "alice", "open sesame") is True
        for _ in range(9):
            await api.call("core.ping")


async def test_roles_are_told_one_by_one_to_who_is_no_administrator(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "alice", "open sesame", "VM_READ")
        await api.call("auth.login", "alice", "open sesame")
        privilege = (await api.call("auth.me"))["privilege"]
        assert privilege["roles"] == {"$set": ["VM_READ"]}
        assert {"method": "CALL", "resource": "vm.query"} in privilege["allowlist"]
        assert {"method": "SUBSCRIBE", "resource": "vm.query"} in privilege["allowlist"]
        assert {"method": "CALL", "resource": "vm.start"} not in privilege["allowlist"]
        admin = (await host.api.call("auth.me"))["privilege"]
        assert admin["allowlist"] == [{"method": "*", "resource": "*"}]


async def test_a_web_page_can_ask_whether_there_is_an_administrator(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        assert await api.call("user.has_local_administrator_set_up") is False
        await account(host, "alice", "open sesame", "VM_READ")
        await account(host, "bob", None)
        assert await api.call("user.has_local_administrator_set_up") is False
        await account(host, "carol")
        assert await api.call("user.has_local_administrator_set_up") is True
        assert (await api.failure("user.has_local_administrator_set_up", 1)).attributes == [""]
