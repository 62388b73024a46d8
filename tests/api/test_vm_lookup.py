"""``vm.query`` for what is looked up by a key, which must be what a look at every VM would find."""

from pathlib import Path

import pytest

from tests.harness import server


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ([["id", "=", 2]], ["a"]),
        ([["id", "=", 2.0]], ["a"]),
        ([["id", "=", 9]], []),
        ([["id", "=", 2**70]], []),
        ([["id", "=", "2"]], []),
        ([["id", "=", 2], ["name", "=", "b"]], []),
        ([["id", "=", 2], ["min_memory", "=", None]], ["a"]),
        ([["id", "!=", 2]], ["c", "b"]),
        ([["OR", [["id", "=", 1], ["id", "=", 3]]]], ["c", "b"]),
        ([["status.state", "=", "RUNNING"]], ["c", "a"]),
        ([["status.state", "=", "RUNNING"], ["name", "=", "a"]], ["a"]),
        ([["status.state", "=", "SUSPENDED"]], []),
        ([["status.state", "=", "STOPPED"]], ["b"]),
        ([["status.state", "C=", "running"]], ["c", "a"]),
    ],
)
async def test_what_is_looked_up_is_what_a_look_at_every_vm_finds(
    tmp_path: Path, filters: list[object], found: list[str]
) -> None:
    async with server(tmp_path) as host:
        for name in "cab":
            await host.api.call("vm.create", {"name": name, "memory": 64})
        for id in (2, 1):
            await host.api.call("vm.start", id)
        assert [vm["name"] for vm in await host.api.call("vm.query", filters)] == found
        assert await host.api.call("vm.query", filters, {"count": True}) == len(found)
        # A condition before it that nothing fails makes every VM be looked at.
        everything = [["id", ">", 0], *filters]
        assert [vm["name"] for vm in await host.api.call("vm.query", everything)] == found
