"""A browser for tests: Debian's Chromium, driven by Playwright, watched for whatever it complains of."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, Page, Request, async_playwright

#: Milliseconds in which a page shows what is waited for.
PATIENCE = 15_000
_EXECUTABLE = os.environ.get("VMSTEAD_CHROMIUM", "/usr/bin/chromium")
_OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = Path(__file__).parents[2] / "web/node_modules/axe-core/axe.min.js"

#: What Chromium says of a picture that a display's client reads back often; it depends on how busy the machine is.
_HINT = "Canvas2D: Multiple readback operations"


@dataclass
class Complaints:
    """What went wrong in the pages of a browser.

    Attributes:
        console: errors that were written to the console, or thrown.
        elsewhere: addresses of other servers that something was asked of.
    """

    base: str
    console: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.on("console", lambda message: self._said(message.type, message.text))
        page.on("pageerror", lambda error: self.console.append(str(error)))
        page.on("request", self._asked)
        page.on("websocket", lambda socket: self._address(socket.url))

    def _said(self, kind: str, text: str) -> None:
        if kind in ("error", "warning") and not text.startswith(_HINT):
            self.console.append(text)

    def _asked(self, request: Request) -> None:
        self._address(request.url)

    def _address(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("data", "blob") and parts.netloc != urlsplit(self.base).netloc:
            self.elsewhere.append(url)


@dataclass
class Surfer:
    """Somebody with a browser.

    Attributes:
        base: address of the server: ``http://127.0.0.1:PORT``.
    """

    base: str
    browser: Browser
    complaints: Complaints

    async def context(self, **options: object) -> BrowserContext:
        """A browser that has never seen the server."""
        context = await self.browser.new_context(base_url=self.base, **options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE)
        context.on("page", self.complaints.watch)
        return context

    async def log_in(self, context: BrowserContext, username: str, password: str) -> Page:
        """Open the page and log in."""
        page = await context.new_page()
        await page.goto("/ui/")
        await page.get_by_label("User name").fill(username)
        await page.get_by_label("Password").fill(password)
        await page.get_by_role("button", name="Log in", exact=True).click()
        await page.get_by_role("heading", name="Virtual machines", exact=True).wait_for()
        return page


@asynccontextmanager
async def surfing(base: str) -> AsyncIterator[Surfer]:
    """A browser during the block."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_EXECUTABLE, args=_OPTIONS)
        try:
            yield Surfer(base, browser, Complaints(base))
        finally:
            await browser.close()


async def violations(page: Page) -> list[str]:
    """What axe-core has to say of a page: rule, and the elements that break it."""
    await page.evaluate(AXE.read_text())
    found = await page.evaluate(
        "rules => axe.run(document, {runOnly: rules, iframes: false})",
        ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"],
    )
    return [
        f"{violation['id']}: {[node['html'][:160] for node in violation['nodes'][:3]]}"
        for violation in found["violations"]
    ]
