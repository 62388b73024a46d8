"""From what a client presents to who it is: password, API key, token, or the user at the other end of a socket."""

import pwd
import re
import uuid
from collections.abc import Mapping

from vmstead.ctx import Services
from vmstead.errors import CallError
from vmstead.rpc.caller import FULL_ADMIN, Caller, Origin
from vmstead.store.accounts import Account
from vmstead.system import roles
from vmstead.system.secrets import check_api_key, check_password

_API_KEY = re.compile(r"(\d{1,18})-([A-Za-z0-9]{64})")


class Expired(Exception):
    """The credential was good once."""


async def by_password(services: Services, username: str, password: str) -> Caller | None:
    """The account with that name and password; None when there is no such thing."""
    account = services.accounts.by_name(username)
    usable = account is not None and not account.locked
    good = await check_password(password, account.password_hash if account and usable else None)
    if account is None or not good:
        return None
    return _caller(services, account, "LOGIN_PASSWORD")


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
    account = services.accounts.by_name(key.username)
    if account is None or account.locked or username not in (None, key.username):
        return None
    if not origin.is_secure:
        raise CallError(
            "API keys are accepted only over TLS, on loopback and on the unix socket: this connection can be "
            "read on the way. The key was sent over it just now; consider replacing it",
            13,
        )
    if key.revoked_reason is not None or (
        key.expires_at is not None and key.expires_at <= services.clock.now()
    ):
        raise Expired
    return _caller(services, account, "API_KEY", {"api_key": {"id": key.id, "name": key.name}})


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
        return Caller(name, frozenset({FULL_ADMIN}), "UNIX_SOCKET", details, is_internal=True)
    account = services.accounts.by_name(name)
    if account is None or account.locked:
        return None
    return _caller(services, account, "UNIX_SOCKET")


def _caller(
    services: Services, account: Account, credential: str, more: Mapping[str, object] | None = None
) -> Caller:
    details = {**_details(services, account.username), **(more or {})}
    return Caller(account.username, roles.expand(account.roles), credential, details)


def _details(services: Services, username: str) -> dict[str, object]:
    now = int(services.clock.now()) * 1000
    return {"username": username, "login_id": str(uuid.uuid4()), "login_at": {"$date": now}}
