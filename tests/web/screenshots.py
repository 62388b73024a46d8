"""Pictures of every page, light and dark, on a desktop and on a phone.

``python -m tests.web.screenshots FOLDER`` takes all, with names of pages after it only those.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Page

from tests.api.test_auth import account
from tests.harness import Host, server
from tests.web.browser import surfing
from vmstead.adapters.memory_engine import Script

SIZES = {"desktop": {"width": 1360, "height": 860}, "phone": {"width": 390, "height": 844}}
PAGES = {
    "list": "/ui/",
    "overview": "/ui/vm/1",
    "display": "/ui/vm/2/display",
    "serial": "/ui/vm/2/serial",
    "devices": "/ui/vm/1/devices",
    "settings": "/ui/vm/1/settings",
    "log": "/ui/vm/1/log",
    "create": "/ui/create",
    "jobs": "/ui/jobs",
    "host": "/ui/host",
    "users": "/ui/access/users",
    "keys": "/ui/access/keys",
    "sessions": "/ui/access/sessions",
    "missing": "/ui/vm/99",
}


async def furnish(host: Host) -> None:
    """Some VMs that look like somebody's, a job on its way and one done, a key of ada's, and a snapshot."""
    names = ["web01", "mail", "win11", "build_runner", "media", "db", "router", "test-vm"]
    for number, name in enumerate(names, start=1):
        vm = {
            "name": name,
            "memory": 2048,
            "cores": 2,
            "description": f"Does what {name} does" if number % 3 else "",
            "autostart": number % 2 == 0,
        }
        await host.api.call("vm.create", vm)
        devices: list[dict[str, object]] = [
            {
                "dtype": "DISK",
                "create_zvol": True,
                "zvol_name": f"default/{name}",
                "zvol_volsize": 10 * 2**30,
            },
            {"dtype": "NIC", "nic_attach": "user"},
            {"dtype": "DISPLAY", "bind": "0.0.0.0" if number == 1 else "127.0.0.1"},
        ]
        for attributes in devices:
            await host.api.call("vm.device.create", {"vm": number, "attributes": attributes})
    for number in (1, 2, 4, 5):
        await host.api.call("vm.start", number)
    await host.api.call("vm.suspend", 5)
    await host.api.call("vm.start", 6)
    await host.api.call("vm.stop", 6, {"force": True})
    host.engine.script = Script(shutdown_seconds=None)
    await host.api.call("vm.stop", 4)
    await host.pass_time(60)
    await host.api.call("api_key.create", {"name": "backup", "username": "ada"})
    await host.api.call("pool.snapshot.create", {"dataset": "default/web01", "name": "before-upgrade"})


async def shoot(page: Page, path: Path) -> None:
    await page.wait_for_timeout(700)
    await page.screenshot(path=path)


async def take(folder: Path, only: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as state:
        async with server(Path(state)) as host:
            await account(host, "ada", "open sesame", "FULL_ADMIN")
            await furnish(host)
            base = host.tcp_url.replace("ws://", "http://")
            async with surfing(base) as surfer:
                for theme in ("light", "dark"):
                    for size, viewport in SIZES.items():
                        context = await surfer.context(viewport=viewport, color_scheme=theme)
                        page = await context.new_page()
                        await page.goto("/ui/")
                        await page.get_by_label("User name").wait_for()
                        await shoot(page, folder / f"login-{theme}-{size}.png")
                        await page.close()
                        page = await surfer.log_in(context, "ada", "open sesame")
                        for name, path in PAGES.items():
                            if only and name not in only:
                                continue
                            await page.goto(path)
                            await shoot(page, folder / f"{name}-{theme}-{size}.png")
                        await context.close()
                for complaint in surfer.complaints.console + surfer.complaints.elsewhere:
                    sys.stderr.write(f"{complaint}\n")


if __name__ == "__main__":
    asyncio.run(take(Path(sys.argv[1]), sys.argv[2:]))
