"""What there is on a server, in the words of its random clients."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.e2e.random.accounts import Accounts
from tests.e2e.random.devices import Devices
from tests.e2e.random.machines import Machines
from tests.e2e.random.worker import POOL, World, said
from tests.harness import Api

_OWNER = re.compile(r"\b(w\d+)n\d+")
#: What the server keeps for itself among the volumes.
_OWN = {".datasets.json", ".datasets.new"}


class Client(Machines, Devices, Accounts):
    """Does anything."""


async def look(api: Api, state: Path) -> World:
    """Everything that clients could have made, asked of the server and found on the disk."""
    rows = await api.call("vm.query")
    world: World = {}
    for row in rows:
        devices = sorted(said(each) for each in row["devices"])
        fields = {key: row[key] for key in ("memory", "description")}
        world[f"vm {row['name']}"] = {**fields, "devices": devices}
        world[f"power {row['name']}"] = row["status"]["state"]
    pool = state / "pools" / POOL
    filesystems = set()
    for each in await api.call("pool.dataset.query"):
        name = each["id"].partition("/")[2]
        if each["type"] == "FILESYSTEM" and name:
            world[f"filesystem {name}"] = True
            filesystems.add(pool / name)
        elif name:
            world[f"volume {name}"] = [each["volsize"]["parsed"], _head(pool / ".volumes" / name)]
        if name and each.get("comments", {}).get("value"):
            world[f"comments {name}"] = each["comments"]["value"]
    for each in await api.call("pool.snapshot.query"):
        path = pool / ".volumes/.snapshots" / each["id"].partition("/")[2]
        world[f"snapshot {each['id'].partition('/')[2]}"] = [path.stat().st_size, _head(path)]
    for path in pool.rglob("*"):
        name = str(path.relative_to(pool))
        if path.is_dir() and ".volumes" not in path.parts and path not in filesystems:
            world[f"folder {name}"] = True
        elif path.is_file() and not name.startswith(".volumes/"):
            world[f"file {name}"] = [path.stat().st_size, _head(path)]
        elif path.is_file() and path.name not in _OWN and _datasets(name).isdisjoint(world):
            world[f"remains {name}"] = True
    world.update(await _accounts(api))
    return world


def _datasets(name: str) -> set[str]:
    """What a file among the volumes may belong to."""
    inside = name.removeprefix(".volumes/")
    return {f"volume {inside}", f"snapshot {inside.removeprefix('.snapshots/')}"}


def _head(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(8).rstrip(b"\0").decode("latin-1")


async def _accounts(api: Api) -> World:
    groups = {each["id"]: each for each in await api.call("group.query", [["builtin", "=", False]])}
    world: World = {f"group {each['name']}": True for each in groups.values() if not each["immutable"]}
    for each in await api.call("user.query", [["immutable", "=", False]]):
        primary = each["group"]["id"]
        named = sorted(groups[id]["name"] for id in each["groups"] if id in groups and id != primary)
        world[f"user {each['username']}"] = [each["full_name"], named]
    for each in await api.call("privilege.query", [["builtin_name", "=", None]]):
        (group,) = each["local_groups"]
        world[f"privilege {each['name']}"] = [sorted(each["roles"]), group["name"]]
    for each in await api.call("api_key.query"):
        world[f"key {each['name']}"] = each["username"]
    return world


def parts(world: World, names: Iterable[str]) -> dict[str, World]:
    """What each client has; what is nobody's is that of ``""``."""
    found: dict[str, World] = {"": {}, **{name: {} for name in names}}
    for key, value in world.items():
        match = _OWNER.search(key)
        found[match[1] if match and match[1] in found else ""][key] = value
    return found


def powered_off(world: World) -> World:
    """The same after all guests have ended."""
    return {key: "STOPPED" if key.startswith("power ") else value for key, value in world.items()}


def difference(expected: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What is not as it should be."""
    keys = expected.keys() | found.keys()
    return {
        key: (expected.get(key), found.get(key))
        for key in sorted(keys)
        if expected.get(key) != found.get(key)
    }
