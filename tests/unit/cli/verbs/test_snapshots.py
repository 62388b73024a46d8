"""Snapshots of a VM: of all its volumes, or of none."""

from pathlib import Path

from tests.unit.cli.verbs.desk import desk


async def test_a_snapshot_is_of_all_volumes(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        for _ in range(2):
            await at.done("vm", "devices", "add", "web01", "disk", "size=1M")
        taken = await at.done("vm", "snapshot", "create", "web01", "before")
        assert taken == "Took default/web01@before, default/web01-1@before.\n"
        assert len(await at.json("vm", "snapshot", "create", "web01")) == 2
        rows = (await at.run("vm", "snapshot", "list", "web01")).rows
        assert rows[0] == ["SNAPSHOT", "VOLUME", "TAKEN", "USED"]
        assert {row[1] for row in rows[1:] if row[0] == "before"} == {"default/web01", "default/web01-1"}
        assert len(rows) == 5
        status, text = await at.refused("vm", "snapshot", "delete", "web01", "before")
        assert (status, "--yes" in text) == (1, True)
        gone = await at.json("vm", "snapshot", "delete", "web01", "before", "--yes")
        assert set(gone) == {"default/web01@before", "default/web01-1@before"}
        assert len(await at.json("vm", "snapshot", "list", "web01")) == 2


async def test_all_volumes_are_rolled_back(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        for _ in range(2):
            await at.done("vm", "devices", "add", "web01", "disk", "size=1M")
        for name in ("before", "after"):
            await at.done("vm", "snapshot", "create", "web01", name)
        status, text = await at.refused("vm", "snapshot", "rollback", "web01", "before", "--yes")
        assert (status, "forgets: after" in text) == (1, True)
        done = await at.json("vm", "snapshot", "rollback", "web01", "before", "--yes", "--recursive")
        assert set(done) == {"default/web01@before", "default/web01-1@before"}
        assert len(await at.json("vm", "snapshot", "list", "web01")) == 2


async def test_one_that_fails_in_between_says_what_was_done(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        for _ in range(2):
            await at.done("vm", "devices", "add", "web01", "disk", "size=1M")
        await at.done("vm", "snapshot", "create", "web01", "before")
        first, second = (row["dataset"] for row in await at.json("vm", "snapshot", "list", "web01"))
        await at.host.api.call("pool.snapshot.create", {"dataset": second, "name": "newer"})
        status, text = await at.refused("vm", "snapshot", "rollback", "web01", "before", "--yes")
        assert (status, text.endswith(f"; rolled back already: {first}@before")) == (1, True)


async def test_one_that_fails_for_one_volume_is_taken_of_none(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        for _ in range(2):
            await at.done("vm", "devices", "add", "web01", "disk", "size=1M")
        taken = {"dataset": "default/web01-1", "name": "before"}
        await at.host.api.call("pool.snapshot.create", taken)
        status, text = await at.refused("vm", "snapshot", "create", "web01", "before")
        assert (status, "default/web01-1@before" in text) == (1, True)
        assert [row["id"] for row in await at.json("vm", "snapshot", "list", "web01")] == [
            "default/web01-1@before"
        ]


async def test_what_has_no_volumes_or_no_such_snapshot_is_told(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        for verb in ("list", "create"):
            assert await at.refused("vm", "snapshot", verb, "web01") == (4, "web01 has no volumes")
        await at.done("vm", "devices", "add", "web01", "disk", "size=1M")
        found = await at.refused("vm", "snapshot", "delete", "web01", "nope", "--yes")
        assert found == (4, "web01 has no snapshot nope")
