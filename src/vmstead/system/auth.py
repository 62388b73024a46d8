"""``auth.*``: logging in and out, and tokens."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator

from vmstead.ctx import Ctx
from vmstead.errors import CallError, NotFound, Problem, ValidationErrors
from vmstead.kernel.model import Field, Model, Text
from vmstead.rpc.caller import Caller
from vmstead.rpc.dispatch import owner_of
from vmstead.rpc.registry import Namespace
from vmstead.rpc.tokens import DEFAULT_TTL
from vmstead.system import login as logins
from vmstead.system.login import Answer
from vmstead.system.rights import require_rank, write
from vmstead.system.secrets import new_onetime_password
from vmstead.system.user_info import user_info

auth = Namespace("auth")

#: Seconds that a password for one login is good for.
_ONETIME_TTL = 24 * 3600


class LoginOptions(Model):
    """What the answer is to contain."""

    user_info: bool = Field(True, description="Include the object that auth.me returns.")
    reconnect_token: bool = Field(
        False,
        description="Include a token that goes on with this login, once, up to ten minutes after the last message.",
    )


class PasswordPlain(Model):
    """A user name and password."""

    mechanism: Literal["PASSWORD_PLAIN"]
    username: Text = Field(description="Name of the account.")
    password: Text = Field(description="Its password.")
    login_options: LoginOptions = Field(LoginOptions(), description="What the answer is to contain.")


class OtpToken(Model):
    """The code that was asked for with OTP_REQUIRED."""

    mechanism: Literal["OTP_TOKEN"]
    otp_token: Text = Field(description="What the app shows now.")
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


class Scram(Model):
    """A proof of having an API key, without sending it (RFC 5802, SCRAM-SHA-512)."""

    mechanism: Literal["SCRAM"]
    scram_type: Literal["CLIENT_FIRST_MESSAGE", "CLIENT_FINAL_MESSAGE"] = Field(
        description="Which of the client's two messages it is."
    )
    rfc_str: Text = Field(description="The message. Its user name is <name>:<number of the key>.")


LoginData = Annotated[PasswordPlain | ApiKeyPlain | TokenPlain | OtpToken | Scram, Discriminator("mechanism")]


@auth.method(is_public=True)
async def mechanism_choices(ctx: Ctx) -> list[str]:
    """The ways of logging in that ``auth.login_ex`` accepts on this connection.

    Where others can read what is sent, that is without API_KEY_PLAIN.
    """
    plain = ["API_KEY_PLAIN"] if ctx.session.origin.is_secure else []
    return [*plain, "TOKEN_PLAIN", "PASSWORD_PLAIN", "SCRAM"]


@auth.method(is_public=True)
async def login_ex(ctx: Ctx, login_data: LoginData) -> dict[str, object]:
    """Log in. ``response_type`` of the answer tells what came of it.

    SUCCESS; AUTH_ERR; EXPIRED, the key's time is over; DENIED, the account has no roles; OTP_REQUIRED, the same
    connection is to send an OTP_TOKEN next; SCRAM_RESPONSE, with the server's part of that.
    """
    if isinstance(login_data, Scram):
        return await _scram(ctx, login_data)
    return _answer(ctx, await _authenticate(ctx, login_data), login_data.login_options)


@auth.method(is_public=True)
async def login_ex_continue(ctx: Ctx, login_data: OtpToken) -> dict[str, object]:
    """Send the code that ``auth.login_ex`` asked for with OTP_REQUIRED. Answers as that does.

    Fails with EINVAL when none was asked for on this connection within the last five minutes.
    """
    return _answer(
        ctx, await logins.with_code(ctx, ctx.session, login_data.otp_token), login_data.login_options
    )


async def _authenticate(
    ctx: Ctx, data: PasswordPlain | ApiKeyPlain | TokenPlain | OtpToken
) -> Caller | Answer:
    match data:
        case PasswordPlain():
            return await logins.with_password(ctx, ctx.session, data.username, data.password)
        case ApiKeyPlain():
            return await logins.with_api_key(ctx, ctx.session, data.api_key, data.username)
        case TokenPlain():
            return logins.with_token(ctx, ctx.session, data.token)
        case OtpToken():
            return await logins.with_code(ctx, ctx.session, data.otp_token)


def _answer(ctx: Ctx, outcome: Caller | Answer, options: LoginOptions) -> dict[str, object]:
    if outcome is Answer.OTP_REQUIRED:
        return {"response_type": "OTP_REQUIRED", "username": logins.waits_for_code(ctx, ctx.session)}
    if isinstance(outcome, Answer):
        return {"response_type": str(outcome)}
    ctx.session.login(outcome)
    return {
        "response_type": "SUCCESS",
        "user_info": user_info(ctx, outcome) if options.user_info else None,
        "authenticator": "LEVEL_1",
        **({"reconnect_token": _reconnect_token(ctx, outcome)} if options.reconnect_token else {}),
    }


def _reconnect_token(ctx: Ctx, caller: Caller) -> str | None:
    if caller.credential == "LOGIN_ONETIME_PASSWORD":
        return None
    return ctx.sessions.give_way_back(ctx.session, caller)


async def _scram(ctx: Ctx, data: Scram) -> dict[str, object]:
    kind, info, text = "SERVER_FIRST_RESPONSE", None, ""
    if data.scram_type == "CLIENT_FIRST_MESSAGE":
        text = logins.begin_proof(ctx, ctx.session, data.rfc_str)
    else:
        outcome = await logins.finish_proof(ctx, ctx.session, data.rfc_str)
        if isinstance(outcome, Answer):
            return {"response_type": str(outcome)}
        text, caller = outcome
        ctx.session.login(caller)
        kind, info = "SERVER_FINAL_RESPONSE", user_info(ctx, caller)
    return {"response_type": "SCRAM_RESPONSE", "scram_type": kind, "rfc_str": text, "user_info": info}


@auth.method(is_public=True)
async def login(ctx: Ctx, username: Text, password: Text, otp_token: Text | None = None) -> bool:
    """Log in with a user name and password, and a code where one is asked for; says whether that went well."""
    outcome = await logins.with_password(ctx, ctx.session, username, password)
    if outcome is Answer.OTP_REQUIRED and otp_token is not None:
        outcome = await logins.with_code(ctx, ctx.session, otp_token)
    logins.give_up(ctx, ctx.session)
    return _logged_in(ctx, outcome)


@auth.method(is_public=True)
async def login_with_api_key(ctx: Ctx, api_key: Text) -> bool:
    """Log in with an API key; says whether that went well."""
    return _logged_in(ctx, await logins.with_api_key(ctx, ctx.session, api_key))


@auth.method(is_public=True)
async def login_with_token(ctx: Ctx, token: Text) -> bool:
    """Log in with a token; says whether that went well."""
    return _logged_in(ctx, logins.with_token(ctx, ctx.session, token))


def _logged_in(ctx: Ctx, outcome: Caller | Answer) -> bool:
    if isinstance(outcome, Answer):
        return False
    ctx.session.login(outcome)
    return True


@auth.method()
async def generate_token(
    ctx: Ctx,
    ttl: Annotated[int, Field(ge=1, le=30 * 86400)] | None = DEFAULT_TTL,
    attrs: dict[str, Any] = {},  # noqa: B006
    match_origin: bool = True,
    single_use: bool = False,
) -> str:
    """A token that logs another connection in as this session's user.

    It is gone with this session, and when a session that was logged in with it ends. Fails with EFAULT when
    ``attrs`` names a job that is not there, or has nothing to download.

    Args:
        ttl: seconds it stays valid unused; null: 600.
        attrs: what it is for. A token with attributes cannot log in.
        match_origin: it can be used only from where it was asked for.
        single_use: it can be used once.
    """
    if "job" in attrs:
        _check_job(ctx, attrs["job"])
    return ctx.tokens.issue(
        ctx.caller,
        ctx.session.id,
        ttl=ttl or DEFAULT_TTL,
        attributes=attrs,
        origin=ctx.session.origin if match_origin else None,
        single_use=single_use,
    )


def _check_job(ctx: Ctx, number: object) -> None:
    job = ctx.jobs.find(number) if type(number) is int else None
    if job is None or not job.visible_to(owner_of(ctx.caller)):
        raise CallError(f"{number}: there is no such job of yours")
    if job.pipe is None:
        raise CallError(f"{number}: the job has nothing to download")


@auth.method()
async def me(ctx: Ctx) -> dict[str, object]:
    """The user of this session, and what it may do."""
    return user_info(ctx, ctx.caller)


@auth.method()
async def logout(ctx: Ctx) -> bool:
    """End the login; the connection stays. Tokens, and logins that were made with them, end too."""
    ctx.sessions.log_out(ctx.session)
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


_ONETIME = "Generate a one-time password for {generate_single_use_password[username]}"


class OnetimePassword(Model):
    """Whom a password for one login is for."""

    username: Text = Field(description="Name of the account.")


@auth.method(role="ACCOUNT_WRITE", audit=_ONETIME)
async def generate_onetime_password(ctx: Ctx, generate_single_use_password: OnetimePassword) -> str:
    """A password that lets a user in once within a day, to set a new one with ``user.set_password``.

    A second factor is asked for all the same. Earlier such passwords of the user are void.
    """
    name = generate_single_use_password.username
    account = ctx.accounts.by_name(name)
    if account is None:
        raise NotFound("User", name)
    require_rank(ctx, account)
    text = new_onetime_password()
    add = ctx.factors.add_onetime(account.id, text, ctx.clock.now() + _ONETIME_TTL)
    number = await write(ctx, add, account)
    return f"{number}_{text}"
