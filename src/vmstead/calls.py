"""Calls have ids, by which the log, the audit trail and the answer about a failure speak of the same one.

An id is the run of the server and a number, such as ``3f9a2c-1042``. Only the number is noted when a call begins:
most calls succeed, and nobody asks for their id.
"""

import itertools
import secrets
from contextvars import ContextVar

#: Differs from start to start, so that ids in old logs and trails stay unique.
_RUN = secrets.token_hex(3)
_numbers = itertools.count(1)
#: The number of the call that the running code serves; 0: none.
_current: ContextVar[int] = ContextVar("call", default=0)


def begin() -> None:
    """A call begins: what this task does from here on, and what it starts, belongs to it."""
    _current.set(next(_numbers))


def end() -> None:
    """The call is over, in a task that goes on."""
    _current.set(0)


def current_id() -> str | None:
    """The id of the call that is being served; None in what the server does by itself."""
    number = _current.get()
    return f"{_RUN}-{number}" if number else None


def where_to_look() -> str:
    """What somebody is told who is not to know what happened, but whom to ask and what for."""
    id = current_id()
    return "the server's log tells more" if id is None else f"the server's log tells more of call {id}"
