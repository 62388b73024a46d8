"""Starting and stopping, in every state, against engines that obey, ignore, fail and vanish."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.harness import ApiFailure, Host, server
from vmstead.adapters.fake_host import FakeHost
from vmstead.adapters.memory_engine import MemoryEngine, Script
from vmstead.kernel.clock import ManualClock
from vmstead.ports.engine import EngineErrorKind

MiB = 1024 * 1024


async def make(host: Host, name: str = "a", **fields: Any) -> dict[str, Any]:
    vm: dict[str, Any] = await host.api.call(
        "vm.create", {"name": name, "memory": 64, "shutdown_timeout": 30, **fields}
    )
    await host.api.call("core.subscribe", "core.get_jobs")
    return vm


async def state_of(host: Host, vm: int = 1) -> str:
    return str((await host.api.call("vm.status", vm))["state"])


async def bring_to(host: Host, state: str) -> dict[str, Any]:
    vm = await make(host)
    if state != "STOPPED":
        await host.api.call("vm.start", 1)
    if state == "SUSPENDED":
        await host.api.call("vm.suspend", 1)
    assert await state_of(host) == state
    return vm


AFTER = {
    "start": {"STOPPED": "RUNNING"},
    "stop": {"RUNNING": "STOPPED"},
    "stop force": {"RUNNING": "STOPPED", "SUSPENDED": "STOPPED"},
    "poweroff": {"RUNNING": "STOPPED", "SUSPENDED": "STOPPED"},
    "restart": {"RUNNING": "RUNNING"},
    "suspend": {"RUNNING": "SUSPENDED"},
    "resume": {"SUSPENDED": "RUNNING"},
}


@pytest.mark.parametrize("state", ["STOPPED", "RUNNING", "SUSPENDED"])
@pytest.mark.parametrize("action", list(AFTER))
async def test_every_action_in_every_state(tmp_path: Path, action: str, state: str) -> None:
    async with server(tmp_path) as host:
        await bring_to(host, state)
        name, _, force = action.partition(" ")
        params = [1, {"force": True}] if force else [1]
        expected = AFTER[action].get(state)
        if name in ("stop", "restart"):
            record = await host.api.job(await host.api.call(f"vm.{name}", *params))
            assert record["state"] == ("FAILED" if expected is None else "SUCCESS")
            text = record["error"]
        elif expected is None:
            text = (await host.api.failure(f"vm.{name}", *params)).reason
        else:
            assert await host.api.call(f"vm.{name}", *params) is None
            text = None
        if expected is None:
            assert text.startswith("[EFAULT] VM 1 (a) is ")
        assert await state_of(host) == (expected or state)


async def test_states_as_clients_read_them(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        assert await host.api.call("vm.status", 1) == {
            "state": "STOPPED",
            "pid": None,
            "domain_state": "SHUTOFF",
        }
        await host.api.call("vm.start", 1)
        status = await host.api.call("vm.status", 1)
        assert status == {"state": "RUNNING", "pid": status["pid"], "domain_state": "RUNNING"}
        assert type(status["pid"]) is int
        await host.api.call("vm.suspend", 1)
        assert await host.api.call("vm.status", 1) == {
            **status,
            "state": "SUSPENDED",
            "domain_state": "PAUSED",
        }


async def test_unknown_vms_are_told_everywhere(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for method in ("start", "poweroff", "suspend", "resume", "status", "delete", "get_instance"):
            failure = await host.api.failure(f"vm.{method}", 9)
            assert failure.data["extra"] == [[None, "VM 9 does not exist", 2]], method


class Slow(MemoryEngine):
    """Starts guests only when the test lets it."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock)
        self.may_start = asyncio.Event()
        self.is_asked_to_start = asyncio.Event()

    async def start(self, uuid: str, *, paused: bool = False) -> None:
        self.is_asked_to_start.set()
        await self.may_start.wait()
        await super().start(uuid, paused=paused)


async def test_while_a_start_is_under_way_a_second_one_and_a_delete_are_busy(tmp_path: Path) -> None:
    clock = ManualClock()
    engine = Slow(clock)
    async with server(tmp_path, engine=engine, clock=clock) as host:
        await make(host)
        start = host.api.begin("vm.start", 1)
        await engine.is_asked_to_start.wait()
        for method in ("vm.start", "vm.delete"):
            failure = await host.api.failure(method, 1)
            assert failure.errno == 16
            assert failure.reason == (
                "[EBUSY] VM 1 is being started at this moment; try again when that is done"
            )
        edit = host.api.begin("vm.update", 1, {"description": "x"})
        assert not edit.done()
        engine.may_start.set()
        assert await start is None
        assert (await edit)["description"] == "x"
        assert [call for call, _ in host.engine.calls] == ["start", "console"]
        assert await state_of(host) == "RUNNING"


async def test_edits_of_one_vm_wait_for_each_other(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        calls = [
            host.api.begin("vm.device.create", {"vm": 1, "attributes": {"dtype": "NIC"}}) for _ in range(8)
        ]
        devices = await asyncio.gather(*calls)
        assert len({device["attributes"]["mac"] for device in devices}) == 8
        assert len(await host.api.call("vm.device.query")) == 8


async def test_a_failed_start_leaves_nothing_behind(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host)
        host.engine.scripts[vm["uuid"]] = Script(fails_to_start="no more processes")
        failure = await host.api.failure("vm.start", 1)
        assert failure.reason == "[EFAULT] VM 1 (a) could not be started: no more processes"
        assert await state_of(host) == "STOPPED"
        host.engine.scripts.clear()
        assert await host.api.call("vm.start", 1) is None


async def test_a_start_names_the_port_that_somebody_else_has(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host)
        display = {"dtype": "DISPLAY", "type": "VNC", "port": 5950}
        await host.api.call("vm.device.create", {"vm": 1, "attributes": display})
        host.engine.scripts[vm["uuid"]] = Script(fails_to_start="Failed to bind")
        failure = await host.api.failure("vm.start", 1)
        assert failure.reason == "[EFAULT] VM 1 (a) could not be started: Failed to bind"
        host.machine.ports.add(5950)
        failure = await host.api.failure("vm.start", 1)
        assert failure.reason == (
            "[EFAULT] VM 1 (a) cannot start: another program listens on port 5950 of its VNC display; give the "
            "display another port with vm.device.update. The engine says: Failed to bind"
        )
        # Somebody else has started it: it listens itself.
        runs = Script(fails_to_start="domain is already running", failure=EngineErrorKind.WRONG_STATE)
        host.engine.scripts[vm["uuid"]] = runs
        failure = await host.api.failure("vm.start", 1)
        assert failure.reason == "[EFAULT] VM 1 (a) could not be started: domain is already running"
        host.engine.scripts.clear()
        assert await host.api.call("vm.start", 1) is None


async def test_a_start_names_everything_that_is_missing(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        pool = tmp_path / "state/pools/default"
        for name in ("a.iso", "b.raw"):
            (pool / name).touch()
        iso = {"dtype": "CDROM", "path": "/mnt/default/a.iso"}
        raw = {"dtype": "RAW", "path": "/mnt/default/b.raw", "exists": True}
        for attributes in (iso, raw):
            await host.api.call("vm.device.create", {"vm": 1, "attributes": attributes})
        for name in ("a.iso", "b.raw"):
            (pool / name).unlink()
        failure = await host.api.failure("vm.start", 1)
        assert failure.reason == (
            "[EFAULT] VM 1 (a) cannot start: /mnt/default/a.iso does not exist; /mnt/default/b.raw does not exist"
        )


async def test_a_start_without_enough_memory_is_refused(tmp_path: Path) -> None:
    machine = FakeHost(available=1000 * MiB)
    async with server(tmp_path, machine=machine) as host:
        await make(host, memory=901)
        failure = await host.api.failure("vm.start", 1)
        assert failure.errno == 12
        assert "needs 901 MiB of memory and 900 MiB are free" in failure.reason
        await host.api.call("vm.update", 1, {"memory": 900})
        assert await host.api.call("vm.start", 1) is None


async def test_what_a_running_vm_has_not_touched_yet_is_taken(tmp_path: Path) -> None:
    machine = FakeHost(available=1000 * MiB)
    async with server(tmp_path, machine=machine) as host:
        await make(host, memory=600)
        await make(host, "b", memory=600)
        await host.api.call("vm.start", 1)
        pid = (await host.api.call("vm.status", 1))["pid"]
        machine.resident_bytes[pid] = 100 * MiB
        assert await host.api.call("vm.get_available_memory") == 400 * MiB
        assert await host.api.call("vm.get_available_memory", True) == 900 * MiB
        assert (await host.api.failure("vm.start", 2)).errno == 12
        assert await host.api.call("vm.start", 2, {"overcommit": True}) is None


async def test_two_starts_cannot_both_be_promised_the_last_memory(tmp_path: Path) -> None:
    machine = FakeHost(available=1000 * MiB)
    async with server(tmp_path, machine=machine) as host:
        await make(host, memory=600)
        await make(host, "b", memory=600)
        starts = [host.api.begin("vm.start", number) for number in (1, 2)]
        results = await asyncio.gather(*starts, return_exceptions=True)
        assert sorted(getattr(result, "errno", 0) for result in results) == [0, 12]


async def test_huge_pages_are_counted_for_themselves(tmp_path: Path) -> None:
    machine = FakeHost(available=1000 * MiB, pages={2 * MiB: 400})
    async with server(tmp_path, machine=machine) as host:
        for name in ("a", "b"):
            await make(host, name, memory=600, hugepages="2M")
        failures = [
            await host.api.failure("vm.update", 1, {"memory": 601}),
            await host.api.failure("vm.update", 1, {"min_memory": 100}),
            await host.api.failure("vm.update", 1, {"hugepages": "4M"}),
        ]
        assert [failure.attributes for failure in failures] == [
            ["vm_update.hugepages"],
            ["vm_update.min_memory"],
            ["vm_update.hugepages"],
        ]
        starts = [host.api.begin("vm.start", number) for number in (1, 2)]
        results = await asyncio.gather(*starts, return_exceptions=True)
        (refused,) = [result for result in results if result is not None]
        assert isinstance(refused, ApiFailure)
        assert "needs 300 huge pages of 2M and 100 are free" in refused.reason
        # The kernel counts what the guest has taken, and ordinary memory is as free as before.
        machine.pages[2 * MiB] = 100
        assert await host.api.call("vm.get_available_memory") == 900 * MiB
        info = await host.api.call("vm.get_vm_memory_info", 2)
        assert (info["overcommit_required"], info["memory_req_fulfilled_after_overcommit"]) == (True, False)
        # There is no promising more of them than there are.
        assert (await host.api.failure("vm.start", 2, {"overcommit": True})).errno == 12
        assert (await host.api.call("vm.get_instance", 2))["hugepages"] == "2M"
        without = await host.api.call("vm.update", 2, {"hugepages": None})
        assert "hugepages" not in without
        assert await host.api.call("vm.start", 2) is None


async def test_bytes_given_as_megabytes_are_pointed_out_at_the_start(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host, memory=2048 * MiB)
        failure = await host.api.failure("vm.start", 1)
        assert failure.errno == 12
        assert "may have been bytes, which is 2048 MiB" in failure.reason


async def test_a_graceful_stop_ends_with_the_guest(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        await host.api.call("vm.start", 1)
        host.engine.script = Script(shutdown_seconds=7)
        number = await host.api.call("vm.stop", 1)
        await host.pass_time(6.9)
        assert await state_of(host) == "RUNNING"
        await host.pass_time(0.2)
        assert (await host.api.job(number))["state"] == "SUCCESS"
        assert await state_of(host) == "STOPPED"
        assert host.clock.monotonic() < 8


async def test_a_guest_that_ignores_the_button_goes_on_and_the_job_says_so(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host)
        await host.api.call("vm.start", 1)
        host.engine.script = Script(shutdown_seconds=None)
        number = await host.api.call("vm.stop", 1)
        await host.pass_time(29)
        assert (await host.api.call("core.get_jobs", [["id", "=", number]], {"get": True}))[
            "state"
        ] == "RUNNING"
        await host.pass_time(2)
        record = await host.api.job(number)
        assert record["state"] == "SUCCESS"
        assert record["progress"]["description"] == (
            "VM 1 (a) still runs: it did not shut down within 30 seconds"
        )
        assert await state_of(host) == "RUNNING"
        # The button was pressed more than once: a guest that was still booting misses the first time.
        assert host.engine.calls.count(("shutdown", vm["uuid"])) == 3


async def test_a_guest_that_ignores_the_button_is_powered_off_when_asked_to(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        await host.api.call("vm.start", 1)
        host.engine.script = Script(shutdown_seconds=None)
        number = await host.api.call("vm.stop", 1, {"force_after_timeout": True})
        await host.pass_time(31)
        assert (await host.api.job(number))["state"] == "SUCCESS"
        assert await state_of(host) == "STOPPED"


async def test_poweroff_is_possible_while_a_stop_waits(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        await host.api.call("vm.start", 1)
        host.engine.script = Script(shutdown_seconds=None)
        number = await host.api.call("vm.stop", 1)
        assert await host.api.call("vm.poweroff", 1) is None
        assert (await host.api.job(number))["state"] == "SUCCESS"


async def test_restart_is_a_new_process_with_the_changes_made_meanwhile(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host)
        await host.api.call("vm.start", 1)
        before = await host.api.call("vm.status", 1)
        await host.api.call("vm.update", 1, {"memory": 128})
        record = await host.api.job(await host.api.call("vm.restart", 1))
        assert record["state"] == "SUCCESS"
        after = await host.api.call("vm.status", 1)
        assert after["state"] == "RUNNING"
        assert after["pid"] != before["pid"]
        assert b'<memory unit="MiB">128</memory>' in host.engine.document(vm["uuid"])


async def test_a_guest_that_powers_itself_off_is_stopped(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host)
        await host.api.call("vm.start", 1)
        host.engine.power_off_by_guest(vm["uuid"])
        assert await state_of(host) == "STOPPED"
        assert await host.api.call("vm.start", 1) is None


async def test_a_guest_that_dies_at_its_start_is_stopped_and_not_hung(tmp_path: Path) -> None:
    class Dying(MemoryEngine):
        async def start(self, uuid: str, *, paused: bool = False) -> None:
            await super().start(uuid, paused=paused)
            self.crash(uuid)

    clock = ManualClock()
    async with server(tmp_path, engine=Dying(clock), clock=clock) as host:
        await make(host)
        assert await host.api.call("vm.start", 1) is None
        assert await state_of(host) == "STOPPED"


async def test_an_engine_that_confirms_nothing_does_not_hang_the_call(tmp_path: Path) -> None:
    asked = asyncio.Event()

    class Silent(MemoryEngine):
        async def start(self, uuid: str, *, paused: bool = False) -> None:
            asked.set()

    clock = ManualClock()
    async with server(tmp_path, engine=Silent(clock), clock=clock) as host:
        await make(host)
        start = host.api.begin("vm.start", 1)
        await asked.wait()
        await host.pass_time(31)
        with pytest.raises(Exception, match="the engine did not confirm it"):
            await start
        assert (await host.api.failure("vm.poweroff", 1)).errno == 14


async def test_running_guests_are_found_again_after_the_connection_was_lost(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        first, second = await make(host), await make(host, "b")
        await host.api.call("vm.start", 1)
        await host.api.call("vm.start", 2)
        pid = (await host.api.call("vm.status", 1))["pid"]
        await host.api.call("core.subscribe", "vm.query")
        host.engine.disconnect("gone")
        host.engine.crash(second["uuid"])
        at = len(host.api.frames)
        host.engine.reconnect()
        event = await host.api.event(lambda event: event["id"] == 2, since=at)
        assert event["fields"]["status"]["state"] == "STOPPED"
        assert await host.api.call("vm.status", 1) == {
            "state": "RUNNING",
            "pid": pid,
            "domain_state": "RUNNING",
        }
        assert first["id"] == 1


async def test_running_guests_are_adopted_by_the_next_server(tmp_path: Path) -> None:
    clock = ManualClock()
    engine = MemoryEngine(clock)
    async with server(tmp_path, engine=engine, clock=clock) as host:
        await make(host)
        await host.api.call("vm.start", 1)
        before = await host.api.call("vm.status", 1)
    assert before["state"] == "RUNNING"
    async with server(tmp_path, engine=engine, clock=clock) as host:
        assert await host.api.call("vm.status", 1) == before
        await host.api.call("core.subscribe", "core.get_jobs")
        assert (await host.api.job(await host.api.call("vm.stop", 1)))["state"] == "SUCCESS"
        assert await state_of(host) == "STOPPED"


async def test_information_about_the_host(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        details = await host.api.call("vm.virtualization_details")
        assert details == {"supported": False, "error": "no guest runs at all"}
        assert await host.api.call("vm.supports_virtualization") is False
        assert await host.api.call("vm.maximum_supported_vcpus") == 255
        assert (await host.api.call("vm.bootloader_options")) == {"UEFI": "UEFI", "UEFI_CSM": "Legacy BIOS"}
        assert "OVMF_CODE_4M.fd" in await host.api.call("vm.bootloader_ovmf_choices")
        macs = {await host.api.call("vm.random_mac") for _ in range(20)}
        assert len(macs) == 20
        assert all(mac.startswith("00:a0:98:") for mac in macs)


# --- guests that wait for somebody to look --------------------------------------------------------

WAIT = {"dtype": "DISPLAY", "wait": True, "password": "secret"}


async def waiting(host: Host) -> dict[str, Any]:
    vm = await make(host)
    await host.api.call("vm.device.create", {"vm": 1, "attributes": WAIT})
    await host.api.call("vm.start", 1)
    assert await state_of(host) == "SUSPENDED"
    return vm


async def test_a_guest_waits_until_somebody_looks_at_its_display(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await waiting(host)
        await host.api.call("core.subscribe", "vm.query")
        host.engine.view(vm["uuid"])
        await host.api.event(lambda event: event["fields"]["status"]["state"] == "RUNNING")
        # Who is suspended later stays so, whoever looks.
        await host.api.call("vm.suspend", 1)
        host.engine.view(vm["uuid"])
        await host.pass_time(1)
        assert await state_of(host) == "SUSPENDED"


async def test_a_guest_that_waits_can_be_resumed_by_hand_and_powered_off(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await waiting(host)
        await host.api.call("vm.resume", 1)
        await host.api.call("vm.suspend", 1)
        host.engine.view(vm["uuid"])
        await host.pass_time(1)
        assert await state_of(host) == "SUSPENDED"
        await host.api.call("vm.poweroff", 1)
        await host.api.call("vm.device.update", 1, {"attributes": {"wait": False}})
        await host.api.call("vm.start", 1)
        assert await state_of(host) == "RUNNING"


async def test_a_guest_that_could_not_go_on_waits_for_the_next_look(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await waiting(host)
        host.engine.disconnect("libvirtd was killed")
        host.engine.view(vm["uuid"])
        await host.pass_time(1)
        await host.api.failure("vm.resume", 1)
        host.engine.reconnect()
        assert await state_of(host) == "SUSPENDED"
        await host.api.call("core.subscribe", "vm.query")
        host.engine.view(vm["uuid"])
        await host.api.event(lambda event: event["fields"]["status"]["state"] == "RUNNING")


async def test_a_guest_that_went_on_without_the_server_waits_for_nobody(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await waiting(host)
        await host.engine.resume(vm["uuid"])
        await host.api.call("vm.suspend", 1)
        host.engine.view(vm["uuid"])
        await host.pass_time(1)
        assert await state_of(host) == "SUSPENDED"


async def test_of_a_deleted_vm_nobody_remembers_that_it_waited(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await waiting(host)
        memory = host.server.services.memory
        assert vm["uuid"] in (memory.get("held_guests") or "")
        await host.api.call("vm.delete", 1, {"force": True})
        assert memory.get("held_guests") == "[]"


async def test_a_guest_waits_on_when_the_server_comes_back(tmp_path: Path) -> None:
    clock = ManualClock()
    engine = MemoryEngine(clock)
    async with server(tmp_path, engine=engine, clock=clock) as host:
        vm = await waiting(host)
    async with server(tmp_path, engine=engine, clock=clock) as host:
        await host.api.call("core.subscribe", "vm.query")
        engine.view(vm["uuid"])
        await host.api.event(lambda event: event["fields"]["status"]["state"] == "RUNNING")
