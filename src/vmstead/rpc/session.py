"""One client's connection, as far as methods deal with it."""

import uuid
from dataclasses import dataclass, field
from typing import Protocol

from vmstead.rpc.caller import FULL_ADMIN, Caller, Origin


@dataclass
class SessionOptions:
    """What ``core.set_options`` sets.

    Attributes:
        legacy_jobs: a call to a job method is answered at once with the job's number. Without, the answer
            comes when the job has ended and carries its result.
        private_methods: accepted for compatibility; there are no private methods.
        py_exceptions: accepted for compatibility; exceptions are never pickled.
    """

    legacy_jobs: bool = True
    private_methods: bool = False
    py_exceptions: bool = False


class Session(Protocol):
    """A connection. Its caller changes with logins; everything else lasts as long as it does."""

    @property
    def id(self) -> str:
        """A uuid that names the session in lists."""

    @property
    def origin(self) -> Origin:
        """The other end."""

    @property
    def options(self) -> SessionOptions:
        """What the client has set; changed in place."""

    @property
    def caller(self) -> Caller | None:
        """Who is logged in."""

    #: What a login that takes several calls has come to; None where none is under way.
    pending_login: object

    def login(self, caller: Caller) -> None:
        """From now on calls are made by this caller."""

    def logout(self, reason: str = "") -> None:
        """From now on nobody is logged in. The reason, where nobody has asked for it, is for the audit trail."""

    def end(self, reason: str) -> None:
        """Close the connection, saying why. Nobody is logged in from now on."""

    def subscribe(self, collection: str) -> str:
        """Send a collection's events to the client; returns the subscription's id."""

    def unsubscribe(self, subscription: str) -> None:
        """Stop that. Unknown ids are ignored."""


_SERVER = Caller("root", frozenset({FULL_ADMIN}), "INTERNAL", {}, is_internal=True)


@dataclass
class InternalSession:
    """No connection: for what the server does by itself, and with another caller for a single HTTP request."""

    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    origin: Origin = field(default_factory=Origin)
    options: SessionOptions = field(default_factory=SessionOptions)
    caller: Caller | None = _SERVER
    pending_login: object = None

    def login(self, caller: Caller) -> None:
        self.caller = caller

    def logout(self, reason: str = "") -> None:
        self.caller = None

    def end(self, reason: str) -> None:
        self.caller = None

    def subscribe(self, collection: str) -> str:
        raise RuntimeError(f"nobody would read the events of {collection}")

    def unsubscribe(self, subscription: str) -> None:
        """Nothing was subscribed to."""
