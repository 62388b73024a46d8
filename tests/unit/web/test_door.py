"""How many connections are let in."""

import asyncio
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from vmstead.web.door import Door, most_connections


@pytest.fixture(autouse=True)
def limits() -> Iterator[None]:
    """The limit on open files is as before afterwards."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.parametrize(("limit", "most"), [(64, 8), (100, 36), (256, 192), (1024, 896)])
def test_the_server_keeps_some_for_itself(limit: int, most: int) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    assert most_connections() == most


async def ask(path: Path) -> tuple[bytes, asyncio.StreamWriter]:
    """The first line that is answered to a request, and the connection, which stays."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
    return await reader.readline(), writer


async def test_who_comes_when_it_is_full_is_told_and_the_next_one_after_that_is_let_in(
    tmp_path: Path,
) -> None:
    async def hello(_: web.BaseRequest) -> web.Response:
        return web.Response(text="hello")

    http = web.Server(hello)
    loop = asyncio.get_running_loop()
    async with await loop.create_unix_server(Door(http, 1), tmp_path / "s"):
        status, first = await ask(tmp_path / "s")
        assert status == b"HTTP/1.1 200 OK\r\n"
        status, second = await ask(tmp_path / "s")
        assert status == b"HTTP/1.1 503 Service Unavailable\r\n"
        for writer in (first, second):
            writer.close()
        async with asyncio.timeout(10):
            while http.connections:
                await asyncio.get_running_loop().run_in_executor(None, lambda: None)
        status, third = await ask(tmp_path / "s")
        assert status == b"HTTP/1.1 200 OK\r\n"
        third.close()
        await http.shutdown()
