"""A server with accounts, and a browser at it, for tests of the page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.async_api import BrowserContext, Page, expect

from tests.api.test_auth import account
from tests.harness import Host, server
from tests.web.browser import PATIENCE, Surfer, surfing

PASSWORD = "open sesame"

expect.set_options(timeout=PATIENCE)


@dataclass
class Site:
    """The server, and who looks at it."""

    host: Host
    surfer: Surfer

    async def enter(self, username: str = "ada", **options: Any) -> Page:
        """A new browser, logged in."""
        context: BrowserContext = await self.surfer.context(**options)
        return await self.surfer.log_in(context, username, PASSWORD)


@asynccontextmanager
async def site(tmp_path: Path, *, complains: bool = False) -> AsyncIterator[Site]:
    """A server without guests, with ada who may everything and bob who may look; and a browser.

    At the end the browser must have had nothing to complain of, unless the test says that it will, and must have
    asked nothing of another server.
    """
    async with server(tmp_path) as host:
        await account(host, "ada", PASSWORD, "FULL_ADMIN")
        await account(host, "bob", PASSWORD, "READONLY_ADMIN")
        async with surfing(host.tcp_url.replace("ws://", "http://")) as surfer:
            yield Site(host, surfer)
            assert surfer.complaints.elsewhere == []
            if not complains:
                assert surfer.complaints.console == []


async def add(at: Site, name: str, **more: Any) -> int:
    """A VM by that name; answers with its id."""
    vm = await at.host.api.call("vm.create", {"name": name, "memory": 64, **more})
    return int(vm["id"])
