"""How the demo guest's image is made: once, whoever asks and however often."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from tests.processes import command
from vmstead.demo.guest import build, default_cache
from vmstead.kernel.run import CommandError


async def cache_without_images(folder: Path) -> Path:
    """A cache that has the kernel's packages, which need not be downloaded again, and nothing else."""
    await build(default_cache())
    cache = folder / "cache"
    cache.mkdir()
    (cache / "packages").symlink_to(default_cache() / "packages")
    return cache


async def test_many_who_ask_at_once_get_one_image(tmp_path: Path) -> None:
    cache = await cache_without_images(tmp_path)
    images = await asyncio.gather(*(build(cache) for _ in range(3)))
    assert len(set(images)) == 1
    with images[0].open("rb") as image:
        assert image.read(512)[-2:] == b"\x55\xaa"
    assert [path.name for path in cache.iterdir() if path.name.startswith("unfinished")] == []

    made = images[0].stat().st_mtime_ns
    assert (await build(cache)).stat().st_mtime_ns == made


async def test_a_build_that_was_given_up_leaves_nothing_behind(tmp_path: Path) -> None:
    cache = await cache_without_images(tmp_path)
    building = asyncio.ensure_future(build(cache))
    async with asyncio.timeout(60):
        while not list(cache.glob("unfinished.*/work/*")):
            await asyncio.to_thread(os.sched_yield)
    building.cancel()
    with pytest.raises(asyncio.CancelledError):
        await building
    assert list(cache.glob("*/guest.raw")) == []
    image = await build(cache)
    assert image.exists()
    assert list(cache.glob("unfinished.*")) == []


async def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CommandError, match="file"):
        await build(tmp_path / "file" / "cache")


async def test_the_command_prints_the_path_and_copies_where_it_is_told(tmp_path: Path) -> None:
    copy = tmp_path / "copy.raw"
    argv = [sys.executable, "-m", "vmstead.demo.guest"]
    plain = await command(*argv)
    assert Path(plain.stdout.strip()).parent.parent == default_cache()
    result = await command(*argv, "--output", str(copy))
    assert (result.status, result.stdout) == (0, f"{copy}\n")
    assert copy.read_bytes() == Path(plain.stdout.strip()).read_bytes()
