"""Who sends a plain HTTP request: there is no connection that somebody has logged in on."""

import binascii
from base64 import b64decode

from aiohttp import web

from vmstead.errors import NotAuthenticated, NotAuthorized
from vmstead.rpc.caller import Caller
from vmstead.rpc.session import InternalSession
from vmstead.system import accounts, login
from vmstead.web.application import Application
from vmstead.web.peer import origin_of


async def caller_of(
    application: Application, request: web.Request, what: str, *, token: str | None = None
) -> Caller:
    """By an ``Authorization`` header, a ``token`` that the address has, or the peer of the unix socket.

    ``what`` is the name under which attempts are counted.

    Raises:
        NotAuthenticated: it is nobody, or a password alone does not do.
        NotAuthorized: the token is no longer valid, or for something else.
        CallError: EBUSY, after too many attempts; EACCES, when an API key came over what others can read.
        ValueError: the header cannot be read.
    """
    services, origin = application.services, origin_of(request)
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    scheme = scheme.lower()
    found: Caller | None = None
    if scheme and not origin.is_unix:
        application.rate_limit.check(what, origin.network)
    if scheme in ("basic", "bearer"):
        if scheme == "basic":
            try:
                value = b64decode(value, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                raise ValueError("the Authorization header is not Base64") from None
        # A password alone does not do where the account has a second factor: there is nowhere to ask for it.
        session = InternalSession(origin=origin, caller=None)
        found = await login.for_request(services, session, scheme, value.strip())
    elif scheme == "token" or token is not None:
        used = services.tokens.use(value.strip() if scheme else token or "", origin)
        # A token with attributes is for something else.
        found = used.caller if used is not None and not used.attributes else None
        if found is None:
            raise NotAuthorized
    elif not scheme and origin.is_unix:
        found = accounts.by_unix_peer(services, origin, application.server_uid)
    if found is None:
        raise NotAuthenticated
    return found
