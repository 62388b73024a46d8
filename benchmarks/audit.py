"""What recording costs: calls that are recorded and calls that are not, with the audit trail and without one.

    .venv/bin/python benchmarks/audit.py [--runs 2000] [--entries 200000]

Each call is carried out as if it had come over a connection, once with the trail and once with one that keeps
nothing, by turns. Printed are the medians in microseconds, and how long it takes to look into a trail of so many
entries.
"""

import argparse
import asyncio
import dataclasses
import json
import shutil
import statistics
import tempfile
import time
from contextlib import closing
from pathlib import Path

from vmstead.app import running
from vmstead.config import Config
from vmstead.ctx import Ctx
from vmstead.kernel.clock import SystemClock
from vmstead.rpc.audit import Entry
from vmstead.rpc.dispatch import perform
from vmstead.rpc.protocol import Call
from vmstead.rpc.session import InternalSession
from vmstead.store.audit import AuditStore
from vmstead.store.journal import open_journal
from vmstead.system.audit import AuditQuery
from vmstead.system.audit import query as audit_query

#: The most that recording may add to a changing call: a small part of the disk sync that the change itself takes.
TARGET = 500


class NoTrail:
    """Keeps nothing."""

    async def begin(self, entry):
        """Nothing."""
        return 0

    def end(self, number, error):
        """Nothing."""

    def note(self, entry, error, *, counted_as=None):
        """Nothing."""


async def timed(ctx, method, params):
    begin = time.perf_counter()
    await perform(ctx, ctx.methods, Call(1, True, method, params))
    return (time.perf_counter() - begin) * 1e6


async def measure(state: Path, runs: int) -> None:
    """Time calls by turns."""
    config = Config(state=state, socket=state / "socket", listen=None, engine="memory")
    async with running(config) as server:
        kept = Ctx(**vars(server.services), session=InternalSession())
        none = dataclasses.replace(kept, trail=NoTrail())
        await timed(none, "vm.create", [{"name": "a", "memory": 64}])
        for method, count in (("core.ping", runs), ("vm.query", runs), ("vm.update", runs // 10)):
            times = {"with": [], "without": []}
            for number in range(count):
                for name, ctx in (("without", none), ("with", kept)):
                    params = [1, {"description": f"{name} {number}"}] if method == "vm.update" else []
                    times[name].append(await timed(ctx, method, params))
            middle = {name: round(statistics.median(each), 1) for name, each in times.items()}
            added = round(middle["with"] - middle["without"], 1)
            print(json.dumps({"call": method, **middle, "added": added}))
            if method == "vm.update":
                print(f"  recording adds {added} us to a change (target {TARGET})")
        begin = time.perf_counter()
        for number in range(runs):
            kept.trail.note(Entry("192.0.2.1", "alice", "s", "LOGOUT", {"a": number}, {}), None)
        print(json.dumps({"append_us": round((time.perf_counter() - begin) / runs * 1e6, 1)}))


async def look(state: Path, count: int) -> None:
    """Time looks into a long trail."""
    with closing(open_journal(state / "audit.db", "audit_migrations")) as journal:
        store = AuditStore(journal, SystemClock(), count * 2, lambda: 1e9)
        entry = Entry("192.0.2.1", "alice", "s", "METHOD_CALL", {"method": "vm.start", "params": [1]}, {})
        first, at, *rest = store._row(entry, True, None)  # noqa: SLF001 - many at once
        rows = [(first, at - (count - number) // 3, *rest) for number in range(count)]
        insert = (
            "INSERT INTO audit (audit_id, at, address, username, session, service_data, event, event_data, success,"
            " error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        )
        journal.aside_now(lambda connection: connection.executemany(insert, rows))
    config = Config(
        state=state, socket=state / "socket", listen=None, engine="memory", audit_entries=count * 2
    )
    async with running(config) as server:
        ctx = Ctx(**vars(server.services), session=InternalSession())
        newest = {"order_by": ["-message_timestamp"], "limit": 50}
        for name, filters, options in (
            ("newest 50", [], newest),
            ("newest 50 of a user", [["username", "=", "alice"]], newest),
            ("count of failures", [["success", "=", False]], {"count": True}),
            ("by what was called", [["event_data.method", "=", "vm.stop"]], newest),
        ):
            data = AuditQuery.model_validate({"query-filters": filters, "query-options": options})
            begin = time.perf_counter()
            await audit_query(ctx, data)
            print(json.dumps({"look": name, "ms": round((time.perf_counter() - begin) * 1e3, 1)}))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--entries", type=int, default=200_000)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="vmstead-bench-", dir="/var/tmp"))
    try:
        asyncio.run(measure(folder, options.runs))
        asyncio.run(look(folder, options.entries))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
