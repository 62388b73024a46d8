"""What every driver of pools does: a subclass says where one is found, and inherits the tests."""

from dataclasses import dataclass

import pytest

from tests.contract.volumes import MiB, Storage, kind_of, read, write
from vmstead.ports.pools import DatasetKind, Pools
from vmstead.ports.volumes import Encryption, VolumeErrorKind


@dataclass
class PoolStorage(Storage):
    """A driver with the pools ``tank`` and ``other``."""

    pools: Pools

    async def names(self) -> list[str]:
        """All datasets."""
        return [each.name for each in await self.pools.datasets()]

    async def snapshots(self) -> list[str]:
        """All snapshots."""
        return [each.id for each in await self.pools.snapshots()]


class PoolsContract:
    """The tests."""

    @pytest.fixture
    def storage(self) -> PoolStorage:
        raise NotImplementedError

    async def test_pools_are_told_by_name_with_their_space(self, storage: PoolStorage) -> None:
        other, tank = await storage.pools.pools()
        assert (other.name, tank.name, tank.path, tank.status) == ("other", "tank", "/mnt/tank", "ONLINE")
        assert tank.is_healthy
        assert tank.size > tank.free > 0
        assert await storage.names() == ["other", "tank"]
        assert await storage.pools.block_size("tank") in {2**power for power in range(14, 18)}
        assert await kind_of(storage.pools.block_size("nowhere")) is VolumeErrorKind.NOT_FOUND

    # --- datasets -----------------------------------------------------------------------------------

    async def test_datasets_are_told(self, storage: PoolStorage) -> None:
        pools = storage.pools
        await pools.create_filesystem("tank/vms")
        await storage.volumes.create("tank/vms/disk", MiB)
        *_, vms, disk = await pools.datasets()
        assert (vms.name, vms.kind, vms.mountpoint) == ("tank/vms", DatasetKind.FILESYSTEM, "/mnt/tank/vms")
        assert (disk.name, disk.kind, disk.mountpoint) == ("tank/vms/disk", DatasetKind.VOLUME, None)
        assert (vms.size, disk.size) == (None, MiB)
        assert disk.used < MiB < disk.available
        assert disk.created >= vms.created > 1_600_000_000
        assert (vms.lock, disk.lock, disk.origin) == (None, None, None)

    async def test_a_file_system_is_made_and_destroyed_with_its_files(self, storage: PoolStorage) -> None:
        pools, volumes = storage.pools, storage.volumes
        await pools.create_filesystem("tank/a")
        await volumes.create_file("/mnt/tank/a/file", MiB)
        again = pools.create_filesystem("tank/a")
        assert await kind_of(again) is VolumeErrorKind.EXISTS
        missing = pools.create_filesystem("tank/no/a")
        assert await kind_of(missing) is VolumeErrorKind.NOT_FOUND
        await pools.create_filesystem("tank/b")
        await pools.create_filesystem("tank/b/c")
        assert await storage.names() == ["other", "tank", "tank/a", "tank/b", "tank/b/c"]
        assert await kind_of(pools.destroy_filesystem("tank/b")) is VolumeErrorKind.IN_USE
        for name in ("tank/b/c", "tank/b", "tank/a"):
            await pools.destroy_filesystem(name)
        assert await kind_of(pools.destroy_filesystem("tank/a")) is VolumeErrorKind.NOT_FOUND
        assert await kind_of(pools.destroy_filesystem("tank")) is VolumeErrorKind.IN_USE
        assert await kind_of(volumes.file_size("/mnt/tank/a/file")) is VolumeErrorKind.NOT_FOUND
        assert await storage.names() == ["other", "tank"]

    async def test_a_volume_grows_and_keeps_what_it_has(self, storage: PoolStorage) -> None:
        pools, volumes = storage.pools, storage.volumes
        write(await volumes.create("tank/a", MiB), b"old")
        await pools.resize("tank/a", 2 * MiB)
        await pools.resize("tank/a", 2 * MiB)
        volume = await volumes.find("tank/a")
        assert (volume.size, read(volume)) == (2 * MiB, b"old")
        assert await kind_of(pools.resize("tank/a", MiB)) is VolumeErrorKind.FAILED
        assert await kind_of(pools.resize("tank/no", MiB)) is VolumeErrorKind.NOT_FOUND

    async def test_properties_are_set_and_taken_away(self, storage: PoolStorage) -> None:
        pools = storage.pools
        await storage.volumes.create("tank/a", MiB)
        wanted: dict[str, object] = {"comments": "a web server", "compression": "ZSTD"}
        await pools.set_properties("tank/a", {**wanted, "user_properties": {"org:owner": "me", "org:x": "y"}})
        await pools.set_properties("tank/a", {"comments": None, "user_properties": {"org:owner": "you"}})
        (found,) = [each for each in await pools.datasets() if each.name == "tank/a"]
        assert found.properties["user_properties"] == {"org:owner": "you"}
        told = {name: fact.value for name, fact in found.facts.items()} or found.properties
        assert (told["compression"], told.get("comments")) == ("ZSTD", None)
        missing = pools.set_properties("tank/no", {"comments": "x"})
        assert await kind_of(missing) is VolumeErrorKind.NOT_FOUND

    # --- snapshots ----------------------------------------------------------------------------------

    async def test_a_snapshot_keeps_what_a_volume_had(self, storage: PoolStorage) -> None:
        pools, volumes = storage.pools, storage.volumes
        volume = await volumes.create("tank/a", MiB)
        write(volume, b"one")
        first = await pools.create_snapshot("tank/a", "s1")
        assert (first.id, first.size) == ("tank/a@s1", MiB)
        write(volume, b"two")
        second = await pools.create_snapshot("tank/a", "a-2")
        assert second.number > first.number
        assert await storage.snapshots() == ["tank/a@s1", "tank/a@a-2"]
        await pools.clone_snapshot("tank/a", "s1", "tank/b")
        assert read(await volumes.find("tank/b")) == b"one"
        assert read(await volumes.find("tank/a")) == b"two"

        assert await kind_of(pools.create_snapshot("tank/a", "s1")) is VolumeErrorKind.EXISTS
        assert await kind_of(pools.create_snapshot("tank/a", "a/b")) is VolumeErrorKind.BAD_NAME
        assert await kind_of(pools.create_snapshot("tank/no", "s")) is VolumeErrorKind.NOT_FOUND
        taken = pools.clone_snapshot("tank/a", "s1", "tank/b")
        assert await kind_of(taken) is VolumeErrorKind.EXISTS
        for dataset, name in (("tank/a", "no"), ("tank/no", "s1"), ("tank/a", "a/b")):
            missing = pools.clone_snapshot(dataset, name, "tank/c")
            assert await kind_of(missing) is VolumeErrorKind.NOT_FOUND
            assert await kind_of(pools.destroy_snapshot(dataset, name)) is VolumeErrorKind.NOT_FOUND

    async def test_a_snapshot_is_forgotten_and_its_clones_stay(self, storage: PoolStorage) -> None:
        pools, volumes = storage.pools, storage.volumes
        write(await volumes.create("tank/a", MiB), b"one")
        await pools.create_snapshot("tank/a", "s")
        await pools.clone_snapshot("tank/a", "s", "tank/b")
        await pools.destroy_snapshot("tank/a", "s")
        assert await storage.snapshots() == []
        assert await kind_of(pools.destroy_snapshot("tank/a", "s")) is VolumeErrorKind.NOT_FOUND
        # The name is free again.
        await pools.create_snapshot("tank/a", "s")
        assert read(await volumes.find("tank/b")) == b"one"
        await volumes.destroy("tank/a")
        assert await storage.snapshots() == []
        assert read(await volumes.find("tank/b")) == b"one"
        await volumes.destroy("tank/b")
        assert await storage.names() == ["other", "tank"]

    async def test_snapshots_go_with_their_volume_and_with_no_other(self, storage: PoolStorage) -> None:
        for name in ("tank/a", "tank/ab"):
            await storage.volumes.create(name, MiB)
            await storage.pools.create_snapshot(name, "s")
        await storage.volumes.duplicate("tank/a", "tank/c")
        await storage.volumes.destroy("tank/a")
        assert await storage.snapshots() == ["tank/ab@s"]

    async def test_a_volume_is_rolled_back(self, storage: PoolStorage) -> None:
        pools, volumes = storage.pools, storage.volumes
        volume = await volumes.create("tank/a", MiB)
        for number in (1, 2, 3):
            write(volume, b"%d" % number)
            await pools.create_snapshot("tank/a", f"s{number}")
        write(volume, b"4")
        before = await storage.names()
        refused = pools.roll_back("tank/a", "s1", through="tank/a.x")
        assert await kind_of(refused) is VolumeErrorKind.IN_USE
        assert read(await volumes.find("tank/a"), 1) == b"4"
        await pools.roll_back("tank/a", "s3", through="tank/a.x")
        assert read(await volumes.find("tank/a"), 1) == b"3"
        await pools.roll_back("tank/a", "s1", through="tank/a.x", newer=True)
        assert read(await volumes.find("tank/a"), 1) == b"1"
        # It can be done again, and went as it came.
        assert await storage.snapshots() == ["tank/a@s1"]
        assert await storage.names() == before
        for name, snapshot in (("tank/a", "s2"), ("tank/no", "s1"), ("tank/a", "a/b")):
            missing = pools.roll_back(name, snapshot, through="tank/a.x")
            assert await kind_of(missing) is VolumeErrorKind.NOT_FOUND

    async def test_a_volume_that_was_made_larger_is_rolled_back_with_its_size(
        self, storage: PoolStorage
    ) -> None:
        await storage.volumes.create("tank/a", MiB)
        await storage.pools.create_snapshot("tank/a", "s")
        await storage.pools.resize("tank/a", 2 * MiB)
        await storage.pools.roll_back("tank/a", "s", through="tank/a.x")
        assert (await storage.volumes.find("tank/a")).size == MiB

    # --- keys ---------------------------------------------------------------------------------------

    async def test_what_is_not_encrypted_has_no_key(self, storage: PoolStorage) -> None:
        await storage.volumes.create("tank/a", MiB)
        for name, kind in (("tank/a", VolumeErrorKind.FAILED), ("tank/no", VolumeErrorKind.NOT_FOUND)):
            assert await kind_of(storage.pools.unlock(name, "secret-pass")) is kind
            assert await kind_of(storage.pools.lock(name, force=False)) is kind


#: How encrypted datasets are made here.
ENCRYPTION = Encryption("AES-256-GCM", "secret-pass", is_passphrase=True, iterations=100_000)
