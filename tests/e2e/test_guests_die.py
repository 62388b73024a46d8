"""What happens to guests and their daemon without being asked for: clients see it within a second, and go on."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.apart import connected
from tests.contract.bootsector import write_disk
from tests.daemons import daemon_pid, needs_a_loop_device, needs_private_libvirtd, state_folder
from tests.harness import Api, ApiFailure, Host
from tests.mortal import private_server
from tests.processes import command, serving

pytestmark = needs_private_libvirtd

MiB = 1024 * 1024
#: Seconds in which clients must know.
AT_ONCE = 1.0


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A machine with a daemon that lasts."""
    with state_folder() as found:
        yield found


@asynccontextmanager
async def guests(folder: Path, *names: str) -> AsyncIterator[tuple[Host, list[dict[str, Any]]]]:
    """A server on which these guests run, and a client that follows them."""
    async with private_server(folder) as host:
        vms = []
        for name in names:
            small = {
                "memory": 32,
                "bootloader": "UEFI_CSM",
                "autostart": False,
                "ensure_display_device": False,
            }
            vm = await host.api.call("vm.create", {"name": name, "shutdown_timeout": 10, **small})
            write_disk(folder / f"state/pools/default/{name}.img")
            disk = {"dtype": "RAW", "path": f"/mnt/default/{name}.img", "exists": True, "boot": True}
            await host.api.call("vm.device.create", {"vm": vm["id"], "attributes": disk})
            await host.api.call("vm.start", vm["id"])
            vms.append(await host.api.call("vm.get_instance", vm["id"]))
        await host.api.call("core.subscribe", "vm.query")
        yield host, vms
        for vm in vms:
            await host.api.call("vm.delete", vm["id"], {"force": True})


async def told(api: Api, vm: dict[str, Any], state: str, since: float) -> dict[str, Any]:
    """The event that says so, which must have come at once."""

    def says(params: dict[str, Any]) -> bool:
        fields = params.get("fields") or {}
        return params["id"] == vm["id"] and bool(fields) and fields["status"]["state"] == state

    event = await api.event(says)
    assert time.monotonic() - since < AT_ONCE
    return event


async def test_a_guest_whose_process_is_killed_is_off_at_once_and_can_be_started_again(folder: Path) -> None:
    async with guests(folder, "a", "b") as (host, (one, other)):
        now = time.monotonic()
        os.kill(one["status"]["pid"], signal.SIGKILL)
        event = await told(host.api, one, "STOPPED", now)
        assert event["fields"]["status"]["pid"] is None
        assert (await host.api.call("vm.status", one["id"]))["state"] == "STOPPED"
        assert (await host.api.call("vm.status", other["id"])) == other["status"]
        host.api.frames.clear()
        await host.api.call("vm.start", one["id"])
        assert (await host.api.call("vm.status", one["id"]))["state"] == "RUNNING"


async def test_many_guests_that_are_killed_together_are_all_off_at_once(folder: Path) -> None:
    async with guests(folder, "a", "b", "c", "d") as (host, vms):
        now = time.monotonic()
        for vm in vms:
            os.kill(vm["status"]["pid"], signal.SIGKILL)
        for vm in vms:
            await told(host.api, vm, "STOPPED", now)


async def test_a_daemon_that_is_killed_is_started_anew_and_nobody_need_do_anything(folder: Path) -> None:
    async with guests(folder, "a", "b") as (host, (one, other)):
        pid = daemon_pid(folder / "state")
        assert pid is not None
        now = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        # Reading goes on all the while, with what was last known.
        assert await host.api.call("vm.query", [["status.state", "=", "RUNNING"]], {"count": True}) == 2
        await back(host, pid)
        # Starting a daemon takes a part of a second.
        assert time.monotonic() - now < 5 * AT_ONCE
        for vm in (one, other):
            assert await host.api.call("vm.status", vm["id"]) == vm["status"]
        await host.api.call("vm.suspend", one["id"])
        assert (await host.api.call("vm.status", one["id"]))["state"] == "SUSPENDED"
        await host.api.call("vm.resume", one["id"])
        await host.api.call("vm.poweroff", other["id"])
        await host.api.call("vm.start", other["id"])
        kinds = {alert["klass"] for alert in await host.api.call("alert.list")}
        assert "EngineNotConnected" not in kinds
        told = (folder / "state/libvirt/keeper.log").read_text()
        assert f"libvirtd, process {pid}, ended by signal 9, Killed\n" in told


async def back(host: Host, after: int | None) -> None:
    """Wait until the engine is there, with another daemon than that."""
    state = host.config.state
    async with asyncio.timeout(20):
        while daemon_pid(state) in (None, after) or not host.server.services.states.is_connected:
            await host.api.call("core.ping")


async def test_a_guest_that_dies_with_the_daemon_is_off_when_that_is_back(folder: Path) -> None:
    async with guests(folder, "a", "b") as (host, (one, other)):
        pid = daemon_pid(folder / "state")
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        os.kill(one["status"]["pid"], signal.SIGKILL)
        await back(host, pid)
        await told(host.api, one, "STOPPED", time.monotonic())
        assert await host.api.call("vm.status", other["id"]) == other["status"]
        await host.api.call("vm.start", one["id"])


async def test_whoever_acts_while_the_daemon_is_away_is_told_so(folder: Path) -> None:
    async with guests(folder, "a") as (host, (vm,)):
        pid = daemon_pid(folder / "state")
        assert pid is not None
        calls = [host.api.begin("vm.suspend", vm["id"])]
        os.kill(pid, signal.SIGKILL)
        calls += [host.api.begin("vm.suspend", vm["id"]) for _ in range(10)]
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        refusals = [each for each in outcomes if isinstance(each, ApiFailure)]
        assert [each for each in outcomes if each is not None and each not in refusals] == []
        for each in refusals:
            assert "could not be suspended" in each.reason or "is suspended" in each.reason, each
        assert {each.data["errname"] for each in refusals} <= {"EHOSTUNREACH", "EFAULT"}
        await back(host, pid)
        if (await host.api.call("vm.status", vm["id"]))["state"] == "SUSPENDED":
            await host.api.call("vm.resume", vm["id"])


#: A boot sector that writes to the middle of its disk, says so on the serial port, and rests.
_WRITES = bytes.fromhex(
    "31c0 8ed8"  # xor ax, ax; mov ds, ax
    "be187c b80043 b280 cd13"  # mov si, 7c18h; mov ax, 4300h; mov dl, 80h; int 13h    write what the packet says
    "baf803 b021 ee"  # mov dx, 3f8h; mov al, '!'; out dx, al
    "fb f4 ebfd"  # sti; hlt; jmp $-1
    "1000 0100 007c 0000 0010000000000000"  # the packet: one sector from 0:7c00h to the 4096th
)


@needs_a_loop_device
async def test_a_guest_whose_disk_finds_no_room_halts_and_goes_on_when_there_is_some() -> None:
    with state_folder() as folder:
        state, image = folder / "state", folder / "image"
        pool = state / "pools/default"
        pool.mkdir(parents=True)
        for path in (state, pool.parent):
            path.chmod(0o711)
        with image.open("wb") as file:
            file.truncate(16 * MiB)
        assert (await command("mkfs.ext4", "-q", str(image))).status == 0
        mount = f'mount -o loop {image} {pool} && chmod 711 {pool} && exec "$@"'
        within = ("unshare", "--mount", "sh", "-c", mount, "sh")
        async with (
            serving(state, "--accel", "tcg", engine="private", within=within) as server,
            connected(Path(f"{state}.sock")) as api,
        ):
            seen = Path(f"/proc/{server.process.pid}/root{pool}")
            small = {
                "memory": 32,
                "bootloader": "UEFI_CSM",
                "autostart": False,
                "ensure_display_device": False,
            }
            vm = (await api.call("vm.create", {"name": "a", **small}))["id"]
            disk = {"dtype": "RAW", "path": "/mnt/default/a.img", "size": 4 * MiB, "boot": True}
            await api.call("vm.device.create", {"vm": vm, "attributes": disk})
            with (seen / "a.img").open("r+b") as file:
                file.write(_WRITES.ljust(510, b"\0") + b"\x55\xaa")
            with contextlib.suppress(OSError), (seen / "filling").open("wb", buffering=0) as file:
                while True:
                    file.write(b"x" * 4096)
            await api.call("core.subscribe", "vm.query")
            await api.call("vm.start", vm)
            await api.event(
                lambda event: event.get("fields", {}).get("status", {}).get("state") == "SUSPENDED"
            )
            assert await api.call("vm.console_log", vm) == ""
            alerts = [each for each in await api.call("alert.list") if each["klass"] == "PoolNearlyFull"]
            assert "guests halt when it has no room left" in alerts[0]["text"]
            (seen / "filling").unlink()
            await api.call("vm.resume", vm)
            async with asyncio.timeout(20):
                while "!" not in await api.call("vm.console_log", vm):
                    pass
            assert (await api.call("vm.status", vm))["state"] == "RUNNING"
            await api.call("vm.poweroff", vm)
