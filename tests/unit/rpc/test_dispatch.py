"""One call after the other, from request to answer."""

import asyncio
import dataclasses
import errno
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.harness import settle
from vmstead.errors import CallError
from vmstead.kernel.bus import Bus, Event
from vmstead.kernel.clock import ManualClock
from vmstead.kernel.counts import Counts
from vmstead.kernel.jobs import COLLECTION, Job, Jobs, Owner
from vmstead.kernel.model import PLACEHOLDER, Field, Model
from vmstead.query import Query
from vmstead.rpc.audit import Entry
from vmstead.rpc.caller import FULL_ADMIN, Caller, Origin
from vmstead.rpc.dispatch import Busy, answer, owner_of
from vmstead.rpc.protocol import decode
from vmstead.rpc.registry import Namespace, table
from vmstead.rpc.session import SessionOptions

ADMIN = Caller("root", frozenset({FULL_ADMIN}), "UNIX_SOCKET", {"username": "root"})
READER = Caller("ann", frozenset({"VM_READ"}), "API_KEY", {})

#: Rows that ``x.query`` answers from.
ROWS: list[dict[str, object]] = [{"id": 1, "mixed": 1}, {"id": 2, "mixed": "a"}]


@dataclass
class Connection:
    """A session as far as these methods deal with it."""

    caller: Caller | None = ADMIN
    id: str = "s1"
    origin: Origin = field(default_factory=Origin)
    options: SessionOptions = field(default_factory=SessionOptions)
    pending_login: object = None

    def login(self, caller: Caller) -> None:
        self.caller = caller

    def logout(self, reason: str = "") -> None:
        self.caller = None

    def end(self, reason: str) -> None:
        self.caller = None

    def subscribe(self, collection: str) -> str:
        return collection

    def unsubscribe(self, subscription: str) -> None: ...


@dataclass
class Notes:
    """A trail: what was recorded, and with which result."""

    kept: list[tuple[str, str | None]] = field(default_factory=list)
    open: dict[int, str] = field(default_factory=dict)

    async def begin(self, entry: Entry) -> int:
        number = len(self.open) + 1
        self.open[number] = str(entry.event_data["description"])
        return number

    def end(self, number: int, error: str | None) -> None:
        self.kept.append((self.open[number], error))

    def note(self, entry: Entry, error: str | None, *, counted_as: str | None = None) -> None:
        self.kept.append((str(entry.event_data["description"]), error))


@dataclass(frozen=True)
class Context:
    """What the calls run in."""

    session: Connection
    jobs: Jobs
    turns: list[str]
    may_end: asyncio.Event
    trail: Notes = field(default_factory=Notes)
    counts: Counts = field(default_factory=Counts)
    job: Job | None = None

    def in_job(self, job: Job) -> "Context":
        return dataclasses.replace(self, job=job)


class Options(Model):
    """How."""

    password: str | None = Field(None, description="Secret.")


ns = Namespace("x")


@ns.method(is_public=True)
async def echo(ctx: Context, value: object = None) -> object:
    return value


@ns.method(role="VM_WRITE", audit="Fail with {number}")
async def fail(ctx: Context, number: int) -> None:
    raise CallError("not now", number)


@ns.method(audit="Crash")
async def crash(ctx: Context) -> None:
    raise LookupError("the password is hunter2")


@ns.method(is_public=True)
async def unspeakable(ctx: Context) -> object:
    return object()


@ns.query(role="VM_READ")
async def query(ctx: Context, query: Query) -> object:
    return query.apply(ROWS)


@ns.method(job="work_{0}", audit="Work on {id}")
async def work(ctx: Context, id: int, options: Options = Options()) -> int:
    """Ends when it may."""
    assert ctx.job is not None
    ctx.job.progress(10, "working")
    if id < 0:
        raise CallError("negative", errno.ERANGE)
    await ctx.may_end.wait()
    return id * 2


METHODS = table([ns])


class Board:
    """A connection, and the answers on it."""

    def __init__(self, caller: Caller | None = ADMIN, *, legacy_jobs: bool = True) -> None:
        bus = Bus()
        self.events: list[Event] = []
        bus.subscribe(COLLECTION, self.events.append)
        options = SessionOptions(legacy_jobs=legacy_jobs)
        connection, jobs = Connection(caller, options=options), Jobs(ManualClock(), bus, owner_of)
        self.context = Context(connection, jobs, [], asyncio.Event())
        self.context.may_end.set()

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        self.context.turns.append("begin")
        yield
        self.context.turns.append("end")

    async def answer(self, method: str, *params: object, **members: object) -> Any:
        message = {"jsonrpc": "2.0", "method": method, "params": params, "id": "i", **members}
        frame = await answer(self.context, METHODS, decode(json.dumps(message)), self.turn())
        assert frame is not None
        reply = json.loads(frame)
        assert reply["id"] == message["id"]
        assert reply["jsonrpc"] == "2.0"
        return reply.get("error", reply.get("result"))

    def job(self, number: int) -> dict[str, object]:
        return self.context.jobs.get(number, owner_of(ADMIN)).row()


async def test_a_call_is_answered_with_its_result() -> None:
    board = Board()
    assert await board.answer("x.echo", {"a": [10**30, None]}) == {"a": [10**30, None]}
    assert await board.answer("x.echo", id=10**30) is None
    assert board.context.turns == ["begin", "end"] * 2


async def test_a_notification_is_carried_out_and_never_answered() -> None:
    board = Board()
    for method in ("x.echo", "x.crash", "x.unspeakable", "nope"):
        call = decode(json.dumps({"jsonrpc": "2.0", "method": method}))
        assert await answer(board.context, METHODS, call, board.turn()) is None
    assert board.context.turns[:2] == ["begin", "end"]


@pytest.mark.parametrize("caller", [None, ADMIN])
async def test_a_method_that_does_not_exist_is_said_so_to_anybody(caller: Caller | None) -> None:
    assert await Board(caller).answer("x.nope") == {"code": -32601, "message": "Method does not exist"}


@pytest.mark.parametrize(
    ("caller", "method", "number"),
    [(None, "x.fail", 207), (None, "x.work", 207), (READER, "x.fail", 13), (None, "x.query", 207)],
)
async def test_who_may_not_call_hears_so_before_anything_else(
    caller: Caller | None, method: str, number: int
) -> None:
    board = Board(caller)
    error = await board.answer(method, "wrong", "number", "of", "parameters")
    assert (error["code"], error["data"]["error"]) == (-32001, number)
    assert board.events == []


async def test_errors_are_told_and_surprises_are_not() -> None:
    board = Board()
    error = await board.answer("x.fail", 16)
    assert (error["code"], error["data"]["reason"]) == (-32001, "[EBUSY] not now")
    error = await board.answer("x.fail", "16")
    assert (error["code"], error["data"]["extra"]) == (
        -32602,
        [["number", "Input should be a valid integer", 22]],
    )
    for method in ("x.crash", "x.unspeakable"):
        error = await board.answer(method)
        assert (error["code"], error["data"]["error"]) == (-32001, 14)
        assert error["data"]["reason"] == (
            f"[EFAULT] {method} failed unexpectedly; the server's log tells more"
        )


async def test_query_errors_have_the_texts_that_clients_know() -> None:
    board = Board()
    error = await board.answer("x.query", [["id", "=", 9]], {"get": True})
    assert (error["code"], error["data"]["error"], error["data"]["reason"], error["data"]["extra"]) == (
        -32001,
        22,
        "MatchNotFound()",
        None,
    )
    error = await board.answer("x.query", [["mixed", ">", 0]])
    assert (error["code"], error["data"]["error"]) == (-32001, 22)
    assert not error["data"]["reason"].startswith("[")
    error = await board.answer("x.query", [["id", "?", 0]])
    assert (error["code"], error["data"]["extra"][0][0]) == (-32602, "filters")


async def test_who_asks_for_too_much_at_a_time_is_refused() -> None:
    board = Board()

    @asynccontextmanager
    async def full(places: int) -> AsyncIterator[None]:
        if places == 0:
            raise Busy("too many")
        yield

    call = decode('{"jsonrpc": "2.0", "id": 1, "method": "x.echo"}')
    frame = await answer(board.context, METHODS, call, full(0))
    assert frame is not None
    assert json.loads(frame) == {
        "jsonrpc": "2.0",
        "error": {"code": -32000, "message": "too many"},
        "id": 1,
    }


# --- jobs -----------------------------------------------------------------------------------------


async def test_old_clients_get_a_jobs_number_at_once() -> None:
    board = Board()
    assert await board.answer("x.work", 21) == 1
    assert board.job(1)["state"] == "RUNNING"
    await board.context.jobs.close()


async def test_new_clients_get_its_result_and_hear_of_it_first() -> None:
    board = Board(legacy_jobs=False)
    assert await board.answer("x.work", 21, id="call-7") == 42
    assert board.events[0].change == "added"
    assert board.events[0].fields is not None
    assert board.events[0].fields["message_ids"] == ["call-7"]
    assert board.job(1)["result"] == 42
    assert board.job(1)["credentials"] == {"type": "UNIX_SOCKET", "data": {"username": "root"}}


async def test_new_clients_get_a_jobs_error_as_it_is() -> None:
    board = Board(legacy_jobs=False)
    error = await board.answer("x.work", -1)
    assert (error["code"], error["data"]["reason"]) == (-32001, "[ERANGE] negative")
    error = await board.answer("x.work", "1")
    assert (error["code"], error["data"]["extra"]) == (
        -32602,
        [["id", "Input should be a valid integer", 22]],
    )


async def test_bad_parameters_make_a_job_that_fails() -> None:
    board = Board()
    assert await board.answer("x.work", "1") == 1
    await settle()
    assert board.job(1)["state"] == "FAILED"
    assert await board.answer("x.work", 1, {}, 3) == 2
    await settle()
    assert board.job(2)["error"] == "[EINVAL] : Too many arguments (expected 2, found 3)\n"


async def test_a_job_without_what_its_lock_is_made_of_is_no_job() -> None:
    board = Board()
    error = await board.answer("x.work")
    assert error["data"]["reason"] == "[EINVAL] Error handling job lock. 'id' is required"
    assert board.events == []


async def test_an_aborted_job_results_in_null() -> None:
    board = Board(legacy_jobs=False)
    board.context.may_end.clear()
    waiting = asyncio.ensure_future(board.answer("x.work", 1))
    await settle()
    jobs = board.context.jobs
    jobs.abort(jobs.get(1, owner_of(ADMIN)))
    assert await waiting is None


async def test_waiting_for_a_job_does_not_hold_a_turn() -> None:
    board = Board(legacy_jobs=False)
    board.context.may_end.clear()
    waiting = asyncio.ensure_future(board.answer("x.work", 1))
    await settle()
    assert board.context.turns == ["begin", "end"]
    assert not waiting.done()
    board.context.may_end.set()
    assert await waiting == 2


async def test_the_same_lock_queues_jobs() -> None:
    board = Board()
    for params in ([1], [1], [2]):
        await board.answer("x.work", *params)
    assert [board.job(number)["state"] for number in (1, 2, 3)] == ["RUNNING", "WAITING", "RUNNING"]
    await board.context.jobs.close()


async def test_a_jobs_arguments_are_shown_as_they_were_sent_and_without_secrets() -> None:
    board = Board()
    params: list[dict[str, object]] = [
        {"$ipv4_interface": "10.0.0.1/24"},
        {"password": "hunter2", "at": {"$date": 5000}, "set": {"$set": ["a"]}},
    ]
    await board.answer("x.work", *params)
    await settle()
    shown = [params[0], {**params[1], "password": PLACEHOLDER}]
    assert board.job(1)["arguments"] == shown
    for event in board.events:
        assert json.loads(event.frame)["params"]["fields"]["arguments"] == shown


@pytest.mark.parametrize(
    ("caller", "owner"),
    [
        (ADMIN, Owner("root", ADMIN.credentials, is_admin=True)),
        (READER, Owner("ann", READER.credentials, is_admin=False)),
        (None, Owner(None, None, is_admin=False)),
        ("somebody", Owner(None, None, is_admin=False)),
    ],
)
def test_an_owner_is_a_caller_as_jobs_know_it(caller: object, owner: Owner) -> None:
    assert owner_of(caller) == owner
