"""The files of the web page, and how they are served."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web

from vmstead.web.page import Page


@asynccontextmanager
async def served(folder: Path) -> AsyncIterator[aiohttp.ClientSession]:
    app = web.Application()
    Page(folder).add_routes(app.router)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.UnixSite(runner, str(folder.parent / "http.sock")).start()
        connector = aiohttp.UnixConnector(str(folder.parent / "http.sock"))
        async with aiohttp.ClientSession(
            "http://localhost", connector=connector, auto_decompress=False
        ) as http:
            yield http
    finally:
        await runner.cleanup()


def built(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("the page")
    (folder / "serial.html").write_text("a console")
    (folder / "assets/index-AbCd1234.js").write_text("the program")
    (folder / "assets/index-AbCd1234.js.br").write_bytes(b"pressed")
    (folder.parent / "secret.txt").write_text("not the page's")
    return folder


async def test_every_screen_has_an_address_and_only_files_of_the_page_are_sent(tmp_path: Path) -> None:
    async with served(built(tmp_path)) as http:
        for path in ("/", "/ui", "/ui/", "/ui/vm/4/devices", "/vm/display/7/spice_auto.html?path=x"):
            answer = await http.get(path)
            assert (answer.status, await answer.text()) == (200, "the page"), path
            assert answer.url.path.startswith(("/ui/", "/vm/"))
        for path in ("/ui/%2e%2e/secret.txt", "/ui/..%2fsecret.txt", "/ui/assets/gone.js", "/ui/assets/"):
            assert (await http.get(path)).status == 404, path


async def test_what_never_changes_is_kept_and_compressed(tmp_path: Path) -> None:
    async with served(built(tmp_path)) as http:
        page = await http.get("/ui/")
        assert page.headers["Cache-Control"] == "no-cache"
        program = await http.get("/ui/assets/index-AbCd1234.js", headers={"Accept-Encoding": "br"})
        assert program.headers["Content-Encoding"] == "br"
        assert program.headers["Cache-Control"].endswith("immutable")
        assert program.content_type == "text/javascript"
        assert await program.read() == b"pressed"
        plain = await http.get("/ui/assets/index-AbCd1234.js", headers={"Accept-Encoding": "identity"})
        assert await plain.read() == b"the program"


async def test_nothing_written_into_a_document_runs(tmp_path: Path) -> None:
    async with served(built(tmp_path)) as http:
        policy = (await http.get("/ui/")).headers["Content-Security-Policy"]
        assert "unsafe" not in policy
        assert "default-src 'self'" in policy
        console = (await http.get("/ui/serial.html")).headers["Content-Security-Policy"]
        assert "script-src 'self';" in console
        assert "style-src 'self' 'unsafe-inline'" in console


async def test_a_page_that_is_not_built_says_how(tmp_path: Path) -> None:
    async with served(tmp_path / "static") as http:
        for path in ("/ui/", "/ui/vm/1", "/vm/display/1/spice_auto.html"):
            answer = await http.get(path)
            assert answer.status == 503
            assert "Run bin/setup" in await answer.text()
