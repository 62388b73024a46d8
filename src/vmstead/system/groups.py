"""``group.*``: accounts that get the same roles."""

import asyncio
import grp
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any

from pydantic import StringConstraints

from vmstead.ctx import Ctx, Services
from vmstead.errors import CallError, NotFound, Problem, ValidationErrors, raise_if
from vmstead.kernel.bus import Change
from vmstead.kernel.model import Field, Model, patch_of, sent
from vmstead.query import Query
from vmstead.rpc.queries import QueryOptions, query_for_one
from vmstead.rpc.registry import Namespace
from vmstead.store.accounts import NameTaken
from vmstead.store.db import Connection
from vmstead.store.groups import Group
from vmstead.system import rights
from vmstead.system.account_events import GROUPS, USERS, told
from vmstead.system.user_entries import HOST_IDS, Entry, user_entry

group = Namespace("group")

_CREATE, _UPDATE = "group_create", "group_update"


class KeptOfGroup(Model):
    """What TrueNAS has for its groups further. It is kept and read back, and has no effect here."""

    sudo_commands: list[str] = Field([], description="Kept.")
    sudo_commands_nopasswd: list[str] = Field([], description="Kept.")
    smb: bool = Field(False, description="Kept.")
    userns_idmap: str | int | None = Field(None, description="Kept.")


class GroupCreate(KeptOfGroup):
    """A group."""

    name: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_.-]{0,31}$")] = Field(
        description="Its name: letters, digits and _ . - only, at most 32."
    )
    gid: int | None = Field(None, ge=0, lt=2**32 - 1, description="Its number; null: a new one.")
    users: list[int] = Field([], description="Ids of its members, beside those whose primary group it is.")


GroupUpdate = patch_of(GroupCreate, "GroupUpdate", without=frozenset({"gid"}))


class GroupShape(KeptOfGroup):
    """A group."""

    id: int = Field(description="Its number; of groups of the host, 100000000 and their gid.")
    gid: int = Field(description="Its number on the host.")
    name: str = Field(description="Its name.")
    group: str = Field(description="Its name.")
    builtin: bool = Field(description="It is always there.")
    local: bool = Field(description="Always true.")
    sid: str | None = Field(description="Always null.")
    roles: list[str] = Field(description="The roles that its members get by privileges.")
    users: list[int] = Field(description="Ids of its members.")
    immutable: bool = Field(description="It is a group of the host, which cannot be changed here.")


def group_entry(found: Group) -> Entry:
    """A group as ``group.query`` has it."""
    return {
        "id": found.id,
        "gid": found.gid,
        "name": found.name,
        "group": found.name,
        "builtin": found.builtin,
        **KeptOfGroup().model_dump(),
        **found.settings,
        "local": True,
        "sid": None,
        "roles": found.roles,
        "users": found.members,
        "immutable": False,
    }


async def group_entries(services: Services) -> list[Entry]:
    """All groups, and those of the host that have other names."""
    own = [group_entry(each) for each in services.groups.all()]
    names = {entry["name"] for entry in own}
    host = [_host_group(each) for each in await asyncio.to_thread(grp.getgrall) if each.gr_name not in names]
    return own + host


def _host_group(found: grp.struct_group) -> Entry:
    entry = group_entry(Group(HOST_IDS + found.gr_gid, found.gr_gid, found.gr_name, True, {}, [], []))
    return {**entry, "immutable": True}


@group.query(role="ACCOUNT_READ", returns=GroupShape)
async def query(ctx: Ctx, query: Query) -> object:
    """Groups, and those of the host."""
    return query.apply(await group_entries(ctx))


@group.method(role="ACCOUNT_READ", returns=GroupShape)
async def get_instance(ctx: Ctx, id: int, options: QueryOptions = {}) -> object:  # noqa: B006
    """One group. Options are those of ``group.query``."""
    chosen = query_for_one(options)
    found = [entry for entry in await group_entries(ctx) if entry["id"] == id]
    if not found:
        raise NotFound("Group", id)
    return chosen.apply(found)


@group.method(role="ACCOUNT_WRITE", audit="Create group {group_create[name]}")
async def create(ctx: Ctx, group_create: GroupCreate) -> int:
    """Make a group; answers with its id. What its members may do, privileges say (``privilege.create``)."""
    given = group_create
    raise_if(_member_problems(ctx, _CREATE, given.users))
    settings = {name: value for name, value in sent(given).items() if name in KeptOfGroup.model_fields}

    def change(connection: Connection, gid: int) -> int:
        id = ctx.groups.add(given.name, gid, settings)(connection)
        ctx.groups.set_members(id, given.users)(connection)
        return id

    try:
        async with free_gid(ctx) as free:
            id = await rights.write(ctx, partial(change, gid=free if given.gid is None else given.gid))
    except NameTaken as taken:
        raise _taken(_CREATE, taken) from None
    tell(ctx, id, "added", given.users)
    return id


@group.method(role="ACCOUNT_WRITE", audit="Update group {id}")
async def update(ctx: Ctx, id: int, group_update: GroupUpdate) -> int:  # type: ignore[valid-type]
    """Change a group; answers with its id. Nobody can change who gets roles that they do not have themselves."""
    found = _found(ctx, id)
    given = sent(group_update)
    primary = {account.id for account in ctx.accounts.all() if account.primary_group == id}
    others = [member for member in found.members if member not in primary]
    members = given.get("users", others)
    assert isinstance(members, list)
    raise_if(_member_problems(ctx, _UPDATE, members))
    if found.builtin and given.get("name", found.name) != found.name:
        raise ValidationErrors([Problem(f"{_UPDATE}.name", "a built-in group keeps its name")])
    rights.require_roles(ctx, found.roles if {*members} - primary != {*others} else ())
    settings = {
        **found.settings,
        **{name: value for name, value in given.items() if name in KeptOfGroup.model_fields},
    }

    def change(connection: Connection) -> None:
        ctx.groups.update(id, str(given.get("name", found.name)), settings)(connection)
        ctx.groups.set_members(id, [member for member in members if member not in primary])(connection)

    try:
        await rights.write(ctx, change)
    except NameTaken as taken:
        raise _taken(_UPDATE, taken) from None
    tell(ctx, id, "changed", {*others} ^ {*members})
    return id


class GroupDeleteOptions(Model):
    """What else to delete."""

    delete_users: bool = Field(False, description="Also the accounts whose primary group it is.")


@group.method(role="ACCOUNT_WRITE", audit="Delete group {id}")
async def delete(ctx: Ctx, id: int, options: GroupDeleteOptions = GroupDeleteOptions()) -> int:
    """Remove a group; answers with its id. Accounts whose primary group it is keep theirs in ``builtin_users``."""
    found = _found(ctx, id)
    if found.builtin:
        raise CallError(f"{found.name} is built in and stays", 1)
    used = [each.name for each in ctx.groups.privileges() if id in each.groups]
    if used:
        raise CallError(f"{found.name} is named by the privilege {used[0]!r}; take it out of that first", 13)
    leaving = [account for account in ctx.accounts.all() if account.primary_group == id]
    for account in leaving:
        rights.require_rank(ctx, account)
        if options.delete_users and account.username == ctx.caller.username:
            raise CallError("You cannot delete the account that you are logged in with", 1)

    def change(connection: Connection) -> None:
        for account in leaving:
            if options.delete_users:
                ctx.accounts.delete(account.id)(connection)
            else:
                ctx.accounts.update(account.id, {"primary_group": 2})(connection)
        ctx.groups.delete(id)(connection)

    await rights.write(ctx, change)
    told(ctx, GROUPS, "removed", id, None)
    for account in leaving:
        if options.delete_users:
            told(ctx, USERS, "removed", account.id, None)
    _tell_users(ctx, found.members)
    return id


@group.method(role="ACCOUNT_READ")
async def get_next_gid(ctx: Ctx) -> int:
    """A number that no group has, here or on the host."""
    taken = {entry["gid"] for entry in await group_entries(ctx)}
    return next(number for number in range(3000, 2**31) if number not in taken)


@asynccontextmanager
async def free_gid(ctx: Ctx) -> AsyncIterator[int]:
    """A number that no group has, for one that is made in this block: nobody else is given it meanwhile."""
    async with ctx.locks.edit("groups", "Another group is being made"):
        yield await get_next_gid(ctx)


def _found(ctx: Ctx, id: int) -> Group:
    found = ctx.groups.by_id(id)
    if found is None and id >= HOST_IDS:
        raise CallError("This is a group of the host; it is changed with the host's own commands", 1)
    if found is None:
        raise NotFound("Group", id)
    return found


def _member_problems(ctx: Ctx, schema: str, members: list[Any]) -> list[Problem]:
    known = {account.id for account in ctx.accounts.all()}
    return [
        Problem(f"{schema}.users.{index}", f"there is no account {member}; user.query lists those that are")
        for index, member in enumerate(members)
        if member not in known
    ]


def _taken(schema: str, taken: NameTaken) -> ValidationErrors:
    field, text = ("gid", "number") if taken.column == "user_group.gid" else ("name", "name")
    return ValidationErrors([Problem(f"{schema}.{field}", f"another group has this {text}", 17)])


def tell(ctx: Ctx, id: int, change: Change, members: Collection[int]) -> None:
    """A group was added or changed, and with it what these accounts may do."""
    found = ctx.groups.by_id(id)
    assert found is not None
    told(ctx, GROUPS, change, id, group_entry(found))
    _tell_users(ctx, members)


def _tell_users(ctx: Ctx, ids: Collection[int]) -> None:
    groups = ctx.groups.all()
    for account in ctx.accounts.all():
        if account.id in ids:
            told(ctx, USERS, "changed", account.id, user_entry(ctx, account, groups))
