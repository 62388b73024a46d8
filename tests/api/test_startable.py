"""A write that would make the next start fail is refused at once, where the engine can tell."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness import Host, server
from vmstead.adapters.memory_engine import Script
from vmstead.rpc.caller import Caller

UUID = "7b5c2a10-93d1-4c2b-8a57-5d9d3c0c1f42"
WHY = "the virtual machine could not be started like this: no such machine"


def pool(tmp_path: Path) -> Path:
    return tmp_path / "state/pools/default"


def refuse(host: Host, text: str = UUID) -> None:
    """Let the engine refuse what has this text in its document."""
    host.engine.refused[text] = "no such machine"


async def make(host: Host, **fields: Any) -> Any:
    return await host.api.call("vm.create", {"name": "a", "memory": 64, "uuid": UUID, **fields})


async def test_a_vm_that_could_not_start_is_not_made(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        refuse(host)
        values = {
            "name": "a",
            "memory": 64,
            "uuid": UUID,
            "arch_type": "x86_64",
            "machine_type": "pc",
        }
        failure = await host.api.failure("vm.create", values)
        assert failure.data["extra"] == [["vm_create", WHY, 22]]
        del values["machine_type"]
        failure = await host.api.failure("vm.create", values)
        assert failure.data["extra"] == [["vm_create.arch_type", WHY, 22]]
        assert await host.api.call("vm.query") == []


async def test_a_change_is_refused_with_the_field_and_nothing_changes(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        before = await make(host)
        refuse(host, 'nodeset="9"')
        failure = await host.api.failure("vm.update", 1, {"nodeset": "9"})
        assert failure.data["extra"] == [["vm_update.nodeset", WHY, 22]]
        assert await host.api.call("vm.get_instance", 1) == before
        # What is no part of the domain needs no opinion of the engine.
        await host.api.call("vm.update", 1, {"autostart": False, "shutdown_timeout": 30})


async def test_a_device_is_refused_and_its_storage_taken_back(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        refuse(host, 'device="disk"')
        disk = {"dtype": "DISK", "create_zvol": True, "zvol_name": "default/a", "zvol_volsize": 1 << 20}
        failure = await host.api.failure("vm.device.create", {"vm": 1, "attributes": disk})
        assert failure.data["extra"] == [["attributes", WHY, 22]]
        failure = await host.api.failure("vm.update", 1, {"devices": [{"attributes": disk}]})
        assert failure.data["extra"] == [["vm_update.devices", WHY, 22]]
        assert await host.api.call("vm.device.query") == []
        assert await host.api.call("pool.dataset.query", [["type", "=", "VOLUME"]]) == []


async def test_a_change_of_a_device_is_refused(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        before = await host.api.call("vm.device.create", {"vm": 1, "attributes": {"dtype": "NIC"}})
        refuse(host, '<model type="virtio"')
        failure = await host.api.failure("vm.device.update", 1, {"attributes": {"type": "VIRTIO"}})
        assert failure.data["extra"] == [["attributes", WHY, 22]]
        assert await host.api.call("vm.device.get_instance", 1) == before


async def test_without_the_engine_everything_is_taken(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        refuse(host)
        host.engine.disconnect("gone")
        await make(host, arch_type="x86_64")
        await host.api.call("vm.device.create", {"vm": 1, "attributes": {"dtype": "NIC"}})


async def test_an_edit_is_not_to_blame_for_what_the_engine_refused_before(tmp_path: Path) -> None:
    """QEMU has become another one: the VM cannot start, but it can be changed."""
    async with server(tmp_path) as host:
        await make(host)
        refuse(host)
        assert (await host.api.call("vm.update", 1, {"description": "soon gone"}))[
            "description"
        ] == "soon gone"
        device = await host.api.call("vm.device.create", {"vm": 1, "attributes": {"dtype": "NIC"}})
        await host.api.call("vm.device.update", device["id"], {"attributes": {"type": "VIRTIO"}})
        await host.api.call("vm.update", 1, {"devices": []})


# --- machines -------------------------------------------------------------------------------------

CHOOSE = "choose one of vm.guest_architecture_and_machine_choices, such as q35 or pc"


@pytest.mark.parametrize(
    ("fields", "field", "text"),
    [
        (
            {"arch_type": "x86_64", "machine_type": "pc-nonsense"},
            "machine_type",
            f"pc-nonsense is no machine that QEMU has here for x86_64; {CHOOSE}",
        ),
        (
            {"arch_type": "x86_64", "machine_type": "virt"},
            "machine_type",
            f"virt is no machine that QEMU has here for x86_64; {CHOOSE}",
        ),
        (
            {"arch_type": "sparc64"},
            "arch_type",
            "sparc64 is no architecture that this host has a QEMU for; it has x86_64",
        ),
        (
            {"arch_type": "aarch64", "machine_type": "q35"},
            "arch_type",
            "aarch64 is no architecture that this host has a QEMU for; it has x86_64",
        ),
        (
            {"cpu_model": "Nonsense"},
            "cpu_model",
            "Nonsense is no processor that QEMU has here; choose one of vm.cpu_model_choices, or null for a good "
            "default",
        ),
    ],
)
async def test_a_machine_that_qemu_does_not_have_is_refused_with_the_way_out(
    tmp_path: Path, fields: dict[str, str], field: str, text: str
) -> None:
    async with server(tmp_path) as host:
        failure = await host.api.failure("vm.create", {"name": "b", "memory": 64, **fields})
        assert failure.data["extra"] == [[f"vm_create.{field}", text, 22]]
        before = await make(host)
        failure = await host.api.failure("vm.update", 1, fields)
        assert failure.data["extra"] == [[f"vm_update.{field}", text, 22]]
        assert await host.api.call("vm.query") == [before]


async def test_a_machine_that_qemu_has_no_longer_is_told_by_the_start(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host, arch_type="x86_64", machine_type="pc-q35-6.2")
        host.engine.machines = {"x86_64": ("pc", "q35")}
        uuid = (await host.api.call("vm.get_instance", 1))["uuid"]
        host.engine.scripts[uuid] = Script(fails_to_start="machine type is not supported")
        failure = await host.api.failure("vm.start", 1)
        assert failure.reason.strip() == (
            "[EFAULT] VM 1 (a) cannot start: machine_type pc-q35-6.2 is no machine that QEMU has here for x86_64; "
            f"{CHOOSE}; change it with vm.update"
        )
        # What is stored may stay while something else is changed, and the way out is one.
        await host.api.call("vm.update", 1, {"memory": 128, "machine_type": "pc-q35-6.2"})
        await host.api.call("vm.update", 1, {"machine_type": "q35"})


# --- disks of other VMs ---------------------------------------------------------------------------


async def test_one_disk_is_not_given_to_two_vms_however_it_is_written(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for name in ("a", "b"):
            await host.api.call("vm.create", {"name": name, "memory": 64})
        await host.api.call(
            "pool.dataset.create", {"name": "default/x y", "type": "VOLUME", "volsize": 1 << 20}
        )
        (pool(tmp_path) / "a.img").write_bytes(bytes(512))
        (pool(tmp_path) / "link.img").symlink_to("a.img")
        for attributes in (
            {"dtype": "DISK", "path": "/dev/zvol/default/x+y"},
            {"dtype": "RAW", "path": "/mnt/default/a.img", "exists": True},
        ):
            await host.api.call("vm.device.create", {"vm": 1, "attributes": attributes})
        for attributes in (
            {"dtype": "DISK", "path": "/dev/zvol/default/x y"},
            {"dtype": "RAW", "path": "/mnt/default//a.img", "exists": True},
            {"dtype": "RAW", "path": "/mnt/default/link.img", "exists": True},
        ):
            for vm in (2, 1):
                failure = await host.api.failure("vm.device.create", {"vm": vm, "attributes": attributes})
                assert failure.attributes == ["attributes.path"], attributes
                assert "already, as device" in failure.reason
        # An ISO is only read, and many guests may.
        for vm in (1, 2):
            (pool(tmp_path) / "a.iso").write_bytes(b"iso")
            cdrom = {"dtype": "CDROM", "path": "/mnt/default/a.iso"}
            await host.api.call("vm.device.create", {"vm": vm, "attributes": cdrom})


# --- arguments for QEMU ---------------------------------------------------------------------------


@pytest.mark.parametrize("roles", [{"VM_WRITE", "VM_READ"}, {"VM_WRITE", "VM_READ", "VM_COMMAND_LINE_ARGS"}])
async def test_arguments_for_qemu_take_a_role_of_their_own(tmp_path: Path, roles: set[str]) -> None:
    async with server(tmp_path) as host:
        await make(host, command_line_args="-device edu")
        token = host.server.services.tokens.issue(
            Caller("writer", frozenset(roles), "LOGIN_PASSWORD", {}), "session"
        )
        async with host.connect(over_tcp=True) as api:
            await api.call("auth.login_with_token", token)
            # What is there already may stay.
            await api.call("vm.update", 1, {"command_line_args": "-device edu", "description": "x"})
            calls: list[tuple[str, list[Any], str]] = [
                ("vm.update", [1, {"command_line_args": "-S"}], "vm_update"),
                ("vm.create", [{"name": "b", "memory": 64, "command_line_args": "-S"}], "vm_create"),
                ("vm.clone", [1, "c"], "vm_create"),
            ]
            for method, params, schema in calls:
                if "VM_COMMAND_LINE_ARGS" in roles:
                    await api.call(method, *params)
                else:
                    failure = await api.failure(method, *params)
                    assert failure.data["extra"][0][::2] == [f"{schema}.command_line_args", 13]
