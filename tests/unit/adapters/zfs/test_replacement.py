"""A volume takes the place of another: at any moment one of the two is there."""

from collections.abc import Sequence

import pytest

from tests.contract.volumes import kind_of
from tests.unit.adapters.zfs.rig import MiB, Rig, read, write
from vmstead.ports.volumes import VolumeError, VolumeErrorKind


async def prepare(rig: Rig, *, as_clone: bool) -> None:
    """A volume with a snapshot, a copy and a property, and one that is to take its place."""
    write(await rig.volumes.create("tank/disk", MiB), b"old")
    if as_clone:
        await rig.pools.create_snapshot("tank/disk", "s")
    await rig.volumes.duplicate("tank/disk", "tank/copy")
    await rig.pools.set_properties("tank/disk", {"comments": "web"})
    if as_clone:
        write(await rig.volumes.create_like("tank/new", "tank/disk"), b"new")
    else:
        write(await rig.volumes.create("tank/new", MiB), b"new")


async def names(rig: Rig) -> list[str]:
    return [volume.name for volume in await rig.volumes.list()]


@pytest.mark.parametrize("as_clone", [True, False])
async def test_a_step_that_fails_leaves_both_as_they_were(rig: Rig, as_clone: bool) -> None:
    await prepare(rig, as_clone=as_clone)
    # That the one to come gets the properties of the other is no harm.
    await rig.pools.set_properties("tank/new", {"comments": "web"})
    before = rig.everything()
    for number in range(1, 20):
        rig.break_at(number)
        try:
            await rig.volumes.replace("tank/disk", "tank/new")
        except VolumeError:
            assert rig.everything() == before, number
            continue
        assert number > 3
        assert read(await rig.volumes.find("tank/disk")) == b"new"
        return
    raise AssertionError("it never succeeds")


async def discard(rig: Rig, name: str) -> None:
    """Destroy a volume, if it is there."""
    if name in await names(rig):
        await rig.volumes.destroy(name)
    else:
        assert await kind_of(rig.volumes.destroy(name)) is VolumeErrorKind.NOT_FOUND


class Killed(BaseException):
    """The server is gone."""


@pytest.mark.parametrize("as_clone", [True, False])
@pytest.mark.parametrize("before_the_step", [True, False])
async def test_a_server_that_is_killed_leaves_one_of_the_two(
    rig: Rig, as_clone: bool, before_the_step: bool
) -> None:
    outcomes = set()
    for number in range(1, 20):
        rig = Rig(rig.folder / str(number))
        await prepare(rig, as_clone=as_clone)
        rig.fake.calls.clear()

        def die(argv: Sequence[str], rig: Rig = rig, number: int = number) -> None:
            if len(rig.changes) >= number + (0 if before_the_step else 1):
                raise Killed

        rig.fake.refuse = die
        try:
            await rig.volumes.replace("tank/disk", "tank/new")
            ended = True
        except Killed:
            ended = False
        rig.fake.refuse = lambda argv: None
        rig.begin()
        # As the next server does with what was begun.
        await discard(rig, "tank/new")
        found = read(await rig.volumes.find("tank/disk"))
        outcomes.add(found)
        assert found in (b"old", b"new")
        assert await names(rig) == ["tank/copy", "tank/disk"]
        assert [each for each in rig.everything() if "vmstead-new" in each or "vmstead-old" in each] == []
        snapshots = [each.id for each in await rig.pools.snapshots()]
        assert snapshots == (["tank/disk@s"] if as_clone else [])
        (disk,) = [each for each in await rig.pools.datasets() if each.name == "tank/disk"]
        assert disk.facts["comments"].value == "web"
        assert read(await rig.volumes.find("tank/copy")) == b"old"
        for name in ("tank/disk", "tank/copy"):
            await rig.volumes.destroy(name)
        assert [*rig.everything()] == ["tank"]
        if ended:
            assert outcomes == {b"old", b"new"}
            return
    raise AssertionError("it never ends")


async def test_what_is_half_done_is_mended_by_whoever_looks_first(rig: Rig) -> None:
    await prepare(rig, as_clone=True)
    rig.fake.do("zfs", "rename", "tank/disk", "tank/disk:vmstead-old")
    rig.begin()
    assert read(await rig.volumes.find("tank/disk")) == b"old"


async def test_what_cannot_be_mended_is_tried_once_and_hides_nothing_else(rig: Rig) -> None:
    await prepare(rig, as_clone=True)
    rig.fake.do("zfs", "create", "-s", "-V", "1M", "tank/x:vmstead-new")
    rig.fake.refuse = lambda argv: "cannot do that: I/O error"
    for _ in range(3):
        assert await names(rig) == ["tank/copy", "tank/disk", "tank/new"]
    assert len([call for call in rig.changes if call[1] == "rename"]) == 1


async def test_what_is_in_use_is_replaced_and_removed_later(rig: Rig) -> None:
    await prepare(rig, as_clone=True)
    rig.fake.model.busy.add("tank/disk:vmstead-old")
    await rig.volumes.replace("tank/disk", "tank/new")
    assert read(await rig.volumes.find("tank/disk")) == b"new"
    assert await names(rig) == ["tank/copy", "tank/disk"]
    rig.fake.model.busy.clear()
    rig.begin()
    await names(rig)
    assert "tank/disk:vmstead-old" not in rig.everything()


async def test_a_snapshot_is_not_lost(rig: Rig) -> None:
    await prepare(rig, as_clone=False)
    await rig.pools.create_snapshot("tank/disk", "s")
    with pytest.raises(
        VolumeError, match="snapshots of tank/disk would be lost: tank/disk@s; delete them first"
    ):
        await rig.volumes.replace("tank/disk", "tank/new")
    assert await kind_of(rig.volumes.replace("tank/disk", "tank/new")) is VolumeErrorKind.IN_USE
    assert read(await rig.volumes.find("tank/disk")) == b"old"
