"""What clients do to accounts."""

from typing import Any

from tests.e2e.random.worker import MOST, Step, Worker, id_of
from tests.harness import Api


class Accounts(Worker):
    """Users, groups, privileges and keys."""

    async def do_create_user(self, api: Api) -> Step | None:
        if len(self.all("user")) >= MOST:
            return None
        name = self.new()
        given: dict[str, Any] = {"username": name, "full_name": name, "password_disabled": True}
        given |= {"group_create": True, "granted_roles": ["VM_READ"]}
        change = {f"user {name}": [name, []], f"group {name}": True}
        return self.step("user.create", [given], change)

    async def do_change_user(self, api: Api) -> Step | None:
        user, group = self.some("user"), self.some("group", lambda name: f"user {name}" not in self.world)
        if user is None or group is None:
            return None
        id, text = await id_of(api, "user.query", "username", user), self.new()
        given = {"full_name": text, "groups": [await id_of(api, "group.query", "name", group)]}
        return self.step("user.update", [id, given], {f"user {user}": [text, [group]]})

    async def do_delete_user(self, api: Api) -> Step | None:
        if (user := self.some("user")) is None:
            return None
        id = await id_of(api, "user.query", "username", user)
        keys = {f"key {each}": None for each in self.all("key") if self.world[f"key {each}"] == user}
        # The group that came with it goes too, unless it gives rights.
        given = {self.world[f"privilege {each}"][1] for each in self.all("privilege")}
        group = {} if user in given else {f"group {user}": None}
        return self.step("user.delete", [id], {f"user {user}": None, **group, **keys})

    async def do_create_group(self, api: Api) -> Step | None:
        if len(self.all("group")) >= 2 * MOST:
            return None
        name = self.new()
        return self.step("group.create", [{"name": name}], {f"group {name}": True})

    def _free_group(self) -> str | None:
        taken = {
            *self.all("user"),
            *(each for user in self.all("user") for each in self.world[f"user {user}"][1]),
            *(self.world[f"privilege {each}"][1] for each in self.all("privilege")),
        }
        return self.some("group", lambda name: name not in taken)

    async def do_rename_group(self, api: Api) -> Step | None:
        if (group := self._free_group()) is None:
            return None
        id, name = await id_of(api, "group.query", "name", group), self.new()
        return self.step(
            "group.update", [id, {"name": name}], {f"group {group}": None, f"group {name}": True}
        )

    async def do_delete_group(self, api: Api) -> Step | None:
        if (group := self._free_group()) is None:
            return None
        return self.step(
            "group.delete", [await id_of(api, "group.query", "name", group)], {f"group {group}": None}
        )

    async def do_create_privilege(self, api: Api) -> Step | None:
        if (group := self.some("group")) is None or len(self.all("privilege")) >= MOST:
            return None
        row = await api.call("group.query", [["name", "=", group]], {"get": True})
        name = self.new()
        given = {"name": name, "local_groups": [row["gid"]], "roles": ["VM_READ"], "web_shell": False}
        return self.step("privilege.create", [given], {f"privilege {name}": [["VM_READ"], group]})

    async def do_change_privilege(self, api: Api) -> Step | None:
        if (name := self.some("privilege")) is None:
            return None
        roles = self.dice.choice([["VM_READ"], ["VM_WRITE"], ["POOL_READ", "VM_READ"]])
        id = await id_of(api, "privilege.query", "name", name)
        change = {f"privilege {name}": [roles, self.world[f"privilege {name}"][1]]}
        return self.step("privilege.update", [id, {"roles": roles}], change)

    async def do_delete_privilege(self, api: Api) -> Step | None:
        if (name := self.some("privilege")) is None:
            return None
        id = await id_of(api, "privilege.query", "name", name)
        return self.step("privilege.delete", [id], {f"privilege {name}": None})

    async def do_create_key(self, api: Api) -> Step | None:
        if (user := self.some("user")) is None or len(self.all("key")) >= MOST:
            return None
        name = self.new()
        return self.step("api_key.create", [{"name": name, "username": user}], {f"key {name}": user})

    async def do_rename_key(self, api: Api) -> Step | None:
        if (key := self.some("key")) is None:
            return None
        id, name = await id_of(api, "api_key.query", "name", key), self.new()
        return self.step(
            "api_key.update",
            [id, {"name": name}],
            {f"key {key}": None, f"key {name}": self.world[f"key {key}"]},
        )

    async def do_delete_key(self, api: Api) -> Step | None:
        if (key := self.some("key")) is None:
            return None
        id = await id_of(api, "api_key.query", "name", key)
        return self.step("api_key.delete", [id], {f"key {key}": None})
