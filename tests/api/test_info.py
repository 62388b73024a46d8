"""What the host can do, and what virtual machines hold: answers without side effects."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness import Host, server
from vmstead.adapters.memory_engine import MemoryEngine
from vmstead.kernel.clock import ManualClock
from vmstead.ports.engine import EngineInfo

MiB = 1024 * 1024


async def make(host: Host, name: str = "a", **fields: Any) -> dict[str, Any]:
    vm: dict[str, Any] = await host.api.call("vm.create", {"name": name, "memory": 64, **fields})
    return vm


class Told(MemoryEngine):
    """An engine that says other things of itself."""

    accelerator = "kvm"
    log_folder: Path | None = None

    @property
    def info(self) -> EngineInfo | None:
        return EngineInfo("x", "x", self.accelerator, None, True, None, True, self.log_folder)


async def test_machines_and_processors_come_from_the_engine(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        assert "EPYC" in await host.api.call("vm.cpu_model_choices")
        machines = await host.api.call("vm.guest_architecture_and_machine_choices")
        assert "q35" in machines["x86_64"]
        host.engine.disconnect("gone")
        failure = await host.api.failure("vm.cpu_model_choices")
        assert "processor models cannot be listed" in failure.reason


@pytest.mark.parametrize(
    ("accelerator", "flags", "true"),
    [
        ("tcg", {"vmx", "svm"}, set()),
        ("kvm", {"vmx", "unrestricted_guest"}, {"intel_vmx", "unrestricted_guest"}),
        ("kvm", {"svm", "npt"}, {"amd_rvi", "amd_asids"}),
        ("kvm", set(), set()),
    ],
)
async def test_flags_are_those_of_the_processor_where_kvm_is_used(
    tmp_path: Path, accelerator: str, flags: set[str], true: set[str]
) -> None:
    engine = Told(ManualClock())
    engine.accelerator = accelerator
    async with server(tmp_path, engine=engine) as host:
        host.machine.flags = flags
        answer = await host.api.call("vm.flags")
        assert {name for name, value in answer.items() if value} == true
        assert sorted(answer) == ["amd_asids", "amd_rvi", "intel_vmx", "unrestricted_guest"]


async def test_the_console_is_named_as_libvirt_names_the_domain(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host, "web-01")
        assert await host.api.call("vm.get_console", 1) == "1_web-01"
        assert (await host.api.failure("vm.get_console", 9)).errno == 22


async def test_a_log_has_a_path_when_it_is_there(tmp_path: Path) -> None:
    engine = Told(ManualClock())
    async with server(tmp_path, engine=engine) as host:
        await make(host)
        assert await host.api.call("vm.log_file_path", 1) is None
        engine.log_folder = tmp_path
        assert await host.api.call("vm.log_file_path", 1) is None
        (tmp_path / "1_a.log").write_text("qemu said so\n")
        assert await host.api.call("vm.log_file_path", 1) == str(tmp_path / "1_a.log")
        await host.api.failure("vm.log_file_path", 9)


async def test_the_end_of_a_log_is_an_answer_too(tmp_path: Path) -> None:
    engine = Told(ManualClock())
    async with server(tmp_path, engine=engine) as host:
        await make(host)
        await host.api.call("core.subscribe", "core.get_jobs")
        record = await host.api.job(await host.api.call("vm.log_file_download", 1))
        assert record["result"] == ""
        engine.log_folder = tmp_path
        (tmp_path / "1_a.log").write_text("x" * 100_000 + "the end\n")
        record = await host.api.job(await host.api.call("vm.log_file_download", 1))
        assert record["result"].endswith("xthe end\n")
        assert len(record["result"]) == 65536


async def test_memory_in_use_is_counted_by_what_runs_and_what_starts_with_the_host(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for number, (autostart, runs) in enumerate(
            [(True, True), (True, False), (False, True), (False, False)]
        ):
            vm = await make(host, f"vm{number}", memory=64 << number, autostart=autostart)
            if runs:
                await host.api.call("vm.start", vm["id"])
        assert await host.api.call("vm.get_vmemory_in_use") == {
            "RPRD": 64 * MiB,
            "PRD": 128 * MiB,
            "RNP": 256 * MiB,
        }


async def test_the_memory_a_guest_holds_is_that_of_its_process(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        assert "is not running" in (await host.api.failure("vm.get_memory_usage", 1)).reason
        await host.api.call("vm.start", 1)
        pid = (await host.api.call("vm.status", 1))["pid"]
        host.machine.resident_bytes = {pid: 17 * MiB}
        assert await host.api.call("vm.get_memory_usage", 1) == 17 * MiB


async def test_what_a_start_would_need_is_told_before(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        host.machine.available = 100 * MiB
        await make(host, memory=200, min_memory=95)
        info = await host.api.call("vm.get_vm_memory_info", 1)
        assert info == {
            "minimum_memory_requested": 95 * MiB,
            "total_memory_requested": 200 * MiB,
            "actual_vm_requested_memory": 95 * MiB,
            "overcommit_required": True,
            "memory_req_fulfilled_after_overcommit": False,
            "arc_to_shrink": 0,
            "current_arc_max": 0,
            "arc_min": 0,
            "arc_max_after_shrink": 0,
        }
        await host.api.call("vm.update", 1, {"min_memory": 50})
        assert not (await host.api.call("vm.get_vm_memory_info", 1))["overcommit_required"]
        await host.api.call("vm.start", 1)
        assert "is active" in (await host.api.failure("vm.get_vm_memory_info", 1)).reason
