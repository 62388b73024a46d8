"""What becomes of the page when its connection is lost: for a moment, for long, and with the server."""

import asyncio
import socket
from pathlib import Path

from playwright.async_api import BrowserContext, WebSocketRoute, expect

from tests.api.test_auth import account
from tests.harness import PATIENCE, server
from tests.web.browser import surfing, violations
from tests.web.pages import PASSWORD, add, site
from vmstead.adapters.memory_engine import Script
from vmstead.addresses import Address

LOST = "The connection to the server is lost"


class Cable:
    """What lies between a browser and its server; it can be cut.

    Attributes:
        is_cut: nothing passes.
        connections: those that came about, the last one last; ``is_back`` is set from the second on.
    """

    def __init__(self) -> None:
        self.is_cut = False
        self.connections: list[WebSocketRoute] = []
        self.is_back = asyncio.Event()

    @classmethod
    async def of(cls, context: BrowserContext) -> "Cable":
        """That of everything which the browser opens from now on."""
        cable = cls()
        await context.route_web_socket("**/api/current", cable._pass_on)
        return cable

    async def _pass_on(self, route: WebSocketRoute) -> None:
        if self.is_cut:
            await route.close()
        else:
            route.connect_to_server()
            if self.connections:
                self.is_back.set()
            self.connections.append(route)

    async def cut(self) -> None:
        """Nothing passes until ``is_cut`` is false again."""
        self.is_cut = True
        await self.connections[-1].close()


async def test_a_lost_connection_is_shown_and_heals(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        context = await at.surfer.context()
        cable = await Cable.of(context)
        page = await at.surfer.log_in(context, "ada", PASSWORD)
        await add(at, "before")
        await expect(page.get_by_role("link", name="before")).to_be_visible()
        await cable.cut()
        await expect(page.get_by_text(LOST)).to_be_visible()
        await add(at, "meanwhile")
        await at.host.api.call("vm.delete", 1)
        cable.is_cut = False
        await page.get_by_role("button", name="Try now").click()
        await expect(page.get_by_role("link", name="meanwhile")).to_be_visible()
        await expect(page.get_by_role("link", name="before")).to_have_count(0)
        await expect(page.get_by_text(LOST)).to_have_count(0)


async def test_a_page_that_was_open_for_long_comes_back_by_itself(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        context = await at.surfer.context()
        cable = await Cable.of(context)
        page = await at.surfer.log_in(context, "ada", PASSWORD)
        await add(at, "kept")
        at.host.clock.advance(500)
        # Whatever the page says keeps its login, such as this.
        await page.get_by_role("link", name="kept").click()
        await page.get_by_role("tab", name="Log").click()
        await expect(page.get_by_text("Nothing yet")).to_be_visible()
        at.host.clock.advance(500)
        await cable.connections[-1].close()
        async with asyncio.timeout(PATIENCE):
            await cable.is_back.wait()
        await expect(page.get_by_text("Live", exact=True)).to_be_visible()
        await page.reload()
        await expect(page.get_by_role("heading", name="kept")).to_be_visible()


async def test_a_server_that_has_started_anew_asks_for_a_login_and_the_page_goes_on_where_it_was(
    tmp_path: Path,
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = Address("127.0.0.1", probe.getsockname()[1])
    async with surfing(f"http://{listen.host}:{listen.port}") as surfer:
        context = await surfer.context()
        cable = await Cable.of(context)
        async with server(tmp_path, listen=listen) as host:
            await account(host, "ada", PASSWORD, "FULL_ADMIN")
            await host.api.call("vm.create", {"name": "web01", "memory": 64})
            await host.api.call("vm.start", 1)
            host.engine.script = Script(shutdown_seconds=None)
            page = await surfer.log_in(context, "ada", PASSWORD)
            await page.goto("/ui/vm/1/devices")
            await page.get_by_role("button", name="Shut down").click()
            await expect(page.get_by_role("button", name="1 job running")).to_be_visible()
            await cable.cut()
            await expect(page.get_by_text(LOST)).to_be_visible()
        async with server(tmp_path, listen=listen):
            cable.is_cut = False
            await page.get_by_role("button", name="Try now").click()
            await expect(page.get_by_text("Your session has ended. Log in again.")).to_be_visible()
            assert await violations(page) == []
            await cable.cut()
            await expect(page.get_by_text("The server cannot be reached.")).to_be_visible()
            cable.is_cut = False
            await expect(page.get_by_text("The server cannot be reached.")).to_have_count(0)
            await page.get_by_label("User name").fill("ada")
            await page.get_by_label("Password").fill(PASSWORD)
            await page.keyboard.press("Enter")
            await expect(page.get_by_role("button", name="Add device").first).to_be_visible()
            # The job that was waited for went with the server.
            await expect(page.get_by_text("does not know how this ended")).to_be_visible()
            await expect(page.get_by_role("button", name="1 job running")).to_have_count(0)
        assert surfer.complaints.elsewhere == []
