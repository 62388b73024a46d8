"""A guest whose kernel panics: it hangs, which is told where its console is, and can be ended and started anew."""

import asyncio
from pathlib import Path

from tests.apart import connected
from tests.daemons import needs_private_libvirtd
from tests.guest.guests import Host, host

pytestmark = needs_private_libvirtd


def panic(machine: Host, vm: int) -> None:
    """Wait until somebody can log in, and have the kernel panic. Blocks."""
    with machine.console(vm) as terminal:
        terminal.log_in()
        terminal.type("echo c > /proc/sysrq-trigger")
        terminal.until("end Kernel panic")


async def test_a_guest_that_panics_is_seen_to_hang_and_can_be_started_anew() -> None:
    with host() as machine:
        async with machine.serving(), connected(Path(f"{machine.state}.sock")) as api:
            fields = {"memory": 256, "bootloader": "UEFI_CSM", "autostart": False, "shutdown_timeout": 5}
            vm = (await api.call("vm.create", {"name": "a", **fields}))["id"]
            await machine.fill("a.img")
            disk = {"dtype": "RAW", "path": "/mnt/default/a.img", "exists": True, "boot": True}
            await api.call("vm.device.create", {"vm": vm, "attributes": disk})
            await api.call("vm.start", vm)
            before = await api.call("vm.status", vm)
            await asyncio.to_thread(panic, machine, vm)
            # A guest without a panic device tells nobody but its console.
            assert await api.call("vm.status", vm) == before
            assert "Kernel panic" in await api.call("vm.console_log", vm)
            await api.call("vm.stop", vm)
            assert await api.call("vm.status", vm) == before
            (job,) = await api.call("core.get_jobs", [["method", "=", "vm.stop"]])
            assert "still runs: it did not shut down within 5 seconds" in job["progress"]["description"]
            await api.call("vm.poweroff", vm)
            await api.call("vm.start", vm)
            assert "Kernel panic" in await api.call("vm.console_log", vm, {"previous": True})
            await api.call("vm.poweroff", vm)
