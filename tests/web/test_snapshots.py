"""Snapshots of a VM's volumes, on the page."""

from pathlib import Path

from playwright.async_api import expect

from tests.web.browser import violations
from tests.web.pages import Site, add, site

MiB = 1024 * 1024


async def vm_with_volumes(at: Site, *names: str) -> int:
    vm = await add(at, "web01")
    for name in names:
        disk = {"dtype": "DISK", "create_zvol": True, "zvol_name": f"default/{name}", "zvol_volsize": MiB}
        await at.host.api.call("vm.device.create", {"vm": vm, "attributes": disk})
    return vm


async def snapshots(at: Site) -> list[str]:
    return [each["id"] for each in await at.host.api.call("pool.snapshot.query")]


async def test_all_volumes_are_kept_copied_and_forgotten_together(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        await vm_with_volumes(at, "root", "data")
        page = await at.enter()
        await page.goto("/ui/vm/1/devices")
        await expect(page.get_by_role("heading", name="No snapshots yet")).to_be_visible()
        await page.get_by_role("button", name="Take snapshot").click()
        dialog = page.get_by_role("dialog")
        await expect(
            dialog.get_by_text("It keeps what is on default/root, default/data now.")
        ).to_be_visible()
        assert await violations(page) == []
        await dialog.get_by_label("Name").fill("before")
        await dialog.get_by_role("button", name="Take snapshot").click()
        row = page.get_by_role("row", name="before")
        await expect(row).to_contain_text("default/data, default/root")
        assert await snapshots(at) == ["default/data@before", "default/root@before"]
        assert await violations(page) == []

        await row.get_by_role("button", name="Copy to volume: before").click()
        await dialog.get_by_role("button", name="Copy to volume").click()
        await expect(page.get_by_text("default/root-before can now be chosen as a disk")).to_be_visible()
        choices = await at.host.api.call("vm.device.disk_choices")
        assert {"/dev/zvol/default/root-before", "/dev/zvol/default/data-before"} <= choices.keys()

        await row.get_by_role("button", name="Delete: before").click()
        await dialog.get_by_role("button", name="Delete").click()
        await expect(page.get_by_role("heading", name="No snapshots yet")).to_be_visible()
        assert await snapshots(at) == []


async def test_a_vm_is_rolled_back(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        vm = await vm_with_volumes(at, "root", "data")
        volume = tmp_path / "state/pools/default/.volumes/root"
        for name in ("first", "second"):
            volume.write_bytes(name.encode().ljust(MiB, b"\0"))
            for dataset in ("default/root", "default/data"):
                await at.host.api.call("pool.snapshot.create", {"dataset": dataset, "name": name})
        await at.host.api.call("vm.start", vm)
        page = await at.enter()
        await page.goto(f"/ui/vm/{vm}/devices")
        dialog = page.get_by_role("dialog")

        async def roll_back() -> None:
            await page.get_by_role("button", name="Roll back: first").click()
            await expect(dialog.get_by_text("default/root@second")).to_be_visible()
            assert await violations(page) == []
            await dialog.get_by_role("button", name="Roll back").click()

        await roll_back()
        await expect(page.get_by_text("stop it first")).to_be_visible()
        await at.host.api.call("vm.poweroff", vm)
        await roll_back()
        await expect(page.get_by_text("default/data, default/root rolled back to first")).to_be_visible()
        assert volume.read_bytes().startswith(b"first")
        await expect(page.get_by_role("row", name="second")).to_have_count(0)
        await expect(page.get_by_role("row", name="first")).to_be_visible()


async def test_what_cannot_be_kept_whole_is_not_kept_at_all(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        await vm_with_volumes(at, "root", "data")
        await at.host.api.call("pool.snapshot.create", {"dataset": "default/data", "name": "taken"})
        page = await at.enter()
        await page.goto("/ui/vm/1/devices")
        await page.get_by_role("button", name="Take snapshot").click()
        name = page.get_by_role("dialog").get_by_label("Name")
        await name.fill("taken")
        await page.keyboard.press("Enter")
        await expect(name).to_have_attribute("aria-invalid", "true")
        assert await snapshots(at) == ["default/data@taken"]

        await at.host.api.call(
            "pool.dataset.create", {"name": "default/data-taken", "type": "VOLUME", "volsize": MiB}
        )
        await page.keyboard.press("Escape")
        await page.get_by_role("button", name="Copy to volume: taken").click()
        await page.get_by_role("dialog").get_by_role("button", name="Copy to volume").click()
        await expect(page.get_by_role("list").get_by_text("default/data-taken")).to_be_visible()


async def test_snapshots_of_others_appear_and_who_may_only_look_takes_none(tmp_path: Path) -> None:
    async with site(tmp_path) as at:
        await vm_with_volumes(at, "root")
        await at.host.api.call("vm.start", 1)
        page = await at.enter("bob")
        await page.goto("/ui/vm/1/devices")
        await expect(page.get_by_role("heading", name="No snapshots yet")).to_be_visible()
        await at.host.api.call("pool.snapshot.create", {"dataset": "default/root", "name": "nightly"})
        row = page.get_by_role("row", name="nightly")
        await expect(row).to_be_visible()
        await expect(row.get_by_role("button")).to_have_count(0)
        await expect(page.get_by_role("button", name="Take snapshot")).to_have_count(0)
        await at.host.api.call("pool.snapshot.delete", "default/root@nightly")
        await expect(row).to_have_count(0)
