"""The user of a session and what it may do, as ``auth.me`` and logins tell it."""

import pwd

from vmstead.ctx import Ctx
from vmstead.rpc.caller import FULL_ADMIN, Caller
from vmstead.store.accounts import Account
from vmstead.store.factors import SecondFactor
from vmstead.system import twofactor
from vmstead.system.accounts import uid_of

#: What the host's user database gives users that are not in it.
_HOME, _SHELL, _NOGROUP = "/nonexistent", "/usr/sbin/nologin", 65534


def user_info(ctx: Ctx, caller: Caller) -> dict[str, object]:
    """The object that ``auth.me`` answers with."""
    account = ctx.accounts.by_name(caller.username)
    allowlist = [{"method": "*", "resource": "*"}] if caller.is_admin else _allowlist(ctx, caller)
    return {
        **passwd_entry(caller.username, account),
        "grouplist": None,
        "sid": None,
        "source": "LOCAL",
        "local": True,
        "attributes": account.attributes if account else {},
        "account_attributes": _account_attributes(caller, account),
        # Without the secret, which is told once, when it is made.
        "two_factor_config": twofactor.described(_factor(ctx, account)),
        "privilege": {
            "roles": {"$set": [FULL_ADMIN] if caller.is_internal else sorted(caller.roles)},
            "allowlist": allowlist,
            "web_shell": caller.may("VM_WRITE"),
            "webui_access": True,
        },
    }


def passwd_entry(username: str, account: Account | None) -> dict[str, object]:
    """A user as the host's user database has it, with what the account says in its place."""
    try:
        entry = pwd.getpwnam(username)
    except (KeyError, ValueError):
        entry = None
    return {
        "pw_name": username,
        "pw_gecos": account.full_name if account else (entry.pw_gecos if entry else ""),
        "pw_dir": entry.pw_dir if entry else _HOME,
        "pw_shell": entry.pw_shell if entry else _SHELL,
        "pw_uid": uid_of(account) if account else (entry.pw_uid if entry else _NOGROUP),
        "pw_gid": entry.pw_gid if entry else _NOGROUP,
    }


def _factor(ctx: Ctx, account: Account | None) -> SecondFactor | None:
    return ctx.factors.of(account.id) if account and account.has_second_factor else None


def _account_attributes(caller: Caller, account: Account | None) -> list[str]:
    return [
        "LOCAL",
        *(["SYS_ADMIN"] if caller.is_internal else []),
        *(["2FA"] if account is not None and account.has_second_factor else []),
        *(["API_KEY"] if caller.credential == "API_KEY" else []),
        *(["OTPW", "PASSWORD_CHANGE_REQUIRED"] if caller.credential == "LOGIN_ONETIME_PASSWORD" else []),
    ]


def _allowlist(ctx: Ctx, caller: Caller) -> list[dict[str, str]]:
    """What the roles allow, one by one."""
    calls = [
        {"method": "CALL", "resource": name}
        for name, method in sorted(ctx.methods.items())
        if method.role is not None and caller.may(method.role)
    ]
    events = [
        {"method": "SUBSCRIBE", "resource": name}
        for name, role in sorted(ctx.event_roles.items())
        if role is not None and caller.may(role)
    ]
    return calls + events
