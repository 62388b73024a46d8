"""Logging in, whatever with: attempts are slowed down where they fail, and recorded."""

import dataclasses
import secrets
from dataclasses import dataclass
from enum import StrEnum

import structlog

from vmstead.ctx import Services
from vmstead.errors import CallError, NotAuthenticated, Problem, ValidationErrors
from vmstead.rpc import throttle
from vmstead.rpc.audit import entry_of
from vmstead.rpc.caller import Caller
from vmstead.rpc.session import Session
from vmstead.system import accounts, scram, twofactor
from vmstead.system.secrets import Verifier

log = structlog.get_logger()

#: Wrong codes after which another one may be tried, and seconds in which the second step must follow the first.
_MORE_CODES, _PATIENCE = 3, 300.0
#: What unknown keys are answered with is made of it, so that it is the same for one key every time.
_DECOY = secrets.token_bytes(32)


class Answer(StrEnum):
    """Why a login did not succeed, in the words of ``auth.login_ex``."""

    AUTH_ERR = "AUTH_ERR"
    EXPIRED = "EXPIRED"
    DENIED = "DENIED"
    OTP_REQUIRED = "OTP_REQUIRED"


@dataclass
class _PendingCode:
    """A password was right, and a code is to follow."""

    caller: Caller
    until: float
    more: int = _MORE_CODES


@dataclass
class _PendingProof:
    """A client has begun to prove that it has a key."""

    exchange: scram.Exchange
    until: float


async def with_password(
    services: Services, session: Session, username: str, password: str
) -> Caller | Answer:
    """A user name and password. ``OTP_REQUIRED`` asks for ``with_code`` on the same connection.

    Raises:
        CallError: EBUSY, when there were too many attempts.
    """
    session.pending_login = None
    _begin(services, session, username, throttle.PASSWORD)
    caller = await accounts.by_password(services, username, password)
    if caller is None:
        return _refused(services, session, username, "Bad username or password")
    account = services.accounts.by_name(username)
    if account is not None and twofactor.is_asked(services, account):
        session.pending_login = _PendingCode(caller, services.clock.monotonic() + _PATIENCE)
        return Answer.OTP_REQUIRED
    services.throttle.succeeded(username, session.origin)
    return _let_in(services, session, caller)


def waits_for_code(services: Services, session: Session) -> str | None:
    """Whose code the connection waits for; None where it waits for none."""
    pending = session.pending_login
    if not isinstance(pending, _PendingCode) or pending.until <= services.clock.monotonic():
        return None
    return pending.caller.username


def give_up(services: Services, session: Session) -> None:
    """No code is going to follow."""
    username = waits_for_code(services, session)
    session.pending_login = None
    if username is not None:
        _refused(services, session, username, "No two-factor code")


async def with_code(services: Services, session: Session, code: str) -> Caller | Answer:
    """The code that a password is not enough without.

    Raises:
        CallError: EINVAL, when none was asked for; EBUSY, when there were too many attempts.
    """
    pending = session.pending_login
    if not isinstance(pending, _PendingCode) or pending.until <= services.clock.monotonic():
        session.pending_login = None
        raise CallError("OTP_TOKEN: no authentication in progress", 22)
    username = pending.caller.username
    _begin(services, session, username, throttle.CODE)
    caller = accounts.renewed(services, pending.caller)
    account = services.accounts.by_name(username)
    if caller is None or account is None or not await twofactor.accepts(services, account, code):
        pending.more -= 1
        if pending.more < 0 or caller is None:
            session.pending_login = None
            return _refused(services, session, username, "Wrong two-factor code")
        _refused(services, session, username, "Wrong two-factor code")
        return Answer.OTP_REQUIRED
    session.pending_login = None
    services.throttle.succeeded(username, session.origin)
    services.throttle.succeeded(username, session.origin, throttle.CODE)
    if caller.credential == "LOGIN_PASSWORD":
        caller = dataclasses.replace(caller, credential="LOGIN_TWOFACTOR")
    return _let_in(services, session, caller)


async def with_api_key(
    services: Services, session: Session, key: str, username: str | None = None
) -> Caller | Answer:
    """An API key. Raises CallError with EACCES when it came over a connection that others can read."""
    session.pending_login = None
    try:
        caller = await accounts.by_api_key(services, key, session.origin, username)
    except accounts.Expired:
        return _refused(services, session, username or "", "Expired API key", Answer.EXPIRED)
    except CallError as error:
        _refused(services, session, username or "", str(error.args[0]))
        raise
    if caller is None:
        return _refused(services, session, username or "", "Bad API key")
    return _let_in(services, session, caller)


def with_token(services: Services, session: Session, text: str) -> Caller | Answer:
    """A token of another session."""
    session.pending_login = None
    token = services.tokens.use(text, session.origin)
    if token is None or token.attributes:
        return _refused(services, session, "", "Bad token")
    return _let_in(services, session, accounts.by_token(token, text))


def begin_proof(services: Services, session: Session, message: str) -> str:
    """The first message of a client that proves to have an API key; answers with the server's.

    Keys that are not there are answered like others; that shows only when the proof is wrong.

    Raises:
        ValidationErrors: the message cannot be read.
    """
    session.pending_login = None
    try:
        first = scram.read_first(message)
    except scram.Malformed as error:
        raise _malformed(error) from None
    key = None if first.key is None else services.accounts.key(first.key)
    if key is not None and key.username == first.username:
        verifier = Verifier.of(key.verifier)
    else:
        verifier = Verifier.decoy(_DECOY + f"{first.username}:{first.key}".encode())
    exchange = scram.Exchange(first, verifier)
    session.pending_login = _PendingProof(exchange, services.clock.monotonic() + _PATIENCE)
    return exchange.answer


async def finish_proof(services: Services, session: Session, message: str) -> tuple[str, Caller] | Answer:
    """The second message of such a client; answers with the server's, which proves that it knows the key too.

    Raises:
        CallError: EINVAL, when there was no first one.
        ValidationErrors: the message cannot be read.
    """
    pending, session.pending_login = session.pending_login, None
    if not isinstance(pending, _PendingProof) or pending.until <= services.clock.monotonic():
        raise CallError("SCRAM: no authentication in progress; send CLIENT_FIRST_MESSAGE first", 22)
    first = pending.exchange.first
    binding = await services.certificate_digest() if session.origin.is_tls else None
    try:
        answer = pending.exchange.finish(message, binding)
    except scram.Malformed as error:
        raise _malformed(error) from None
    key = None if answer is None or first.key is None else services.accounts.key(first.key)
    account = None if key is None else services.accounts.by_id(key.account)
    if answer is None or key is None or account is None or account.locked:
        return _refused(services, session, first.username, "Bad API key")
    try:
        caller = accounts.key_holder(services, account, key)
    except accounts.Expired:
        return _refused(services, session, first.username, "Expired API key", Answer.EXPIRED)
    let_in = _let_in(services, session, caller)
    return let_in if isinstance(let_in, Answer) else (answer, let_in)


async def for_request(services: Services, session: Session, scheme: str, value: str) -> Caller | None:
    """Who sends a single HTTP request, by its ``Authorization`` header taken apart.

    Raises:
        NotAuthenticated: a password alone does not do for this account.
        CallError: EBUSY, EACCES, as above.
    """
    if scheme == "basic":
        name, _, password = value.partition(":")
        answer = await with_password(services, session, name, password)
        if answer is Answer.OTP_REQUIRED:
            session.pending_login = None
            raise NotAuthenticated
    else:
        answer = await with_api_key(services, session, value)
    return None if isinstance(answer, Answer) else answer


def _begin(services: Services, session: Session, username: str, kind: throttle.Trickle) -> None:
    try:
        services.throttle.begin(username, session.origin, kind)
    except CallError as error:
        _refused(services, session, username, str(error.args[0]))
        raise


def _let_in(services: Services, session: Session, caller: Caller) -> Caller | Answer:
    if caller.roles:
        return caller
    return _refused(services, session, caller.username, "The account has no roles", Answer.DENIED)


def _refused(
    services: Services, session: Session, username: str, reason: str, answer: Answer = Answer.AUTH_ERR
) -> Answer:
    """Record a login that did not succeed, and log it: programs that watch logs shut such peers out."""
    log.warning("login refused", user=username, origin=str(session.origin), reason=reason)
    data = {"credentials": {"credentials": None, "credentials_data": {"username": username}}}
    entry = entry_of(session.origin, None, session.id, "AUTHENTICATION", data, username)
    services.trail.note(entry, reason, counted_as="failed logins")
    return answer


def _malformed(error: scram.Malformed) -> ValidationErrors:
    return ValidationErrors([Problem("login_data.SCRAM.rfc_str", str(error))])
