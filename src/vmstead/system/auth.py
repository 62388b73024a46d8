"""``auth.*``: logging in and out, and tokens."""

import pwd
from typing import Annotated, Any, Literal

from pydantic import Discriminator

from vmstead.ctx import Ctx
from vmstead.errors import Problem, ValidationErrors
from vmstead.kernel.model import Field, Model, Text
from vmstead.rpc.caller import FULL_ADMIN, Caller
from vmstead.rpc.registry import Namespace
from vmstead.rpc.tokens import DEFAULT_TTL
from vmstead.system import accounts

auth = Namespace("auth")


class LoginOptions(Model):
    """What the answer is to contain."""

    user_info: bool = Field(True, description="Include the object that auth.me returns.")
    reconnect_token: bool = Field(
        False,
        description="Include a token that goes on with this login, once, when the connection was interrupted.",
    )


class PasswordPlain(Model):
    """A user name and password."""

    mechanism: Literal["PASSWORD_PLAIN"]
    username: Text = Field(description="Name of the account.")
    password: Text = Field(description="Its password.")
    login_options: LoginOptions = Field(LoginOptions(), description="What the answer is to contain.")


class ApiKeyPlain(Model):
    """A user name and one of the user's API keys."""

    mechanism: Literal["API_KEY_PLAIN"]
    username: Text = Field(description="Name of the account that the key belongs to.")
    api_key: Text = Field(description="The key, as it was shown when it was made.")
    login_options: LoginOptions = Field(LoginOptions(), description="What the answer is to contain.")


class TokenPlain(Model):
    """A token that another session asked for."""

    mechanism: Literal["TOKEN_PLAIN"]
    token: Text = Field(description="What auth.generate_token answered.")
    login_options: LoginOptions = Field(LoginOptions(), description="What the answer is to contain.")


LoginData = Annotated[PasswordPlain | ApiKeyPlain | TokenPlain, Discriminator("mechanism")]


@auth.method(is_public=True)
async def mechanism_choices(ctx: Ctx) -> list[str]:
    """The ways of logging in that ``auth.login_ex`` accepts."""
    return ["API_KEY_PLAIN", "TOKEN_PLAIN", "PASSWORD_PLAIN"]


@auth.method(is_public=True)
async def login_ex(ctx: Ctx, login_data: LoginData) -> dict[str, object]:
    """Log in. ``response_type`` of the answer is SUCCESS, AUTH_ERR or EXPIRED."""
    try:
        caller = await _authenticate(ctx, login_data)
    except accounts.Expired:
        return {"response_type": "EXPIRED"}
    if caller is None:
        return {"response_type": "AUTH_ERR"}
    ctx.session.login(caller)
    options = login_data.login_options
    return {
        "response_type": "SUCCESS",
        "user_info": _user_info(ctx, caller) if options.user_info else None,
        "authenticator": "LEVEL_1",
        **({"reconnect_token": _reconnect_token(ctx, caller)} if options.reconnect_token else {}),
    }


def _reconnect_token(ctx: Ctx, caller: Caller) -> str:
    # It belongs to the login rather than to the connection, whose end is what it is for.
    return ctx.tokens.issue(caller, f"login {ctx.session.id}", origin=ctx.session.origin, single_use=True)


async def _authenticate(ctx: Ctx, data: PasswordPlain | ApiKeyPlain | TokenPlain) -> Caller | None:
    if isinstance(data, PasswordPlain):
        return await accounts.by_password(ctx, data.username, data.password)
    if isinstance(data, ApiKeyPlain):
        return await accounts.by_api_key(ctx, data.api_key, ctx.session.origin, data.username)
    return _by_token(ctx, data.token)


def _by_token(ctx: Ctx, text: str) -> Caller | None:
    token = ctx.tokens.use(text, ctx.session.origin)
    if token is None or token.attributes:
        return None
    parent = token.caller
    details = {
        **parent.details,
        "parent": {"credentials": parent.credential, "credentials_data": dict(parent.details)},
    }
    return Caller(parent.username, parent.roles, "TOKEN", details, parent.is_internal)


@auth.method(is_public=True)
async def login(ctx: Ctx, username: Text, password: Text, otp_token: Text | None = None) -> bool:
    """Log in with a user name and password; says whether that went well."""
    caller = await accounts.by_password(ctx, username, password)
    if caller is not None:
        ctx.session.login(caller)
    return caller is not None


@auth.method(is_public=True)
async def login_with_api_key(ctx: Ctx, api_key: Text) -> bool:
    """Log in with an API key; says whether that went well."""
    try:
        caller = await accounts.by_api_key(ctx, api_key, ctx.session.origin)
    except accounts.Expired:
        return False
    if caller is not None:
        ctx.session.login(caller)
    return caller is not None


@auth.method(is_public=True)
async def login_with_token(ctx: Ctx, token: Text) -> bool:
    """Log in with a token; says whether that went well."""
    caller = _by_token(ctx, token)
    if caller is not None:
        ctx.session.login(caller)
    return caller is not None


@auth.method()
async def generate_token(
    ctx: Ctx,
    ttl: Annotated[int, Field(ge=1, le=30 * 86400)] | None = DEFAULT_TTL,
    attrs: dict[str, Any] = {},  # noqa: B006
    match_origin: bool = True,
    single_use: bool = False,
) -> str:
    """A token that logs another connection in as this session's user.

    Args:
        ttl: seconds it stays valid unused; null: 600.
        attrs: what it is for. A token with attributes cannot log in.
        match_origin: it can be used only from where it was asked for.
        single_use: it can be used once.
    """
    return ctx.tokens.issue(
        ctx.caller,
        ctx.session.id,
        ttl=ttl or DEFAULT_TTL,
        attributes=attrs,
        origin=ctx.session.origin if match_origin else None,
        single_use=single_use,
    )


@auth.method()
async def me(ctx: Ctx) -> dict[str, object]:
    """The user of this session, and what it may do."""
    return _user_info(ctx, ctx.caller)


@auth.method()
async def logout(ctx: Ctx) -> bool:
    """End the login; the connection stays."""
    ctx.session.logout()
    return True


@auth.method()
async def set_attribute(ctx: Ctx, key: Text, value: object) -> None:
    """Keep a value for the user's clients; ``auth.me`` gives all of them."""
    account = ctx.accounts.by_name(ctx.caller.username)
    if account is None:
        raise ValidationErrors(
            [Problem("key", f"{ctx.caller.username} has no account here that could keep it")]
        )
    await ctx.accounts.write(ctx.accounts.set_attributes(account.id, {**account.attributes, key: value}))


def _user_info(ctx: Ctx, caller: Caller) -> dict[str, object]:
    account = ctx.accounts.by_name(caller.username)
    try:
        entry = pwd.getpwnam(caller.username)
    except (KeyError, ValueError):
        entry = None
    allowlist = [{"method": "*", "resource": "*"}] if caller.is_admin else []
    return {
        "pw_name": caller.username,
        "pw_gecos": account.full_name if account else (entry.pw_gecos if entry else ""),
        "pw_dir": entry.pw_dir if entry else "/nonexistent",
        "pw_shell": entry.pw_shell if entry else "/usr/sbin/nologin",
        "pw_uid": entry.pw_uid if entry else (100_000 + account.id if account else 65534),
        "pw_gid": entry.pw_gid if entry else 65534,
        "grouplist": None,
        "sid": None,
        "source": "LOCAL",
        "local": True,
        "attributes": account.attributes if account else {},
        "account_attributes": [
            "LOCAL",
            *(["SYS_ADMIN"] if caller.is_internal else []),
            *_account_kind(caller),
        ],
        "two_factor_config": {
            "provisioning_uri": None,
            "secret_configured": False,
            "interval": 30,
            "otp_digits": 6,
        },
        "privilege": {
            "roles": {"$set": [FULL_ADMIN] if caller.is_internal else sorted(caller.roles)},
            "allowlist": allowlist,
            "web_shell": caller.may("VM_WRITE"),
            "webui_access": True,
        },
    }


def _account_kind(caller: Caller) -> list[str]:
    return ["API_KEY"] if caller.credential == "API_KEY" else []
