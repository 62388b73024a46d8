"""``user.*``: the accounts that may log in."""

import asyncio
import os
import pwd
from functools import partial
from typing import Annotated, Any

from pydantic import StringConstraints

from vmstead.ctx import Ctx
from vmstead.errors import CallError, NotFound, Problem, ValidationErrors, raise_if
from vmstead.kernel.bus import Change
from vmstead.kernel.model import Field, Model, Text, patch_of, sent
from vmstead.query import Query
from vmstead.rpc.queries import QueryOptions, query_for_one
from vmstead.rpc.registry import Namespace
from vmstead.store.accounts import Account, NameTaken
from vmstead.store.db import Connection
from vmstead.system import rights, roles
from vmstead.system.account_events import GROUPS, USERS, told
from vmstead.system.groups import free_gid, group_entry
from vmstead.system.secrets import hash_password, new_password
from vmstead.system.user_entries import HOST_IDS, Entry, Kept, UserShape, user_entries, user_entry
from vmstead.system.user_info import passwd_entry

user = Namespace("user")

#: What a user may be called: what hosts allow, and clients can write into a URL.
NAME = r"[A-Za-z_][A-Za-z0-9_.-]{0,31}"
Username = Annotated[str, StringConstraints(pattern=f"^{NAME}$")]
_CREATE, _UPDATE = "user_create", "user_update"


class UserCreate(Kept):
    """An account."""

    username: Username = Field(description="Its name: letters, digits and _ . - only, at most 32.")
    full_name: Text = Field(description="The person's name.")
    uid: int | None = Field(
        None,
        ge=0,
        lt=2**32 - 1,
        description="Its number; null: that of the host's user of the name, or a new one.",
    )
    group: int | None = Field(None, description="Id of its primary group; null: builtin_users.")
    group_create: bool = Field(False, description="Make a group of the same name its primary group.")
    groups: list[int] = Field([], description="Ids of further groups.")
    granted_roles: list[Text] = Field([], description="Roles, beside those that its groups have.")
    password: str | None = Field(None, min_length=1, max_length=1024, description="Its password.")
    random_password: bool = Field(False, description="Make a password up; it is in the answer, this once.")
    password_disabled: bool = Field(False, description="No login with a password.")
    locked: bool = Field(False, description="No login at all.")
    home_create: bool = Field(False, description="Has no effect: accounts have no files.")
    home_mode: Text = Field("700", description="Has no effect.")


UserUpdate = patch_of(UserCreate, "UserUpdate", without=frozenset({"uid", "group_create"}))


class UserResult(UserShape):
    """A user that was made or changed."""

    password: str | None = Field(description="The password, where one was made up.")


@user.query(role="ACCOUNT_READ", returns=UserShape)
async def query(ctx: Ctx, query: Query) -> object:
    """Accounts, and the users of the host that have none."""
    return query.apply(await user_entries(ctx))


@user.method(role="ACCOUNT_READ", returns=UserShape)
async def get_instance(ctx: Ctx, id: int, options: QueryOptions = {}) -> object:  # noqa: B006
    """One user. Options are those of ``user.query``."""
    chosen = query_for_one(options)
    found = [entry for entry in await user_entries(ctx) if entry["id"] == id]
    if not found:
        raise NotFound("User", id)
    return chosen.apply(found)


@user.method(role="ACCOUNT_WRITE", returns=UserResult, audit="Create user {user_create[username]}")
async def create(ctx: Ctx, user_create: UserCreate) -> Entry:
    """Make an account.

    What it may do comes from its groups, by privileges, and from ``granted_roles``. An account without any role
    cannot log in. Nobody can give roles that they do not have.
    """
    given = user_create
    password = new_password() if given.random_password else given.password
    raise_if(
        [
            *_password_problems(_CREATE, given.password, disabled=given.password_disabled),
            *([] if password or given.password_disabled else [Problem(f"{_CREATE}.password", "is required")]),
            *_group_problems(ctx, _CREATE, given.group, given.groups),
            *rights.unknown_roles(f"{_CREATE}.granted_roles", given.granted_roles),
            *await asyncio.to_thread(_uid_problems, given.username, given.uid),
        ]
    )
    rights.require_roles(ctx, {*given.granted_roles, *_roles_of(ctx, given.group, given.groups)})
    hashed = None if password is None or given.password_disabled else await hash_password(password)
    now = ctx.clock.now()

    def change(connection: Connection, gid: int) -> int:
        primary = given.group or 2
        if given.group_create:
            primary = ctx.groups.add(given.username, gid, {})(connection)
        ctx.groups.require([primary, *given.groups])(connection)
        settings = {name: value for name, value in sent(given).items() if name in Kept.model_fields}
        add = ctx.accounts.add(
            *(given.username, hashed, given.granted_roles, given.full_name, now),
            uid=given.uid,
            primary_group=primary,
            groups=given.groups,
            locked=given.locked,
            settings=settings,
        )
        return add(connection)

    try:
        async with free_gid(ctx) as gid:
            id = await rights.write(ctx, partial(change, gid=gid))
    except NameTaken as taken:
        raise _taken(_CREATE, taken, given.username) from None
    entry = _told(ctx, id, "added")
    if given.group_create:
        group = ctx.groups.by_id(entry["group"]["id"])
        assert group is not None
        told(ctx, GROUPS, "added", group.id, group_entry(group))
    return {**entry, "password": password if given.random_password else None}


@user.method(role="ACCOUNT_WRITE", returns=UserResult, audit="Update user {id}")
async def update(ctx: Ctx, id: int, user_update: UserUpdate) -> Entry:  # type: ignore[valid-type]
    """Change an account. What is left out stays as it is.

    Its logins end when it is locked, loses all roles, or gets another password. Fails with EPERM when nobody
    would be left who can log in and do everything.
    """
    account = _found(ctx, id)
    given = sent(user_update)
    groups = [*_list(given.get("groups", account.groups))]
    primary = given.get("group", account.primary_group) or 2
    granted = [str(role) for role in _list(given.get("granted_roles", account.roles))]
    password = new_password() if given.get("random_password") else given.get("password")
    disabled = bool(given.get("password_disabled", account.password_hash is None and password is None))
    raise_if(
        [
            *_password_problems(_UPDATE, given.get("password"), disabled=disabled),
            *(
                [Problem(f"{_UPDATE}.password", "is required where password_disabled is false")]
                if not disabled and password is None and account.password_hash is None
                else []
            ),
            *_group_problems(ctx, _UPDATE, primary, groups),
            *rights.unknown_roles(f"{_UPDATE}.granted_roles", granted),
        ]
    )
    rights.require_rank(ctx, account)
    rights.require_roles(ctx, {*granted, *_roles_of(ctx, primary, groups)})
    columns = {
        name: given[name] for name in ("username", "full_name", "locked") if given.get(name) is not None
    }
    kept = {name: value for name, value in given.items() if name in Kept.model_fields}
    columns |= {"roles": granted, "primary_group": primary, "settings": {**account.settings, **kept}}
    hashed = await hash_password(str(password)) if password is not None and not disabled else None
    now = ctx.clock.now()

    def change(connection: Connection) -> None:
        assert isinstance(primary, int)
        ctx.groups.require([primary, *groups])(connection)
        ctx.accounts.update(id, columns)(connection)
        ctx.accounts.set_groups(id, groups)(connection)
        if hashed is not None or disabled:
            ctx.accounts.set_password(str(columns.get("username", account.username)), hashed, now)(connection)

    try:
        await rights.write(ctx, change, account)
    except NameTaken as taken:
        raise _taken(_UPDATE, taken, str(given.get("username"))) from None
    return {**_told(ctx, id, "changed"), "password": password if given.get("random_password") else None}


class UserDeleteOptions(Model):
    """What else to delete."""

    delete_group: bool = Field(
        True, description="Also the primary group, if nobody else is in it and no privilege names it."
    )


@user.method(role="ACCOUNT_WRITE", audit="Delete user {id}")
async def delete(ctx: Ctx, id: int, options: UserDeleteOptions = UserDeleteOptions()) -> int:
    """Remove an account with its API keys; its logins end. Answers with its number.

    Fails with EPERM for the account that calls, and when nobody would be left who can log in and do everything.
    """
    account = _found(ctx, id)
    rights.require_rank(ctx, account)
    if account.username == ctx.caller.username:
        raise CallError("You cannot delete the account that you are logged in with", 1)

    def change(connection: Connection) -> bool:
        ctx.accounts.delete(id)(connection)
        return options.delete_group and ctx.groups.delete_unused(account.primary_group)(connection)

    with_group = await rights.write(ctx, change, account)
    told(ctx, USERS, "removed", id, None)
    if with_group:
        told(ctx, GROUPS, "removed", account.primary_group, None)
    return id


class UserLookup(Model):
    """Whom to look up: one of the two."""

    username: Text | None = Field(None, description="By name.")
    uid: int | None = Field(None, description="By number.")
    get_groups: bool = Field(False, description="With the numbers of the host's groups that the user is in.")
    sid_info: bool = Field(False, description="Has no effect.")


@user.method(role="ACCOUNT_READ")
async def get_user_obj(ctx: Ctx, get_user_obj: UserLookup) -> dict[str, object]:
    """A user as the host's user database has it. Fails with ENOENT when there is none."""
    given = get_user_obj
    if (given.username is None) is (given.uid is None):
        raise ValidationErrors([Problem("get_user_obj.username", "give either username or uid")])
    entries = [
        entry
        for entry in await user_entries(ctx)
        if given.username in (None, entry["username"]) and given.uid in (None, entry["uid"])
    ]
    if not entries:
        raise CallError(f"There is no user {given.username or given.uid}", 2)
    name = str(entries[0]["username"])
    found = passwd_entry(name, ctx.accounts.by_name(name))
    groups = None
    if given.get_groups:
        gid = int(str(found["pw_gid"]))
        groups = sorted(await asyncio.to_thread(os.getgrouplist, name, gid))
    return {**found, "grouplist": groups, "sid": None, "source": "LOCAL", "local": True}


@user.method(role="ACCOUNT_READ")
async def get_next_uid(ctx: Ctx) -> int:
    """A number that no user has."""
    taken = {entry["uid"] for entry in await user_entries(ctx)}
    return next(number for number in range(3000, 2**31) if number not in taken)


@user.method(is_public=True)
async def has_local_administrator_set_up(ctx: Ctx) -> bool:
    """Whether there is an account that can log in and may do everything.

    Where there is none, ``vmstead user add`` on the server makes the first.
    """
    return any(
        roles.is_everything(account.all_roles)
        and not account.locked
        and (account.password_hash is not None or account.api_keys)
        for account in ctx.accounts.all()
    )


# --- what the checks share ------------------------------------------------------------------------


def _found(ctx: Ctx, id: int) -> Account:
    account = ctx.accounts.by_id(id)
    if account is None and id >= HOST_IDS:
        raise CallError("This is a user of the host; it is changed with the host's own commands", 1)
    if account is None:
        raise NotFound("User", id)
    return account


def _told(ctx: Ctx, id: int, change: Change) -> Entry:
    account = ctx.accounts.by_id(id)
    assert account is not None
    entry = user_entry(ctx, account, ctx.groups.all())
    told(ctx, USERS, change, id, entry)
    return entry


def _password_problems(schema: str, password: object, *, disabled: bool) -> list[Problem]:
    if password is None or not disabled:
        return []
    return [Problem(f"{schema}.password_disabled", "leave out the password, or set this to false")]


def _group_problems(ctx: Ctx, schema: str, primary: object, groups: list[Any]) -> list[Problem]:
    known = {group.id for group in ctx.groups.all()}
    wanted = [("group", primary), *((f"groups.{index}", group) for index, group in enumerate(groups))]
    return [
        Problem(f"{schema}.{field}", f"there is no group {group}; group.query lists those that are")
        for field, group in wanted
        if group is not None and group not in known
    ]


def _roles_of(ctx: Ctx, primary: object, groups: list[Any]) -> set[str]:
    return {role for group in ctx.groups.all() if group.id in (primary, *groups) for role in group.roles}


def _uid_problems(username: str, uid: int | None) -> list[Problem]:
    if uid is None:
        return []
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        return []
    return [] if name == username else [Problem(f"{_CREATE}.uid", f"is the number of the host's user {name}")]


def _taken(schema: str, taken: NameTaken, name: str) -> ValidationErrors:
    what = {
        "account.uid": Problem(f"{schema}.uid", "another account has this number", 17),
        "user_group.name": Problem(f"{schema}.group_create", f"there is a group {name} already", 17),
    }
    return ValidationErrors(
        [what.get(taken.column, Problem(f"{schema}.username", f"there is a user {name} already", 17))]
    )


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
