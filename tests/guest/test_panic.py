"""A guest whose kernel panics: it hangs, which is told where its console is, and can be ended and started anew."""

from typing import Any

from tests.daemons import needs_private_libvirtd
from tests.guest.guests import host

pytestmark = needs_private_libvirtd


async def test_a_guest_that_panics_is_seen_to_hang_and_can_be_started_anew() -> None:
    with host() as machine:
        async with machine.serving():
            fields: dict[str, Any] = {
                "name": "a",
                "memory": 256,
                "bootloader": "UEFI_CSM",
                "autostart": False,
            }
            vm = (await machine.call("vm.create", {**fields, "shutdown_timeout": 5}))["id"]
            await machine.fill("a.img")
            disk = {"dtype": "RAW", "path": "/mnt/default/a.img", "exists": True, "boot": True}
            await machine.call("vm.device.create", {"vm": vm, "attributes": disk})
            await machine.call("vm.start", vm)
            before = await machine.status(vm)
            with machine.console(vm) as terminal:
                terminal.log_in()
                terminal.type("echo c > /proc/sysrq-trigger")
                terminal.until("end Kernel panic")
            # A guest without a panic device tells nobody but its console.
            assert await machine.status(vm) == before
            assert "Kernel panic" in await machine.call("vm.console_log", vm)
            await machine.call("vm.stop", vm, job=True)
            assert (await machine.status(vm))["state"] == "RUNNING"
            (job,) = await machine.call("core.get_jobs", [["method", "=", "vm.stop"]])
            assert "still runs: it did not shut down within 5 seconds" in job["progress"]["description"]
            await machine.call("vm.stop", vm, {"force_after_timeout": True}, job=True)
            assert (await machine.status(vm))["state"] == "STOPPED"
            await machine.call("vm.start", vm)
            assert "Kernel panic" in await machine.call("vm.console_log", vm, {"previous": True})
            await machine.call("vm.poweroff", vm)
