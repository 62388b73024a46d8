"""``user.*``: accounts, and who may change whose."""

import pwd
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.api.test_auth import account, api_key
from tests.harness import Api, ApiFailure, Host, server, settle
from vmstead.system.user_entries import UserShape

NEW = {"username": "alice", "full_name": "Alice A.", "password": "open sesame"}


async def user(host: Host, **given: Any) -> dict[str, Any]:
    made: dict[str, Any] = await host.api.call("user.create", {**NEW, **given})
    return made


async def can_log_in(host: Host, name: str = "alice", password: str = "open sesame") -> bool:
    async with host.connect(over_tcp=True) as api:
        return bool(await api.call("auth.login", name, password))


async def as_(host: Host, api: Api, name: str) -> None:
    assert await api.call("auth.login", name, "open sesame") is True


async def test_a_user_has_truenas_shape(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        made = await user(host, granted_roles=["VM_WRITE"])
        assert made.pop("password") is None
        TypeAdapter(UserShape).validate_python(made)
        assert {*made} == {*UserShape.model_fields}
        assert made["username"] == "alice"
        assert made["roles"] == made["granted_roles"] == ["VM_WRITE"]
        assert made["builtin"] is made["locked"] is made["password_disabled"] is made["immutable"] is False
        assert made["last_password_change"] == {"$date": int(host.clock.now()) * 1000}
        assert (made["group"]["bsdgrp_group"], made["groups"]) == ("builtin_users", [])
        assert await host.api.call("user.get_instance", made["id"]) == made
        assert await host.api.call("user.query", [["username", "=", "alice"]], {"get": True}) == made
        assert await host.api.call("user.get_instance", made["id"], {"select": ["uid"]}) == {
            "uid": made["uid"]
        }
        assert await can_log_in(host)
        missing = await host.api.failure("user.get_instance", 99)
        assert (missing.attributes, "User 99 does not exist" in missing.reason) == ([None], True)


async def test_the_hosts_own_users_are_listed_and_left_alone(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        root = await host.api.call("user.query", [["uid", "=", 0]], {"get": True})
        TypeAdapter(UserShape).validate_python(root)
        assert (root["username"], root["builtin"], root["roles"]) == ("root", True, ["FULL_ADMIN"])
        assert root["home"] == pwd.getpwuid(0).pw_dir
        for call in (["user.update", root["id"], {}], ["user.delete", root["id"]]):
            failure = await host.api.failure(*call)
            assert failure.errno == 1
            assert "with the host's own commands" in failure.reason
        # An account of the same name takes its place.
        nobody = pwd.getpwnam("nobody")
        made = await user(host, username="nobody")
        assert made["uid"] == nobody.pw_uid
        assert await host.api.call("user.query", [["username", "=", "nobody"]], {"count": True}) == 1


async def test_what_truenas_has_further_is_kept_and_read_back(tmp_path: Path) -> None:
    further = {
        "home": "/mnt/tank/alice",
        "shell": "/usr/bin/bash",
        "smb": True,
        "email": "alice@example.org",
        "sshpubkey": "ssh-ed25519 AAAA",
        "sudo_commands": ["ALL"],
        "userns_idmap": "DIRECT",
    }
    async with server(tmp_path) as host:
        made = await user(host, **further, home_create=True, home_mode="755")
        assert {name: made[name] for name in further} == further
        changed = await host.api.call("user.update", made["id"], {"email": None, "smb": False})
        assert (changed["email"], changed["smb"], changed["home"]) == (None, False, "/mnt/tank/alice")


async def test_a_password_is_given_or_made_up_or_done_without(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        without = {"password": None}
        failure = await host.api.failure("user.create", {**NEW, **without})
        assert failure.attributes == ["user_create.password"]
        failure = await host.api.failure("user.create", {**NEW, "password_disabled": True})
        assert failure.attributes == ["user_create.password_disabled"]
        made = await user(host, **without, random_password=True, granted_roles=["VM_READ"])
        assert len(made["password"]) == 20
        assert await can_log_in(host, password=made["password"])
        bare = await user(host, **without, username="bob", password_disabled=True)
        assert (bare["password_disabled"], bare["last_password_change"]) == (True, None)
        failure = await host.api.failure("user.update", bare["id"], {"password_disabled": False})
        assert failure.attributes == ["user_update.password"]
        given = await host.api.call("user.update", bare["id"], {"password": "open sesame"})
        assert given["password_disabled"] is False
        off = await host.api.call("user.update", made["id"], {"password_disabled": True})
        assert off["password_disabled"] is True
        assert await can_log_in(host, password=made["password"]) is False
        again = await host.api.call("user.update", made["id"], {"random_password": True})
        assert await can_log_in(host, password=again["password"])


@pytest.mark.parametrize(
    ("given", "attribute"),
    [
        ({"username": "a b"}, "username"),
        ({"username": "-a"}, "username"),
        ({"username": "a" * 33}, "username"),
        ({"username": "a:b"}, "username"),
        ({"username": ""}, "username"),
        ({"full_name": None}, "full_name"),
        ({"password": ""}, "password"),
        ({"uid": 0}, "uid"),
        ({"uid": -1}, "uid"),
        ({"group": 99}, "group"),
        ({"groups": [1, 99]}, "groups.1"),
        ({"granted_roles": ["VM_READ", "GOD"]}, "granted_roles.1"),
        ({"roles": ["VM_READ"]}, "roles"),
    ],
)
async def test_what_is_wrong_is_named(tmp_path: Path, given: dict[str, Any], attribute: str) -> None:
    async with server(tmp_path) as host:
        failure = await host.api.failure("user.create", {**NEW, **given})
        assert failure.attributes == [f"user_create.{attribute}"]
        assert host.server.services.accounts.names() == []


async def test_names_and_numbers_are_taken_once(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await user(host, uid=4000)
        failure = await host.api.failure("user.create", NEW)
        assert failure.data["extra"] == [["user_create.username", "there is a user alice already", 17]]
        failure = await host.api.failure("user.create", {**NEW, "username": "bob", "uid": 4000})
        assert failure.attributes == ["user_create.uid"]
        bob = await user(host, username="bob")
        failure = await host.api.failure("user.update", bob["id"], {"username": "alice"})
        assert failure.attributes == ["user_update.username"]
        assert await host.api.call("user.get_next_uid") == 3000
        found = await host.api.call("user.get_user_obj", {"uid": 4000})
        assert (found["pw_name"], found["pw_gecos"], found["grouplist"]) == ("alice", "Alice A.", None)
        found = await host.api.call("user.get_user_obj", {"username": "root", "get_groups": True})
        assert (found["pw_uid"], 0 in found["grouplist"]) == (0, True)
        assert (await host.api.failure("user.get_user_obj", {"username": "carl"})).errno == 2
        assert (await host.api.failure("user.get_user_obj", {})).attributes == ["get_user_obj.username"]


async def test_an_account_can_be_changed_and_removed(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await user(host, username="boss", granted_roles=["FULL_ADMIN"])
        made = await user(host, granted_roles=["VM_READ"])
        changed = await host.api.call("user.update", made["id"], {"username": "alicia", "full_name": "A."})
        assert (changed["username"], changed["full_name"], changed["roles"]) == ("alicia", "A.", ["VM_READ"])
        assert await can_log_in(host, "alicia")
        await host.api.call("user.update", made["id"], {"locked": True})
        assert await can_log_in(host, "alicia") is False
        await host.api.call("user.update", made["id"], {"locked": False})
        key = await api_key(host, made["id"])
        assert (await host.api.call("user.get_instance", made["id"]))["api_keys"] == [1]
        assert await host.api.call("user.delete", made["id"]) == made["id"]
        async with host.connect(over_tcp=True) as api:
            assert await api.call("auth.login_with_api_key", key) is False
        assert (await host.api.failure("user.update", made["id"], {})).attributes == [None]
        assert (await host.api.failure("user.delete", "x")).attributes == ["id"]


async def test_a_group_of_its_own_goes_with_the_account(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        made = await user(host, group_create=True)
        group = made["group"]["id"]
        assert made["group"]["bsdgrp_group"] == "alice"
        failure = await host.api.failure("user.create", {**NEW, "username": "bob", "group": 99})
        assert failure.attributes == ["user_create.group"]
        await host.api.call("user.delete", made["id"])
        assert await host.api.call("group.query", [["id", "=", group]]) == []
        # One that a privilege names stays, whatever that gives.
        named = await user(host, group_create=True, username="named")
        gid = (await host.api.call("group.get_instance", named["group"]["id"]))["gid"]
        await host.api.call("privilege.create", {"name": "p", "local_groups": [gid], "web_shell": False})
        await host.api.call("user.delete", named["id"])
        assert (await host.api.call("group.get_instance", named["group"]["id"]))["users"] == []
        made = await user(host, group_create=True)
        await host.api.call("user.delete", made["id"], {"delete_group": False})
        failure = await host.api.failure("user.create", {**NEW, "group_create": True})
        assert failure.attributes == ["user_create.group_create"]


async def test_changes_are_told(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "user.query")
        made = await user(host)
        await host.api.call("user.update", made["id"], {"locked": True})
        await host.api.call("user.delete", made["id"])
        events = [(event["msg"], event["id"]) for event in host.api.events]
        assert events == [("added", made["id"]), ("changed", made["id"]), ("removed", made["id"])]
        assert host.api.events[0]["fields"]["username"] == "alice"
        assert host.api.events[1]["fields"]["locked"] is True


# --- who may --------------------------------------------------------------------------------------------


async def test_the_last_administrator_cannot_be_taken_away(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        boss = await user(host, username="boss", granted_roles=["FULL_ADMIN"])
        await user(host, username="clerk", granted_roles=["VM_WRITE", "ACCOUNT_WRITE"])
        await user(host, username="locked", granted_roles=["FULL_ADMIN"], locked=True)
        unable = {"password": None, "password_disabled": True}
        await user(host, username="unable", granted_roles=["FULL_ADMIN"], **unable)
        changes: list[dict[str, Any]] = [
            {"locked": True},
            {"granted_roles": ["VM_WRITE"]},
            {"granted_roles": []},
            {"password_disabled": True},
        ]
        for change in changes:
            failure = await host.api.failure("user.update", boss["id"], change)
            assert failure.errno == 1, change
            assert "boss would no longer be able to log in and do everything" in failure.reason
            assert await host.api.call("user.get_instance", boss["id"]) == {
                name: value for name, value in boss.items() if name != "password"
            }
        assert (await host.api.failure("user.delete", boss["id"])).errno == 1
        assert await can_log_in(host, "boss")
        # One with a key counts, as long as the key does.
        second = await user(host, username="second", granted_roles=["FULL_ADMIN"], **unable)
        await api_key(host, second["id"], expires_at=host.clock.now() + 60)
        await host.api.call("user.update", boss["id"], {"password_disabled": True})
        await host.api.call("user.update", boss["id"], {"password": "open sesame"})
        host.clock.advance(61)
        assert (await host.api.failure("user.update", boss["id"], {"locked": True})).errno == 1
        await user(host, username="third", groups=[1])
        await host.api.call("user.delete", boss["id"])


async def test_nobody_gives_what_they_do_not_have(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "boss")
        await account(host, "clerk", "open sesame", "ACCOUNT_WRITE", "VM_READ")
        await as_(host, api, "clerk")
        made = await api.call("user.create", {**NEW, "granted_roles": ["VM_READ"]})
        for given in ({"granted_roles": ["VM_WRITE"]}, {"groups": [1]}, {"group": 1}, {"groups": [3]}):
            failure = await api.failure("user.create", {**NEW, "username": "bob", **given})
            assert failure.errno == 13, given
            assert "You cannot give roles that you do not have" in failure.reason
            failure = await api.failure("user.update", made["id"], given)
            assert failure.errno == 13, given
        boss = await host.api.call("user.query", [["username", "=", "boss"]], {"get": True})
        for call in (["user.update", boss["id"], {"password": "mine"}], ["user.delete", boss["id"]]):
            failure = await api.failure(*call)
            assert "boss has roles that you do not have" in failure.reason
        # Nor does a group that gets a privilege later.
        assert (await api.failure("group.update", 1, {"users": [made["id"]]})).errno == 13
        assert await can_log_in(host, "boss")


async def test_nobody_removes_their_own_account(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "boss")
        owner = await account(host)
        await as_(host, api, "alice")
        failure = await api.failure("user.delete", owner)
        assert (failure.errno, "logged in with" in failure.reason) == (1, True)


async def test_a_refused_change_changes_nothing(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        made = await user(host, granted_roles=["FULL_ADMIN"])
        before = await host.api.call("user.query")
        groups = await host.api.call("group.query")
        change = {"username": "x", "groups": [2], "granted_roles": [], "password": "other"}
        assert (await host.api.failure("user.update", made["id"], change)).errno == 1
        assert await host.api.call("user.query") == before
        assert await host.api.call("group.query") == groups
        assert await can_log_in(host)


async def test_rank_is_looked_at_again_when_the_change_is_made(tmp_path: Path) -> None:
    """Who is promoted at this moment does not get a password from somebody who could not give it a moment later."""
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "boss")
        alice = await account(host, "alice", "open sesame", "VM_READ")
        await account(host, "clerk", "open sesame", "ACCOUNT_WRITE", "VM_READ")
        await as_(host, api, "clerk")
        # Hashing the password takes a while, in which somebody else is quicker.
        change = api.begin("user.set_password", {"username": "alice", "new_password": "mine"})
        update = api.begin("user.update", alice, {"password": "mine"})
        await settle()
        await host.api.call("user.update", alice, {"granted_roles": ["FULL_ADMIN"]})
        for call in (change, update):
            with pytest.raises(ApiFailure) as failed:
                await call
            assert failed.value.errno in (13, 16)
        assert await can_log_in(host, "alice", "mine") is False
        assert await can_log_in(host, "alice")
