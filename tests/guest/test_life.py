"""Real guests from their creation to their end: started, looked into, stopped and deleted through the API."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.contract.engine import Machine
from tests.contract.listening import Listener
from tests.contract.test_engines import document
from tests.daemons import lasting_engine
from tests.guest.guests import Host, ends, host
from vmstead.client import Client
from vmstead.client.events import Subscription
from vmstead.ports.engine import DomainState

MIB = 1024 * 1024
SIZE = 160 * MIB
MAC = "00:a0:98:12:34:56"
UUID = "7b5c2a10-93d1-4c2b-8a57-5d9d3c0c1f42"


async def test_a_guest_has_the_hardware_it_was_given_and_obeys_until_it_is_deleted() -> None:
    with host() as here:
        async with here.serving():
            vm = await here.call(
                "vm.create",
                {
                    "name": "web01",
                    "uuid": UUID,
                    "vcpus": 1,
                    "cores": 2,
                    "memory": 512,
                    "shutdown_timeout": 60,
                },
            )
            disk = await here.call(
                "vm.device.create",
                {
                    "vm": vm["id"],
                    "attributes": {
                        "dtype": "DISK",
                        "create_zvol": True,
                        "zvol_name": "default/web01",
                        "zvol_volsize": SIZE,
                        "type": "VIRTIO",
                    },
                },
            )
            for attributes in (
                {"dtype": "NIC", "type": "VIRTIO", "nic_attach": "user", "mac": MAC},
                {"dtype": "DISPLAY", "type": "VNC", "bind": "127.0.0.1", "password": "hunter22"},
            ):
                await here.call("vm.device.create", {"vm": vm["id"], "attributes": attributes})
            volume = await here.fill(".volumes/web01")
            os.truncate(volume, SIZE)

            await here.call("vm.start", vm["id"])
            (row,) = await here.call("vm.query", [["name", "=", "web01"]])
            assert row["status"]["state"] == "RUNNING"
            pid = row["status"]["pid"]
            cmdline = Path(f"/proc/{pid}/cmdline").read_bytes()
            assert UUID.encode() in cmdline
            assert b"hunter22" not in cmdline
            assert Path(f"/proc/{pid}").stat().st_uid != 0

            with here.console(vm["id"]) as console:
                console.log_in()
                found = console.inventory()
            assert (found.system.cpus, found.system.cores, found.system.threads) == (2, 2, 1)
            # What the kernel keeps for itself is missing.
            assert 512 * 1024 * 0.8 < found.system.memory_kib <= 512 * 1024
            assert found.system.firmware == "uefi"
            assert found.dmi.uuid == row["uuid"] == UUID
            assert [(each.bus, each.bytes, each.readonly) for each in found.disks] == [
                ("virtio", SIZE, False)
            ]
            assert found.disk(disk["attributes"]["serial"]).name == "vda"
            assert [(nic.driver, nic.carrier) for nic in found.nics] == [("virtio_net", True)]
            assert found.nic(MAC).name == "eth0"

            await here.call("vm.suspend", vm["id"])
            assert (await here.status(vm["id"]))["state"] == "SUSPENDED"
            await here.call("vm.resume", vm["id"])
            assert await here.status(vm["id"]) == {
                "state": "RUNNING",
                "pid": pid,
                "domain_state": "RUNNING",
            }

            async with ends(pid) as end:
                await here.call("vm.stop", vm["id"], job=True)
                assert time.monotonic() - await end < 1
            assert (await here.status(vm["id"]))["state"] == "STOPPED"
            assert volume.stat().st_uid == 0

            await here.call("vm.delete", vm["id"], {"zvols": True})
            assert await here.call("vm.query") == []
            assert not volume.exists()


async def test_a_bios_guest_with_old_hardware_boots_and_its_own_poweroff_is_told_at_once() -> None:
    with host() as here:
        async with here.serving():
            vm = await here.call(
                "vm.create", {"name": "old", "bootloader": "UEFI_CSM", "memory": 256, "autostart": False}
            )
            for attributes in (
                {
                    "dtype": "DISK",
                    "create_zvol": True,
                    "zvol_name": "default/old",
                    "zvol_volsize": SIZE,
                },
                {"dtype": "NIC", "nic_attach": None, "trust_guest_rx_filters": False},
            ):
                device = await here.call("vm.device.create", {"vm": vm["id"], "attributes": attributes})
            await here.fill(".volumes/old")
            await here.call("vm.start", vm["id"])
            with here.console(vm["id"]) as console:
                console.log_in()
                found = console.inventory()
                assert found.system.firmware == "bios"
                assert [disk.bus for disk in found.disks] == ["ata"]
                assert [nic.driver for nic in found.nics] == ["e1000"]
                # The driver of this card looks for the cable only now and then.
                while not found.nic(device["attributes"]["mac"]).carrier:
                    found = console.inventory()

                async with told(here) as (events, libvirts):
                    console.type("poweroff")
                    event, came = await next_stop(events, vm["id"])
                    assert event["fields"]["status"] == {
                        "state": "STOPPED",
                        "pid": None,
                        "domain_state": "SHUTOFF",
                    }
                    assert came - await libvirts < 0.1
            assert (await here.status(vm["id"]))["state"] == "STOPPED"


@asynccontextmanager
async def told(here: Host) -> AsyncIterator[tuple[Subscription, asyncio.Future[float]]]:
    """A subscriber of vm.query, and the time at which libvirt says on another connection that a guest is off."""
    off: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    class Watch(Listener):
        def changed(self, uuid: str, state: DomainState) -> None:
            if not state.active and not off.done():
                off.set_result(time.monotonic())
            super().changed(uuid, state)

    engine = Machine(lasting_engine(here.state), document).make()
    watch = Watch()
    await engine.open(watch)
    try:
        await watch.until(lambda: watch.connections > 0)
        with Client(here.uri) as client:
            yield client.subscribe("vm.query"), off
    finally:
        await engine.close()


async def next_stop(events: Subscription, vm: int) -> tuple[dict[str, Any], float]:
    """The event that a VM is stopped, and when it came. Waits on a thread, so that libvirt's is heard too."""

    def wait() -> tuple[dict[str, Any], float]:
        while True:
            event: Any = events.get(timeout=60)
            if event["id"] == vm and event["fields"]["status"]["state"] == "STOPPED":
                return event, time.monotonic()

    return await asyncio.to_thread(wait)


async def test_a_guest_outlives_the_server_and_the_next_one_knows_it() -> None:
    with host() as here:
        async with here.serving() as server:
            vm = await raw_guest(here, shutdown_timeout=5)
            await here.call("vm.start", vm)
            with here.console(vm) as console:
                console.log_in()
            before = await here.status(vm)
            await server.end(signal.SIGKILL)
        async with here.serving():
            assert await here.status(vm) == before
            assert "already" in await here.failure("vm.start", vm)

            # It hears the power button no more: stopping ends when its time is up.
            with here.console(vm) as console:
                console.type("ignore-power-button")
                console.until("does nothing now")
            begin = time.monotonic()
            stop = await here.midclt("call", "-j", "vm.stop", str(vm))
            assert 5 <= time.monotonic() - begin < 10
            assert stop.status == 0
            assert "VM 1 (web01) still runs: it did not shut down within 5 seconds" in stop.stderr
            assert await here.status(vm) == before
            begin = time.monotonic()
            await here.call("vm.stop", vm, {"force_after_timeout": True}, job=True)
            assert 5 <= time.monotonic() - begin < 10
            assert (await here.status(vm))["state"] == "STOPPED"

            # And it can be started again, and pulled the plug.
            await here.call("vm.start", vm)
            pid = (await here.status(vm))["pid"]
            assert pid not in (None, before["pid"])
            async with ends(pid) as end:
                await here.call("vm.poweroff", vm)
                await end


async def test_of_two_starts_at_once_one_succeeds_and_the_other_names_what_is_under_way() -> None:
    with host() as here:
        async with here.serving():
            vm = await raw_guest(here)
            results = await asyncio.gather(*(here.midclt("call", "vm.start", str(vm)) for _ in range(2)))
            assert sorted(result.status for result in results) == [0, 1]
            (failure,) = (result.stderr for result in results if result.status)
            assert "[EBUSY]" in failure
            assert "start" in failure
            await here.call("vm.poweroff", vm)


async def raw_guest(here: Host, **fields: object) -> int:
    """A VM with the demo guest as an image file."""
    vm = await here.call("vm.create", {"name": "web01", "memory": 256, **fields})
    await here.call(
        "vm.device.create",
        {
            "vm": vm["id"],
            "attributes": {
                "dtype": "RAW",
                "path": "/mnt/default/web01.raw",
                "type": "VIRTIO",
                "exists": False,
                "size": SIZE,
            },
        },
    )
    await here.fill("web01.raw")
    return int(vm["id"])
