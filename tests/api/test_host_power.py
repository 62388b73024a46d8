"""``system.reboot`` and ``system.shutdown``: who may, and what becomes of the guests."""

from pathlib import Path

import pytest

from tests.api.answers import with_roles
from tests.harness import Host, server
from vmstead.adapters.memory_engine import Script

POWERS = [("system.reboot", "reboot"), ("system.shutdown", "poweroff")]


async def guests(host: Host) -> None:
    """A running guest, one that ignores the power button, and one that is off."""
    for name in ("runs", "ignores", "off"):
        vm = await host.api.call("vm.create", {"name": name, "memory": 64, "shutdown_timeout": 5})
        if name == "ignores":
            host.engine.scripts[vm["uuid"]] = Script(shutdown_seconds=None)
        if name != "off":
            await host.api.call("vm.start", vm["id"])


async def states(host: Host) -> dict[str, str]:
    return {vm["name"]: vm["status"]["state"] for vm in await host.api.call("vm.query")}


@pytest.mark.parametrize(("method", "press"), POWERS)
async def test_guests_go_down_before_the_host(tmp_path: Path, method: str, press: str) -> None:
    async with server(tmp_path, host_power=True) as host:
        await guests(host)
        await host.api.call("core.subscribe", "core.get_jobs")
        await host.api.call("core.subscribe", method)
        job = await host.api.call(method, "new kernel", {"delay": 30})
        told = await host.api.event(lambda event: event["collection"] == method)
        assert (told["msg"], told["fields"]) == ("added", {"reason": "new kernel"})
        await host.pass_time(29)
        assert (await states(host))["runs"] == "RUNNING"
        await host.pass_time(7)
        assert (await host.api.job(job))["state"] == "SUCCESS"
        assert set((await states(host)).values()) == {"STOPPED"}
        assert host.machine.presses == [press]
        assert await host.api.call("system.state") == "SHUTTING_DOWN"


@pytest.mark.parametrize(("method", "press"), POWERS)
async def test_it_takes_a_setting_and_a_role(tmp_path: Path, method: str, press: str) -> None:
    del press
    async with server(tmp_path) as host, with_roles(host, "READONLY_ADMIN", "VM_DEVICE_WRITE") as other:
        await guests(host)
        assert (await other.failure(method, "why not")).reason == "[EACCES] Not authorized"
        async with with_roles(host, "HOST_POWER") as holder:
            await holder.call("core.subscribe", "core.get_jobs")
            job = await holder.job(await holder.call(method, "why not"))
            assert job["state"] == "FAILED"
            assert job["error"].startswith("[EPERM] this server may not shut its host down")
        assert (await states(host))["runs"] == "RUNNING"
        assert host.machine.presses == []


@pytest.mark.parametrize(
    ("params", "field"), [([""], "reason"), ([], "reason"), (["now", {"delay": -1}], "options.delay")]
)
@pytest.mark.parametrize("method", [method for method, _ in POWERS])
async def test_bad_questions_are_refused(
    tmp_path: Path, method: str, params: list[object], field: str
) -> None:
    async with server(tmp_path, host_power=True) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        job = await host.api.job(await host.api.call(method, *params))
        assert [extra[0] for extra in job["exc_info"]["extra"]] == [field]
        assert host.machine.presses == []


async def test_a_host_that_stays_up_goes_on_with_its_guests(tmp_path: Path) -> None:
    async with server(tmp_path, host_power=True) as host:
        await guests(host)
        host.machine.power_failure = "an inhibitor is in the way"
        await host.api.call("core.subscribe", "core.get_jobs")
        number = await host.api.call("system.shutdown", "night")
        await host.pass_time(6)
        job = await host.api.job(number)
        assert job["error"] == "[EIO] the host could not be shut down: an inhibitor is in the way"
        assert await states(host) == {"runs": "RUNNING", "ignores": "RUNNING", "off": "STOPPED"}


async def test_it_can_be_called_off_in_time(tmp_path: Path) -> None:
    async with server(tmp_path, host_power=True) as host:
        await guests(host)
        await host.api.call("core.subscribe", "core.get_jobs")
        number = await host.api.call("system.reboot", "new kernel", {"delay": 30})
        await host.pass_time(10)
        await host.api.call("core.job_abort", number)
        assert (await host.api.job(number))["state"] == "ABORTED"
        await host.pass_time(60)
        assert (await states(host))["runs"] == "RUNNING"
        assert host.machine.presses == []
