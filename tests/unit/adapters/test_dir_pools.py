"""Pools that are folders, while somebody else changes them."""

from collections.abc import Sequence
from pathlib import Path

from vmstead.adapters.dir_pools import DirPools
from vmstead.adapters.dir_volumes import DirVolumes
from vmstead.ports.pools import Snapshot
from vmstead.ports.volumes import Volume


class GoingVolumes(DirVolumes):
    """Of which one goes as soon as it was listed."""

    async def list(self) -> Sequence[Volume]:
        found = await super().list()
        (gone,) = [each for each in found if each.name == "tank/gone"]
        gone.source.path.unlink()
        return found


class GoingSnapshots(DirPools):
    """Of which one goes while they are looked at."""

    def _snapshot(self, dataset: str, path: Path) -> Snapshot:
        if path.name == "kept@gone":
            path.unlink()
        return super()._snapshot(dataset, path)


async def test_what_goes_while_datasets_are_listed_hides_nothing_else(tmp_path: Path) -> None:
    volumes = GoingVolumes({"tank": tmp_path})
    pools = DirPools({"tank": tmp_path}, volumes)
    for name in ("tank/gone", "tank/kept"):
        await volumes.create(name, 512)
    assert [each.name for each in await pools.datasets()] == ["tank", "tank/kept"]


async def test_what_goes_while_snapshots_are_listed_hides_nothing_else(tmp_path: Path) -> None:
    volumes = DirVolumes({"tank": tmp_path})
    await volumes.create("tank/kept", 512)
    for name in ("gone", "now"):
        await DirPools({"tank": tmp_path}, volumes).create_snapshot("tank/kept", name)
    found = await GoingSnapshots({"tank": tmp_path}, volumes).snapshots()
    assert [each.id for each in found] == ["tank/kept@now"]
