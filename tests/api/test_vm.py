"""``vm.query``, ``create``, ``update``, ``delete``."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Host, server

FIELDS = {
    "id": 1,
    "name": "web01",
    "description": "",
    "vcpus": 1,
    "cores": 1,
    "threads": 1,
    "memory": 512,
    "min_memory": None,
    "autostart": True,
    "time": "LOCAL",
    "bootloader": "UEFI",
    "bootloader_ovmf": "OVMF_CODE.fd",
    "cpu_mode": "CUSTOM",
    "cpu_model": None,
    "cpuset": None,
    "nodeset": None,
    "enable_cpu_topology_extension": False,
    "pin_vcpus": False,
    "hyperv_enlightenments": False,
    "shutdown_timeout": 90,
    "hide_from_msr": False,
    "ensure_display_device": True,
    "suspend_on_snapshot": False,
    "trusted_platform_module": False,
    "enable_secure_boot": False,
    "arch_type": None,
    "machine_type": None,
    "command_line_args": "",
    "status": {"state": "STOPPED", "pid": None, "domain_state": "SHUTOFF"},
    "devices": [],
    "display_available": False,
}


async def make(host: Host, **fields: Any) -> dict[str, Any]:
    vm: dict[str, Any] = await host.api.call("vm.create", {"name": "web01", "memory": 512, **fields})
    return vm


async def test_a_new_vm_has_every_field_with_its_default(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host)
        assert len(vm.pop("uuid")) == 36
        assert vm == FIELDS
        (stored,) = await host.api.call("vm.query")
        assert {**FIELDS, "uuid": stored["uuid"]} == stored
        assert await host.api.call("vm.get_instance", 1) == stored


async def test_every_field_is_read_back_as_it_was_sent(tmp_path: Path) -> None:
    wanted = {
        "name": "Win_11",
        "description": "Büro, 2. Stock ☕",
        "vcpus": 2,
        "cores": 3,
        "threads": 2,
        "memory": 8192,
        "min_memory": 4096,
        "autostart": False,
        "time": "UTC",
        "bootloader": "UEFI",
        "bootloader_ovmf": "OVMF_CODE_4M.fd",
        "cpu_mode": "CUSTOM",
        "cpu_model": "EPYC",
        "cpuset": "0-11",
        "nodeset": "0",
        "enable_cpu_topology_extension": True,
        "pin_vcpus": True,
        "hyperv_enlightenments": True,
        "shutdown_timeout": 300,
        "hide_from_msr": True,
        "ensure_display_device": False,
        "suspend_on_snapshot": True,
        "trusted_platform_module": True,
        "enable_secure_boot": True,
        "arch_type": "x86_64",
        "machine_type": "pc-q35-6.2",
        "uuid": "6f9f4f5e-6d3c-4b44-9df9-0d6f7d3f9a52",
        "command_line_args": "-cpu 'a b'",
    }
    async with server(tmp_path) as host:
        vm = await host.api.call("vm.create", wanted)
        assert {key: vm[key] for key in wanted} == wanted
        changed = {"description": "x", "memory": 4096, "vcpus": 3, "cores": 2}
        updated = await host.api.call("vm.update", vm["id"], changed)
        assert updated == {**vm, **changed}
        # Clients send all they read, unchanged values among it.
        everything = {key: updated[key] for key in wanted}
        assert await host.api.call("vm.update", vm["id"], everything) == updated


@pytest.mark.parametrize(
    ("fields", "attribute", "errno"),
    [
        ({"name": ""}, "name", 22),
        ({"name": "a b"}, "name", 22),
        ({"name": "a\n"}, "name", 22),
        ({"name": "-b"}, "name", 22),
        ({"name": "a.b"}, "name", 22),
        ({"name": "x" * 151}, "name", 22),
        ({"memory": 19}, "memory", 22),
        ({"memory": 2**53}, "memory", 22),
        ({"memory": "512"}, "memory", 22),
        ({"memory": 512.0}, "memory", 22),
        ({"min_memory": 513}, "min_memory", 22),
        ({"vcpus": 0}, "vcpus", 22),
        ({"vcpus": 17}, "vcpus", 22),
        ({"vcpus": 16, "cores": 16}, "vcpus", 22),
        ({"shutdown_timeout": 4}, "shutdown_timeout", 22),
        ({"shutdown_timeout": 301}, "shutdown_timeout", 22),
        ({"time": "utc"}, "time", 22),
        ({"bootloader": "GRUB"}, "bootloader", 22),
        ({"bootloader_ovmf": "evil.fd"}, "bootloader_ovmf", 22),
        ({"bootloader_ovmf": "../../etc/passwd"}, "bootloader_ovmf", 22),
        ({"cpu_mode": "HOST-PASSTHROUGH", "cpu_model": "EPYC"}, "cpu_model", 22),
        ({"pin_vcpus": True}, "cpuset", 22),
        ({"pin_vcpus": True, "cpuset": "0-3"}, "pin_vcpus", 22),
        ({"cpuset": "3-1"}, "cpuset", 22),
        ({"cpuset": "one"}, "cpuset", 22),
        ({"nodeset": "0;1"}, "nodeset", 22),
        ({"command_line_args": "'unclosed"}, "command_line_args", 22),
        ({"machine_type": "q35"}, "arch_type", 22),
        ({"enable_secure_boot": True, "bootloader": "UEFI_CSM"}, "enable_secure_boot", 22),
        ({"enable_secure_boot": True, "arch_type": "x86_64", "machine_type": "pc"}, "machine_type", 22),
        ({"uuid": "not-a-uuid"}, "uuid", 22),
        ({"description": "x" * 1025}, "description", 22),
        ({"id": 7}, "id", 22),
        ({"status": {}}, "status", 22),
    ],
)
async def test_bad_values_are_refused_by_name_and_nothing_is_made(
    tmp_path: Path, fields: dict[str, Any], attribute: str, errno: int
) -> None:
    async with server(tmp_path) as host:
        failure = await host.api.failure("vm.create", {"name": "web01", "memory": 512, **fields})
        assert [(name, number) for name, _, number in failure.data["extra"]] == [
            (f"vm_create.{attribute}", errno)
        ]
        assert await host.api.call("vm.query") == []
        vm = await make(host)
        failure = await host.api.failure("vm.update", vm["id"], fields)
        assert [(name, number) for name, _, number in failure.data["extra"]] == [
            (f"vm_update.{attribute}", errno)
        ]
        assert await host.api.call("vm.get_instance", vm["id"]) == vm


async def test_names_and_uuids_are_unique(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host)
        failure = await host.api.failure("vm.create", {"name": "web01", "memory": 64})
        assert failure.data["extra"] == [["vm_create.name", "a VM named web01 exists already", 17]]
        failure = await host.api.failure("vm.create", {"name": "b", "memory": 64, "uuid": vm["uuid"]})
        assert failure.attributes == ["vm_create.uuid"]
        other = await host.api.call("vm.create", {"name": "b", "memory": 64})
        failure = await host.api.failure("vm.update", other["id"], {"name": "web01"})
        assert failure.attributes == ["vm_update.name"]
        assert (await host.api.call("vm.update", other["id"], {"name": "b"}))["name"] == "b"


async def test_of_two_creates_with_one_name_one_succeeds(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        calls = [host.api.begin("vm.create", {"name": "web01", "memory": 64}) for _ in range(5)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert sum(isinstance(result, dict) for result in results) == 1
        assert len(await host.api.call("vm.query")) == 1


async def test_null_in_an_update_means_as_it_is_where_there_is_no_null(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host, cpu_model="EPYC")
        updated = await host.api.call(
            "vm.update", 1, {"uuid": None, "bootloader_ovmf": None, "cpu_model": None}
        )
        assert updated == {**vm, "cpu_model": None}


async def test_what_names_the_domain_cannot_change_while_it_runs(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host)
        await host.api.call("vm.start", 1)
        changes = {
            "name": "other",
            "uuid": "6f9f4f5e-6d3c-4b44-9df9-0d6f7d3f9a52",
            "bootloader_ovmf": "OVMF_CODE_4M.fd",
            "enable_secure_boot": True,
        }
        failure = await host.api.failure("vm.update", 1, changes)
        assert failure.attributes == [f"vm_update.{name}" for name in changes]
        same = {name: vm[name] for name in changes}
        assert (await host.api.call("vm.update", 1, {**same, "memory": 600}))["memory"] == 600
        await host.api.call("vm.poweroff", 1)
        assert (await host.api.call("vm.update", 1, changes))["name"] == "other"


async def test_queries_filter_by_computed_fields(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for name, memory in (("c", 300), ("a", 100), ("b", 200)):
            await host.api.call("vm.create", {"name": name, "memory": memory})
        await host.api.call("vm.start", 2)
        assert [vm["name"] for vm in await host.api.call("vm.query", [["status.state", "=", "RUNNING"]])] == [
            "a"
        ]
        assert await host.api.call("vm.query", [], {"count": True}) == 3
        options = {"order_by": ["-status.state", "name"], "select": ["name"]}
        assert await host.api.call("vm.query", [], options) == [{"name": name} for name in "abc"]
        assert (await host.api.call("vm.query", [["memory", ">", 150]], {"get": True}))["name"] == "c"
        bare = ["OR", [["name", "=", "a"], ["name", "=", "b"]]]
        assert len(await host.api.call("vm.query", bare)) == 2
        assert (await host.api.call("vm.get_instance", 2, {"select": ["name"]})) == {"name": "a"}


async def test_queries_that_are_wrong_say_what(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        failure = await host.api.failure("vm.query", [["name", "foo", "a"]])
        assert failure.code == -32602
        assert failure.attributes == ["filters"]
        assert failure.data["extra"][0][1].startswith("Value error, Invalid operation: foo")
        failure = await host.api.failure("vm.query", [], {"relationships": True})
        assert failure.data["extra"] == [["options.relationships", "Extra inputs are not permitted", 22]]
        failure = await host.api.failure("vm.query", [["name", "=", "zzz"]], {"get": True})
        assert (failure.code, failure.errno, failure.reason) == (-32001, 22, "MatchNotFound()")
        failure = await host.api.failure("vm.query", [["min_memory", ">", 5]])
        assert (failure.code, failure.errno) == (-32001, 22)


async def test_delete_removes_the_vm_and_its_devices(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        await host.api.call("vm.device.create", {"vm": 1, "attributes": {"dtype": "NIC"}})
        assert await host.api.call("vm.delete", 1) is True
        assert await host.api.call("vm.query") == []
        assert await host.api.call("vm.device.query") == []
        assert (await host.api.failure("vm.delete", 1)).data["extra"][0][2] == 2
        # Numbers are not used again: clients may remember them.
        assert (await make(host))["id"] == 2


async def test_an_active_vm_is_deleted_only_by_force(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        await host.api.call("vm.start", 1)
        failure = await host.api.failure("vm.delete", 1)
        assert (failure.code, failure.errno) == (-32001, 16)
        assert (await host.api.call("vm.status", 1))["state"] == "RUNNING"
        assert await host.api.call("vm.delete", 1, {"force": True}) is True
        assert "destroy" in dict(host.engine.calls)
        assert await host.api.call("vm.query") == []


async def test_delete_takes_volumes_only_when_asked_to(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        volumes = host.server.services.volumes
        for number, options in enumerate(({}, {"zvols": True}), start=1):
            disk = {
                "dtype": "DISK",
                "create_zvol": True,
                "zvol_name": f"default/d{number}",
                "zvol_volsize": 512,
            }
            await host.api.call("vm.create", {"name": f"vm{number}", "memory": 64})
            await host.api.call("vm.device.create", {"vm": number, "attributes": disk})
            await host.api.call("vm.delete", number, options)
        assert [volume.name for volume in await volumes.list()] == ["default/d1"]


async def test_delete_goes_on_when_a_volume_is_gone_already(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        disk = {"dtype": "DISK", "create_zvol": True, "zvol_name": "default/d", "zvol_volsize": 512}
        await host.api.call("vm.device.create", {"vm": 1, "attributes": disk})
        await host.server.services.volumes.destroy("default/d")
        assert await host.api.call("vm.delete", 1, {"zvols": True}) is True


async def test_vms_outlive_the_server(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host)
        await host.api.call("vm.device.create", {"vm": 1, "attributes": {"dtype": "NIC"}})
        before = await host.api.call("vm.query")
    async with server(tmp_path) as host:
        assert await host.api.call("vm.query") == before
        assert before[0]["uuid"] == vm["uuid"]


async def test_without_the_engine_vms_can_still_be_read_and_changed(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        await host.api.call("vm.start", 1)
        host.engine.disconnect("libvirtd was stopped")
        # What was known last is the best guess.
        assert (await host.api.call("vm.query"))[0]["status"]["state"] == "RUNNING"
        await host.api.call("vm.update", 1, {"description": "x"})
        await host.api.call("vm.create", {"name": "b", "memory": 64})
        failure = await host.api.failure("vm.start", 2)
        assert failure.reason == "[EHOSTUNREACH] VM 2 (b) cannot start: libvirtd was stopped"
        assert (await host.api.call("vm.virtualization_details")) == {
            "supported": False,
            "error": "libvirtd was stopped",
        }
        host.engine.reconnect()
        await host.api.call("vm.start", 2)


async def test_a_password_never_reaches_the_log_of_a_failed_call(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        display = {"dtype": "DISPLAY", "password": "hush-hush", "port": 1}
        failure = await host.api.failure("vm.device.create", {"vm": 1, "attributes": display})
        assert "hush-hush" not in json.dumps(failure.data)
