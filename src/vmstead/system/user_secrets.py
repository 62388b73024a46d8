"""``user.set_password`` and the second factor of users: what they may change of their own."""

import os
from typing import Any

import structlog

from vmstead.ctx import Ctx
from vmstead.errors import NotAuthorized, NotFound, Problem, ValidationErrors
from vmstead.kernel.bus import Change
from vmstead.kernel.model import Field, Model, NonEmpty, Text
from vmstead.rpc.registry import Namespace
from vmstead.store.accounts import Account
from vmstead.system import accounts, rights, twofactor
from vmstead.system.account_events import USERS, told
from vmstead.system.secrets import check_password, hash_password
from vmstead.system.user_entries import Entry, UserShape, user_entry

log = structlog.get_logger()
user = Namespace("user")


class SetPassword(Model):
    """A new password."""

    username: Text = Field(description="Whose.")
    old_password: Text | None = Field(
        None,
        description="The one that it replaces; not needed for other users, nor after a one-time password.",
    )
    new_password: NonEmpty = Field(description="The new one.")


@user.method(audit="Set password of {set_password_data[username]}")
async def set_password(ctx: Ctx, set_password_data: SetPassword) -> None:
    """Give an account a new password. Its logins with the old one end, apart from this session.

    Everybody can do so for themselves; for others it takes the role ACCOUNT_WRITE, and every role that they have.
    """
    given = set_password_data
    account = _account(ctx, given.username, "ACCOUNT_WRITE")
    is_own = account.username == ctx.caller.username
    if is_own and not ctx.caller.may("ACCOUNT_WRITE") and ctx.caller.credential != "LOGIN_ONETIME_PASSWORD":
        await _check_old(ctx, account, given.old_password)
    hashed = await hash_password(given.new_password)
    change = ctx.accounts.set_password(account.username, hashed, ctx.clock.now())

    def keep_own_login() -> None:
        if is_own:
            ctx.sessions.adopt(ctx.session, accounts.with_new_password(ctx, ctx.caller))

    await rights.write(ctx, change, account, keep_own_login)
    _tell(ctx, account.id, "changed")


async def _check_old(ctx: Ctx, account: Account, password: str | None) -> None:
    """Who has come upon an open session must not be able to keep it. Raises ValidationErrors."""
    ctx.throttle.begin(account.username, ctx.session.origin)
    if password is None or not await check_password(password, account.password_hash):
        raise ValidationErrors([Problem("set_password_data.old_password", "is not the password", 1)])
    ctx.throttle.succeeded(account.username, ctx.session.origin)


class TwoFactorOptions(Model):
    """What the codes are to be like."""

    otp_digits: int = Field(twofactor.DIGITS, ge=6, le=8, description="Digits of a code.")
    interval: int = Field(twofactor.INTERVAL, ge=5, le=120, description="Seconds that a code is shown for.")


class TwoFactorConfig(Model):
    """A second factor."""

    provisioning_uri: str | None = Field(
        description="What an app reads, as a QR code; it has the secret in it."
    )
    secret_configured: bool = Field(description="There is one.")
    interval: int = Field(description="Seconds that a code is shown for.")
    otp_digits: int = Field(description="Digits of a code.")


class UserWithFactor(UserShape):
    """A user with a second factor that was just made."""

    twofactor_config: TwoFactorConfig = Field(description="The second factor, this once with its secret.")


@user.method(returns=UserWithFactor, audit="Renew two-factor authentication secret of {username}")
async def renew_2fa_secret(
    ctx: Ctx, username: Text, twofactor_options: TwoFactorOptions = TwoFactorOptions()
) -> Entry:
    """Give an account a second factor, in place of the one it had. From then on its password asks for a code.

    The answer has the secret in ``twofactor_config``, this once. Everybody can do so for themselves; for others it
    takes the role ACCOUNT_WRITE, and every role that they have.
    """
    account = _account(ctx, username, "ACCOUNT_WRITE")
    options, secret = twofactor_options, twofactor.new_secret()
    change = ctx.factors.set(account.id, secret, options.otp_digits, options.interval)
    await rights.write(ctx, change, account)
    uri = twofactor.provisioning_uri(
        *(secret, options.otp_digits, options.interval, account.username, os.uname().nodename)
    )
    config: dict[str, Any] = twofactor.described(ctx.factors.of(account.id), uri)
    return {**_tell(ctx, account.id, "changed"), "twofactor_config": config}


@user.method(audit="Unset two-factor authentication secret of {username}")
async def unset_2fa_secret(ctx: Ctx, username: Text) -> None:
    """Take an account's second factor away; its password alone lets in.

    Everybody can do so for themselves as long as nobody has logged in with it; after that, and for others, it
    takes the role ACCOUNT_WRITE.
    """
    account = _account(ctx, username, "ACCOUNT_WRITE")
    # Who comes upon an open session must not be able to do without the code.
    if ctx.factors.was_used(account.id) and not ctx.caller.may("ACCOUNT_WRITE"):
        text = "taking away a second factor that somebody has logged in with takes the role ACCOUNT_WRITE"
        raise NotAuthorized(text)
    await rights.write(ctx, ctx.factors.unset(account.id), account)
    _tell(ctx, account.id, "changed")


def _account(ctx: Ctx, username: str, role: str) -> Account:
    """The account, for its own user and for who may change it. Raises NotAuthorized and NotFound."""
    if username != ctx.caller.username and not ctx.caller.may(role):
        raise NotAuthorized(f"changing another user takes the role {role}")
    account = ctx.accounts.by_name(username)
    if account is None:
        raise NotFound("User", username)
    rights.require_rank(ctx, account)
    return account


def _tell(ctx: Ctx, id: int, change: Change) -> Entry:
    account = ctx.accounts.by_id(id)
    assert account is not None
    entry = user_entry(ctx, account, ctx.groups.all())
    told(ctx, USERS, change, id, entry)
    return entry
