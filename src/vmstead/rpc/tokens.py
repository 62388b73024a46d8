"""Tokens: short-lived keys that a session hands to another connection of the same client."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vmstead.kernel.clock import Clock
from vmstead.rpc.caller import Caller, Origin

#: Seconds a token lives unused where the client does not say.
DEFAULT_TTL = 600
#: Unused tokens of one session beyond so many are forgotten, oldest first.
_PER_SESSION = 1000


@dataclass
class Token:
    """A token that was given out.

    Attributes:
        caller: who asked for it, and who it stands for.
        session: the session it was asked for in; it dies with that.
        origin: where it must be used from; None: anywhere.
        ttl: seconds it lives unused.
        attributes: what it is for; a token with attributes cannot log in.
        single_use: it is gone after the first use.
        continues: it goes on with the login it was asked for in, on another connection, rather than making one of
            its own.
    """

    caller: Caller
    session: str
    origin: Origin | None
    ttl: float
    attributes: Mapping[str, object]
    single_use: bool
    used_at: float
    continues: bool = False


class Tokens:
    """All tokens that are valid. In memory only: a restart of the server ends them.

    ``renewed`` says who a caller is by now, None where its login is over: a token ends with the login that it
    stands for.
    """

    def __init__(self, clock: Clock, renewed: Callable[[Caller], Caller | None] | None = None) -> None:
        self._clock = clock
        self._renewed = renewed or (lambda caller: caller)
        self._tokens: dict[str, Token] = {}

    def issue(
        self,
        caller: Caller,
        session: str,
        *,
        ttl: float = DEFAULT_TTL,
        attributes: Mapping[str, object] | None = None,
        origin: Origin | None = None,
        single_use: bool = False,
        continues: bool = False,
    ) -> str:
        """Make a token and return its text."""
        self._forget_expired(session)
        text = secrets.token_urlsafe(48)
        self._tokens[text] = Token(
            *(caller, session, origin, ttl, dict(attributes or {}), single_use, self._clock.monotonic()),
            continues,
        )
        return text

    def use(self, text: str, origin: Origin) -> Token | None:
        """The token, if it is valid from there. A single-use token is gone afterwards in either case."""
        token = self._tokens.get(text)
        if token is None:
            return None
        caller = self._renewed(token.caller)
        if token.single_use or self._is_expired(token) or caller is None:
            del self._tokens[text]
        if self._is_expired(token) or caller is None:
            return None
        if token.origin is not None and not token.origin.same_place(origin):
            return None
        token.caller = caller
        token.used_at = self._clock.monotonic()
        return token

    def is_good(self, text: str) -> bool:
        """Whether it is there and its time is not up."""
        token = self._tokens.get(text)
        return token is not None and not self._is_expired(token)

    def refresh(self, text: str) -> None:
        """A session that was made with it is in use: it lives on."""
        if self.is_good(text):
            self._tokens[text].used_at = self._clock.monotonic()

    def adopt(self, text: str, caller: Caller) -> None:
        """What it stands for rests on something else now. Nothing happens where it is gone."""
        if text in self._tokens:
            self._tokens[text].caller = caller

    def end(self, text: str) -> None:
        """Forget a token."""
        self._tokens.pop(text, None)

    def end_session(self, session: str) -> None:
        """Forget the tokens that were asked for in a session."""
        for text in [text for text, token in self._tokens.items() if token.session == session]:
            del self._tokens[text]

    def end_login(self, login: str) -> None:
        """Forget the tokens that were asked for by a login, or by one that was handed on from it."""
        for text in [text for text, token in self._tokens.items() if login in token.caller.logins]:
            del self._tokens[text]

    def _is_expired(self, token: Token) -> bool:
        return self._clock.monotonic() - token.used_at >= token.ttl

    def _forget_expired(self, session: str) -> None:
        for text in [text for text, token in self._tokens.items() if self._is_expired(token)]:
            del self._tokens[text]
        mine = [text for text, token in self._tokens.items() if token.session == session]
        for text in mine[: max(0, len(mine) - _PER_SESSION + 1)]:
            del self._tokens[text]
