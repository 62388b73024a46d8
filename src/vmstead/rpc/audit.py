"""What is recorded of calls: who, from where, what, with which result. Reads are not recorded.

An entry is stored before a change begins and completed when it has ended, so that no end of the server, however
sudden, leaves a change without its entry.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from vmstead import calls
from vmstead.errors import ApiError, shortage
from vmstead.kernel.model import PLACEHOLDER, masked, masked_input
from vmstead.rpc import protocol
from vmstead.rpc.caller import Caller, Origin
from vmstead.rpc.registry import Method
from vmstead.rpc.session import Session

#: Characters of a text, and bytes of all parameters, beyond which an entry leaves out the rest.
_TEXT, _PARAMETERS = 1024, 16 * 1024

#: The parameter that is the content of a file.
_CONTENT = "content"

EventKind = Literal["METHOD_CALL", "AUTHENTICATION", "LOGOUT"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, without its result. ``event_data`` and ``service_data`` are JSON objects without secrets."""

    address: str
    username: str
    session: str | None
    event: EventKind
    event_data: Mapping[str, object]
    service_data: Mapping[str, object]


class Trail(Protocol):
    """Where entries go."""

    async def begin(self, entry: Entry) -> int:
        """Store an entry without a result; it survives the end of the server from now on.

        Returns its number for ``end``. Never fails: what cannot be stored is logged instead, so that a full disk
        can still be tidied up.
        """

    def end(self, number: int, error: str | None) -> None:
        """Complete an entry: with an error, or without."""

    def note(self, entry: Entry, error: str | None, *, counted_as: str | None = None) -> None:
        """Store an entry about something that is over. Of those ``counted_as`` the same only so many are kept a
        minute; the next one that is says how many were not.
        """


class Recording(Protocol):
    """What a call runs in, as far as recording it goes."""

    @property
    def session(self) -> Session:
        """The connection that the call came on."""

    @property
    def trail(self) -> Trail:
        """Where entries go."""


@asynccontextmanager
async def recorded(ctx: Recording, method: Method, params: Sequence[object]) -> AsyncIterator[None]:
    """Record the call that is carried out during the block, with its result."""
    number = await ctx.trail.begin(call_entry(ctx.session, method, params))
    try:
        yield
    except ApiError as error:
        ctx.trail.end(number, error.reason.strip())
        raise
    except BaseException as error:
        # What else is raised was not written for others to read.
        is_aborted = isinstance(error, asyncio.CancelledError)
        known = shortage(method.name, error)
        text = known.reason if known else f"failed unexpectedly; {calls.where_to_look()}"
        ctx.trail.end(number, "aborted" if is_aborted else text)
        raise
    ctx.trail.end(number, None)


def refused(ctx: Recording, method: Method, params: Sequence[object]) -> None:
    """Record a call that the caller's roles do not allow."""
    entry = call_entry(ctx.session, method, params, is_authorized=False)
    ctx.trail.note(entry, "Not authorized", counted_as=f"refused {entry.username}")


def note_opened(trail: Trail, origin: Origin, caller: Caller, path: str, description: str) -> None:
    """Record that somebody has opened a console or a display, which are no calls."""
    data = {
        "method": path,
        "params": [],
        "description": description,
        "authenticated": True,
        "authorized": True,
    }
    trail.note(entry_of(origin, caller, None, "METHOD_CALL", data), None)


def call_entry(
    session: Session, method: Method, params: Sequence[object], *, is_authorized: bool = True
) -> Entry:
    """The entry about a call."""
    named = masked_parameters(method, params)
    return entry_of(
        session.origin,
        session.caller,
        session.id,
        "METHOD_CALL",
        {
            "method": method.name,
            "params": _bounded([*named.values()]),
            "description": method.described(named),
            "authenticated": True,
            "authorized": is_authorized,
        },
    )


def masked_parameters(method: Method, params: Sequence[object]) -> dict[str, object]:
    """Parameters as they came, by name, with secrets masked. Those that are too many have numbers for names."""
    names = [*method.parameters, *map(str, range(len(method.parameters), len(params)))]
    named = {name: protocol.wire(value) for name, value in zip(names, params, strict=False)}
    if isinstance(named.get(_CONTENT), str):
        # Of a file: nobody knows what is in it.
        named[_CONTENT] = PLACEHOLDER
    # The names of parameters are ours, and hold more than secrets: ``api_key_create`` says whose key it is.
    return masked({name: masked_input(value) for name, value in named.items()})


def entry_of(
    origin: Origin,
    caller: Caller | None,
    session: str | None,
    event: EventKind,
    event_data: Mapping[str, object],
    username: str = "",
) -> Entry:
    """An entry about somebody: ``caller``, or, where nobody has logged in, the ``username`` that was given.

    The id of the call is in it, by which the log tells of it too.
    """
    call = calls.current_id()
    return Entry(
        address="127.0.0.1" if origin.is_unix else origin.address,
        username=caller.username if caller else str(_shortened(username)),
        session=session,
        event=event,
        event_data=event_data if call is None else {**event_data, "call_id": call},
        service_data={
            "vers": {"major": 0, "minor": 1},
            "origin": str(origin),
            "protocol": "WEBSOCKET",
            "credentials": None
            if caller is None
            else {"credentials": caller.credential, "credentials_data": dict(caller.details)},
        },
    )


def _bounded(params: list[object]) -> list[object]:
    short = [_shortened(param) for param in params]
    size = len(msgspec.json.encode(short, enc_hook=str))
    return short if size <= _PARAMETERS else [f"{size} bytes, left out"]


def _shortened(value: object) -> object:
    if isinstance(value, str):
        return value if len(value) <= _TEXT else f"{value[:_TEXT]}… ({len(value)} characters)"
    if isinstance(value, list):
        return [_shortened(item) for item in value]
    if isinstance(value, dict):
        return {key: _shortened(item) for key, item in value.items()}
    return value
