"""What SQL leaves of the audit trail is what the query itself would have left."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vmstead.kernel.clock import ManualClock
from vmstead.query import parse
from vmstead.rpc.audit import Entry
from vmstead.store.audit import AuditStore, Chosen
from vmstead.store.journal import open_journal
from vmstead.system.audit_filters import chosen

START = 1_760_000_000
NAMES = ["alice", "bob", ""]
ADDRESSES = ["192.0.2.1", "2001:db8::1"]
EVENTS = ["METHOD_CALL", "AUTHENTICATION", "LOGOUT"]


@contextmanager
def trail(folder: Path) -> Iterator[tuple[AuditStore, ManualClock]]:
    clock = ManualClock(START)
    with closing(open_journal(folder / "audit.db", "audit_migrations")) as journal:
        yield AuditStore(journal, clock, 10_000, lambda: 10.0**9), clock


async def fill(store: AuditStore, clock: ManualClock) -> None:
    """Forty entries, several in some seconds, with every combination of what can be asked for."""
    for number in range(40):
        event: Any = EVENTS[number % 3]
        session = None if number % 4 == 0 else f"s{number % 3}"
        name, address = NAMES[number % len(NAMES)], ADDRESSES[number % 2]
        data = {"method": f"vm.{number % 5}", "params": []}
        entry = Entry(address, name, session, event, data, {})
        if number % 7 == 0:
            await store.begin(entry)
        else:
            store.note(entry, "wrong" if number % 5 == 0 else None)
        clock.advance(number % 3 / 2)
    await store.flush()


TIMES = st.one_of(
    st.integers(START - 2, START + 25),
    st.floats(START - 2, START + 25).map(lambda value: round(value, 1)),
)
ORDERED = st.sampled_from(["=", "!=", ">", ">=", "<", "<="])
CONDITIONS = st.one_of(
    st.tuples(st.just("message_timestamp"), ORDERED, TIMES),
    st.tuples(
        st.just("timestamp.$date"),
        ORDERED,
        st.integers(0, 20).map(lambda second: f"2025-10-09T08:53:{second + 20:02}Z"),
    ),
    st.tuples(st.just("username"), st.sampled_from(["=", "!="]), st.sampled_from([*NAMES, None, "carl"])),
    st.tuples(st.just("session"), st.sampled_from(["=", "!="]), st.sampled_from(["s0", "s1", None])),
    st.tuples(st.just("address"), st.just("in"), st.lists(st.sampled_from(ADDRESSES), min_size=1)),
    st.tuples(st.just("event"), st.sampled_from(["=", "!=", "^", "~"]), st.sampled_from([*EVENTS, "M"])),
    st.tuples(st.just("success"), st.sampled_from(["=", "!="]), st.booleans()),
    st.tuples(st.just("event_data.method"), st.just("="), st.sampled_from(["vm.1", "vm.2"])),
    st.tuples(st.just("service"), st.just("="), st.sampled_from(["MIDDLEWARE", "SMB"])),
)
FILTERS = st.lists(
    st.one_of(
        CONDITIONS.map(list),
        st.lists(CONDITIONS.map(list), min_size=1, max_size=2).map(lambda branches: ["OR", branches]),
    ),
    max_size=3,
)
ORDERS = [
    "message_timestamp",
    "-message_timestamp",
    "timestamp",
    "-timestamp",
    "-timestamp.$date",
    "username",
]
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        "order_by": st.lists(st.sampled_from(ORDERS), max_size=2),
        "limit": st.integers(0, 10),
        "offset": st.integers(-3, 10),
        "count": st.booleans(),
        "select": st.just(["audit_id", "username"]),
    },
)


def test_every_query_has_the_answer_that_it_has_without_sql() -> None:
    with (
        tempfile.TemporaryDirectory() as name,
        trail(Path(name)) as (store, clock),
        asyncio.Runner() as runner,
    ):
        runner.run(fill(store, clock))

        @settings(max_examples=300, deadline=None)
        @given(FILTERS, OPTIONS)
        def same(filters: list[Any], options: dict[str, Any]) -> None:
            runner.run(compare(store, filters, options))

        same()


async def compare(store: AuditStore, filters: list[Any], options: dict[str, Any]) -> None:
    query = parse(filters, options)
    what, is_exact = chosen(query, 1000)
    everything = await store.select(Chosen(), list)
    expected = query.apply(everything)
    if options.get("count") and is_exact:
        assert await store.count(what) == expected
    assert await store.select(what, query.apply) == expected


@pytest.mark.parametrize(
    ("filters", "options", "limit"),
    [
        ([], {"limit": 50, "order_by": ["-message_timestamp"]}, 50),
        ([], {"limit": 50, "offset": 100}, 150),
        ([["username", "=", "a"]], {"limit": 5}, 5),
        ([["username", "=", "a"]], {"get": True}, 1),
        ([], {}, 1000),
        ([["event_data.method", "=", "a"]], {"limit": 5}, -1),
        ([], {"order_by": ["username"], "limit": 5}, -1),
    ],
)
def test_no_more_is_read_than_is_asked_for(filters: list[Any], options: dict[str, Any], limit: int) -> None:
    what, _ = chosen(parse(filters, options), 1000)
    assert what.limit == limit


def test_values_never_become_part_of_the_sql() -> None:
    evil = "x' OR 1=1 --"
    what, _ = chosen(parse([["username", "=", evil], [evil, "=", 1], ["address", "in", [evil]]], {}), 10)
    assert evil not in what.where
    assert what.where == "WHERE username IS ? AND address IN (?)"
    assert what.values == (evil, evil)
