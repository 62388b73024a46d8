"""``api_key.*``: keys for programs."""

import datetime as dt
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from tests.api.test_auth import account
from tests.harness import Host, server
from vmstead.system.api_keys import ApiKeyShape


async def key(host: Host, name: str = "laptop", username: str = "alice", **given: Any) -> dict[str, Any]:
    made: dict[str, Any] = await host.api.call(
        "api_key.create", {"name": name, "username": username, **given}
    )
    return made


def at(host: Host, seconds: float) -> dict[str, int]:
    return {"$date": int(host.clock.now() + seconds) * 1000}


async def opens(host: Host, text: str) -> str:
    data = {"mechanism": "API_KEY_PLAIN", "username": "alice", "api_key": text}
    async with host.connect(over_tcp=True) as api:
        return str((await api.call("auth.login_ex", data))["response_type"])


async def test_a_key_is_shown_once_and_lets_in(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        owner = await account(host)
        made = await key(host)
        text = made.pop("key")
        assert text.startswith("1-")
        assert len(text) == 66
        TypeAdapter(ApiKeyShape).validate_python(made)
        assert made == {
            "id": 1,
            "name": "laptop",
            "username": "alice",
            "user_identifier": owner,
            "keyhash": "********",
            "created_at": at(host, 0),
            "expires_at": None,
            "local": True,
            "revoked": False,
            "revoked_reason": None,
        }
        assert await opens(host, text) == "SUCCESS"
        assert await host.api.call("api_key.query") == [made]
        assert await host.api.call("api_key.get_instance", 1) == made
        assert await host.api.call("api_key.get_instance", 1, {"select": ["name"]}) == {"name": "laptop"}
        assert (await host.api.failure("api_key.get_instance", 9)).attributes == [None]
        stored = b"".join(file.read_bytes() for file in (tmp_path / "state").glob("*.db*"))
        assert text.partition("-")[2].encode() not in stored


async def test_a_key_expires(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host)
        made = await key(host, expires_at=at(host, 60))
        assert made["expires_at"] == at(host, 60)
        async with host.connect(over_tcp=True) as api:
            await api.call("auth.login_with_api_key", made["key"])
            host.clock.advance(60)
            assert await opens(host, made["key"]) == "EXPIRED"
            assert (await api.failure("auth.me")).errno == 207, "nor do its logins last longer"
        for method, params in (
            ("api_key.create", [{"name": "b", "username": "alice", "expires_at": at(host, 0)}]),
            ("api_key.update", [1, {"expires_at": at(host, -1)}]),
        ):
            failure = await host.api.failure(method, *params)
            assert "Expiration date is in the past" in failure.reason
        await host.api.call("api_key.update", 1, {"expires_at": None})
        assert await opens(host, made["key"]) == "SUCCESS"


async def test_a_key_can_be_renamed_replaced_and_removed(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host)
        made = await key(host)
        renamed = await host.api.call("api_key.update", 1, {"name": "desktop"})
        assert (renamed["name"], renamed["key"]) == ("desktop", None)
        assert await opens(host, made["key"]) == "SUCCESS"
        async with host.connect(over_tcp=True) as api:
            await api.call("auth.login_with_api_key", made["key"])
            again = await host.api.call("api_key.update", 1, {"reset": True})
            assert await api.closed() == 1008
        assert await opens(host, made["key"]) == "AUTH_ERR"
        assert await opens(host, again["key"]) == "SUCCESS"
        async with host.connect(over_tcp=True) as api:
            await api.call("auth.login_with_api_key", again["key"])
            assert await host.api.call("api_key.delete", 1) is True
            assert await api.closed() == 1008
        assert await opens(host, again["key"]) == "AUTH_ERR"
        assert (await host.api.failure("api_key.update", 1, {})).attributes == [None]
        assert (await host.api.failure("api_key.delete", 1)).attributes == [None]
        assert (await host.api.failure("api_key.delete", "1")).attributes == ["id"]


async def test_a_revoked_key_says_so_and_can_be_replaced(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host)
        made = await key(host)
        accounts = host.server.services.accounts
        old = accounts.key(1)
        assert old is not None
        await accounts.write(accounts.update_key(1, "laptop", None, old.verifier, "found in a log"))
        entry = await host.api.call("api_key.get_instance", 1)
        assert (entry["revoked"], entry["revoked_reason"]) == (True, "found in a log")
        assert await opens(host, made["key"]) == "EXPIRED"
        again = await host.api.call("api_key.update", 1, {"reset": True})
        assert again["revoked"] is False
        assert await opens(host, again["key"]) == "SUCCESS"


async def test_what_is_wrong_is_named_as_truenas_does(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        owner = await account(host)
        await account(host, "bare", None, "VM_READ")
        accounts = host.server.services.accounts
        await accounts.write(accounts.update(2, {"roles": []}))
        await key(host)
        for given, text in (
            ({"name": "laptop", "username": "alice"}, "name must be unique"),
            ({"name": "b", "username": "carl"}, "User does not exist."),
            ({"name": "b", "username": "bare"}, "User lacks privilege role membership"),
        ):
            failure = await host.api.failure("api_key.create", given)
            assert failure.attributes == ["api_key_create"]
            assert text in failure.reason
        for wrong, attribute in (
            ({"username": "alice"}, "name"),
            ({"name": "", "username": "alice"}, "name"),
            ({"name": "a" * 201, "username": "alice"}, "name"),
            ({"name": "b", "username": "alice", "expires_at": "tomorrow"}, "expires_at"),
            ({"name": "b", "username": "alice", "allowlist": []}, "allowlist"),
        ):
            failure = await host.api.failure("api_key.create", wrong)
            assert failure.attributes == [f"api_key_create.{attribute}"]
        for number in range(9):
            await key(host, f"k{number}")
        assert (
            "alice has 10 API keys"
            in (await host.api.failure("api_key.create", {"name": "b", "username": "alice"})).reason
        )
        assert (await host.api.failure("api_key.update", 1, {"name": "k1"})).attributes == ["api_key_update"]
        assert (await host.api.call("user.get_instance", owner))["api_keys"] == [*range(1, 11)]


async def test_users_have_their_own_keys_and_others_take_the_role(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "boss")
        await account(host, "alice", "open sesame", "VM_READ")
        await account(host, "clerk", "open sesame", "API_KEY_WRITE", "VM_READ")
        foreign = await key(host, "bosses", "boss")
        await api.call("auth.login", "alice", "open sesame")
        own = await api.call("api_key.create", {"name": "own", "username": "alice"})
        assert [each["name"] for each in await api.call("api_key.my_keys")] == ["own"]
        assert (await api.failure("api_key.query")).errno == 13
        await api.call("api_key.update", own["id"], {"name": "mine"})
        for method, params in (
            ("api_key.create", [{"name": "b", "username": "boss"}]),
            ("api_key.create", [{"name": "b", "username": "nobody-there"}]),
            ("api_key.update", [foreign["id"], {"reset": True}]),
            ("api_key.delete", [foreign["id"]]),
        ):
            failure = await api.failure(method, *params)
            assert (failure.errno, "lacks privileges" in failure.reason) == (13, True), method
        async with host.connect(over_tcp=True) as clerk:
            await clerk.call("auth.login", "clerk", "open sesame")
            await clerk.call("api_key.create", {"name": "c", "username": "alice"})
            await clerk.call("api_key.delete", own["id"])
            for method, params in (
                ("api_key.create", [{"name": "b", "username": "boss"}]),
                ("api_key.update", [foreign["id"], {"reset": True}]),
            ):
                failure = await clerk.failure(method, *params)
                assert "boss has roles that you do not have" in failure.reason
        assert await host.api.call("api_key.my_keys") == []


async def test_a_key_makes_none_that_lasts_longer(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host)
        short = await key(host, expires_at=at(host, 600))
        await api.call("auth.login_with_api_key", short["key"])
        for expires_at in (None, at(host, 601)):
            data = {"name": "b", "username": "alice", "expires_at": expires_at}
            failure = await api.failure("api_key.create", data)
            assert "lasts longer than itself" in failure.reason
        assert (await api.failure("api_key.update", 1, {"expires_at": None})).attributes == ["api_key_update"]
        made = await api.call(
            "api_key.create", {"name": "b", "username": "alice", "expires_at": at(host, 599)}
        )
        assert await opens(host, made["key"]) == "SUCCESS"


async def test_the_key_of_the_last_administrator_is_not_taken_away(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host, "alice", None)
        made = await key(host)
        failure = await host.api.failure("api_key.delete", made["id"])
        assert (failure.errno, "alice would no longer" in failure.reason) == (1, True)
        await account(host, "boss")
        assert await host.api.call("api_key.delete", made["id"]) is True


async def test_changes_are_told(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        owner = await account(host)
        for collection in ("api_key.query", "user.query"):
            await host.api.call("core.subscribe", collection)
        made = await key(host)
        await host.api.call("api_key.delete", made["id"])
        told = [(event["collection"], event["msg"], event["id"]) for event in host.api.events]
        assert told == [
            ("api_key.query", "added", 1),
            ("user.query", "changed", owner),
            ("api_key.query", "removed", 1),
            ("user.query", "changed", owner),
        ]
        assert made["key"] not in str(host.api.events)


async def test_times_are_taken_with_their_zone(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host)
        soon = dt.datetime.fromtimestamp(host.clock.now() + 60, dt.UTC)
        made = await key(host, expires_at={"$date": int(soon.timestamp() * 1000)})
        assert made["expires_at"] == {"$date": int(soon.timestamp()) * 1000}
