"""Who may come in: logins, second factors, accounts, keys and sessions, on the page."""

from pathlib import Path

import pyotp
from playwright.async_api import expect

from tests.web.browser import violations
from tests.web.pages import PASSWORD, site


async def test_who_gives_the_wrong_password_is_told_and_can_try_again(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        page = await (await at.surfer.context()).new_page()
        await page.goto("/")
        await page.get_by_label("User name").fill("ada")
        await page.get_by_label("Password").fill("wrong")
        await page.keyboard.press("Enter")
        await expect(page.get_by_text("User name or password is wrong.")).to_be_visible()
        await page.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await expect(page.get_by_role("heading", name="No virtual machines yet")).to_be_visible()


async def test_the_login_outlives_a_reload_and_ends_with_the_logout(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        page = await at.enter()
        for _ in range(2):
            await page.reload()
            await page.get_by_role("heading", name="Virtual machines", exact=True).wait_for()
        await page.get_by_role("button", name="Account of ada").click()
        await page.get_by_role("menuitem", name="Log out").click()
        await page.get_by_label("User name").wait_for()
        await page.reload()
        await page.get_by_label("User name").wait_for()


async def test_a_second_factor_is_set_up_asked_for_and_turned_off(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        page = await at.enter()
        await page.get_by_role("button", name="Account of ada").click()
        await page.get_by_role("menuitem", name="Two-factor").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Set up").click()
        await expect(dialog.get_by_role("img", name="QR code for an authenticator app")).to_be_visible()
        secret = await dialog.get_by_label("Secret, to type instead").input_value()
        assert await violations(page) == []
        await dialog.get_by_role("button", name="Close", exact=True).last.click()
        await page.get_by_role("button", name="Account of ada").click()
        await page.get_by_role("menuitem", name="Log out").click()

        await page.get_by_label("User name").fill("ada")
        await page.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await page.get_by_label("One-time code").fill(pyotp.TOTP(secret).at(int(at.host.clock.now())))
        await page.keyboard.press("Enter")
        await page.get_by_role("heading", name="Virtual machines", exact=True).wait_for()

        await page.goto("/ui/access/users")
        row = page.get_by_role("row", name="ada")
        await row.get_by_role("button", name="Turn off the second factor of ada?").click()
        await page.get_by_role("dialog").get_by_role("button", name="Turn off").click()
        await expect(row.get_by_role("button", name="Turn off the second factor of ada?")).to_have_count(0)
        [ada] = await at.host.api.call("user.query", [["username", "=", "ada"]])
        assert ada["twofactor_auth_configured"] is False
