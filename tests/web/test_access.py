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
        # The browser's clock is not the server's, whose time is told.
        trial = dialog.get_by_label("The code that the app shows now")
        await trial.fill(pyotp.TOTP(secret).at(0))
        await page.keyboard.press("Enter")
        await expect(trial).to_have_attribute("aria-invalid", "true")
        await expect(dialog.get_by_text("The app would show another code.")).to_be_visible()
        await trial.fill(pyotp.TOTP(secret).now())
        await dialog.get_by_role("button", name="Try it").click()
        await expect(dialog.get_by_text("The app has it right.")).to_be_visible()
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


async def test_a_second_factor_that_was_not_tried_locks_nobody_out(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        page = await at.enter("bob")
        await page.get_by_role("button", name="Account of bob").click()
        await page.get_by_role("menuitem", name="Two-factor").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_role("button", name="Set up").click()
        await expect(dialog.get_by_role("img", name="QR code for an authenticator app")).to_be_visible()
        await page.keyboard.press("Escape")
        await expect(page.get_by_text("stays off, because no code was tried")).to_be_visible()
        await expect(dialog).to_have_count(0)
        [bob] = await at.host.api.call("user.query", [["username", "=", "bob"]])
        assert bob["twofactor_auth_configured"] is False

        # Where there was one before, it is asked first.
        await at.host.api.call("user.renew_2fa_secret", "bob")
        await page.get_by_role("button", name="Account of bob").click()
        await page.get_by_role("menuitem", name="Two-factor").click()
        await dialog.get_by_role("button", name="Set up anew").click()
        await dialog.get_by_role("img", name="QR code for an authenticator app").wait_for()
        await page.keyboard.press("Escape")
        question = page.get_by_role("dialog", name="Close without trying a code?")
        await expect(question).to_be_visible()
        assert await violations(page) == []
        await question.get_by_role("button", name="Close", exact=True).last.click()
        await expect(dialog).to_have_count(0)


async def test_accounts_are_made_changed_and_removed(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        page = await at.enter()
        await page.goto("/ui/access/users")
        await page.get_by_role("button", name="Add user").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("User name").fill("carol")
        await dialog.get_by_label("Full name").fill("Carol C.")
        await dialog.get_by_label("Password").fill(PASSWORD)
        await dialog.get_by_role("button", name="Add").click()
        carol = page.get_by_role("row", name="carol")
        await expect(carol.get_by_text("manage VMs")).to_be_visible()
        # Those of the host, root among them, cannot be changed and are not offered.
        await expect(page.locator("tbody tr")).to_have_count(3)

        await carol.get_by_role("button", name="Edit").click()
        await dialog.get_by_text("Locked").click()
        await dialog.get_by_role("button", name="Save").click()
        await expect(carol.get_by_text("Yes")).to_be_visible()
        await carol.get_by_role("button", name="Delete").click()
        await dialog.get_by_role("button", name="Delete").click()
        await expect(carol).to_have_count(0)
        assert await at.host.api.call("user.query", [["username", "=", "carol"]]) == []


async def test_a_key_is_shown_once_and_opens_until_it_is_deleted(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        page = await at.enter()
        await page.goto("/ui/access/keys")
        await expect(page.get_by_role("heading", name="No API keys yet")).to_be_visible()
        await page.get_by_role("button", name="Create key").click()
        dialog = page.get_by_role("dialog")
        await dialog.get_by_label("Name").fill("backup")
        await dialog.get_by_role("button", name="Create key").click()
        key = await dialog.get_by_label("The new key").input_value()
        await dialog.get_by_role("button", name="Close").last.click()
        async with at.host.connect(over_tcp=True) as program:
            assert await program.call("auth.login_with_api_key", key) is True

        await page.get_by_role("row", name="backup").get_by_role("button", name="Delete key").click()
        await dialog.get_by_role("button", name="Delete key").click()
        await expect(page.get_by_role("heading", name="No API keys yet")).to_be_visible()
        assert await at.host.api.call("api_key.query") == []


async def test_all_other_sessions_are_ended_at_once(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        left, page = await at.enter("bob"), await at.enter()
        await page.goto("/ui/access/sessions")
        await expect(page.get_by_role("row", name="bob")).to_be_visible()
        await page.get_by_role("button", name="End all others").click()
        await page.get_by_role("dialog").get_by_role("button", name="End all others").click()
        await expect(page.get_by_role("row", name="bob")).to_have_count(0)
        await expect(page.get_by_role("button", name="End all others")).to_have_count(0)
        await left.get_by_label("User name").wait_for()
        await expect(page.get_by_role("row", name="this one")).to_be_visible()


async def test_who_may_only_look_changes_nobody_but_sets_up_their_own_second_factor(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        page = await at.enter("bob")
        await page.goto("/ui/access/users")
        row = page.get_by_role("row", name="ada")
        await expect(row.get_by_text("do everything")).to_be_visible()
        await expect(row.get_by_role("button")).to_have_count(0)
        await expect(page.get_by_role("button", name="Add user")).to_have_count(0)

        await page.get_by_role("button", name="Account of bob").click()
        await page.get_by_role("menuitem", name="Two-factor").click()
        await page.get_by_role("button", name="Set up").click()
        await expect(page.get_by_text("Only who manages users can turn it off.")).to_be_visible()
        await expect(page.get_by_role("button", name="Turn off")).to_have_count(0)


async def test_what_others_do_is_seen_at_once(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        page = await at.enter()
        await page.goto("/ui/access/users")
        await page.get_by_role("row", name="ada").wait_for()
        made = {"username": "carl", "full_name": "Carl", "password": PASSWORD, "group_create": True}
        carl = await at.host.api.call("user.create", made)
        row = page.get_by_role("row", name="carl")
        await expect(row).to_be_visible()
        await at.host.api.call("user.delete", carl["id"] if isinstance(carl, dict) else carl)
        await expect(row).to_have_count(0)
        await page.goto("/ui/access/sessions")
        mine = page.get_by_role("row", name="this one")
        await mine.wait_for()
        rows = page.get_by_role("row")
        count = await rows.count()
        other = await at.enter("bob")
        await expect(rows).to_have_count(count + 1)
        await other.close()
        await expect(rows).to_have_count(count)
