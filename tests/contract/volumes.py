"""What every driver of volumes and files does: a subclass says where one is found, and inherits the tests."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from vmstead.ports.volumes import Volume, VolumeError, VolumeErrorKind, Volumes

MiB = 1024 * 1024


@dataclass
class Storage:
    """A driver with the pools ``tank`` and ``other``.

    Attributes:
        make_dataset: gives a pool a dataset, by its name with the pool's.
    """

    volumes: Volumes
    make_dataset: Callable[[str], None]


async def kind_of(action: Awaitable[object]) -> VolumeErrorKind:
    """How an action is refused; fails the test when it is not."""
    with pytest.raises(VolumeError) as raised:
        await action
    assert str(raised.value)
    return raised.value.kind


def write(volume: Volume, data: bytes) -> None:
    """Write the beginning of a volume."""
    with volume.source.path.open("r+b") as disk:
        disk.write(data)


def read(volume: Volume, size: int = 3) -> bytes:
    """The beginning of a volume."""
    with volume.source.path.open("rb") as disk:
        return disk.read(size)


class VolumesContract:
    """The tests."""

    @pytest.fixture
    def storage(self) -> Storage:
        raise NotImplementedError

    # --- volumes ------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", ["tank/disk0", "tank/a b", "tank/_.:-9", f"tank/{'x' * 200}"])
    async def test_a_volume_is_made_found_listed_and_destroyed(self, storage: Storage, name: str) -> None:
        volumes = storage.volumes
        made = await volumes.create(name, MiB)
        assert (made.name, made.size) == (name, MiB)
        assert made.source.path.is_absolute()
        assert await volumes.find(name) == made
        assert await volumes.list() == [made]
        await volumes.destroy(name)
        assert await volumes.list() == []
        assert await kind_of(volumes.find(name)) is VolumeErrorKind.NOT_FOUND
        assert await kind_of(volumes.destroy(name)) is VolumeErrorKind.NOT_FOUND

    async def test_volumes_of_all_pools_are_listed_by_name(self, storage: Storage) -> None:
        storage.make_dataset("tank/vms")
        for name in ("tank/b", "other/a", "tank/vms/c", "tank/a"):
            await storage.volumes.create(name, 512)
        names = [volume.name for volume in await storage.volumes.list()]
        assert names == ["other/a", "tank/a", "tank/b", "tank/vms/c"]

    async def test_a_name_is_taken_once(self, storage: Storage) -> None:
        await storage.volumes.create("tank/disk0", MiB)
        assert await kind_of(storage.volumes.create("tank/disk0", 512)) is VolumeErrorKind.EXISTS
        assert (await storage.volumes.find("tank/disk0")).size == MiB

    async def test_of_two_that_make_the_same_at_once_one_succeeds(self, storage: Storage) -> None:
        results = await asyncio.gather(
            *(storage.volumes.create("tank/disk0", size * MiB) for size in range(1, 9)),
            return_exceptions=True,
        )
        (made,) = [result for result in results if not isinstance(result, BaseException)]
        errors = [result for result in results if isinstance(result, VolumeError)]
        assert [error.kind for error in errors] == [VolumeErrorKind.EXISTS] * 7
        assert await storage.volumes.find("tank/disk0") == made

    async def test_of_two_that_destroy_the_same_at_once_one_succeeds(self, storage: Storage) -> None:
        await storage.volumes.create("tank/disk0", MiB)
        results = await asyncio.gather(
            *(storage.volumes.destroy("tank/disk0") for _ in range(8)), return_exceptions=True
        )
        errors = [result for result in results if isinstance(result, VolumeError)]
        assert [error.kind for error in errors] == [VolumeErrorKind.NOT_FOUND] * 7

    # --- copies -------------------------------------------------------------------------------------

    async def test_a_copy_has_the_same_bytes_and_holes_and_is_its_own(self, storage: Storage) -> None:
        volumes = storage.volumes
        size = 64 * MiB
        origin = await volumes.create("tank/origin", size)
        with origin.source.path.open("r+b") as disk:
            disk.write(b"begin")
            disk.seek(20 * MiB)
            disk.write(b"middle")
            disk.seek(size - 3)
            disk.write(b"end")
        copy = await volumes.duplicate("tank/origin", "tank/copy")
        assert (copy.name, copy.size) == ("tank/copy", size)
        assert copy.source.path.read_bytes() == origin.source.path.read_bytes()
        assert copy.source.path.stat().st_blocks * 512 < 8 * MiB
        with origin.source.path.open("r+b") as disk:
            disk.write(b"other")
        assert copy.source.path.read_bytes()[:5] == b"begin"
        assert [volume.name for volume in await volumes.list()] == ["tank/copy", "tank/origin"]

    async def test_a_copy_of_nothing_and_one_in_the_way_of_something(self, storage: Storage) -> None:
        volumes = storage.volumes
        for name in ("tank/origin", "tank/taken"):
            await volumes.create(name, MiB)
        assert await kind_of(volumes.duplicate("tank/no", "tank/copy")) is VolumeErrorKind.NOT_FOUND
        assert await kind_of(volumes.duplicate("tank/origin", "tank/taken")) is VolumeErrorKind.EXISTS
        assert await kind_of(volumes.duplicate("tank/origin", "tank/.x")) is VolumeErrorKind.BAD_NAME
        assert len(await volumes.list()) == 2

    async def test_a_copy_that_is_given_up_is_gone(self, storage: Storage) -> None:
        volumes = storage.volumes
        origin = await volumes.create("tank/origin", 256 * MiB)
        with origin.source.path.open("r+b") as disk:
            for _ in range(256):
                disk.write(b"x" * MiB)
        copying = asyncio.ensure_future(volumes.duplicate("tank/origin", "tank/copy"))
        await asyncio.wait({copying}, timeout=0.001)
        copying.cancel()
        if isinstance((await asyncio.gather(copying, return_exceptions=True))[0], asyncio.CancelledError):
            assert [volume.name for volume in await volumes.list()] == ["tank/origin"]

    async def test_a_file_is_copied_too(self, storage: Storage) -> None:
        volumes = storage.volumes
        await volumes.create_file("/mnt/tank/a.img", MiB)
        origin = await volumes.locate("/mnt/tank/a.img")
        origin.write_bytes(b"something")
        await volumes.duplicate_file("/mnt/tank/a.img", "/mnt/tank/b.img")
        assert (await volumes.locate("/mnt/tank/b.img")).read_bytes() == b"something"
        again = volumes.duplicate_file("/mnt/tank/a.img", "/mnt/tank/b.img")
        assert await kind_of(again) is VolumeErrorKind.EXISTS
        missing = volumes.duplicate_file("/mnt/tank/no.img", "/mnt/tank/c.img")
        assert await kind_of(missing) is VolumeErrorKind.NOT_FOUND

    # --- what takes the place of another --------------------------------------------------------------

    async def test_a_volume_takes_the_place_of_another(self, storage: Storage) -> None:
        volumes = storage.volumes
        old = await volumes.create("tank/disk", MiB)
        write(old, b"old")
        new = await volumes.create_like("tank/new", "tank/disk")
        assert (new.name, new.size) == ("tank/new", MiB)
        assert new.source.path.read_bytes() == bytes(MiB)
        write(new, b"new")
        assert read(old) == b"old"
        await volumes.replace("tank/disk", "tank/new")
        assert [volume.name for volume in await volumes.list()] == ["tank/disk"]
        assert read(await volumes.find("tank/disk")) == b"new"
        await volumes.destroy("tank/disk")
        assert await volumes.list() == []

    async def test_a_volume_that_was_made_by_itself_takes_a_place_too(self, storage: Storage) -> None:
        volumes = storage.volumes
        for name in ("tank/disk", "tank/new"):
            write(await volumes.create(name, MiB), name.encode())
        await volumes.replace("tank/disk", "tank/new")
        assert [volume.name for volume in await volumes.list()] == ["tank/disk"]
        assert read(await volumes.find("tank/disk"), 8) == b"tank/new"

    async def test_what_is_not_there_replaces_nothing(self, storage: Storage) -> None:
        volumes = storage.volumes
        await volumes.create("tank/disk", MiB)
        assert await kind_of(volumes.replace("tank/disk", "tank/no")) is VolumeErrorKind.NOT_FOUND
        assert await kind_of(volumes.replace("tank/no", "tank/disk")) is VolumeErrorKind.NOT_FOUND
        assert await kind_of(volumes.create_like("tank/new", "tank/no")) is VolumeErrorKind.NOT_FOUND
        assert await kind_of(volumes.create_like("tank/disk", "tank/disk")) is VolumeErrorKind.EXISTS
        assert [volume.name for volume in await volumes.list()] == ["tank/disk"]

    async def test_copies_and_originals_go_in_any_order(self, storage: Storage) -> None:
        volumes = storage.volumes
        for order in itertools.permutations(("tank/a", "tank/b", "tank/c")):
            write(await volumes.create("tank/a", MiB), b"same")
            await volumes.duplicate("tank/a", "tank/b")
            await volumes.duplicate("tank/b", "tank/c")
            left = [*order]
            while left:
                await volumes.destroy(left.pop(0))
                found = await volumes.list()
                assert [(each.name, read(each, 4)) for each in found] == [(n, b"same") for n in sorted(left)]

    async def test_there_is_room(self, storage: Storage) -> None:
        volumes = storage.volumes
        storage.make_dataset("tank/vms")
        for name in ("tank/a", "tank/vms/a", "other/a"):
            assert await volumes.room(name) > MiB
            assert await volumes.free(f"/dev/zvol/{name}") > MiB
        assert await kind_of(volumes.room("nowhere/a")) is VolumeErrorKind.NOT_FOUND
        assert await kind_of(volumes.room("tank/../a")) is VolumeErrorKind.BAD_NAME
        assert await volumes.free("/mnt/tank/a") > MiB

    @pytest.mark.parametrize(
        "name",
        [
            "",
            "tank",
            "tank/",
            "/tank/x",
            "tank//x",
            "tank/x/",
            "tank/.",
            "tank/..",
            "tank/../other/x",
            "../x",
            "tank/.hidden",
            "tank/-x",
            "tank/ x",
            "tank/a\nb",
            "tank/a\n",
            "tank/a\0b",
            "tank/a\x7f",
            "tank/a@b",
            "tank/a+b",
            "tank/ä",
            "tank/\ud800",
            f"tank/{'x' * 201}",
            ".volumes/x",
        ],
    )
    async def test_what_is_no_name(self, storage: Storage, name: str) -> None:
        volumes = storage.volumes
        for action in (volumes.find(name), volumes.destroy(name), volumes.create(name, MiB)):
            assert await kind_of(action) is VolumeErrorKind.BAD_NAME
        assert await volumes.list() == []

    @pytest.mark.parametrize("name", ["nowhere/x", "tank/nowhere/x", "nowhere/tank/x"])
    async def test_what_is_missing_above_a_volume_is_told(self, storage: Storage, name: str) -> None:
        volumes = storage.volumes
        for action in (volumes.find(name), volumes.destroy(name), volumes.create(name, MiB)):
            assert await kind_of(action) is VolumeErrorKind.NOT_FOUND
        assert await volumes.list() == []

    async def test_volumes_lie_in_datasets(self, storage: Storage) -> None:
        storage.make_dataset("tank/vms")
        storage.make_dataset("tank/vms/web servers")
        made = await storage.volumes.create("tank/vms/web servers/disk 0", MiB)
        assert await storage.volumes.list() == [made]
        # A dataset is no volume, and a volume is no dataset.
        assert await kind_of(storage.volumes.find("tank/vms")) is VolumeErrorKind.NOT_FOUND
        assert await kind_of(storage.volumes.find("tank/vms/web servers/disk 0/x")) is (
            VolumeErrorKind.NOT_FOUND
        )

    @pytest.mark.parametrize("size", [2**63, 2**80])
    async def test_what_no_storage_holds_leaves_nothing_behind(self, storage: Storage, size: int) -> None:
        assert await kind_of(storage.volumes.create("tank/huge", size)) is VolumeErrorKind.NO_SPACE
        assert await storage.volumes.list() == []
        assert await kind_of(storage.volumes.create_file("/mnt/tank/huge", size)) is VolumeErrorKind.NO_SPACE
        assert await storage.volumes.file_size("/mnt/tank/huge") is None

    # --- files --------------------------------------------------------------------------------------

    @pytest.mark.parametrize("name", ["disk.img", "with blank.img", "ünïcödé", "-rf", ".hidden", "a;b'\""])
    async def test_a_file_is_made_measured_and_removed(self, storage: Storage, name: str) -> None:
        volumes, path = storage.volumes, f"/mnt/tank/{name}"
        assert await volumes.file_size(path) is None
        await volumes.create_file(path, MiB)
        assert await volumes.file_size(path) == MiB
        assert (await volumes.locate(path)).stat().st_size == MiB
        await volumes.remove_file(path)
        assert await volumes.file_size(path) is None
        assert await kind_of(volumes.remove_file(path)) is VolumeErrorKind.NOT_FOUND

    async def test_a_file_is_not_made_over_another(self, storage: Storage) -> None:
        await storage.volumes.create_file("/mnt/tank/a", MiB)
        assert await kind_of(storage.volumes.create_file("/mnt/tank/a", 512)) is VolumeErrorKind.EXISTS
        assert await kind_of(storage.volumes.create_file("/mnt/tank//a", 512)) is VolumeErrorKind.EXISTS
        assert await storage.volumes.file_size("/mnt/tank/a") == MiB

    async def test_of_two_files_made_at_once_one_is(self, storage: Storage) -> None:
        results = await asyncio.gather(
            *(storage.volumes.create_file("/mnt/tank/a", size * MiB) for size in range(1, 9)),
            return_exceptions=True,
        )
        assert results.count(None) == 1
        assert await storage.volumes.file_size("/mnt/tank/a") == (results.index(None) + 1) * MiB

    async def test_a_file_grows_and_never_shrinks(self, storage: Storage) -> None:
        volumes, path = storage.volumes, "/mnt/tank/a"
        assert await kind_of(volumes.resize_file(path, MiB)) is VolumeErrorKind.NOT_FOUND
        await volumes.create_file(path, MiB)
        await volumes.resize_file(path, 3 * MiB)
        await volumes.resize_file(path, 3 * MiB)
        assert await kind_of(volumes.resize_file(path, 3 * MiB - 1)) is VolumeErrorKind.FAILED
        assert await kind_of(volumes.resize_file(path, 2**70)) is VolumeErrorKind.NO_SPACE
        assert await volumes.file_size(path) == 3 * MiB

    async def test_a_folder_is_no_file(self, storage: Storage) -> None:
        storage.make_dataset("tank/isos")
        for action in (
            storage.volumes.file_size("/mnt/tank/isos"),
            storage.volumes.remove_file("/mnt/tank/isos"),
            storage.volumes.resize_file("/mnt/tank/isos", MiB),
        ):
            assert await kind_of(action) is VolumeErrorKind.FAILED
        assert await kind_of(storage.volumes.create_file("/mnt/tank/isos", 512)) is VolumeErrorKind.EXISTS

    @pytest.mark.parametrize(
        "path",
        [
            "",
            "/",
            "/mnt",
            "/mnt/",
            "/mnt/tank",
            "/mnt/tank/",
            "/mnt/tank//",
            "/mnt/nowhere/x",
            "/etc/passwd",
            "relative",
            "mnt/tank/x",
            "/dev/zvol/tank/x",
            "/mnt/tank/..",
            "/mnt/tank/../x",
            "/mnt/tank/../other/x",
            "/mnt/tank/x/..",
            "/mnt/tank/../../../../../../../../etc/passwd",
            "/mnt/../etc/passwd",
        ],
    )
    async def test_paths_that_lead_elsewhere(self, storage: Storage, path: str) -> None:
        volumes = storage.volumes
        for action in (
            volumes.locate(path),
            volumes.file_size(path),
            volumes.create_file(path, 512),
            volumes.resize_file(path, 512),
            volumes.remove_file(path),
        ):
            assert await kind_of(action) is VolumeErrorKind.OUTSIDE

    @pytest.mark.parametrize("name", ["a\0b", "\ud800", "x" * 300])
    async def test_what_no_file_can_be_called(self, storage: Storage, name: str) -> None:
        path = f"/mnt/tank/{name}"
        assert await kind_of(storage.volumes.file_size(path)) is VolumeErrorKind.BAD_NAME
        assert await kind_of(storage.volumes.create_file(path, 512)) is VolumeErrorKind.BAD_NAME

    async def test_a_folder_that_is_missing_is_told(self, storage: Storage) -> None:
        assert await kind_of(storage.volumes.file_size("/mnt/tank/no/x")) is VolumeErrorKind.NOT_FOUND
        assert await kind_of(storage.volumes.create_file("/mnt/tank/no/x", 512)) is VolumeErrorKind.NOT_FOUND
