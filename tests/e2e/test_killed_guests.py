"""A server that is killed at any step of what concerns guests: they go on, and nothing of them is left half-way."""

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.daemons import needs_private_libvirtd, state_folder
from tests.harness import Host
from tests.mortal import attempt, private_server
from vmstead.adapters.libvirt_engine.binding import call
from vmstead.ports.engine import PowerState

pytestmark = needs_private_libvirtd

MiB = 1024 * 1024
#: What is on a disk.
DATA = b"precious".ljust(MiB, b"\0")


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A machine with a daemon that lasts, and a guest that is nobody's business here."""
    with state_folder() as found:
        yield found


async def make(host: Host, name: str, **fields: Any) -> dict[str, Any]:
    """A VM that has been started once, so that it has a domain and, if it is to, a TPM's memory."""
    small = {"memory": 32, "bootloader": "UEFI_CSM", "autostart": False, "ensure_display_device": False}
    vm: dict[str, Any] = await host.api.call("vm.create", {"name": name, **small, **fields})
    volume = f"default/{name}"
    disk = {"dtype": "DISK", "create_zvol": True, "zvol_name": volume, "zvol_volsize": MiB}
    await host.api.call("vm.device.create", {"vm": vm["id"], "attributes": disk})
    (host.config.state / "pools/default/.volumes" / name).write_bytes(DATA)
    await host.api.call("vm.start", vm["id"])
    return vm


async def domains(host: Host) -> set[str]:
    """The uuids of all that libvirt knows."""
    connection = host.engine._connection  # type: ignore[attr-defined]
    return {domain.UUIDString() for domain in await call(connection.listAllDomains)}


@asynccontextmanager
async def whole(folder: Path) -> AsyncIterator[Host]:
    """A server on which whatever is there belongs to a VM, and the first one runs on, whatever happened."""
    async with private_server(folder) as host:
        rows = await host.api.call("vm.query")
        if not rows:
            await make(host, "bystander")
            rows = await host.api.call("vm.query")
        uuids = {row["uuid"] for row in rows}
        assert host.server.services.unfinished.all() == []
        assert await domains(host) <= uuids
        state = folder / "state"
        assert {path.name.lstrip(".")[:36] for path in tpm_states(folder)} <= uuids
        assert {path.name[:36] for path in (state / "nvram").iterdir()} <= uuids
        logs = {path.name.partition("_")[0] for path in (state / "libvirt/log/qemu").iterdir()}
        assert logs <= {str(row["id"]) for row in rows}
        volumes = {path.name for path in (state / "pools/default/.volumes").iterdir() if path.is_file()}
        assert volumes == {Path(each["attributes"]["path"]).name for row in rows for each in row["devices"]}
        assert rows[0]["status"]["state"] == "RUNNING"
        assert "qemu" in Path(f"/proc/{rows[0]['status']['pid']}/cmdline").read_text()
        yield host


def tpm_states(folder: Path) -> list[Path]:
    states = folder / "state/libvirt/lib/swtpm"
    return [*states.iterdir()] if states.is_dir() else []


@dataclass
class Story:
    """A call about a VM that is made for it, and what must be so after its server was killed."""

    folder: Path
    method: str
    arguments: Callable[[int], list[Any]]
    prepare: Callable[[Host], Awaitable[int]]
    judge: Callable[[Host, int], Awaitable[None]]

    async def run(self) -> list[str]:
        """Tell it to the end, then once for each step, before which the server is killed. Returns the steps."""
        steps: list[str] = []
        at, vm = 0, 0
        while at <= len(steps):
            async with whole(self.folder) as host:
                if at:
                    await self.judge(host, vm)
                vm = await self.prepare(host)
            outcome = attempt(self.folder, self.method, self.arguments(vm), at or None, private=True)
            assert outcome.failure is None
            assert outcome.killed is bool(at)
            steps = steps or outcome.steps
            at += 1
        async with whole(self.folder) as host:
            await self.judge(host, vm)
        return steps


async def remove_all(host: Host) -> None:
    """Remove all VMs but the one that is nobody's business."""
    for row in (await host.api.call("vm.query"))[1:]:
        await host.api.call("vm.delete", row["id"], {"force": True, "zvols": True})


async def test_a_start_leaves_a_guest_that_runs_or_can_be_started(folder: Path) -> None:
    async def prepare(host: Host) -> int:
        vm: int = (await make(host, "a"))["id"]
        await host.api.call("vm.poweroff", vm)
        return vm

    async def judge(host: Host, vm: int) -> None:
        if (await host.api.call("vm.status", vm))["state"] == "STOPPED":
            await host.api.call("vm.start", vm)
        assert (await host.api.call("vm.status", vm))["state"] == "RUNNING"
        await remove_all(host)

    steps = await Story(folder, "vm.start", lambda vm: [vm], prepare, judge).run()
    assert [step for step in steps if step != "COMMIT"] == [
        "define",
        "define is done",
        "start",
        "start is done",
    ]


async def test_a_deleted_vm_is_there_as_a_whole_or_not_at_all(folder: Path) -> None:
    async def prepare(host: Host) -> int:
        vm: int = (await make(host, "a", trusted_platform_module=True))["id"]
        return vm

    async def judge(host: Host, vm: int) -> None:
        rows = await host.api.call("vm.query", [["id", "=", vm]])
        for row in rows:
            assert (folder / "state/pools/default/.volumes/a").read_bytes() == DATA
            assert row["uuid"] in {path.name for path in tpm_states(folder)}
            assert len(row["devices"]) == 1
        await remove_all(host)

    arguments: Callable[[int], list[Any]] = lambda vm: [vm, {"force": True, "zvols": True}]  # noqa: E731
    steps = await Story(folder, "vm.delete", arguments, prepare, judge).run()
    assert [step for step in steps if step != "COMMIT"] == [
        "destroy",
        "destroy is done",
        "undefine",
        "undefine is done",
        "undefine",
        "undefine is done",
    ]


def remembered(folder: Path, vm: dict[str, Any]) -> dict[str, str]:
    """What the firmware of a VM has written so far: its variables and its TPM's memory."""
    state = folder / "state"
    files = [
        state / f"nvram/{vm['uuid']}_VARS.fd",
        *(state / "libvirt/lib/swtpm" / vm["uuid"]).rglob("*.permall"),
    ]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


async def test_a_renamed_vm_keeps_what_its_firmware_remembers(folder: Path) -> None:
    """The engine must forget the old name before it takes the new one."""
    kept: dict[str, str] = {}

    async def prepare(host: Host) -> int:
        firmware = {"bootloader": "UEFI", "trusted_platform_module": True, "memory": 64}
        vm = await make(host, "a", **firmware)
        await host.api.call("vm.poweroff", vm["id"])
        await host.api.call("vm.update", vm["id"], {"name": "renamed"})
        kept.clear()
        kept.update(remembered(folder, vm))
        id: int = vm["id"]
        return id

    async def judge(host: Host, vm: int) -> None:
        entry = await host.api.call("vm.get_instance", vm)
        assert len(kept) == 2
        if entry["status"]["state"] == "STOPPED":
            # No guest has come to write anything new.
            assert remembered(folder, entry) == kept
            await host.api.call("vm.start", vm)
        assert remembered(folder, entry).keys() == kept.keys()
        logs = [path.name for path in (folder / "state/libvirt/log/qemu").glob(f"{vm}_*")]
        assert logs == [f"{vm}_renamed.log"]
        await remove_all(host)

    steps = await Story(folder, "vm.start", lambda vm: [vm], prepare, judge).run()
    assert [step for step in steps if step != "COMMIT"] == [
        "define",
        "define is done",
        "start",
        "start is done",
    ]


async def test_a_clone_has_its_own_disks_and_the_tpm_or_nothing(folder: Path) -> None:
    async def prepare(host: Host) -> int:
        vm: int = (await make(host, "a", trusted_platform_module=True))["id"]
        await host.api.call("vm.poweroff", vm)
        return vm

    async def judge(host: Host, vm: int) -> None:
        for row in await host.api.call("vm.query", [["name", "^", "a"]]):
            (disk,) = row["devices"]
            path = folder / "state/pools/default/.volumes" / Path(disk["attributes"]["path"]).name
            assert path.read_bytes() == DATA
            assert row["uuid"] in {path.name for path in tpm_states(folder)}
        assert await host.api.call("vm.query", [["id", "=", vm]], {"count": True}) == 1
        await remove_all(host)

    steps = await Story(folder, "vm.clone", lambda vm: [vm, "a2"], prepare, judge).run()
    assert "copy_tpm is done" in steps


async def test_a_guest_that_is_halted_for_a_snapshot_goes_on(folder: Path) -> None:
    async def prepare(host: Host) -> int:
        vm: int = (await make(host, "a", suspend_on_snapshot=True))["id"]
        return vm

    async def judge(host: Host, vm: int) -> None:
        uuid = (await host.api.call("vm.get_instance", vm))["uuid"]
        await host.server.services.states.until(uuid, lambda state: state.power is PowerState.RUNNING, 20)
        for path in (folder / "state/pools/default/.volumes/.snapshots").iterdir():
            assert path.read_bytes() == DATA
        await remove_all(host)

    snapshot = {"dataset": "default/a", "name": "s"}
    steps = await Story(folder, "pool.snapshot.create", lambda _: [snapshot], prepare, judge).run()
    assert [step for step in steps if step != "COMMIT"] == [
        "suspend",
        "suspend is done",
        "resume",
        "resume is done",
    ]
