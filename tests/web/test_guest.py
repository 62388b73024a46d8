"""The web page and a real guest: made in the wizard from an ISO image, watched, worked in, copied and deleted."""

import asyncio
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Page, expect

from tests.guest.guests import PATIENCE, host
from tests.guest.test_life import raw_guest
from tests.guest.test_matrix import bootable_cd
from tests.processes import serving, vmstead
from tests.web.browser import surfing
from tests.web.pages import PASSWORD

#: Milliseconds that an emulated guest gets for what usually takes ten seconds.
GUEST = PATIENCE * 1000


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def changes(look: Callable[[], Awaitable[bytes]], before: bytes) -> bytes:
    """What is seen once it is something else."""
    async with asyncio.timeout(PATIENCE):
        while (seen := await look()) == before:
            continue
    return seen


async def create_from_iso(page: Page, iso: Path) -> None:
    await page.get_by_role("button", name="Create VM").first.click()
    await page.get_by_label("Name").fill("from_iso")
    await page.get_by_role("button", name="Next").click()
    await page.get_by_role("button", name="Browse").click()
    await page.get_by_label("Upload", exact=True).set_input_files(iso)
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await expect(page.get_by_label("ISO image")).to_have_value("/mnt/default/boot.iso")
    await page.get_by_role("button", name="Next").click()
    await page.locator("input[name=memory]").fill("0.5")
    await page.locator("input[name=disk]").fill("1")
    await page.get_by_role("button", name="Next").click()
    await page.get_by_label("Attached to").select_option("user")
    await page.get_by_role("button", name="Next").click()
    await page.get_by_role("button", name="The API calls this makes").click()
    await expect(page.get_by_text("midclt call vm.create")).to_be_visible()
    await page.get_by_role("button", name="Create VM").click()


async def watch_it_boot(page: Page) -> None:
    """The picture moves while the guest boots, and when something is typed."""
    # The frame stays, whatever the guest does with its screen.
    frame = page.locator("iframe[title='Screen of from_iso']")
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible(timeout=GUEST)
    await changes(frame.screenshot, await frame.screenshot())


async def work_at_the_serial_console(page: Page) -> None:
    await page.get_by_role("tab", name="Serial").click()
    serial = page.frame_locator("iframe[title='Serial console of from_iso']")
    rows = serial.locator(".xterm-rows")
    await expect(rows).to_contain_text("login:", timeout=GUEST)
    await serial.locator(".xterm-helper-textarea").focus()
    await page.keyboard.type("root\n")
    await expect(rows).to_contain_text("#", timeout=GUEST)
    await page.keyboard.type("echo $((6*7))-ok\n")
    await expect(rows).to_contain_text("42-ok", timeout=GUEST)


async def type_at_the_display(page: Page) -> None:
    """What is typed at the screen arrives in the guest, which repeats it on the serial console."""
    rows = page.frame_locator("iframe[title='Serial console of from_iso']").locator(".xterm-rows")
    await type_text(page, "root\n")
    # Logging in throws away what was typed ahead, so it is typed again until it is heard.
    async with asyncio.timeout(PATIENCE):
        while True:
            await type_text(page, "echo Typed: $((40+2))! >/dev/ttyS0\n")
            await page.get_by_role("tab", name="Serial").click()
            try:
                await expect(rows).to_contain_text("Typed: 42!", timeout=4000)
            except AssertionError:
                continue
            break


async def type_text(page: Page, text: str) -> None:
    await page.get_by_role("tab", name="Display").click()
    await expect(page.get_by_text("Connected", exact=True)).to_be_visible(timeout=GUEST)
    await page.get_by_role("button", name="Type text").click()
    await page.get_by_label("Text to type").fill(text)
    await page.get_by_role("button", name="Type it").click()
    await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.wait_for_timeout(40 * len(text))


async def test_a_vm_from_an_iso_image_to_its_end(tmp_path: Path) -> None:
    iso = tmp_path / "boot.iso"
    await bootable_cd(tmp_path, iso)
    with host() as here:
        port = free_port()
        options = ("--accel", "tcg", "--listen", f"127.0.0.1:{port}")
        async with serving(here.state, *options, engine="private"):
            where = ["--state", str(here.state)]
            await vmstead("user", "add", "ada", "--password-stdin", *where, stdin=f"{PASSWORD}\n")
            async with surfing(f"http://127.0.0.1:{port}") as surfer:
                page = await surfer.log_in(await surfer.context(), "ada", PASSWORD)
                await create_from_iso(page, iso)
                await watch_it_boot(page)
                await work_at_the_serial_console(page)
                await type_at_the_display(page)
                await stop_copy_and_delete(page)
                assert await here.call("vm.query") == []
                assert surfer.complaints.console == []
                assert surfer.complaints.elsewhere == []


async def test_who_may_only_look_sees_every_kind_of_display(tmp_path: Path) -> None:
    with host() as here:
        port = free_port()
        options = ("--accel", "tcg", "--listen", f"127.0.0.1:{port}")
        async with serving(here.state, *options, engine="private"):
            where = ["--state", str(here.state)]
            for name, role in (("ada", "FULL_ADMIN"), ("bob", "READONLY_ADMIN")):
                add = ["user", "add", name, "--role", role, "--password-stdin", *where]
                assert (await vmstead(*add, stdin=f"{PASSWORD}\n")).status == 0
            vm = await raw_guest(here)
            for kind in ("VNC", "SPICE"):
                attributes = {"dtype": "DISPLAY", "type": kind, "password": "sesame"}
                await here.call("vm.device.create", {"vm": vm, "attributes": attributes})
            await here.call("vm.start", vm)
            async with surfing(f"http://127.0.0.1:{port}") as surfer:
                ada = await surfer.log_in(await surfer.context(), "ada", PASSWORD)
                bob = await surfer.log_in(await surfer.context(), "bob", PASSWORD)
                for page, label in ((ada, "Connected"), (bob, "View only")):
                    await page.goto(f"/ui/vm/{vm}/display")
                    # Both look at the VNC display, which is the first, at the same time.
                    await expect(page.get_by_text(label, exact=True)).to_be_visible(timeout=GUEST)
                    await page.frame_locator("iframe").locator("canvas").wait_for()
                await bob.get_by_role("combobox", name="Display").select_option("SPICE")
                await expect(bob.get_by_text("View only", exact=True)).to_be_visible(timeout=GUEST)
                await expect(bob.get_by_role("button", name="Type text")).to_be_disabled()
                # Somebody who may do more has nobody to ask.
                await ada.get_by_role("combobox", name="Display").select_option("SPICE")
                await ada.get_by_role("button", name="Take over").click()
                await expect(ada.get_by_text("Connected", exact=True)).to_be_visible(timeout=GUEST)
                await expect(bob.get_by_text("ada has taken over the display")).to_be_visible()
                await bob.get_by_role("button", name="Take over").click()
                await expect(bob.get_by_text("ada works at this display")).to_be_visible()
                assert surfer.complaints.console == []
                assert surfer.complaints.elsewhere == []
            await here.call("vm.poweroff", vm)


async def stop_copy_and_delete(page: Page) -> None:
    await page.get_by_role("button", name="Shut down").click()
    await expect(page.get_by_text("Stopped", exact=True)).to_be_visible(timeout=GUEST)
    await page.get_by_role("tab", name="Devices").click()
    await page.get_by_role("button", name="Remove: CD-ROM").click()
    await page.get_by_role("dialog").get_by_role("button", name="Remove").click()
    await expect(page.get_by_role("gridcell", name="CD-ROM", exact=True)).to_have_count(0)
    await page.get_by_role("button", name="Actions of from_iso").click()
    await page.get_by_role("menuitem", name="Clone").click()
    await page.get_by_role("button", name="Clone", exact=True).click()
    await expect(page.get_by_text("from_iso has been copied")).to_be_visible()
    for name in ("from_iso", "from_iso_copy"):
        await page.get_by_role("button", name=f"Actions of {name}", exact=True).click()
        await page.get_by_role("menuitem", name="Delete").click()
        await page.get_by_label(f"Type {name} to confirm").fill(name)
        await page.get_by_label("Also destroy its volumes").check()
        await page.get_by_role("button", name="Delete VM").click()
        await expect(page.get_by_role("dialog")).to_have_count(0)
