"""``vm.clone``."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness import Host, server
from vmstead.ports.engine import EngineError, EngineErrorKind
from vmstead.store.db import DatabaseError

DISK = {"dtype": "DISK", "create_zvol": True, "zvol_name": "default/d0", "zvol_volsize": 1 << 20}
RAW = {"dtype": "RAW", "path": "/mnt/default/image.raw", "size": 4096, "type": "VIRTIO"}
NIC = {"dtype": "NIC", "nic_attach": "user"}
DISPLAY = {"dtype": "DISPLAY", "type": "VNC", "password": "hunter22"}


async def make(host: Host, *devices: dict[str, Any], **fields: Any) -> dict[str, Any]:
    vm = await host.api.call("vm.create", {"name": "web", "memory": 64, **fields})
    for attributes in devices:
        await host.api.call("vm.device.create", {"vm": vm["id"], "attributes": attributes})
    entry: dict[str, Any] = await host.api.call("vm.get_instance", vm["id"])
    return entry


async def named(host: Host, name: str) -> dict[str, Any]:
    entry: dict[str, Any] = await host.api.call("vm.query", [["name", "=", name]], {"get": True})
    return entry


def files(tmp_path: Path) -> dict[str, bytes]:
    """Every file of the pool, and the variable stores."""
    state = tmp_path / "state"
    found = [*(state / "pools").rglob("*"), *(state / "nvram").rglob("*")]
    return {str(path.relative_to(state)): path.read_bytes() for path in found if path.is_file()}


async def test_a_clone_has_copies_of_the_storage_and_an_identity_of_its_own(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host, DISK, RAW, NIC, DISPLAY, description="the first", cores=2)
        pool = tmp_path / "state/pools/default"
        (pool / ".volumes/d0").write_bytes(b"volume" + bytes(100))
        (pool / "image.raw").write_bytes(b"image" + bytes(100))
        (tmp_path / f"state/nvram/{vm['uuid']}_VARS.fd").write_bytes(b"variables")
        assert await host.api.call("vm.clone", vm["id"], "other") is True
        copy = await named(host, "other")
        assert await host.api.call("vm.get_instance", vm["id"]) == vm

        differs = {"id", "name", "uuid", "devices"}
        assert {key for key in vm if vm[key] != copy[key]} == differs
        disk, raw, nic, display = (each["attributes"] for each in copy["devices"])
        assert disk["path"] == "/dev/zvol/default/d0_other"
        assert raw["path"] == "/mnt/default/image_other.raw"
        assert (pool / ".volumes/d0_other").read_bytes() == (pool / ".volumes/d0").read_bytes()
        assert (pool / "image_other.raw").read_bytes() == (pool / "image.raw").read_bytes()
        variables = tmp_path / f"state/nvram/{copy['uuid']}_VARS.fd"
        assert variables.read_bytes() == b"variables"
        own = ({"path", "serial"}, {"path", "serial"}, {"mac"}, {"port", "web_port"})
        for before, after, names in zip(vm["devices"], (disk, raw, nic, display), own, strict=True):
            origin = before["attributes"]
            assert {key for key in origin if origin[key] != after[key]} == names
        orders = [[each["order"] for each in entry["devices"]] for entry in (vm, copy)]
        assert orders[0] == orders[1]


async def test_names_are_found_where_none_is_given(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host, DISK)
        for _ in range(3):
            await host.api.call("vm.clone", vm["id"])
        rows = await host.api.call("vm.query", [], {"select": ["name"]})
        assert [row["name"] for row in rows] == ["web", "web_clone0", "web_clone1", "web_clone2"]
        long = await host.api.call("vm.create", {"name": "x" * 150, "memory": 64})
        await host.api.call("vm.clone", long["id"])
        assert (await named(host, f"{'x' * 143}_clone0"))["id"] != long["id"]


async def test_storage_that_is_in_the_way_is_left_alone(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host, DISK, RAW)
        pool = tmp_path / "state/pools/default"
        for name in (".volumes/d0_other", ".volumes/d0_other_clone0", "image_other.raw"):
            (pool / name).write_bytes(b"mine")
        await host.api.call("vm.clone", vm["id"], "other")
        disk, raw = (each["attributes"]["path"] for each in (await named(host, "other"))["devices"])
        assert (disk, raw) == ("/dev/zvol/default/d0_other_clone1", "/mnt/default/image_other_clone0.raw")
        assert (pool / ".volumes/d0_other").read_bytes() == b"mine"


async def test_clients_are_told_of_the_clone_and_its_devices(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host, NIC)
        for name in ("vm.query", "vm.device.query"):
            await host.api.call("core.subscribe", name)
        await host.api.call("vm.clone", vm["id"])
        event = await host.api.event(lambda event: event["collection"] == "vm.query")
        assert (event["msg"], event["fields"]["name"]) == ("added", "web_clone0")
        assert len(event["fields"]["devices"]) == 1
        device = await host.api.event(lambda event: event["collection"] == "vm.device.query")
        assert (device["msg"], device["id"]) == ("added", 2)


@pytest.mark.parametrize(
    ("name", "errno"), [("web", 17), ("not good", 22), ("", 22), ("x" * 151, 22), ("a\n", 22)]
)
async def test_names_that_cannot_be(tmp_path: Path, name: str, errno: int) -> None:
    async with server(tmp_path) as host:
        vm = await make(host, DISK)
        before = files(tmp_path)
        failure = await host.api.failure("vm.clone", vm["id"], name)
        ((_, _, number),) = failure.data["extra"]
        assert number == errno
        assert files(tmp_path) == before
        ((_, _, number),) = (await host.api.failure("vm.clone", 99)).data["extra"]
        assert number == 2


async def test_a_disk_that_is_gone_is_named_and_nothing_stays(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host, RAW, DISK)
        await host.server.services.volumes.destroy("default/d0")
        before = files(tmp_path)
        failure = await host.api.failure("vm.clone", vm["id"], "other")
        assert failure.data["error"] == 2
        assert "device 2 of VM 1 (web)" in failure.data["reason"]
        assert files(tmp_path) == before
        assert len(await host.api.call("vm.query")) == 1


async def test_nothing_stays_of_a_clone_that_fails_at_its_last_step(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await make(host, DISK, RAW, trusted_platform_module=True)
        (tmp_path / f"state/nvram/{vm['uuid']}_VARS.fd").write_bytes(b"variables")
        before = files(tmp_path)

        async def full(*_: object) -> object:
            raise DatabaseError("database or disk is full")

        async def lost(*_: object) -> None:
            raise EngineError(EngineErrorKind.FAILED, "no space left")

        store, engine = host.server.services.vms, host.engine
        store.write = full  # type: ignore[method-assign]
        await host.api.failure("vm.clone", vm["id"])
        del store.write
        assert files(tmp_path) == before
        engine.copy_tpm = lost  # type: ignore[method-assign, assignment]
        failure = await host.api.failure("vm.clone", vm["id"])
        assert "the TPM state of VM 1 (web) could not be copied" in failure.data["reason"]
        del engine.copy_tpm
        assert files(tmp_path) == before
        assert await host.api.call("vm.clone", vm["id"]) is True
