"""``privilege.*``: roles for groups of accounts."""

from collections.abc import Collection
from typing import Any

from vmstead.ctx import Ctx, Services
from vmstead.errors import CallError, NotFound, Problem, ValidationErrors, raise_if
from vmstead.kernel.bus import Change
from vmstead.kernel.model import Field, Model, NonEmpty, Text, patch_of, sent
from vmstead.query import Query
from vmstead.rpc.caller import FULL_ADMIN
from vmstead.rpc.queries import QueryOptions, query_for_one
from vmstead.rpc.registry import Namespace
from vmstead.store.accounts import NameTaken
from vmstead.store.groups import Privilege
from vmstead.system import rights, roles
from vmstead.system.account_events import PRIVILEGES, told
from vmstead.system.groups import GroupShape, group_entry
from vmstead.system.groups import tell as tell_of_group
from vmstead.system.user_entries import Entry

privilege = Namespace("privilege")

_CREATE, _UPDATE = "privilege_create", "privilege_update"


class PrivilegeCreate(Model):
    """Roles for groups."""

    name: NonEmpty = Field(description="Its name.")
    local_groups: list[int] = Field([], description="The groups that get it, by gid.")
    ds_groups: list[int | str] = Field([], description="Groups of a directory service; there is none here.")
    roles: list[Text] = Field([], description="The roles; privilege.roles lists them.")
    web_shell: bool = Field(False, description="Kept; consoles take the role VM_WRITE.")


PrivilegeUpdate = patch_of(PrivilegeCreate, "PrivilegeUpdate")


class PrivilegeShape(Model):
    """Roles for groups."""

    id: int = Field(description="Its number.")
    builtin_name: str | None = Field(description="What it is called where it is built in.")
    name: str = Field(description="Its name.")
    local_groups: list[GroupShape] = Field(description="The groups that get it.")
    ds_groups: list[GroupShape] = Field(description="Always empty.")
    roles: list[str] = Field(description="The roles.")
    web_shell: bool = Field(description="Kept.")


class RoleShape(Model):
    """A role."""

    name: str = Field(description="Its name.")
    title: str = Field(description="The same.")
    includes: list[str] = Field(description="The roles that it includes.")
    builtin: bool = Field(description="False for those that are meant for people.")
    stig: str | None = Field(description="Always null.")


def _entry(services: Services, found: Privilege) -> Entry:
    return {
        "id": found.id,
        "builtin_name": found.builtin_name,
        "name": found.name,
        "local_groups": [group_entry(each) for each in services.groups.all() if each.id in found.groups],
        "ds_groups": [],
        "roles": found.roles,
        "web_shell": found.web_shell,
    }


@privilege.query(role="PRIVILEGE_READ", returns=PrivilegeShape)
async def query(ctx: Ctx, query: Query) -> object:
    """Privileges, by number."""
    return query.apply([_entry(ctx, each) for each in ctx.groups.privileges()])


@privilege.method(role="PRIVILEGE_READ", returns=PrivilegeShape)
async def get_instance(ctx: Ctx, id: int, options: QueryOptions = {}) -> object:  # noqa: B006
    """One privilege. Options are those of ``privilege.query``."""
    chosen = query_for_one(options)
    return chosen.apply([_entry(ctx, _found(ctx, id))])


@privilege.method(
    role="PRIVILEGE_WRITE", returns=PrivilegeShape, audit="Create privilege {privilege_create[name]}"
)
async def create(ctx: Ctx, privilege_create: PrivilegeCreate) -> Entry:
    """Give roles to all members of groups. Nobody can give roles that they do not have."""
    given = privilege_create
    raise_if(_problems(ctx, _CREATE, given.local_groups, given.ds_groups, given.roles))
    rights.require_roles(ctx, given.roles)
    groups = _ids(ctx, given.local_groups)
    change = ctx.groups.add_privilege(given.name, given.roles, groups, web_shell=given.web_shell)
    try:
        id = await rights.write(ctx, change)
    except NameTaken:
        raise _taken(_CREATE) from None
    return _tell(ctx, id, "added", groups)


@privilege.method(role="PRIVILEGE_WRITE", returns=PrivilegeShape, audit="Update privilege {id}")
async def update(ctx: Ctx, id: int, privilege_update: PrivilegeUpdate) -> Entry:  # type: ignore[valid-type]
    """Change a privilege. Built-in ones keep their name and roles."""
    found = _found(ctx, id)
    by_id = {each.id: each.gid for each in ctx.groups.all()}
    now: dict[str, Any] = {
        "name": found.name,
        "roles": found.roles,
        "web_shell": found.web_shell,
        "local_groups": [by_id[each] for each in found.groups],
        "ds_groups": [],
        **sent(privilege_update),
    }
    fixed = [
        Problem(f"{_UPDATE}.{name}", "This field is read-only for built-in privileges")
        for name, old in (("name", found.name), ("roles", found.roles))
        if found.builtin_name is not None and now[name] != old
    ]
    raise_if(fixed + _problems(ctx, _UPDATE, now["local_groups"], now["ds_groups"], now["roles"]))
    rights.require_roles(ctx, {*found.roles, *now["roles"]})
    groups = _ids(ctx, now["local_groups"])
    change = ctx.groups.update_privilege(id, now["name"], now["roles"], groups, web_shell=now["web_shell"])
    try:
        await rights.write(ctx, change)
    except NameTaken:
        raise _taken(_UPDATE) from None
    return _tell(ctx, id, "changed", [*found.groups, *groups])


@privilege.method(role="PRIVILEGE_WRITE", audit="Delete privilege {id}")
async def delete(ctx: Ctx, id: int) -> bool:
    """Remove a privilege.

    Fails with EPERM for built-in ones, and when nobody would be left who can log in and do everything.
    """
    found = _found(ctx, id)
    if found.builtin_name is not None:
        raise CallError(f"{found.name} is built in and stays", 1)
    rights.require_roles(ctx, found.roles)
    await rights.write(ctx, ctx.groups.delete_privilege(id))
    told(ctx, PRIVILEGES, "removed", id, None)
    _tell_of_groups(ctx, found.groups)
    return True


@privilege.query(role="PRIVILEGE_READ", returns=RoleShape)
async def roles_(ctx: Ctx, query: Query) -> object:
    """Every role, with those that it includes."""
    return query.apply(
        [
            {
                "name": name,
                "title": name,
                "includes": roles.includes(name),
                "builtin": name not in (FULL_ADMIN, "READONLY_ADMIN"),
                "stig": None,
            }
            for name in sorted(roles.ROLES)
        ]
    )


def _found(ctx: Ctx, id: int) -> Privilege:
    found = ctx.groups.privilege(id)
    if found is None:
        raise NotFound("Privilege", id)
    return found


def _problems(
    ctx: Ctx, schema: str, gids: list[int], ds_groups: list[int | str], given: list[str]
) -> list[Problem]:
    known = {each.gid for each in ctx.groups.all()}
    return [
        *(
            Problem(
                f"{schema}.local_groups.{index}", f"there is no group with gid {gid}; group.query lists them"
            )
            for index, gid in enumerate(gids)
            if gid not in known
        ),
        *([Problem(f"{schema}.ds_groups", "there is no directory service")] if ds_groups else []),
        *rights.unknown_roles(f"{schema}.roles", given),
    ]


def _ids(ctx: Ctx, gids: list[int]) -> list[int]:
    return [each.id for each in ctx.groups.all() if each.gid in gids]


def _taken(schema: str) -> ValidationErrors:
    return ValidationErrors([Problem(f"{schema}.name", "another privilege has this name", 17)])


def _tell(ctx: Ctx, id: int, change: Change, groups: Collection[int]) -> Entry:
    entry = _entry(ctx, _found(ctx, id))
    told(ctx, PRIVILEGES, change, id, entry)
    _tell_of_groups(ctx, groups)
    return entry


def _tell_of_groups(ctx: Ctx, ids: Collection[int]) -> None:
    for group in ctx.groups.all():
        if group.id in ids:
            tell_of_group(ctx, group.id, "changed", group.members)
