"""The trail in its journal: what is kept, what is left out, and what is forgotten."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from vmstead.kernel.clock import ManualClock
from vmstead.rpc.audit import Entry
from vmstead.store.audit import AuditStore, Chosen
from vmstead.store.journal import open_journal


class Bench:
    """A trail that keeps three hundred entries for a hundred seconds."""

    def __init__(self, store: AuditStore, clock: ManualClock) -> None:
        self.store = store
        self.clock = clock

    async def all(self) -> list[dict[str, Any]]:
        await self.store.flush()
        return await self.store.select(Chosen(), list)

    def note(self, error: str | None = None, **options: Any) -> None:
        self.store.note(entry(), error, **options)


def entry(username: str = "alice", event: Any = "AUTHENTICATION", address: str = "192.0.2.1") -> Entry:
    return Entry(address, username, "s1", event, {"a": 1}, {"b": 2})


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    clock = ManualClock()
    with closing(open_journal(tmp_path / "audit.db", "audit_migrations")) as journal:
        yield Bench(AuditStore(journal, clock, 300, lambda: 100.0), clock)


async def test_an_entry_is_open_until_it_is_completed(bench: Bench) -> None:
    first, second = [await bench.store.begin(entry(event="METHOD_CALL")) for _ in range(2)]
    assert [each["event_data"]["error"][:9] for each in await bench.all()] == ["not known"] * 2
    bench.store.end(second, "wrong")
    bench.store.end(first, None)
    assert [(each["success"], each["event_data"]["error"]) for each in await bench.all()] == [
        (True, None),
        (False, "wrong"),
    ]


async def test_an_entry_has_its_own_id_and_time(bench: Bench) -> None:
    bench.note()
    bench.clock.advance(5)
    bench.note("wrong")
    first, second = await bench.all()
    assert first["audit_id"] != second["audit_id"]
    assert second["message_timestamp"] - first["message_timestamp"] == 5
    assert first["event_data"] == {"a": 1, "error": None}
    assert first["service_data"] == {"b": 2}
    assert (first["success"], second["success"]) == (True, False)


async def test_of_one_kind_so_many_are_kept_a_minute(bench: Bench) -> None:
    for _ in range(75):
        bench.note("wrong", counted_as="x")
        bench.note("wrong", counted_as="y")
    assert len(await bench.all()) == 120
    bench.clock.advance(2)
    for expected in (15, None):
        bench.note("wrong", counted_as="x")
        assert (await bench.all())[-1]["event_data"].get("suppressed") == expected
    bench.note("wrong", counted_as="x")
    assert len(await bench.all()) == 122
    bench.note("wrong")
    assert len(await bench.all()) == 123


async def test_kinds_that_are_remembered_are_bounded(bench: Bench) -> None:
    for number in range(10_050):
        bench.store._suppressed(str(number))
    assert len(bench.store._allowances) == 10_000


async def test_the_oldest_are_forgotten_by_age_and_by_number(bench: Bench) -> None:
    for _ in range(50):
        bench.note()
    assert len(await bench.all()) == 50
    bench.clock.advance(101)
    for _ in range(450):
        bench.note()
    found = await bench.all()
    # At the five hundredth they are looked at: no more are kept, and none that is too old.
    assert len(found) == 300
    assert len({each["message_timestamp"] for each in found}) == 1
    bench.clock.advance(101)
    for _ in range(499):
        bench.note()
    assert len(await bench.all()) == 799
    bench.note()
    assert len(await bench.all()) == 300
    bench.clock.advance(101)
    await bench.store.forget_oldest()
    assert await bench.all() == []


async def test_a_clock_that_was_wrong_keeps_nothing_for_ever(bench: Bench) -> None:
    bench.clock.advance(10**9)
    bench.note()
    future = (await bench.all())[0]["message_timestamp"]
    later = ManualClock(future - 10**9 + 200)
    store = AuditStore(bench.store._journal, later, 100, lambda: 100.0)
    store.note(entry(), None)
    later.advance(150)
    for _ in range(501):
        store.note(entry(), None)
    await store.flush()
    assert future not in [each["message_timestamp"] for each in await bench.all()]


async def test_where_somebody_has_logged_in_before_is_known(bench: Bench) -> None:
    bench.note()
    bench.store.note(entry("bob"), "wrong")
    bench.store.note(entry("carl", event="LOGOUT"), None)
    assert bench.store.knows("alice", "192.0.2.1")
    assert not bench.store.knows("alice", "192.0.2.2")
    assert not bench.store.knows("bob", "192.0.2.1")
    assert not bench.store.knows("carl", "192.0.2.1")


async def test_without_an_event_loop_entries_are_stored_too(bench: Bench) -> None:
    bench.store.note_now(entry(event="METHOD_CALL"))
    [found] = await bench.all()
    assert (found["success"], found["event"]) == (True, "METHOD_CALL")


async def test_they_can_be_counted(bench: Bench) -> None:
    for error in (None, "wrong", None):
        bench.note(error)
    assert await bench.store.count(Chosen()) == 3
    assert await bench.store.count(Chosen("WHERE success = ?", (True,))) == 2
