"""Every step of making, changing, copying and deleting fails once: nothing of it is left, and nothing else gone.

A fault is a call of the engine or of the storage that fails, counted from the beginning of the operation, or a
change of the database that is refused.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.harness import ApiFailure, Host, server
from vmstead.adapters.dir_volumes import DirVolumes
from vmstead.adapters.memory_engine import MemoryEngine
from vmstead.kernel.clock import ManualClock
from vmstead.ports.engine import EngineError, EngineErrorKind
from vmstead.ports.volumes import VolumeError, VolumeErrorKind
from vmstead.store.unfinished import Kind, Unfinished

MiB = 1024 * 1024


@dataclass
class Fault:
    """Counts the steps of an operation and lets one fail."""

    at: int | None = None
    steps: list[str] = field(default_factory=list)

    def step(self, name: str, error: Exception) -> None:
        self.steps.append(name)
        if self.at is not None and len(self.steps) == self.at:
            raise error


def faulty(kind: type[Any], fault: Fault, methods: dict[str, Exception]) -> type[Any]:
    """The class, with methods that may fail before they do anything."""

    def wrapped(name: str, error: Exception) -> Any:
        async def method(self: Any, *arguments: Any, **options: Any) -> Any:
            fault.step(name, error)
            return await getattr(super(made, self), name)(*arguments, **options)

        return method

    made: type[Any] = type(
        f"Faulty{kind.__name__}", (kind,), {name: wrapped(name, error) for name, error in methods.items()}
    )
    return made


_FULL = VolumeError(VolumeErrorKind.NO_SPACE, "no space left on device")
_BROKEN = VolumeError(VolumeErrorKind.FAILED, "input/output error")
VOLUMES: dict[str, Exception] = {
    "find": _BROKEN,
    "create": _FULL,
    "destroy": _BROKEN,
    "duplicate": _FULL,
    "locate": _BROKEN,
    "file_size": _BROKEN,
    "create_file": _FULL,
    "duplicate_file": _FULL,
    "resize_file": _FULL,
}
_LOST = EngineError(EngineErrorKind.UNREACHABLE, "the connection was lost")
ENGINE: dict[str, Exception] = dict.fromkeys(["check", "define", "undefine", "copy_tpm", "destroy"], _LOST)


@asynccontextmanager
async def faulty_server(tmp_path: Path, fault: Fault) -> AsyncIterator[Host]:
    """A server with a VM that has disks, whose every further step may fail."""
    clock = ManualClock()
    pool = tmp_path / "state/pools/default"
    volumes = faulty(DirVolumes, fault, VOLUMES)({"default": pool})
    engine = faulty(MemoryEngine, fault, ENGINE)(clock)
    async with server(tmp_path, clock=clock, engine=engine, volumes=volumes) as host:
        await host.api.call("vm.create", {"name": "a", "memory": 64, "trusted_platform_module": True})
        for attributes in (
            {"dtype": "DISK", "create_zvol": True, "zvol_name": "default/d0", "zvol_volsize": MiB},
            {"dtype": "RAW", "path": "/mnt/default/r.img", "size": MiB},
            {"dtype": "NIC"},
        ):
            await host.api.call("vm.device.create", {"vm": 1, "attributes": attributes})
        (pool / ".volumes/d0").write_bytes(b"precious".ljust(MiB, b"\0"))
        (pool / "r.img").write_bytes(b"precious".ljust(MiB, b"\0"))
        await host.api.call("vm.start", 1)
        await host.api.call("vm.poweroff", 1)
        (
            tmp_path / "state/nvram" / f"{(await host.api.call('vm.get_instance', 1))['uuid']}_VARS.fd"
        ).write_bytes(b"variables")
        fault.steps.clear()
        yield host


async def everything(tmp_path: Path, host: Host) -> dict[str, Any]:
    """All that a user has, and all that a fault could leave behind."""
    state = tmp_path / "state"
    files = [path for folder in ("pools", "nvram") for path in (state / folder).rglob("*") if path.is_file()]
    return {
        "vms": await host.api.call("vm.query"),
        "files": {str(path.relative_to(state)): path.read_bytes()[:16] for path in files},
        "unfinished": host.server.services.unfinished.all(),
    }


NEW = {"dtype": "DISK", "create_zvol": True, "zvol_name": "default/d1", "zvol_volsize": MiB}
NEW_FILE = {"dtype": "RAW", "path": "/mnt/default/new.img", "size": MiB}
OPERATIONS: dict[str, list[Any]] = {
    "vm.create": [{"name": "b", "memory": 64, "arch_type": "x86_64"}],
    "vm.device.create": [{"vm": 1, "attributes": NEW}],
    "vm.device.update": [3, {"attributes": {"type": "VIRTIO"}}],
    "vm.update": [1, {"memory": 128, "devices": [{"id": 1}, {"attributes": NEW}, {"attributes": NEW_FILE}]}],
    "vm.clone": [1, "b"],
}


#: The steps of each operation that it cannot do without.
EFFECTS: dict[str, set[str]] = {
    "vm.create": set(),
    "vm.device.create": {"create"},
    "vm.device.update": set(),
    "vm.update": {"create", "create_file"},
    "vm.clone": {"duplicate", "duplicate_file", "copy_tpm"},
}


async def run(host: Host, method: str) -> ApiFailure | None:
    try:
        await host.api.call(method, *OPERATIONS[method])
    except ApiFailure as failure:
        return failure
    return None


@pytest.mark.parametrize("method", OPERATIONS)
async def test_whichever_step_fails_nothing_is_left_and_nothing_gone(tmp_path: Path, method: str) -> None:
    fault = Fault()
    async with faulty_server(tmp_path, fault) as host:
        assert await run(host, method) is None
        steps = len(fault.steps)
    failed = []
    for at in range(1, steps + 1):
        fault = Fault()
        (tmp_path / str(at)).mkdir()
        async with faulty_server(tmp_path / str(at), fault) as host:
            before = await everything(tmp_path / str(at), host)
            fault.steps.clear()
            fault.at = at
            failure = await run(host, method)
            fault.at = None
            if failure is not None:
                failed.append(fault.steps[at - 1])
                assert await everything(tmp_path / str(at), host) == before, fault.steps[: at + 1]
            assert host.server.services.unfinished.all() == []
    # Looking at something that is not there now may fail without harm; making something may not.
    assert set(failed) >= EFFECTS[method]


@pytest.mark.parametrize("table", ["vm", "vm_device"])
@pytest.mark.parametrize("method", OPERATIONS)
async def test_a_change_that_the_database_refuses_leaves_nothing(
    tmp_path: Path, method: str, table: str
) -> None:
    async with faulty_server(tmp_path, Fault()) as host:
        before = await everything(tmp_path, host)
        with sqlite3.connect(tmp_path / "state/vmstead.db") as database:
            for action in ("INSERT", "UPDATE", "DELETE"):
                database.execute(
                    f"CREATE TRIGGER no_{action} BEFORE {action} ON {table} "
                    "BEGIN SELECT RAISE(ABORT, 'disk full'); END"
                )
        database.close()
        if await run(host, method) is not None:
            assert await everything(tmp_path, host) == before
        assert host.server.services.unfinished.all() == []


async def test_a_vm_that_cannot_be_deleted_stays_as_it_was(tmp_path: Path) -> None:
    """Until the domain is gone, nothing of the VM is touched."""
    fault = Fault()
    async with faulty_server(tmp_path, fault) as host:
        before = await everything(tmp_path, host)
        fault.at = 1
        failure = await host.api.failure("vm.delete", 1, {"zvols": True})
        assert fault.steps == ["undefine"]
        assert "could not be deleted: the connection was lost" in failure.reason
        fault.at = None
        assert await everything(tmp_path, host) == before


async def test_what_is_left_of_a_deleted_vm_is_told(tmp_path: Path) -> None:
    fault = Fault()
    async with faulty_server(tmp_path, fault) as host:
        fault.at = 3
        failure = await host.api.failure("vm.delete", 1, {"zvols": True})
        assert fault.steps == ["undefine", "undefine", "destroy"]
        assert "VM 1 (a) is deleted, but not all of its volumes: input/output error" in failure.reason
        fault.at = None
        left = await everything(tmp_path, host)
        assert left["vms"] == []
        # The volume can still be found and removed; files of RAW disks stay by intent.
        assert sorted(left["files"]) == ["pools/default/.volumes/d0", "pools/default/r.img"]
        # Nobody but its owner decides what becomes of it.
        assert left["unfinished"] == []
        assert await host.api.call("pool.dataset.delete", "default/d0") is True


async def test_firmware_of_a_deleted_vm_that_the_engine_keeps_goes_at_the_next_start(tmp_path: Path) -> None:
    fault = Fault()
    async with faulty_server(tmp_path, fault) as host:
        uuid = (await host.api.call("vm.get_instance", 1))["uuid"]
        fault.at = 2
        assert await host.api.call("vm.delete", 1) is True
        assert host.server.services.unfinished.all() == [Unfinished(Kind.FIRMWARE, uuid)]
    async with server(tmp_path, engine=host.engine) as host:
        assert host.server.services.unfinished.all() == []
    assert list((tmp_path / "state/nvram").iterdir()) == []


@pytest.mark.parametrize("options", [{"zvol": True}, {"zvol": True, "force": True}])
async def test_a_device_whose_volume_cannot_be_removed_is_back_unless_forced(
    tmp_path: Path, options: dict[str, bool]
) -> None:
    fault = Fault()
    async with faulty_server(tmp_path, fault) as host:
        before = await everything(tmp_path, host)
        fault.at = 1
        if "force" in options:
            assert await host.api.call("vm.device.delete", 1, options) is True
            (vm,) = before["vms"]
            vm["devices"] = [each for each in vm["devices"] if each["id"] != 1]
        else:
            failure = await host.api.failure("vm.device.delete", 1, options)
            assert "/dev/zvol/default/d0 could not be removed: input/output error" in failure.reason
        assert fault.steps == ["destroy"]
        assert await everything(tmp_path, host) == before
