"""Volumes of ZFS: few commands, and nothing left of what fails."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.contract.volumes import kind_of
from tests.unit.adapters.zfs.rig import MiB, Rig, read, write
from vmstead.ports.volumes import VolumeError, VolumeErrorKind

#: A complaint of each sort that a command may end with.
COMPLAINTS = ["cannot do that: out of space", "cannot do that: I/O error", "cannot do that: dataset is busy"]


async def test_a_volume_is_sparse_and_has_blocks_that_suit_the_pool(rig: Rig) -> None:
    await rig.volumes.create("tank/a", MiB)
    await rig.volumes.create("tank/b", MiB, block_size=65536, is_sparse=False)
    assert rig.changes == [
        ["zfs", "create", "-s", "-V", str(MiB), "-o", "volblocksize=16384", "--", "tank/a"],
        ["zfs", "create", "-V", str(MiB), "-o", "volblocksize=65536", "--", "tank/b"],
    ]
    assert (await rig.volumes.find("tank/a")).source.is_block


async def test_a_copy_is_made_of_three_commands_whatever_its_size(rig: Rig) -> None:
    await rig.volumes.create("tank/a", 2**40)
    rig.fake.calls.clear()
    await rig.volumes.duplicate("tank/a", "tank/b")
    snapshot, clone, forget = rig.changes
    assert snapshot[:3] == ["zfs", "snapshot", "--"]
    assert clone == ["zfs", "clone", "--", snapshot[3], "tank/b"]
    assert forget == ["zfs", "destroy", "-d", "--", snapshot[3]]
    assert await rig.pools.snapshots() == []


async def test_the_snapshot_below_a_copy_goes_with_it(rig: Rig) -> None:
    await rig.volumes.create("tank/a", MiB)
    before = rig.everything()
    for order in (("tank/b", "tank/c"), ("tank/c", "tank/b")):
        await rig.volumes.duplicate("tank/a", "tank/b")
        await rig.volumes.duplicate("tank/b", "tank/c")
        for name in order:
            await rig.volumes.destroy(name)
        assert rig.everything() == before


async def test_the_latest_clone_takes_over_and_snapshots_go(rig: Rig) -> None:
    write(await rig.volumes.create("tank/a", MiB), b"one")
    await rig.pools.create_snapshot("tank/a", "s1")
    await rig.volumes.duplicate("tank/a", "tank/b")
    await rig.pools.create_snapshot("tank/a", "s2")
    await rig.volumes.duplicate("tank/a", "tank/c")
    await rig.pools.create_snapshot("tank/a", "s3")
    rig.fake.calls.clear()
    await rig.volumes.destroy("tank/a")
    assert [call[1:] for call in rig.changes[:2]] == [
        ["promote", "tank/c"],
        ["destroy", "-r", "--", "tank/a"],
    ]
    assert await rig.pools.snapshots() == []
    await rig.volumes.destroy("tank/c")
    assert read(await rig.volumes.find("tank/b")) == b"one"
    await rig.volumes.destroy("tank/b")
    assert [*rig.everything()] == ["tank"]


async def test_what_hangs_on_a_volume_outside_the_pools_is_named(rig: Rig) -> None:
    rig = Rig(rig.folder / "other", {"fast": "tank/vms"})
    rig.fake.do("zfs", "create", "tank/vms")
    await rig.volumes.create("fast/a", MiB)
    await rig.pools.create_snapshot("fast/a", "s")
    rig.fake.do("zfs", "clone", "tank/vms/a@s", "tank/outside")
    with pytest.raises(
        VolumeError, match="fast/a is what others hang on; destroy them first: tank/outside"
    ) as raised:
        await rig.volumes.destroy("fast/a")
    assert raised.value.kind is VolumeErrorKind.IN_USE


async def test_snapshots_of_one_name_keep_a_clone_from_taking_over(rig: Rig) -> None:
    await rig.volumes.create("tank/a", MiB)
    await rig.pools.create_snapshot("tank/a", "s")
    await rig.volumes.duplicate("tank/a", "tank/b")
    await rig.pools.create_snapshot("tank/b", "s")
    before = rig.everything()
    with pytest.raises(VolumeError, match="conflicting snapshot 's'"):
        await rig.volumes.destroy("tank/a")
    assert rig.everything() == before


async def test_what_udev_looks_at_is_destroyed_when_it_has_seen_it(rig: Rig) -> None:
    await rig.volumes.create("tank/a", MiB)
    rig.fake.looked_at.add("tank/a")
    await rig.volumes.destroy("tank/a")
    assert [*rig.everything()] == ["tank"]


async def test_what_somebody_has_open_stays(rig: Rig) -> None:
    await rig.volumes.create("tank/a", MiB)
    await rig.pools.create_snapshot("tank/a", "s")
    await rig.volumes.duplicate("tank/a", "tank/b")
    before = rig.everything()
    rig.fake.model.busy.add("tank/a")
    with pytest.raises(VolumeError, match="tank/a is in use by a program of this host") as raised:
        await rig.volumes.destroy("tank/a")
    assert raised.value.kind is VolumeErrorKind.IN_USE
    assert rig.everything() == before


async def test_a_copy_stays_in_its_pool(rig: Rig) -> None:
    for name in ("tank/a", "default/a"):
        await rig.volumes.create(name, MiB)
    for source, target in (("tank/a", "default/b"), ("default/a", "tank/b")):
        assert await kind_of(rig.volumes.duplicate(source, target)) is VolumeErrorKind.FAILED
        assert await kind_of(rig.volumes.replace(source, target)) is VolumeErrorKind.FAILED
    assert [volume.name for volume in await rig.volumes.list()] == ["default/a", "tank/a"]


@pytest.mark.parametrize("size", [0, -1, -MiB])
async def test_what_is_no_size(rig: Rig, size: int) -> None:
    assert await kind_of(rig.volumes.create("tank/a", size)) is VolumeErrorKind.FAILED
    assert rig.changes == []


async def test_names_that_are_kept_cannot_be_given(rig: Rig) -> None:
    for name in ("tank/a:vmstead-new", "tank/a:vmstead-old"):
        assert await kind_of(rig.volumes.create(name, MiB)) is VolumeErrorKind.BAD_NAME
    await rig.volumes.create("tank/a", MiB)
    assert await kind_of(rig.pools.create_snapshot("tank/a", "vmstead-x")) is VolumeErrorKind.BAD_NAME


# --- what fails -----------------------------------------------------------------------------------


async def _prepare(rig: Rig) -> None:
    write(await rig.volumes.create("tank/a", MiB), b"precious")
    await rig.pools.create_snapshot("tank/a", "s")
    await rig.volumes.duplicate("tank/a", "tank/b")
    await rig.volumes.create_like("tank/like", "tank/a")


ACTIONS: dict[str, Callable[[Rig], Awaitable[object]]] = {
    "create": lambda rig: rig.volumes.create("tank/new", MiB),
    "duplicate": lambda rig: rig.volumes.duplicate("tank/a", "tank/new"),
    "create_like": lambda rig: rig.volumes.create_like("tank/new", "tank/a"),
    "clone_snapshot": lambda rig: rig.pools.clone_snapshot("tank/a", "s", "tank/new"),
    "create_snapshot": lambda rig: rig.pools.create_snapshot("tank/a", "new"),
    "create_filesystem": lambda rig: rig.pools.create_filesystem("tank/new"),
    "resize": lambda rig: rig.pools.resize("tank/a", 2 * MiB),
}


@pytest.mark.parametrize("complaint", COMPLAINTS)
@pytest.mark.parametrize("name", ACTIONS)
async def test_nothing_is_left_of_what_fails_at_any_step(rig: Rig, name: str, complaint: str) -> None:
    await _prepare(rig)
    before = rig.everything()
    for number in range(1, 20):
        rig.break_at(number, complaint)
        try:
            await ACTIONS[name](rig)
        except VolumeError:
            assert rig.everything() == before, number
            continue
        assert number > 1
        assert rig.everything() != before
        return
    raise AssertionError("it never succeeds")


@pytest.mark.parametrize("complaint", COMPLAINTS)
@pytest.mark.parametrize("victim", ["tank/a", "tank/b", "tank/like"])
async def test_a_volume_is_destroyed_or_all_is_as_it_was(rig: Rig, victim: str, complaint: str) -> None:
    await _prepare(rig)
    before = rig.everything()
    for number in range(1, 20):
        rig.break_at(number, complaint)
        try:
            await rig.volumes.destroy(victim)
        except VolumeError:
            assert rig.everything() == before, number
            continue
        # What was only to be tidied up after it may be left; the volume is gone and the others are there.
        left = [volume.name for volume in await rig.volumes.list()]
        assert left == sorted({"tank/a", "tank/b", "tank/like"} - {victim})
        assert victim == "tank/b" or read(await rig.volumes.find("tank/b")) == b"pre"
        return
    raise AssertionError("it never succeeds")


def reached_change(rig: Rig, number: int) -> asyncio.Event:
    """Is set when the change of that number begins, counted from now."""
    reached, loop = asyncio.Event(), asyncio.get_running_loop()
    rig.fake.calls.clear()

    def refuse(argv: object) -> None:
        if len(rig.changes) == number:
            loop.call_soon_threadsafe(reached.set)

    rig.fake.refuse = refuse
    return reached


@pytest.mark.parametrize(
    "name", ["create", "duplicate", "create_like", "clone_snapshot", "create_filesystem"]
)
async def test_nothing_is_left_of_what_is_given_up_at_any_step(rig: Rig, name: str) -> None:
    await _prepare(rig)
    before = rig.everything()
    for number in range(1, 20):
        reached = reached_change(rig, number)
        action = asyncio.ensure_future(ACTIONS[name](rig))
        signal = asyncio.ensure_future(reached.wait())
        await asyncio.wait({action, signal}, return_when=asyncio.FIRST_COMPLETED)
        if action.done():
            signal.cancel()
            assert number > 1
            return
        action.cancel()
        assert isinstance((await asyncio.gather(action, return_exceptions=True))[0], asyncio.CancelledError)
        assert rig.everything() == before, number
    raise AssertionError("it never succeeds")


async def test_what_a_killed_server_left_of_a_copy_goes_when_the_copy_is_discarded(rig: Rig) -> None:
    await _prepare(rig)
    before = rig.everything()

    class Killed(BaseException):
        pass

    def die(argv: list[str]) -> None:
        if argv[1] == "clone":
            raise Killed

    rig.fake.refuse = die  # type: ignore[assignment]
    with pytest.raises(Killed):
        await rig.volumes.duplicate("tank/a", "tank/new")
    rig.fake.refuse = lambda argv: None
    rig.begin()
    # The note of what was begun makes the next server destroy it.
    assert await kind_of(rig.volumes.destroy("tank/new")) is VolumeErrorKind.NOT_FOUND
    assert rig.everything() == before
