"""Storage is noted before it is made, and only where there is nothing."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.unit.devices.support import Bench
from vmstead.devices._claims import claimed, discard
from vmstead.kernel.undo import undo
from vmstead.ports.volumes import VolumeError, VolumeErrorKind
from vmstead.store.unfinished import Kind, Unfinished

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

FILE = Unfinished(Kind.FILE, "/mnt/tank/a.img")
VOLUME = Unfinished(Kind.VOLUME, "/dev/zvol/tank/a")
SNAPSHOT = Unfinished(Kind.SNAPSHOT, "tank/v@now")
FOLDER = Unfinished(Kind.EMPTY_FILESYSTEM, "tank/fs")


async def make(bench: Bench, note: Unfinished) -> object:
    """Make what is noted."""
    ctx = bench.ctx
    makers: dict[Unfinished, Callable[[], Awaitable[object]]] = {
        FILE: partial(ctx.volumes.create_file, FILE.name, 512),
        VOLUME: partial(ctx.volumes.create, "tank/a", 512),
        SNAPSHOT: partial(ctx.pools.create_snapshot, "tank/v", "now"),
        FOLDER: partial(ctx.pools.create_filesystem, "tank/fs"),
    }
    return await makers[note]()


def contents(bench: Bench) -> set[str]:
    return {str(path.relative_to(bench.pool)) for path in bench.pool.rglob("*") if path.is_file()} | {
        path.name for path in bench.pool.iterdir()
    }


@pytest.mark.parametrize("note", [FILE, VOLUME, SNAPSHOT, FOLDER])
async def test_what_is_made_is_noted_and_goes_with_the_note_when_a_later_step_fails(
    bench: Bench, note: Unfinished
) -> None:
    await bench.volumes.create("tank/v", 512)
    before = contents(bench)

    async def noting() -> None:
        assert bench.ctx.unfinished.all() == [note]
        await make(bench, note)

    async def make_and_fail() -> None:
        async with undo() as steps:
            await claimed(bench.ctx, steps, note, noting)
            assert contents(bench) != before
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await make_and_fail()
    assert contents(bench) - {".volumes/.datasets.json"} == before
    assert bench.ctx.unfinished.all() == []


@pytest.mark.parametrize("note", [FILE, VOLUME, SNAPSHOT, FOLDER])
async def test_what_is_there_already_is_never_noted(bench: Bench, note: Unfinished) -> None:
    """Otherwise a server that is killed at this moment would have somebody's data removed by the next one."""
    await bench.volumes.create("tank/v", 512)
    await make(bench, note)
    before = contents(bench)

    async def never() -> None:
        raise AssertionError

    async with AsyncExitStack() as steps:
        with pytest.raises(VolumeError) as raised:
            await claimed(bench.ctx, steps, note, never)
    assert raised.value.kind is VolumeErrorKind.EXISTS
    assert str(raised.value).endswith("exists already")
    assert contents(bench) == before
    assert bench.ctx.unfinished.all() == []


@pytest.mark.parametrize(
    ("note", "again"),
    [
        (FILE, Unfinished(Kind.FILE, "/mnt/tank//link/a.img")),
        (
            Unfinished(Kind.VOLUME, "/dev/zvol/tank/my+disk"),
            Unfinished(Kind.VOLUME, "/dev/zvol/tank/my disk"),
        ),
    ],
)
async def test_two_calls_cannot_make_the_same_thing_by_two_names(
    bench: Bench, note: Unfinished, again: Unfinished
) -> None:
    """The one that comes later would note what the other has made and perhaps stored."""
    bench.pool.joinpath("link").symlink_to(bench.pool)
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        begun.set()
        await may_end.wait()
        if note.kind is Kind.FILE:
            await bench.volumes.create_file(note.name, 512)
        else:
            await bench.volumes.create("tank/my disk", 512)

    async with AsyncExitStack() as steps:
        first = asyncio.ensure_future(claimed(bench.ctx, steps, note, slowly))
        await begun.wait()
        second = asyncio.ensure_future(claimed(bench.ctx, steps, again, slowly))
        may_end.set()
        await first
        with pytest.raises(VolumeError) as raised:
            await second
        assert raised.value.kind is VolumeErrorKind.EXISTS
        assert bench.ctx.unfinished.all() == [note]


async def test_a_file_system_that_somebody_has_begun_to_use_is_not_discarded(bench: Bench) -> None:
    await make(bench, FOLDER)
    bench.pool.joinpath("fs/file").write_bytes(b"mine")
    await discard(bench.ctx, FOLDER)
    assert bench.pool.joinpath("fs/file").read_bytes() == b"mine"
    bench.pool.joinpath("fs/file").unlink()
    await bench.volumes.create("tank/fs/v", 512)
    await discard(bench.ctx, FOLDER)
    assert await bench.names() == ["tank/fs/v"]
    assert bench.pool.joinpath("fs").is_dir()
    await bench.volumes.destroy("tank/fs/v")
    await discard(bench.ctx, FOLDER)
    assert not bench.pool.joinpath("fs").exists()


async def test_one_that_was_destroyed_on_purpose_goes_with_its_files(bench: Bench) -> None:
    await make(bench, FOLDER)
    bench.pool.joinpath("fs/file").write_bytes(b"mine")
    await discard(bench.ctx, Unfinished(Kind.FILESYSTEM, "tank/fs"))
    assert not bench.pool.joinpath("fs").exists()


@pytest.mark.parametrize("note", [FILE, VOLUME, SNAPSHOT, FOLDER, Unfinished(Kind.FILESYSTEM, "tank/fs")])
async def test_what_is_gone_needs_no_discarding(bench: Bench, note: Unfinished) -> None:
    await discard(bench.ctx, note)
