"""``api_key.*``: keys with which programs log in as a user."""

from typing import Annotated, Any

from pydantic import StringConstraints

from vmstead.ctx import Ctx
from vmstead.errors import NotAuthorized, NotFound, Problem, ValidationErrors, raise_if
from vmstead.kernel.bus import Change
from vmstead.kernel.model import PLACEHOLDER, Field, Model, Moment, Text, patch_of
from vmstead.query import Query
from vmstead.rpc.queries import QueryOptions, query_for_one
from vmstead.rpc.registry import Namespace
from vmstead.store.accounts import Account, ApiKey, NameTaken
from vmstead.system import rights
from vmstead.system.account_events import KEYS, USERS, told
from vmstead.system.secrets import new_api_key
from vmstead.system.user_entries import Entry, user_entry

api_key = Namespace("api_key")

_CREATE, _UPDATE = "api_key_create", "api_key_update"
#: Keys that a user may have, as on TrueNAS.
MOST_KEYS = 10
_NONE_TO_GIVE = "User lacks privilege role membership: give the account a role first"


class ApiKeyCreate(Model):
    """An API key."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=200)] = Field(
        description="What it is for; unique."
    )
    username: Text = Field(description="Whose key it is.")
    expires_at: Moment | None = Field(None, description="When it stops being valid; null: never.")


class ApiKeyUpdate(patch_of(ApiKeyCreate, "_ApiKeyPatch", without=frozenset({"username"}))):  # type: ignore[misc]
    """What is to change of an API key. What is left out stays as it is."""

    reset: bool = Field(False, description="Make a new key in its place; the old one is void.")


class ApiKeyShape(Model):
    """An API key, without the key."""

    id: int = Field(description="Its number, with which the key begins.")
    name: str = Field(description="What it is for.")
    username: str | None = Field(description="Whose key it is.")
    user_identifier: int | str = Field(description="Id of that user.")
    keyhash: str = Field(description="Stands for what is stored, which is never shown.")
    created_at: Any = Field(description="When it was made.")
    expires_at: Any = Field(description="When it stops being valid; null: never.")
    local: bool = Field(description="Always true.")
    revoked: bool = Field(description="It is void, though its time is not over.")
    revoked_reason: str | None = Field(description="Why.")


class ApiKeyResult(ApiKeyShape):
    """An API key that was made or changed."""

    key: str | None = Field(description="The key, where one was made; it is shown this once.")


def _entry(key: ApiKey) -> Entry:
    return {
        "id": key.id,
        "name": key.name,
        "username": key.username,
        "user_identifier": key.account,
        "keyhash": PLACEHOLDER,
        "created_at": _date(key.created_at),
        "expires_at": _date(key.expires_at),
        "local": True,
        "revoked": key.revoked_reason is not None,
        "revoked_reason": key.revoked_reason,
    }


def _date(seconds: float | None) -> dict[str, int] | None:
    return None if seconds is None else {"$date": int(seconds) * 1000}


@api_key.query(role="API_KEY_READ", returns=ApiKeyShape)
async def query(ctx: Ctx, query: Query) -> object:
    """API keys of all users, by number."""
    return query.apply([_entry(key) for key in ctx.accounts.api_keys()])


@api_key.method(role="API_KEY_READ", returns=ApiKeyShape)
async def get_instance(ctx: Ctx, id: int, options: QueryOptions = {}) -> object:  # noqa: B006
    """One API key. Options are those of ``api_key.query``."""
    chosen = query_for_one(options)
    key = ctx.accounts.key(id)
    if key is None:
        raise NotFound("ApiKey", id)
    return chosen.apply([_entry(key)])


@api_key.method(returns=list[ApiKeyShape])
async def my_keys(ctx: Ctx) -> list[Entry]:
    """The API keys of the user who asks."""
    return [_entry(key) for key in ctx.accounts.api_keys(ctx.caller.username)]


@api_key.method(returns=ApiKeyResult, audit="Create API key {api_key_create[name]}")
async def create(ctx: Ctx, api_key_create: ApiKeyCreate) -> Entry:
    """Make an API key; the answer has it in ``key``, this once.

    Everybody can make keys for themselves; for others it takes the role API_KEY_WRITE, and every role that they
    have. A session that was logged in with a key cannot make one that lasts longer.
    """
    given = api_key_create
    _require_right(ctx, given.username)
    account = ctx.accounts.by_name(given.username)
    expires_at = None if given.expires_at is None else given.expires_at.timestamp()
    raise_if(
        [
            *([Problem(_CREATE, "User does not exist.")] if account is None else []),
            *([Problem(_CREATE, _NONE_TO_GIVE)] if account is not None and not account.all_roles else []),
            *_time_problems(ctx, _CREATE, expires_at),
            *(
                [Problem(_CREATE, f"{given.username} has {MOST_KEYS} API keys; delete one first")]
                if account is not None and len(account.api_keys) >= MOST_KEYS
                else []
            ),
        ]
    )
    assert account is not None
    rights.require_rank(ctx, account)
    key, verifier = new_api_key()
    add = ctx.accounts.add_key(given.name, account.id, verifier, ctx.clock.now(), expires_at)
    try:
        id = await rights.write(ctx, add, account)
    except NameTaken:
        raise ValidationErrors([Problem(_CREATE, "name must be unique")]) from None
    return {**_tell(ctx, id, "added"), "key": f"{id}-{key}"}


@api_key.method(returns=ApiKeyResult, audit="Update API key {id}")
async def update(ctx: Ctx, id: int, api_key_update: ApiKeyUpdate) -> Entry:
    """Change an API key. With ``reset``, the answer has a new one in ``key``; logins with the old one end."""
    old, account = _found(ctx, id)
    given = api_key_update.model_dump(exclude_unset=True)
    name = given.get("name", old.name)
    expires_at = old.expires_at
    if "expires_at" in given:
        expires_at = None if given["expires_at"] is None else given["expires_at"].timestamp()
        raise_if(_time_problems(ctx, _UPDATE, expires_at))
    key, verifier, revoked_reason = None, old.verifier, old.revoked_reason
    if given.get("reset"):
        key, verifier = new_api_key()
        revoked_reason = None
    try:
        change = ctx.accounts.update_key(id, name, expires_at, verifier, revoked_reason)
        await rights.write(ctx, change, account)
    except NameTaken:
        raise ValidationErrors([Problem(_UPDATE, "name must be unique")]) from None
    return {**_tell(ctx, id, "changed"), "key": None if key is None else f"{id}-{key}"}


@api_key.method(audit="Delete API key {id}")
async def delete(ctx: Ctx, id: int) -> bool:
    """Make an API key void for good; logins with it end."""
    key, account = _found(ctx, id)
    await rights.write(ctx, ctx.accounts.delete_key(id), account)
    told(ctx, KEYS, "removed", id, None)
    _tell_user(ctx, key.username)
    return True


def _found(ctx: Ctx, id: int) -> tuple[ApiKey, Account]:
    """The key and whose it is, for somebody who may change it. Raises NotFound and NotAuthorized."""
    key = ctx.accounts.key(id)
    if key is None:
        raise NotFound("ApiKey", id)
    _require_right(ctx, key.username)
    account = ctx.accounts.by_id(key.account)
    assert account is not None
    rights.require_rank(ctx, account)
    return key, account


def _require_right(ctx: Ctx, username: str) -> None:
    if username != ctx.caller.username and not ctx.caller.may("API_KEY_WRITE"):
        raise NotAuthorized(
            f"{ctx.caller.username}: authenticated user lacks privileges to create or modify API keys of other "
            "users; that takes the role API_KEY_WRITE"
        )


def _time_problems(ctx: Ctx, schema: str, expires_at: float | None) -> list[Problem]:
    if expires_at is not None and expires_at <= ctx.clock.now():
        return [Problem(schema, "Expiration date is in the past")]
    grounds = ctx.caller.grounds
    own = ctx.accounts.key(grounds.key) if grounds is not None and grounds.key is not None else None
    if own is not None and own.expires_at is not None and (expires_at is None or expires_at > own.expires_at):
        return [
            Problem(schema, "A key cannot make one that lasts longer than itself; log in with a password")
        ]
    return []


def _tell(ctx: Ctx, id: int, change: Change) -> Entry:
    key = ctx.accounts.key(id)
    assert key is not None
    entry = _entry(key)
    told(ctx, KEYS, change, id, entry)
    _tell_user(ctx, key.username)
    return entry


def _tell_user(ctx: Ctx, username: str) -> None:
    account = ctx.accounts.by_name(username)
    if account is not None:
        told(ctx, USERS, "changed", account.id, user_entry(ctx, account, ctx.groups.all()))
