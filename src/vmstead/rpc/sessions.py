"""Who is logged in where, and for how long.

A login ends when its client logs out or goes, when somebody ends it, when its time is up, and when what it rests on
is gone: the account, its right to log in, the password or key it was made with, the token it was handed on with.
That is looked at with every message, before every event and every few seconds, so a change made by another
process counts too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from vmstead.kernel.bus import Bus, Event
from vmstead.kernel.clock import Clock
from vmstead.rpc.audit import EventKind, Trail, entry_of
from vmstead.rpc.caller import Caller
from vmstead.rpc.session import Session
from vmstead.rpc.tokens import Tokens

#: The subscription that tells of logins and of their ends.
COLLECTION = "auth.sessions"
#: Seconds after which logins are looked at, whether anything comes from them or not.
_LOOK = 10.0
#: Why a login is over that somebody has ended rather than time.
_REVOKED = "its account, password or key has changed"


@dataclass
class _Login:
    """One session that somebody is logged in on."""

    session: Session
    caller: Caller
    since: float
    seen: float
    version: object
    #: What it can go on with after an interruption; it keeps for as long as something comes from here.
    way_back: str | None = None


class Sessions:
    """All sessions that somebody is logged in on.

    Args:
        renewed: who a caller is by now, with the roles that the account has now; None where its login is over.
        version: differs from an earlier one when an account may have changed in between.
        idle: seconds without a message after which a login is over; None: never.
    """

    def __init__(
        self,
        clock: Clock,
        bus: Bus,
        tokens: Tokens,
        trail: Trail,
        renewed: Callable[[Caller], Caller | None],
        version: Callable[[], object],
        idle: float | None,
    ) -> None:
        self._clock = clock
        self._bus = bus
        self._tokens = tokens
        self._trail = trail
        self._renewed = renewed
        self._version = version
        self._idle = idle
        self._logins: dict[str, _Login] = {}
        self._attached: dict[object, tuple[Caller, Callable[[str], None]]] = {}
        self._is_watching = False

    def login(self, session: Session, caller: Caller) -> None:
        """Somebody has logged in on a session, in place of whoever was."""
        before = self._logins.pop(session.id, None)
        if before is not None:
            self._ended(before, "another login on the same connection", keeps=caller.tokens)
        login = _Login(session, caller, self._clock.now(), self._clock.monotonic(), self._version())
        self._logins[session.id] = login
        self._watch(caller)
        if not caller.is_internal:
            self._bus.publish(Event(COLLECTION, "added", fields=self._row(login, None)))
            self._note(login, "AUTHENTICATION", {"error": None})

    def logout(self, session: Session, reason: str = "") -> None:
        """Nobody is logged in on a session any more; tokens that were asked for in it are gone."""
        login = self._logins.pop(session.id, None)
        self._tokens.end_session(session.id)
        if login is not None:
            self._ended(login, reason)

    def caller_of(self, session: Session) -> Caller | None:
        """Who is logged in there."""
        login = self._logins.get(session.id)
        return None if login is None else login.caller

    def attend(self, session: Session) -> None:
        """A message has come: see whether its sender is still logged in, and remember that it is there."""
        if self.is_good(session):
            login = self._logins[session.id]
            login.seen = self._clock.monotonic()
            for token in login.caller.tokens:
                self._tokens.refresh(token)
            if login.way_back is not None:
                self._tokens.refresh(login.way_back)

    def is_good(self, session: Session) -> bool:
        """Whether somebody is logged in there, after a look at what the login rests on."""
        login = self._logins.get(session.id)
        if login is None:
            return False
        reason = self._over(login)
        if reason is not None:
            session.logout(reason)
        return reason is None

    def rows(self, current: Session) -> list[dict[str, object]]:
        """All of them as ``auth.sessions`` shows them, the oldest first."""
        for login in [*self._logins.values()]:
            self.is_good(login.session)
        return [self._row(login, current) for login in self._logins.values()]

    def adopt(self, session: Session, caller: Caller) -> None:
        """The same login goes on, resting on something else; so does its way back."""
        login = self._logins.get(session.id)
        if login is not None:
            login.caller = caller
            if login.way_back is not None:
                self._tokens.adopt(login.way_back, caller)

    def give_way_back(self, session: Session, caller: Caller) -> str | None:
        """A token that goes on with a session's login, once, after the connection was interrupted.

        Its time begins with the last message from here: it is the interruption that it limits. None for a client
        that has gone already.
        """
        login = self._logins.get(session.id)
        if login is None:
            return None
        # It belongs to the login rather than to the connection, whose end is what it is for.
        text = self._tokens.issue(
            caller, f"login {caller.logins[-1]}", origin=session.origin, single_use=True, continues=True
        )
        login.way_back = text
        return text

    def log_out(self, session: Session) -> None:
        """End a login for good, with all that was handed on from it. Its connection stays."""
        login = self._logins.get(session.id)
        session.logout()
        if login is not None:
            self._end_handed_on(login.caller, "the login that this one came from was ended")

    def end(self, id: str, reason: str) -> bool:
        """End a session, and those that were handed on from it. False when there is no such session."""
        login = self._logins.get(id)
        if login is None:
            return False
        login.session.end(reason)
        self._end_handed_on(login.caller, reason)
        return True

    def _end_handed_on(self, caller: Caller, reason: str) -> None:
        if caller.logins:
            own = caller.logins[-1]
            self._tokens.end_login(own)
            for id in self.ids(lambda other: own in other.logins):
                self._logins[id].session.end(reason)
            for key, (other, leave) in [*self._attached.items()]:
                if own in other.logins:
                    del self._attached[key]
                    leave(reason)

    def attach(self, caller: Caller, leave: Callable[[str], None]) -> Callable[[], None]:
        """Something that is no session goes on for as long as a login does, such as a console.

        ``leave`` is called with a reason when the login has ended, unless the returned function is called before.
        """
        key = object()
        self._attached[key] = (caller, leave)
        self._watch(caller)

        def forget() -> None:
            self._attached.pop(key, None)

        return forget

    def refresh(self) -> None:
        """An account has changed: end at once what rests on nothing now."""
        for login in [*self._logins.values()]:
            reason = self._over(login)
            if reason is _REVOKED:
                login.session.end(f"the login is over: {reason}")
            elif reason is not None:
                login.session.logout(reason)
        for key, (caller, leave) in [*self._attached.items()]:
            if self._renewed(caller) is None:
                del self._attached[key]
                leave(f"the login is over: {_REVOKED}")

    def ids(self, wanted: Callable[[Caller], bool]) -> list[str]:
        """The sessions whose callers are wanted."""
        return [id for id, login in self._logins.items() if wanted(login.caller)]

    def _watch(self, caller: Caller) -> None:
        """Look again and again, as long as there is somebody whose login can end by itself."""
        if caller.grounds is not None and not self._is_watching:
            self._is_watching = True
            self._clock.call_later(_LOOK, self._look)

    def _look(self) -> None:
        self._is_watching = False
        self.refresh()
        for login in self._logins.values():
            self._watch(login.caller)
        for caller, _ in self._attached.values():
            self._watch(caller)

    def _over(self, login: _Login) -> str | None:
        """Why a login is over; None where it is not."""
        caller = login.caller
        version = self._version()
        if version != login.version:
            renewed = self._renewed(caller)
            if renewed is None:
                return _REVOKED
            login.caller = caller = renewed
            login.version = version
        if caller.grounds is not None:
            expires_at = caller.grounds.expires_at
            if expires_at is not None and expires_at <= self._clock.now():
                return "its time is up"
            if self._idle is not None and self._clock.monotonic() - login.seen >= self._idle:
                return "it was not used"
        if caller.tokens and not self._tokens.is_good(caller.tokens[-1]):
            return "its token is no longer valid"
        return None

    def _ended(self, login: _Login, reason: str, *, keeps: tuple[str, ...] = ()) -> None:
        for token in login.caller.tokens[-1:]:
            if token not in keeps:
                self._tokens.end(token)
        if not login.caller.is_internal:
            gone = {"fields": {"id": login.session.id}}
            self._bus.publish(Event(COLLECTION, "removed", extra=gone))
            self._note(login, "LOGOUT", {"reason": reason} if reason else {})

    def _note(self, login: _Login, event: EventKind, more: Mapping[str, object]) -> None:
        session, caller = login.session, login.caller
        credentials = {"credentials": caller.credential, "credentials_data": dict(caller.details)}
        data = {"credentials": credentials, **more}
        self._trail.note(entry_of(session.origin, caller, session.id, event, data), None)

    def _row(self, login: _Login, current: Session | None) -> dict[str, object]:
        session, caller = login.session, login.caller
        return {
            "id": session.id,
            "current": current is not None and current.id == session.id,
            "internal": caller.is_internal,
            "origin": str(session.origin),
            "credentials": caller.credential,
            "credentials_data": dict(caller.details),
            "created_at": {"$date": int(login.since) * 1000},
            "secure_transport": session.origin.is_secure,
        }
