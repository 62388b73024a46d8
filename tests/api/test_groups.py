"""``group.*`` and ``privilege.*``: roles for many at once."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter

from tests.api.test_auth import account
from tests.harness import ApiFailure, Host, server
from vmstead.system.groups import GroupShape
from vmstead.system.privileges import PrivilegeShape, RoleShape


async def group(host: Host, name: str = "operators", **given: Any) -> dict[str, Any]:
    id = await host.api.call("group.create", {"name": name, **given})
    found: dict[str, Any] = await host.api.call("group.get_instance", id)
    return found


async def privilege(host: Host, gid: int, *roles: str, name: str = "Operators") -> dict[str, Any]:
    made: dict[str, Any] = await host.api.call(
        "privilege.create", {"name": name, "local_groups": [gid], "roles": roles}
    )
    return made


async def roles_of(host: Host, id: int) -> list[str]:
    roles: list[str] = (await host.api.call("user.get_instance", id))["roles"]
    return roles


async def test_groups_that_clients_look_for_are_there(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        groups = await host.api.call("group.query", [["immutable", "=", False]], {"order_by": ["id"]})
        for each in groups:
            TypeAdapter(GroupShape).validate_python(each)
            assert {*each} == {*GroupShape.model_fields}
        assert [(each["gid"], each["name"], each["roles"]) for each in groups] == [
            (544, "builtin_administrators", ["FULL_ADMIN"]),
            (545, "builtin_users", []),
            (951, "truenas_readonly_administrators", ["READONLY_ADMIN"]),
        ]
        host_group = await host.api.call("group.query", [["gid", "=", 0]], {"get": True})
        assert (host_group["name"], host_group["builtin"], host_group["immutable"]) == ("root", True, True)
        privileges = await host.api.call("privilege.query")
        for one in privileges:
            TypeAdapter(PrivilegeShape).validate_python(one)
        assert [(each["builtin_name"], each["roles"]) for each in privileges] == [
            ("LOCAL_ADMINISTRATOR", ["FULL_ADMIN"]),
            ("READONLY_ADMINISTRATOR", ["READONLY_ADMIN"]),
        ]


async def test_a_privilege_gives_its_roles_to_the_members_of_its_groups(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        alice = await account(host, "alice", "open sesame", "POOL_READ")
        made = await group(host, users=[alice])
        assert (made["gid"], made["users"], made["roles"]) == (3000, [alice], [])
        one = await privilege(host, made["gid"], "VM_READ")
        assert one["local_groups"] == [{**made, "roles": ["VM_READ"]}]
        assert (one["ds_groups"], one["web_shell"], one["builtin_name"]) == ([], False, None)
        await privilege(host, made["gid"], "VM_READ", "SNAPSHOT_READ", name="Overlapping")
        assert await roles_of(host, alice) == ["POOL_READ", "SNAPSHOT_READ", "VM_READ"]
        await api.call("auth.login", "alice", "open sesame")
        for method in ("vm.query", "pool.snapshot.query", "pool.query"):
            await api.call(method)
        await host.api.call("privilege.update", one["id"], {"roles": ["VM_WRITE"], "name": "Better"})
        await api.call("vm.create", {"name": "a", "memory": 64})
        await host.api.call("privilege.delete", one["id"])
        assert (await api.failure("vm.create", {"name": "b", "memory": 64})).errno == 13
        assert await api.call("vm.query", [], {"count": True}) == 1, "by the other privilege"
        await host.api.call("group.update", made["id"], {"users": []})
        assert (await api.failure("vm.query")).errno == 13
        assert await roles_of(host, alice) == ["POOL_READ"]


async def test_administrators_can_be_made_by_group(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        made = await host.api.call(
            "user.create", {"username": "alice", "full_name": "A", "password": "x", "groups": [1]}
        )
        assert (made["roles"], made["granted_roles"], made["groups"]) == (["FULL_ADMIN"], [], [1])
        await api.call("auth.login", "alice", "x")
        assert (await api.call("auth.me"))["privilege"]["allowlist"] == [{"method": "*", "resource": "*"}]
        by_primary = {"username": "bob", "full_name": "B", "password": "x", "group": 3}
        assert (await host.api.call("user.create", by_primary))["roles"] == ["READONLY_ADMIN"]
        # The last one cannot be taken out of it, whichever way.
        for method, params in (
            ("group.update", [1, {"users": []}]),
            ("user.update", [made["id"], {"groups": []}]),
            ("privilege.update", [1, {"local_groups": []}]),
        ):
            failure = await host.api.failure(method, *params)
            assert failure.errno == 1, method
            assert "alice would no longer be able to log in and do everything" in failure.reason
        assert (await host.api.call("group.get_instance", 1))["users"] == [made["id"]]


async def test_circles_of_privileges_lock_nobody_out(tmp_path: Path) -> None:
    """Two groups whose members and privileges overlap; each loses one after the other."""
    async with server(tmp_path) as host:
        await account(host, "boss")
        alice = await account(host, "alice", "open sesame", "VM_READ")
        first, second = await group(host, users=[alice]), await group(host, "others", users=[alice])
        both = {"local_groups": [first["gid"], second["gid"]]}
        one = await privilege(host, first["gid"], "FULL_ADMIN")
        other = await privilege(host, second["gid"], "FULL_ADMIN", "VM_READ", name="Others")
        for each in (one, other):
            await host.api.call("privilege.update", each["id"], both)
        boss = await host.api.call("user.query", [["username", "=", "boss"]], {"get": True})
        await host.api.call("user.delete", boss["id"])
        await host.api.call("privilege.delete", one["id"])
        await host.api.call("privilege.update", other["id"], {"local_groups": [second["gid"]]})
        for method, params in (
            ("privilege.delete", [other["id"]]),
            ("privilege.update", [other["id"], {"roles": ["VM_READ"]}]),
            ("group.update", [second["id"], {"users": []}]),
        ):
            assert (await host.api.failure(method, *params)).errno == 1, method
        assert await roles_of(host, alice) == ["FULL_ADMIN", "VM_READ"]


async def test_groups_can_be_changed_and_removed(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        alice = await account(host)
        kept: dict[str, Any] = {"smb": True, "sudo_commands": ["ALL"], "userns_idmap": 5}
        made = await group(host, gid=5000, **kept)
        assert {name: made[name] for name in kept} == kept
        assert await host.api.call("group.get_next_gid") == 3000
        assert await host.api.call("group.update", made["id"], {"name": "new", "smb": False}) == made["id"]
        changed = await host.api.call("group.get_instance", made["id"], {"select": ["name", "smb", "gid"]})
        assert changed == {"name": "new", "smb": False, "gid": 5000}
        await host.api.call("user.update", alice, {"group": made["id"]})
        assert (await host.api.call("group.get_instance", made["id"]))["users"] == [alice]
        # Those whose primary group it is are in it by that.
        await host.api.call("group.update", made["id"], {"users": []})
        assert (await host.api.call("group.get_instance", made["id"]))["users"] == [alice]
        one = await privilege(host, 5000, "VM_READ")
        failure = await host.api.failure("group.delete", made["id"])
        assert (failure.errno, "privilege 'Operators'" in failure.reason) == (13, True)
        await host.api.call("privilege.delete", one["id"])
        assert await host.api.call("group.delete", made["id"]) == made["id"]
        assert (await host.api.call("user.get_instance", alice))["group"]["id"] == 2
        own = await group(host, "own")
        bob = await account(host, "bob", None, "VM_READ")
        await host.api.call("user.update", bob, {"group": own["id"]})
        await host.api.call("group.delete", own["id"], {"delete_users": True})
        assert host.server.services.accounts.names() == ["alice"]


@pytest.mark.parametrize(
    ("given", "attribute"),
    [
        ({}, "name"),
        ({"name": "a b"}, "name"),
        ({"name": "builtin_users"}, "name"),
        ({"name": "a", "gid": 544}, "gid"),
        ({"name": "a", "gid": -1}, "gid"),
        ({"name": "a", "users": [9]}, "users.0"),
        ({"name": "a", "roles": []}, "roles"),
    ],
)
async def test_what_is_wrong_with_a_group_is_named(
    tmp_path: Path, given: dict[str, Any], attribute: str
) -> None:
    async with server(tmp_path) as host:
        failure = await host.api.failure("group.create", given)
        assert failure.attributes == [f"group_create.{attribute}"]


@pytest.mark.parametrize(
    ("given", "attribute"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "Local Administrator"}, "name"),
        ({"name": "a", "local_groups": [544, 9]}, "local_groups.1"),
        ({"name": "a", "ds_groups": [9]}, "ds_groups"),
        ({"name": "a", "roles": ["VM_READ", "GOD"]}, "roles.1"),
    ],
)
async def test_what_is_wrong_with_a_privilege_is_named(
    tmp_path: Path, given: dict[str, Any], attribute: str
) -> None:
    async with server(tmp_path) as host:
        failure = await host.api.failure("privilege.create", given)
        assert failure.attributes == [f"privilege_create.{attribute}"]


async def test_what_is_built_in_stays(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        failure = await host.api.failure("privilege.update", 1, {"roles": ["VM_READ"], "name": "x"})
        assert failure.attributes == ["privilege_update.name", "privilege_update.roles"]
        assert (await host.api.failure("privilege.delete", 1)).errno == 1
        assert (await host.api.failure("group.update", 1, {"name": "x"})).attributes == ["group_update.name"]
        assert (await host.api.failure("group.delete", 1)).errno == 1
        host_group = 100_000_000
        assert (await host.api.failure("group.update", host_group, {})).errno == 1
        assert (await host.api.failure("group.delete", host_group)).errno == 1
        for method in ("group.get_instance", "group.delete", "privilege.get_instance", "privilege.delete"):
            assert (await host.api.failure(method, 99)).attributes == [None]
        assert (await host.api.failure("privilege.update", "1", {})).attributes == ["id"]
        one = await privilege(host, 545, "VM_READ")
        failure = await host.api.failure("privilege.update", one["id"], {"name": "Local Administrator"})
        assert failure.attributes == ["privilege_update.name"]
        made = await group(host)
        failure = await host.api.failure("group.update", made["id"], {"name": "builtin_users"})
        assert failure.attributes == ["group_update.name"]
        assert await host.api.call("privilege.get_instance", 1, {"select": ["name"]}) == {
            "name": "Local Administrator"
        }


async def test_privileges_too_are_given_only_by_who_has_the_roles(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as api:
        await account(host, "boss")
        await account(host, "clerk", "open sesame", "PRIVILEGE_WRITE", "VM_READ")
        await api.call("auth.login", "clerk", "open sesame")
        data = {"name": "a", "local_groups": [545], "roles": ["VM_READ"]}
        made = await api.call("privilege.create", data)
        for method, params in (
            ("privilege.create", [{**data, "name": "b", "roles": ["VM_WRITE"]}]),
            ("privilege.update", [made["id"], {"roles": ["FULL_ADMIN"]}]),
            ("privilege.update", [1, {"local_groups": [545]}]),
            ("privilege.delete", [(await privilege(host, 951, "VM_WRITE"))["id"]]),
        ):
            failure = await api.failure(method, *params)
            assert (failure.errno, "You cannot give roles" in failure.reason) == (13, True), method
        assert await api.call("privilege.delete", made["id"]) is True


async def test_every_role_can_be_looked_up(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        roles = await host.api.call("privilege.roles")
        for each in roles:
            TypeAdapter(RoleShape).validate_python(each)
        by_name = {each["name"]: each for each in roles}
        assert by_name["VM_DEVICE_WRITE"]["includes"] == ["VM_DEVICE_READ", "VM_WRITE"]
        assert [name for name, each in by_name.items() if not each["builtin"]] == [
            "FULL_ADMIN",
            "READONLY_ADMIN",
        ]
        assert await host.api.call("privilege.roles", [["name", "^", "VM_"]], {"count": True}) == 5


async def test_changes_are_told_with_whom_they_concern(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        alice = await account(host)
        made = await group(host, users=[alice])
        for collection in ("user.query", "group.query", "privilege.query"):
            await host.api.call("core.subscribe", collection)
        one = await privilege(host, made["gid"], "VM_READ")
        told = [(event["collection"], event["msg"], event["id"]) for event in host.api.events]
        assert told == [
            ("privilege.query", "added", one["id"]),
            ("group.query", "changed", made["id"]),
            ("user.query", "changed", alice),
        ]
        assert "VM_READ" in host.api.events[-1]["fields"]["roles"]
        await host.api.call("privilege.delete", one["id"])
        await host.api.call("group.delete", made["id"])
        then = [(event["collection"], event["msg"]) for event in host.api.events[3:]]
        assert then == [
            ("privilege.query", "removed"),
            ("group.query", "changed"),
            ("user.query", "changed"),
            ("group.query", "removed"),
            ("user.query", "changed"),
        ]


async def test_what_is_done_to_a_group_while_it_is_deleted_happens_or_is_refused(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for number in range(8):
            one = await group(host, f"g{number}")
            user = {"username": f"u{number}", "full_name": "U", "password_disabled": True, "group": one["id"]}
            privilege = {"name": f"p{number}", "local_groups": [one["gid"]], "web_shell": False}
            calls = [
                host.api.begin("user.create", user),
                *([host.api.begin("privilege.create", privilege)] if number % 2 else []),
                host.api.begin("group.delete", one["id"]),
            ]
            for outcome in await asyncio.gather(*calls, return_exceptions=True):
                assert not isinstance(outcome, ApiFailure) or "unexpectedly" not in outcome.reason
            users = await host.api.call("user.query", [["username", "=", f"u{number}"]])
            there = {each["id"] for each in await host.api.call("group.query")}
            assert {each["group"]["id"] for each in users} <= there


async def test_groups_that_are_made_at_once_get_numbers_of_their_own(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        users = [
            host.api.call(
                "user.create",
                {"username": f"u{number}", "full_name": "U", "password_disabled": True, "group_create": True},
            )
            for number in range(8)
        ]
        groups = [host.api.call("group.create", {"name": f"g{number}"}) for number in range(8)]
        await asyncio.gather(*users, *groups)
        made = await host.api.call("group.query", [["builtin", "=", False]], {"select": ["name", "gid"]})
        numbers = {each["name"]: each["gid"] for each in made if each["gid"] < 4000}
        assert sorted(numbers.values()) == [*range(3000, 3016)]
        assert sorted(numbers) == sorted(f"{kind}{number}" for kind in "ug" for number in range(8))
