"""The audit trail: entries are added, completed once, and after a while forgotten, the oldest first."""

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

import msgspec
import structlog

from vmstead.kernel.clock import Clock
from vmstead.store.db import Busy, Connection, DatabaseError
from vmstead.store.journal import Journal

log = structlog.get_logger()
T = TypeVar("T")

#: Entries of one kind that a client can cause without being let in, that are kept: at once, and each second after.
_BURST, _RATE = 60, 1.0
#: Kinds that are remembered for that.
_KINDS = 10_000
#: Entries after which the oldest are looked at, and that are forgotten at a time.
_TRIM_EVERY, _TRIM_PIECE = 500, 200

_INSERT = (
    "INSERT INTO audit (audit_id, at, address, username, session, service_data, event, event_data, success, error)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
#: What is said of entries without a result.
_OPEN = "not known: it is under way, or the server ended before it was done"
_COLUMNS = "id, audit_id, at, address, username, session, service_data, event, event_data, success, error"


class AuditEntry(Protocol):
    """What an entry says, apart from its result."""

    @property
    def address(self) -> str:
        """Where it came from."""

    @property
    def username(self) -> str:
        """Who it was."""

    @property
    def session(self) -> str | None:
        """On which connection."""

    @property
    def event(self) -> str:
        """METHOD_CALL, AUTHENTICATION or LOGOUT."""

    @property
    def event_data(self) -> Mapping[str, object]:
        """What happened."""

    @property
    def service_data(self) -> Mapping[str, object]:
        """Further facts about who it was."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which entries are read, and in which order.

    Attributes:
        where: an SQL condition over the columns, with ``WHERE``, or nothing; ``values`` are its parameters.
        order: by what they come.
        limit: how many at most; -1: all.
    """

    where: str = ""
    values: tuple[object, ...] = ()
    order: str = "id"
    limit: int = -1


@dataclass
class _Allowance:
    """How many entries of one kind may still be stored, and how many were not."""

    left: float
    at: float
    suppressed: int = 0


class AuditStore:
    """The trail in a journal.

    Args:
        most: entries that are kept at most.
        keep: says for how many seconds they are kept.
    """

    def __init__(self, journal: Journal, clock: Clock, most: int, keep: Callable[[], float]) -> None:
        self._journal = journal
        self._clock = clock
        self._most = most
        self._keep = keep
        self._allowances: dict[str, _Allowance] = {}
        self._aside: set[asyncio.Task[None]] = set()
        self._since_trim = 0

    async def begin(self, entry: AuditEntry) -> int:
        """See ``rpc.audit.Trail``."""
        row = self._row(entry, None, None)
        insert = _inserting(row)
        try:
            try:
                number = self._journal.append(insert)
            except Busy:
                number = await self._journal.aside(insert)
        except DatabaseError as error:
            _lost(row, error)
            return 0
        self._trim_sometimes()
        return number

    def end(self, number: int, error: str | None) -> None:
        """See ``rpc.audit.Trail``."""
        values = (error is None, error, number)
        self._append(
            lambda connection: connection.execute(
                "UPDATE audit SET success = ?, error = ? WHERE id = ?", values
            ),
            values,
        )

    def note(self, entry: AuditEntry, error: str | None, *, counted_as: str | None = None) -> None:
        """See ``rpc.audit.Trail``."""
        suppressed = 0 if counted_as is None else self._suppressed(counted_as)
        if suppressed is None:
            return
        row = self._row(entry, error is None, error, {"suppressed": suppressed} if suppressed else {})
        self._append(_inserting(row), row)
        self._trim_sometimes()

    def note_now(self, entry: AuditEntry) -> None:
        """Store an entry about something that is done without an event loop; on the disk when this returns."""
        self._journal.aside_now(_inserting(self._row(entry, True, None)))

    async def forget_oldest(self) -> None:
        """Forget those entries whose time is over, and those that are too many. Happens by itself now and then."""
        horizon = self._clock.now() - self._keep()
        try:
            while await self._journal.aside(lambda connection: self._forget(connection, horizon)):
                pass
            await self._journal.tidy()
        except DatabaseError as error:
            log.error("the oldest entries of the audit trail could not be forgotten", reason=str(error))  # noqa: TRY400

    async def flush(self) -> None:
        """Wait until everything is stored and on the disk."""
        while self._aside:
            await asyncio.wait(self._aside)
        await self._journal.settled()

    def knows(self, username: str, address: str) -> bool:
        """Whether that user has logged in from there, as far as the trail goes back."""
        sql = (
            "SELECT 1 FROM audit WHERE username = ? AND event = 'AUTHENTICATION' AND success = 1 AND address = ?"
            " LIMIT 1"
        )
        return bool(self._journal.read(sql, (username, address)))

    async def select(self, chosen: Chosen, work: Callable[[Iterator[dict[str, Any]]], T]) -> T:
        """Hand entries to ``work``, in a thread of its own."""
        sql = f"SELECT {_COLUMNS} FROM audit {chosen.where} ORDER BY {chosen.order} LIMIT ?"  # noqa: S608

        def read(connection: Connection) -> T:
            return work(map(_entry, connection.execute(sql, (*chosen.values, chosen.limit))))

        return await self._journal.read_aside(read)

    async def count(self, chosen: Chosen) -> int:
        """How many entries the conditions leave, whatever the order and limit."""
        sql = f"SELECT count(*) FROM audit {chosen.where}"  # noqa: S608
        return await self._journal.read_aside(
            lambda connection: int(connection.execute(sql, chosen.values).fetchone()[0])
        )

    # --- writing ----------------------------------------------------------------------------------

    def _row(
        self,
        entry: AuditEntry,
        success: bool | None,
        error: str | None,
        more: Mapping[str, object] | None = None,
    ) -> tuple[object, ...]:
        return (
            str(uuid.uuid4()),
            int(self._clock.now()),
            *(entry.address, entry.username, entry.session, _json(entry.service_data), entry.event),
            _json({**entry.event_data, **(more or {})}),
            success,
            error,
        )

    def _suppressed(self, kind: str) -> int | None:
        """How many entries of a kind were left out since the last; None where this one is left out too."""
        now = self._clock.monotonic()
        found = self._allowances.pop(kind, None) or _Allowance(_BURST, now)
        self._allowances[kind] = found
        if len(self._allowances) > _KINDS:
            del self._allowances[next(iter(self._allowances))]
        found.left = min(_BURST, found.left + (now - found.at) * _RATE)
        found.at = now
        if found.left < 1:
            found.suppressed += 1
            return None
        found.left -= 1
        suppressed, found.suppressed = found.suppressed, 0
        return suppressed

    def _append(self, change: Callable[[Connection], object], row: tuple[object, ...]) -> None:
        try:
            self._journal.append(change)
        except Busy:
            # Another process is at it, or the oldest are being forgotten; this is not to wait for that.
            self._start(self._append_aside(change, row))
        except DatabaseError as error:
            _lost(row, error)

    async def _append_aside(self, change: Callable[[Connection], object], row: tuple[object, ...]) -> None:
        try:
            await self._journal.aside(change)
        except DatabaseError as error:
            _lost(row, error)

    def _trim_sometimes(self) -> None:
        self._since_trim += 1
        if self._since_trim >= _TRIM_EVERY:
            self._since_trim = 0
            self._start(self.forget_oldest())

    def _start(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.get_running_loop().create_task(work, name="audit trail")
        self._aside.add(task)
        task.add_done_callback(self._aside.discard)

    def _forget(self, connection: Connection, horizon: float) -> bool:
        sql = """SELECT max(coalesce((SELECT max(id) FROM audit WHERE at < ?), 0),
            (SELECT coalesce(max(id), 0) FROM audit) - ?), (SELECT min(id) FROM audit)"""
        last, first = connection.execute(sql, (horizon, self._most)).fetchone()
        if first is None or last < first:
            return False
        last = min(last, first + _TRIM_PIECE - 1)
        return connection.execute("DELETE FROM audit WHERE id <= ?", (last,)).rowcount > 0


def _inserting(row: tuple[object, ...]) -> Callable[[Connection], int]:
    def insert(connection: Connection) -> int:
        number = connection.execute(_INSERT, row).lastrowid
        assert number is not None
        return number

    return insert


def _lost(row: tuple[object, ...], error: DatabaseError) -> None:
    # The log is the last place where it can be told.
    log.error("an entry of the audit trail could not be stored", entry=row, reason=str(error))


def _entry(row: tuple[Any, ...]) -> dict[str, Any]:
    """An entry as ``audit.query`` shows it."""
    _, audit_id, at, address, username, session, service_data, event, event_data, success, error = row
    data = {**msgspec.json.decode(event_data)}
    if event != "LOGOUT":
        data["error"] = _OPEN if success is None else error
    return {
        "audit_id": audit_id,
        "message_timestamp": at,
        "timestamp": {"$date": at * 1000},
        "address": address,
        "username": username,
        "session": session,
        "service": "MIDDLEWARE",
        "service_data": msgspec.json.decode(service_data),
        "event": event,
        "event_data": data,
        "success": bool(success),
    }


def _json(value: object) -> str:
    return msgspec.json.encode(value, enc_hook=str).decode()
