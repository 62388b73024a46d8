"""Pipes: order, back pressure, and what each end hears of the other."""

import asyncio
import os
from pathlib import Path

import pytest

from vmstead.kernel.pipes import SPOOL, Pipe, PipeBroken, SpooledPipe, send_file

MiB = 1024 * 1024
KINDS = pytest.mark.parametrize("kind", [Pipe, SpooledPipe])


async def drained(pipe: Pipe) -> bytes:
    return b"".join([piece async for piece in pipe])


@KINDS
async def test_what_is_written_is_read_in_order(kind: type[Pipe]) -> None:
    pipe = kind()
    reader = asyncio.ensure_future(drained(pipe))
    for number in range(50):
        await pipe.write(bytes([number]) * 100_000)
    pipe.end()
    assert await reader == b"".join(bytes([number]) * 100_000 for number in range(50))


async def test_a_writer_waits_for_a_reader_that_is_behind() -> None:
    pipe = Pipe()
    await pipe.write(bytes(MiB))
    writer = asyncio.ensure_future(pipe.write(b"more"))
    await asyncio.wait([writer], timeout=0.01)
    assert not writer.done()
    reader = asyncio.ensure_future(drained(pipe))
    await writer
    pipe.end()
    assert len(await reader) == MiB + 4


async def test_a_spooled_pipe_keeps_what_is_written_for_later() -> None:
    pipe = SpooledPipe()
    for _ in range(5):
        await pipe.write(bytes(MiB))
    pipe.end()
    assert len(await drained(pipe)) == 5 * MiB


async def test_a_spooled_pipe_keeps_no_more_than_so_much() -> None:
    """A file of terabytes, most of them holes, must not fill the host's disk."""
    pipe = SpooledPipe()
    piece = os.urandom(MiB)
    size = SPOOL + 5 * MiB

    async def write() -> None:
        for _ in range(size // MiB):
            await pipe.write(piece)
        pipe.end()

    writer = asyncio.ensure_future(write())
    done, _ = await asyncio.wait([writer], timeout=0.5)
    assert not done
    assert os.fstat(pipe._file.fileno()).st_blocks * 512 <= SPOOL
    assert await drained(pipe) == piece * (size // MiB)
    await writer
    assert os.fstat(pipe._file.fileno()).st_blocks == 0


async def test_what_nobody_fetches_takes_no_room_any_more() -> None:
    pipe = SpooledPipe()
    await pipe.write(bytes(MiB))
    pipe.end()
    pipe.expire()
    assert os.fstat(pipe._file.fileno()).st_size == 0
    assert not pipe.take()


@KINDS
async def test_each_end_hears_that_the_other_has_broken_off(kind: type[Pipe]) -> None:
    pipe = kind()
    reader = asyncio.ensure_future(drained(pipe))
    await pipe.write(b"half")
    pipe.fail("the disk is full")
    with pytest.raises(PipeBroken, match="the disk is full"):
        await reader
    with pytest.raises(PipeBroken, match="the disk is full"):
        await pipe.write(b"more")


async def test_a_writer_that_waits_hears_it_too() -> None:
    pipe = Pipe()
    await pipe.write(bytes(MiB))
    writer = asyncio.ensure_future(pipe.write(b"more"))
    pipe.fail("nobody reads")
    with pytest.raises(PipeBroken, match="nobody reads"):
        await writer


async def test_only_one_can_take_it_and_only_in_time() -> None:
    pipe = Pipe()
    assert pipe.take()
    assert not pipe.take()
    pipe.expire()
    await pipe.write(b"still good")
    late = Pipe()
    late.expire()
    assert not late.take()
    with pytest.raises(PipeBroken, match="in time"):
        await late.write(b"")


async def test_a_file_that_grows_is_sent_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_bytes(b"x" * (2 * MiB + 5))
    pipe = Pipe()
    sending = asyncio.ensure_future(send_file(asyncio.to_thread(path.open, "rb"), pipe))
    await asyncio.wait([sending], timeout=0.01)
    with path.open("ab") as file:
        file.write(b"more")
    reader = asyncio.ensure_future(drained(pipe))
    await sending
    pipe.end()
    assert len(await reader) == 2 * MiB + 5
