"""The web page in a real browser, at a real server without guests."""

import asyncio
from pathlib import Path

from playwright.async_api import Page, Route, expect

from tests.web.browser import violations
from tests.web.pages import PASSWORD, add, site
from tests.web.screenshots import PAGES, furnish
from vmstead.adapters.memory_engine import Script
from vmstead.kernel.run import run
from vmstead.web.page import FOLDER

#: Bytes, compressed, that the first look takes.
BUDGET = 320 * 1024


async def test_two_browsers_see_the_same_without_asking(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        first, second = await at.enter(), await at.enter()
        await add(at, "web01")
        for page in (first, second):
            await expect(page.get_by_role("link", name="web01")).to_be_visible()
        await first.get_by_role("button", name="Actions of web01").click()
        await first.get_by_role("menuitem", name="Start").click()
        for page in (first, second):
            row = page.get_by_role("row", name="web01")
            await expect(row.get_by_text("Running")).to_be_visible()
        await at.host.api.call("vm.delete", 1, {"force": True})
        for page in (first, second):
            await expect(page.get_by_role("link", name="web01")).to_have_count(0)


async def test_what_is_wrong_is_told_at_its_field(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        await add(at, "web01")
        page = await at.enter()
        await page.goto("/ui/vm/1/settings")
        await page.get_by_label("Sockets").fill("99")
        await page.get_by_role("button", name="Save").click()
        field = page.get_by_label("Sockets")
        await expect(field).to_have_attribute("aria-invalid", "true")
        help = page.locator(f"[id='{await field.get_attribute('aria-describedby')}']")
        await expect(help).to_contain_text("16")
        await field.fill("4")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_text("web01 has been saved")).to_be_visible()
        assert (await at.host.api.call("vm.get_instance", 1))["vcpus"] == 4


async def test_devices_are_added_changed_and_removed(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        await add(at, "web01")
        page = await at.enter()
        await page.goto("/ui/vm/1/devices")
        for kind in ("Disk on a volume", "Disk in a file", "Network card", "Display"):
            await page.get_by_role("button", name="Add device").click()
            await page.get_by_role("dialog").get_by_role("button", name=kind).click()
            await page.get_by_role("dialog").get_by_role("button", name="Add", exact=True).click()
            await expect(page.get_by_role("dialog")).to_have_count(0)
            await expect(page.get_by_role("gridcell", name=kind, exact=True)).to_be_visible()
        devices = await at.host.api.call("vm.device.query", [], {"order_by": ["id"]})
        kinds = [device["attributes"]["dtype"] for device in devices]
        assert kinds == ["DISK", "RAW", "NIC", "DISPLAY"]
        assert devices[0]["attributes"]["path"] == "/dev/zvol/default/web01-disk0"
        await page.get_by_role("button", name="Edit: Network card").click()
        await page.get_by_label("Type", exact=True).select_option("E1000")
        await page.get_by_role("button", name="Save").click()
        await expect(page.get_by_role("gridcell", name="E1000")).to_be_visible()
        await page.get_by_role("button", name="Remove: Disk in a file").click()
        await page.get_by_label("Also delete the file").check()
        await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        await expect(page.get_by_role("gridcell", name="Disk in a file", exact=True)).to_have_count(0)
        assert not (at.host.config.state / "pools/default/web01-disk1.img").exists()


async def test_a_vm_is_cloned_and_deleted_by_its_name(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        await add(at, "web01")
        page = await at.enter()
        await page.goto("/ui/vm/1")
        await page.get_by_role("button", name="Actions of web01").click()
        await page.get_by_role("menuitem", name="Clone").click()
        await page.get_by_label("Name of the copy").fill("web02")
        await page.get_by_role("button", name="Clone", exact=True).click()
        await expect(page.get_by_text("web01 has been copied")).to_be_visible()
        await page.get_by_role("button", name="Actions of web01").click()
        await page.get_by_role("menuitem", name="Delete").click()
        confirm = page.get_by_role("button", name="Delete VM")
        await expect(confirm).to_be_disabled()
        await page.get_by_label("Type web01 to confirm").fill("web01")
        await confirm.click()
        await expect(page.get_by_role("link", name="web02")).to_be_visible()
        assert [vm["name"] for vm in await at.host.api.call("vm.query")] == ["web02"]


async def test_who_may_only_look_is_offered_nothing_else(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        await add(at, "web01")
        await at.host.api.call("vm.start", 1)
        page = await at.enter("bob")
        await expect(page.get_by_role("link", name="web01")).to_be_visible()
        for name in ("Create VM", "Actions of web01"):
            await expect(page.get_by_role("button", name=name)).to_have_count(0)
        await page.goto("/ui/vm/1/serial")
        await expect(page.get_by_text("Your role does not include the use of consoles.")).to_be_visible()


async def test_several_are_started_at_once_and_who_cannot_is_named(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        for name in ("one", "two"):
            await add(at, name)
        missing = {"vm": 2, "attributes": {"dtype": "CDROM", "path": "/mnt/default/gone.iso"}}
        gone = at.host.config.state / "pools/default/gone.iso"
        gone.write_bytes(b"iso")
        await at.host.api.call("vm.device.create", missing)
        gone.unlink()
        page = await at.enter()
        await page.get_by_label("Select all shown").check()
        await page.get_by_role("button", name="Start", exact=True).click()
        notice = page.get_by_role("list").get_by_text("two:")
        await expect(notice).to_contain_text("gone.iso")
        await expect(page.get_by_role("row", name="one").get_by_text("Running")).to_be_visible()


async def test_a_job_is_seen_on_its_way_and_can_be_aborted(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        vm = await add(at, "web01")
        at.host.engine.script = Script(shutdown_seconds=None)
        await at.host.api.call("vm.start", vm)
        page = await at.enter()
        await page.get_by_role("button", name="Actions of web01").click()
        await page.get_by_role("menuitem", name="Shut down").click()
        await page.get_by_role("button", name="1 job running").click()
        await expect(page.get_by_text("Waiting for VM 1 (web01) to shut down")).to_be_visible()
        await page.get_by_role("button", name="Abort: vm.stop").click()
        await expect(page.get_by_role("gridcell", name="Aborted")).to_be_visible()
        await expect(page.get_by_text("Shut down: web01")).to_be_visible()


async def test_every_page_can_be_used_by_everybody(tmp_path: Path) -> None:
    async with site(tmp_path, complains=True) as at:
        await furnish(at.host)
        found: list[str] = []
        for theme in ("light", "dark"):
            page = await at.enter(color_scheme=theme)
            for name, path in PAGES.items():
                await page.goto(path)
                await settle(page)
                found += [f"{name} ({theme}): {violation}" for violation in await violations(page)]
        assert found == []


async def test_every_dialog_can_be_used_by_everybody(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        await add(at, "web01")
        page = await at.enter()
        found: list[str] = []

        async def look(name: str) -> None:
            await page.get_by_role("dialog").wait_for()
            found.extend(f"{name}: {violation}" for violation in await violations(page))
            await page.keyboard.press("Escape")
            await expect(page.get_by_role("dialog")).to_have_count(0)

        await page.goto("/ui/vm/1/devices")
        kinds = ("Disk on a volume", "Disk in a file", "CD-ROM", "Network", "Display", "PCI", "USB")
        for kind in kinds:
            await page.get_by_role("button", name="Add device").click()
            await page.get_by_role("dialog").get_by_role("button", name=kind).click()
            await page.get_by_role("dialog").get_by_text("Order", exact=True).wait_for()
            await look(kind)
        for action in ("Clone", "Delete"):
            await page.get_by_role("button", name="Actions of web01").click()
            await page.get_by_role("menuitem", name=action).click()
            await look(action)
        await page.get_by_role("button", name="Account of ada").click()
        await page.get_by_role("menuitem", name="Change password").click()
        await look("password")
        await page.keyboard.press("?")
        await look("keyboard")
        assert found == []


async def test_the_keyboard_leads_everywhere(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        await add(at, "web01")
        page = await at.enter()
        for keys, path in (("gj", "/ui/jobs"), ("gh", "/ui/host"), ("gv", "/ui/"), ("c", "/ui/create")):
            for key in keys:
                await page.keyboard.press(key)
            await page.wait_for_url(f"**{path}")
        await page.keyboard.press("g")
        await page.keyboard.press("v")
        await page.get_by_role("link", name="web01").wait_for()
        await page.keyboard.press("/")
        await page.keyboard.type("gj")
        await expect(page.get_by_placeholder("Filter")).to_have_value("gj")


async def test_the_address_of_a_display_leads_to_it_after_a_login(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        await add(at, "web01")
        await at.host.api.call("vm.device.create", {"vm": 1, "attributes": {"dtype": "DISPLAY"}})
        place = at.surfer.base.removeprefix("http://")
        uri = (await at.host.api.call("vm.get_display_web_uri", 1, place))["uri"]
        page = await (await at.surfer.context()).new_page()
        await page.goto(uri)
        await page.get_by_label("User name").fill("ada")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("Start it to see its screen.")).to_be_visible()
        await at.host.api.call("vm.start", 1)
        await expect(page.locator("iframe[title='Screen of web01']")).to_be_visible()
        assert page.url == uri


async def settle(page: Page) -> None:
    await page.get_by_role("heading").first.wait_for()
    await expect(page.get_by_role("progressbar", name="Loading")).to_have_count(0)


async def test_a_vm_is_made_from_an_image_that_is_uploaded(tmp_path: Path) -> None:
    raw, image = tmp_path / "disk.raw", tmp_path / "disk.qcow2"
    raw.write_bytes(b"precious".ljust(3 * 1024 * 1024, b"."))
    await run(["qemu-img", "convert", "-O", "qcow2", str(raw), str(image)])
    async with site(tmp_path / "site") as at:
        page = await at.enter()
        is_seen = asyncio.Event()

        async def hold(route: Route) -> None:
            await is_seen.wait()
            await route.continue_()

        await page.route("**/_upload", hold)
        await page.get_by_role("button", name="Create VM").first.click()
        await page.get_by_label("Name").fill("copied")
        await page.locator("#source-image").check()
        await page.get_by_role("button", name="Next").click()
        await page.get_by_role("button", name="Browse").click()
        await page.get_by_label("Upload", exact=True).set_input_files(image)
        await expect(page.get_by_role("progressbar", name="Uploading disk.qcow2")).to_be_visible()
        is_seen.set()
        await expect(page.get_by_role("dialog")).to_have_count(0)
        for _ in range(3):
            await page.get_by_role("button", name="Next").click()
        await page.get_by_label("Start").uncheck()
        await page.get_by_role("button", name="Create VM").click()
        await expect(page.get_by_role("heading", name="copied")).to_be_visible()
        [vm] = await at.host.api.call("vm.query")
        disk = next(each["attributes"] for each in vm["devices"] if each["attributes"]["dtype"] == "DISK")
        volume = at.host.config.state / "pools/default/.volumes" / Path(disk["path"]).name
        assert volume.read_bytes()[: raw.stat().st_size] == raw.read_bytes()


async def test_on_a_phone_there_is_room_for_the_jobs_and_the_account(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        await furnish(at.host)
        page = await at.enter(viewport={"width": 360, "height": 740})
        home = await page.get_by_role("link", name="Vmstead").bounding_box()
        jobs = await page.get_by_role("button", name="1 job running").bounding_box()
        account = await page.get_by_role("button", name="Account of ada").bounding_box()
        assert home is not None
        assert jobs is not None
        assert account is not None
        assert home["x"] + home["width"] <= jobs["x"]
        assert jobs["x"] + jobs["width"] <= account["x"]
        assert account["x"] + account["width"] <= 360


async def test_what_is_read_and_written_has_two_colours(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        await furnish(at.host)
        for theme in ("light", "dark"):
            page = await at.enter(color_scheme=theme)
            await page.goto("/ui/vm/1")
            await page.get_by_role("img", name="Disk:").wait_for()
            seen = (
                await page.get_by_role("img", name="Disk:")
                .locator("canvas")
                .evaluate(
                    """(canvas) => {
                    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
                    const seen = new Set();
                    for (let at = 0; at < data.length; at += 4) {
                        if (data[at + 3] === 255 && data[at + 2] > data[at] + 80) seen.add('blue');
                        if (data[at + 3] === 255 && data[at] > data[at + 2] + 80) seen.add('orange');
                    }
                    return [...seen].sort();
                }"""
                )
            )
            assert seen == ["blue", "orange"], theme


async def test_the_first_look_is_within_its_budget(tmp_path: Path) -> None:
    sizes: dict[str, int] = {}
    async with site(tmp_path) as at:
        page = await (await at.surfer.context()).new_page()
        page.on("response", lambda response: sizes.update({response.url.partition("/ui/")[2]: 0}))
        await page.goto("/ui/")
        await page.get_by_label("User name").wait_for()
        await page.wait_for_load_state("networkidle")
    total = 0
    for name in sizes:
        path = FOLDER / (name or "index.html")
        pressed = path.with_name(path.name + ".br")
        total += (pressed if pressed.exists() else path).stat().st_size
    assert len(sizes) > 3
    assert total < BUDGET, (total, sizes)
