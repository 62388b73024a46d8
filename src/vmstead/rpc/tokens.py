"""Tokens: short-lived keys that a session hands to another connection of the same client."""

import secrets
from collections.abc import Mapping
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
    """

    caller: Caller
    session: str
    origin: Origin | None
    ttl: float
    attributes: Mapping[str, object]
    single_use: bool
    used_at: float


class Tokens:
    """All tokens that are valid. In memory only: a restart of the server ends them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
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
    ) -> str:
        """Make a token and return its text."""
        self._forget_expired(session)
        text = secrets.token_urlsafe(48)
        self._tokens[text] = Token(
            caller, session, origin, ttl, dict(attributes or {}), single_use, self._clock.monotonic()
        )
        return text

    def use(self, text: str, origin: Origin) -> Token | None:
        """The token, if it is valid from there. A single-use token is gone afterwards in either case."""
        token = self._tokens.get(text)
        if token is None:
            return None
        if token.single_use or self._is_expired(token):
            del self._tokens[text]
        if self._is_expired(token) or (token.origin is not None and not token.origin.same_place(origin)):
            return None
        token.used_at = self._clock.monotonic()
        return token

    def end_session(self, session: str) -> None:
        """Forget the tokens that were asked for in a session."""
        for text in [text for text, token in self._tokens.items() if token.session == session]:
            del self._tokens[text]

    def _is_expired(self, token: Token) -> bool:
        return self._clock.monotonic() - token.used_at >= token.ttl

    def _forget_expired(self, session: str) -> None:
        for text in [text for text, token in self._tokens.items() if self._is_expired(token)]:
            del self._tokens[text]
        mine = [text for text, token in self._tokens.items() if token.session == session]
        for text in mine[: max(0, len(mine) - _PER_SESSION + 1)]:
            del self._tokens[text]
