"""Volumes from the command line."""

from pathlib import Path

from tests.unit.cli.verbs.desk import desk

MIB = 1024**2


async def test_volumes_from_their_making_to_their_end(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        files = at.host.config.state / "pools/default/.volumes"
        assert await at.done("volume", "create", "default/data", "1M") == "Made default/data, 1 MiB.\n"
        assert (await at.json("volume", "create", "default/other", "1M"))["id"] == "default/other"
        await at.vm()
        await at.done("vm", "devices", "add", "web01", "disk", "path=/dev/zvol/default/data")
        rows = (await at.run("volume", "list")).rows
        assert rows[0] == ["VOLUME", "SIZE", "USED", "VM"]
        assert [(row[0], row[1:3], row[-1]) for row in rows[1:]] == [
            ("default/data", ["1", "MiB"], "web01"),
            ("default/other", ["1", "MiB"], "-"),
        ]
        assert await at.done("volume", "resize", "default/data", "2M") == "default/data has 2 MiB now.\n"
        assert (files / "data").stat().st_size == 2 * MIB
        assert [row["id"] for row in await at.json("volume", "list", "--pool", "default")] == [
            "default/data",
            "default/other",
        ]
        assert await at.json("volume", "list", "--pool", "tank") == []
        status, text = await at.refused("volume", "delete", "default/other")
        assert (status, "--yes" in text) == (1, True)
        await at.host.api.call("pool.snapshot.create", {"dataset": "default/other", "name": "s"})
        assert (await at.refused("volume", "delete", "default/other", "--yes"))[0] == 1
        gone = await at.done("volume", "delete", "default/other", "--yes", "--snapshots")
        assert gone == "Destroyed default/other.\n"
        assert not (files / "other").exists()


async def test_refusals(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.done("volume", "create", "default/data", "2M")
        assert (await at.refused("volume", "resize", "default/data", "1M"))[0] == 1
        assert (await at.refused("volume", "create", "default/data", "1M"))[0] == 1
        assert await at.refused("volume", "delete", "default/nope", "-y") == (
            4,
            "there is no volume default/nope; vmstead volume list shows what there is",
        )
        assert await at.refused("volume", "create", "default/x", "big") == (
            2,
            "Invalid value for 'SIZE': 'big' is no size; write it like 512M or 20G",
        )
