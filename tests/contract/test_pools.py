"""Pools, datasets and snapshots: what the port says, in folders and on ZFS."""

from pathlib import Path

import pytest

from tests.contract.pools import ENCRYPTION, PoolsContract, PoolStorage
from tests.contract.volumes import MiB, kind_of, read, write
from tests.contract.zfs import ZfsPair
from vmstead.adapters.all_pools import storage as storage_of
from vmstead.adapters.zfs.programs import THIS_HOST
from vmstead.ports.volumes import VolumeError, VolumeErrorKind


class TestDirPools(PoolsContract):
    @pytest.fixture
    def storage(self, tmp_path: Path) -> PoolStorage:
        folders = {name: tmp_path / name for name in ("tank", "other")}
        for folder in folders.values():
            folder.mkdir()
        made = storage_of(folders, {}, {}, THIS_HOST)
        return PoolStorage(made.volumes, lambda name: tmp_path.joinpath(name).mkdir(), made.pools)

    async def test_nothing_is_encrypted_in_folders(self, storage: PoolStorage) -> None:
        for making in (
            storage.volumes.create("tank/a", MiB, encryption=ENCRYPTION),
            storage.pools.create_filesystem("tank/a", encryption=ENCRYPTION),
        ):
            assert await kind_of(making) is VolumeErrorKind.FAILED
        assert await storage.names() == ["other", "tank"]


class TestZfsPools(PoolsContract):
    @pytest.fixture
    def storage(self, zfs: ZfsPair) -> PoolStorage:
        return PoolStorage(zfs.storage.volumes, zfs.make_dataset, zfs.storage.pools)

    async def test_an_encrypted_file_system_is_locked_and_unlocked(self, storage: PoolStorage) -> None:
        pools, volumes = storage.pools, storage.volumes
        await pools.create_filesystem("tank/sec", encryption=ENCRYPTION)
        await pools.create_filesystem("tank/sec/isos")
        write(await volumes.create("tank/sec/disk", MiB), b"one")
        await volumes.create_file("/mnt/tank/sec/isos/a", MiB)
        for again in range(2):
            await pools.lock("tank/sec", force=False)
            assert await self.locked(storage) == ["tank/sec", "tank/sec/disk", "tank/sec/isos"]
            volume = await volumes.find("tank/sec/disk")
            assert "unlock tank/sec first" in (volume.obstacle or "")
            for path in ("/mnt/tank/sec/b", "/mnt/tank/sec/isos/a", "/mnt/tank/sec/isos/sub/x"):
                assert await kind_of(volumes.create_file(path, 512)) is VolumeErrorKind.LOCKED
                assert await kind_of(volumes.file_size(path)) is VolumeErrorKind.LOCKED
            for secret in ("another-pass", "short", None):
                assert await kind_of(pools.unlock("tank/sec", secret)) is VolumeErrorKind.LOCKED
            assert await kind_of(pools.unlock("tank/sec/disk", "secret-pass")) is VolumeErrorKind.FAILED
            await pools.unlock("tank/sec", "secret-pass")
            await pools.unlock("tank/sec", "secret-pass")
            assert await self.locked(storage) == []
            assert read(await volumes.find("tank/sec/disk")) == b"one"
            assert await volumes.file_size("/mnt/tank/sec/isos/a") == MiB
            assert again < 2

    async def test_what_is_locked_can_still_be_destroyed(self, storage: PoolStorage) -> None:
        pools, volumes = storage.pools, storage.volumes
        await pools.create_filesystem("tank/sec", encryption=ENCRYPTION)
        await volumes.create("tank/sec/disk", MiB)
        await pools.lock("tank/sec", force=False)
        for making in (
            volumes.create("tank/sec/more", MiB),
            volumes.duplicate("tank/sec/disk", "tank/copy"),
            pools.create_filesystem("tank/sec/more"),
            pools.resize("tank/sec/disk", 2 * MiB),
        ):
            assert await kind_of(making) is VolumeErrorKind.LOCKED
        await volumes.destroy("tank/sec/disk")
        await pools.destroy_filesystem("tank/sec")
        assert await storage.names() == ["other", "tank"]

    async def test_a_volume_has_a_key_of_its_own(self, storage: PoolStorage) -> None:
        pools, volumes = storage.pools, storage.volumes
        write(await volumes.create("tank/a", MiB, encryption=ENCRYPTION), b"one")
        (found,) = [each for each in await pools.datasets() if each.name == "tank/a"]
        assert found.lock is not None
        assert (found.lock.root, found.lock.key_format, found.lock.is_open) == ("tank/a", "PASSPHRASE", True)
        await pools.lock("tank/a", force=False)
        assert await self.locked(storage) == ["tank/a"]
        await pools.unlock("tank/a", "secret-pass")
        # Its clone shares the key, and cannot take it over.
        await volumes.duplicate("tank/a", "tank/b")
        assert read(await volumes.find("tank/b")) == b"one"
        assert await kind_of(volumes.destroy("tank/a")) is VolumeErrorKind.IN_USE
        assert await kind_of(volumes.create_like("tank/c", "tank/a")) is VolumeErrorKind.FAILED
        await volumes.destroy("tank/b")
        await volumes.destroy("tank/a")
        assert await storage.names() == ["other", "tank"]

    async def test_file_systems_have_snapshots_with_all_below_them(self, storage: PoolStorage) -> None:
        pools = storage.pools
        await pools.create_filesystem("tank/vms")
        await storage.volumes.create("tank/vms/a", MiB)
        made = await pools.create_snapshot("tank/vms", "s", is_recursive=True)
        assert (made.id, made.size) == ("tank/vms@s", None)
        assert await storage.snapshots() == ["tank/vms@s", "tank/vms/a@s"]
        await pools.create_snapshot("tank/vms", "t")
        await storage.volumes.destroy("tank/vms/a")
        await pools.destroy_filesystem("tank/vms")
        assert await storage.snapshots() == []

    async def test_a_replaced_volume_keeps_its_snapshots_and_what_was_set(self, storage: PoolStorage) -> None:
        pools, volumes = storage.pools, storage.volumes
        write(await volumes.create("tank/a", MiB, block_size=65536), b"old")
        await pools.set_properties("tank/a", {"comments": "web", "user_properties": {"org:x": "y"}})
        await pools.create_snapshot("tank/a", "s")
        write(await volumes.create_like("tank/new", "tank/a"), b"new")
        await volumes.replace("tank/a", "tank/new")
        assert read(await volumes.find("tank/a")) == b"new"
        assert await storage.snapshots() == ["tank/a@s"]
        (found,) = [each for each in await pools.datasets() if each.name == "tank/a"]
        assert (found.facts["comments"].value, found.facts["volblocksize"].value) == ("web", 65536)
        assert found.properties["user_properties"] == {"org:x": "y"}
        await pools.clone_snapshot("tank/a", "s", "tank/b")
        assert read(await volumes.find("tank/b")) == b"old"

    async def test_a_replacement_that_would_lose_a_snapshot_is_refused(self, storage: PoolStorage) -> None:
        pools, volumes = storage.pools, storage.volumes
        write(await volumes.create("tank/a", MiB), b"old")
        await volumes.create_like("tank/new", "tank/a")
        await pools.create_snapshot("tank/a", "meanwhile")
        assert await kind_of(volumes.replace("tank/a", "tank/new")) is VolumeErrorKind.IN_USE
        assert await storage.names() == ["other", "tank", "tank/a", "tank/new"]
        assert read(await volumes.find("tank/a")) == b"old"
        await volumes.destroy("tank/new")

    async def test_copies_of_newer_snapshots_are_in_the_way(self, storage: PoolStorage) -> None:
        pools, volumes = storage.pools, storage.volumes
        volume = await volumes.create("tank/a", MiB)
        await pools.create_snapshot("tank/a", "s1")
        write(volume, b"two")
        await pools.create_snapshot("tank/a", "s2")
        await pools.clone_snapshot("tank/a", "s2", "tank/b")
        with pytest.raises(VolumeError, match="destroy them first: tank/b"):
            await pools.roll_back("tank/a", "s1", through="tank/a.x", newer=True)
        assert read(volume) == read(await volumes.find("tank/b")) == b"two"
        assert await storage.snapshots() == ["tank/a@s1", "tank/a@s2"]
        # One that nobody sees any more is as well.
        await pools.destroy_snapshot("tank/a", "s2")
        assert await kind_of(pools.roll_back("tank/a", "s1", through="tank/a.x")) is VolumeErrorKind.IN_USE
        await volumes.destroy("tank/b")
        await pools.roll_back("tank/a", "s1", through="tank/a.x")
        assert read(volume) == bytes(3)

    async def test_sizes_are_multiples_of_blocks(self, storage: PoolStorage) -> None:
        made = await storage.volumes.create("tank/a", 512, block_size=65536)
        assert made.size == 65536
        await storage.pools.resize("tank/a", 65537)
        assert (await storage.volumes.find("tank/a")).size == 2 * 65536

    async def locked(self, storage: PoolStorage) -> list[str]:
        datasets = await storage.pools.datasets()
        return [each.name for each in datasets if each.lock is not None and not each.lock.is_open]
