"""From what a client presents to who it is: password, API key, token, or the user at the other end of a socket."""

import dataclasses
import pwd
import re
import uuid
from collections.abc import Mapping

from vmstead.ctx import Services
from vmstead.errors import CallError
from vmstead.rpc.caller import FULL_ADMIN, Caller, Grounds, Origin
from vmstead.rpc.tokens import Token
from vmstead.store.accounts import Account, ApiKey
from vmstead.system import roles
from vmstead.system.secrets import check_api_key, check_password

_API_KEY = re.compile(r"(\d{1,18})-([A-Za-z0-9]{64})")
_ONETIME = re.compile(r"(\d{1,18})_([A-Za-z0-9]{6}(?:-[A-Za-z0-9]{6}){3})")
#: Accounts whose users are not in the host's user database get numbers from here on.
_FIRST_UID = 100_000


class Expired(Exception):
    """The credential was good once."""


async def by_password(services: Services, username: str, password: str) -> Caller | None:
    """The account with that name and password; None when there is no such thing.

    A password that an administrator made for one login (``auth.generate_onetime_password``) is used up here.
    """
    account = services.accounts.by_name(username)
    usable = account is not None and not account.locked
    onetime = _ONETIME.fullmatch(password)
    if account is not None and usable and onetime is not None:
        use = services.factors.use_onetime(account.id, int(onetime[1]), onetime[2], services.clock.now())
        if await services.factors.write(use):
            return caller_for(services, account, "LOGIN_ONETIME_PASSWORD")
    good = await check_password(password, account.password_hash if account and usable else None)
    if account is None or not good:
        return None
    return caller_for(services, account, "LOGIN_PASSWORD")


async def by_api_key(
    services: Services, text: str, origin: Origin, username: str | None = None
) -> Caller | None:
    """The account that an API key belongs to; None when it is no valid key of that user.

    Raises:
        Expired: the key's time is over, or it was revoked.
        CallError: EACCES, when the key was sent over a connection that others can read.
    """
    match = _API_KEY.fullmatch(text)
    key = services.accounts.key(int(match[1])) if match else None
    if match is None or key is None or not await check_api_key(match[2], key.verifier):
        return None
    if username not in (None, key.username):
        return None
    account = services.accounts.by_id(key.account)
    if account is None or account.locked:
        return None
    if not origin.is_secure:
        raise CallError(
            "API keys are accepted only over TLS, on loopback and on the unix socket: this connection can be "
            "read on the way. The key was sent over it just now; consider replacing it",
            13,
        )
    return key_holder(services, account, key)


def key_holder(services: Services, account: Account, key: ApiKey) -> Caller:
    """Who has shown to have an API key. Raises Expired."""
    if not _is_in_force(services, key):
        raise Expired
    return caller_for(services, account, "API_KEY", {"api_key": {"id": key.id, "name": key.name}}, key)


def by_token(token: Token, text: str) -> Caller:
    """Who uses a token to log in: who asked for it, by a login of its own, or going on with the same one."""
    parent = token.caller
    details: dict[str, object] = {
        "parent": {"credentials": parent.credential, "credentials_data": dict(parent.details)},
        "login_id": parent.logins[-1] if token.continues and parent.logins else str(uuid.uuid4()),
        "username": parent.username,
    }
    return dataclasses.replace(
        parent,
        credential="TOKEN",
        details=details,
        logins=parent.logins if token.continues else (*parent.logins, str(details["login_id"])),
        tokens=parent.tokens if token.single_use else (*parent.tokens, text),
    )


def by_unix_peer(services: Services, origin: Origin, server_uid: int) -> Caller | None:
    """Who is at the other end of the unix socket: root and the server's own user are administrators.

    Anybody else is the account of the same name, if there is one.
    """
    assert origin.uid is not None
    try:
        name = pwd.getpwuid(origin.uid).pw_name
    except KeyError:
        name = f"uid {origin.uid}"
    if origin.uid in (0, server_uid):
        details = _details(services, name)
        logins = (str(details["login_id"]),)
        return Caller(name, frozenset({FULL_ADMIN}), "UNIX_SOCKET", details, is_internal=True, logins=logins)
    account = services.accounts.by_name(name)
    if account is None or account.locked or not account.all_roles:
        return None
    return caller_for(services, account, "UNIX_SOCKET")


def caller_for(
    services: Services,
    account: Account,
    credential: str,
    more: Mapping[str, object] | None = None,
    key: ApiKey | None = None,
) -> Caller:
    """Somebody who has shown to be the user of an account."""
    details = {**_details(services, account.username), **(more or {})}
    ends = [services.clock.now() + services.config.session_hours * 3600]
    if key is not None and key.expires_at is not None:
        ends.append(key.expires_at)
    grounds = Grounds(
        account.id,
        _stamp(account, credential, key),
        key.id if key else None,
        # Nobody asks a local user for anything, so there is nothing to ask for again.
        None if credential == "UNIX_SOCKET" else min(ends),
    )
    return Caller(
        *(account.username, roles.expand(account.all_roles), credential, details),
        grounds=grounds,
        logins=(str(details["login_id"]),),
    )


def renewed(services: Services, caller: Caller) -> Caller | None:
    """Who a caller is by now, with the roles that the account has now; None where its login is over."""
    grounds = caller.grounds
    if grounds is None:
        return caller
    account = services.accounts.by_id(grounds.account)
    if account is None or account.locked or account.username != caller.username:
        return None
    key = None if grounds.key is None else services.accounts.key(grounds.key)
    if grounds.key is not None and (key is None or not _is_in_force(services, key)):
        return None
    if grounds.stamp is not None and grounds.stamp != _stamp(account, "", key):
        return None
    granted = roles.expand(account.all_roles)
    if granted == caller.roles:
        return caller
    return dataclasses.replace(caller, roles=granted) if granted else None


def with_new_password(services: Services, caller: Caller) -> Caller:
    """The caller after it has changed its own password: this login goes on, others end."""
    account = services.accounts.by_name(caller.username)
    assert account is not None
    grounds = caller.grounds
    if grounds is None or grounds.key is not None or grounds.stamp is None:
        return caller
    stamp = _stamp(account, "", None)
    return dataclasses.replace(caller, grounds=dataclasses.replace(grounds, stamp=stamp))


def uid_of(account: Account) -> int:
    """The number of an account's user: one of its own, that of the host's user of that name, or a made one."""
    if account.uid is not None:
        return account.uid
    try:
        return pwd.getpwnam(account.username).pw_uid
    except (KeyError, ValueError):
        return _FIRST_UID + account.id


def _stamp(account: Account, credential: str, key: ApiKey | None) -> object:
    """What changes with the password, or with the key, whoever changes it."""
    if key is not None:
        return key.verifier
    return None if credential == "UNIX_SOCKET" else account.password_hash or ""


def _is_in_force(services: Services, key: ApiKey) -> bool:
    is_over = key.expires_at is not None and key.expires_at <= services.clock.now()
    return key.revoked_reason is None and not is_over


def _details(services: Services, username: str) -> dict[str, object]:
    now = int(services.clock.now()) * 1000
    return {"username": username, "login_id": str(uuid.uuid4()), "login_at": {"$date": now}}
