"""The list of VMs when it is long."""

import time
from pathlib import Path

from playwright.async_api import expect

from tests.web.pages import add, site

#: Milliseconds that nothing may stand still for longer.
PAUSE = 400


async def test_a_thousand_vms_are_scrolled_and_filtered_without_a_pause(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        for number in range(1000):
            await add(at, f"vm{number:04}", description="many")
        page = await at.enter()
        await expect(page.get_by_role("link", name="vm0000")).to_be_visible()
        await page.evaluate(
            """() => {
                window.pauses = [];
                new PerformanceObserver((list) => pauses.push(...list.getEntries().map((each) => each.duration)))
                    .observe({ entryTypes: ['longtask'] });
            }"""
        )
        await page.evaluate("document.getElementById('main').scrollTo(0, 1e9)")
        await expect(page.get_by_role("link", name="vm0999")).to_be_visible()
        begin = time.monotonic()
        await page.get_by_placeholder("Filter").fill("0777")
        await expect(page.get_by_role("row")).to_have_count(2)
        took = time.monotonic() - begin
        await page.get_by_placeholder("Filter").fill("")
        await expect(page.get_by_text("1000 VMs")).to_be_visible()
        assert await page.get_by_role("row").count() < 100
        assert max(await page.evaluate("pauses"), default=0) < PAUSE
        assert took < 2


async def test_an_event_changes_its_own_row_and_no_other(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        for number in range(1000):
            await add(at, f"vm{number:04}")
        page = await at.enter()
        await expect(page.get_by_role("link", name="vm0009")).to_be_visible()
        await page.evaluate(
            """() => {
                window.changed = new Set();
                const rowOf = (node) => (node.closest ? node : node.parentElement)?.closest('tr');
                const note = ({ target }) => changed.add(rowOf(target)?.innerText.trim().split(/\\s/)[0] ?? '');
                const all = { subtree: true, childList: true, attributes: true, characterData: true };
                new MutationObserver((list) => list.forEach(note)).observe(document.querySelector('tbody'), all);
            }"""
        )
        await at.host.api.call("vm.start", 8)
        await expect(page.get_by_role("row", name="vm0007").get_by_text("Running")).to_be_visible()
        assert await page.evaluate("[...changed]") == ["vm0007"]
