"""Displays of real guests: one waits until somebody looks."""

import asyncio
import socket
from contextlib import suppress
from typing import Any

from tests.guest.guests import PATIENCE, display_ports, host
from tests.guest.test_life import raw_guest
from vmstead.client import Client
from vmstead.client.events import Subscription

WAITS = {"dtype": "DISPLAY", "type": "VNC", "wait": True, "password": ""}


async def look(port: int) -> asyncio.StreamWriter:
    """Open a VNC display without a password, as far as a viewer that shows nothing yet (RFC 6143, 7.1 to 7.3)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    version = await reader.readexactly(12)
    assert version.startswith(b"RFB 003.")
    writer.write(b"RFB 003.008\n")
    kinds = await reader.readexactly((await reader.readexactly(1))[0])
    assert 1 in kinds
    writer.write(b"\x01")
    assert await reader.readexactly(4) == bytes(4)
    writer.write(b"\x01")
    await reader.readexactly(24)
    return writer


async def look_at_once(port: int) -> asyncio.StreamWriter:
    """Open a display as soon as there is one, like a viewer that tries again and again."""
    while True:
        with suppress(OSError, asyncio.IncompleteReadError):
            return await look(port)


async def test_a_guest_begins_also_when_somebody_looks_before_it_has_started() -> None:
    with host() as here:
        async with here.serving():
            vm = await raw_guest(here)
            device = await here.call("vm.device.create", {"vm": vm, "attributes": WAITS})
            async with asyncio.TaskGroup() as tasks:
                looking = tasks.create_task(look_at_once(device["attributes"]["port"]))
                await here.call("vm.start", vm)
            with here.console(vm) as console:
                console.log_in()
            looking.result().close()
            await here.call("vm.poweroff", vm)


async def test_a_guest_begins_when_somebody_looks_also_after_the_server_was_gone() -> None:
    with host() as here:
        async with here.serving():
            vm = await raw_guest(here)
            device = await here.call("vm.device.create", {"vm": vm, "attributes": WAITS})
            await here.call("vm.start", vm)
            assert (await here.status(vm))["state"] == "SUSPENDED"
        async with here.serving():
            assert (await here.status(vm))["state"] == "SUSPENDED"
            with Client(here.uri) as client:
                events = client.subscribe("vm.query")
                viewer = await look(device["attributes"]["port"])
                await asyncio.to_thread(_until_running, events)
            with here.console(vm) as console:
                console.log_in()
            viewer.close()
            await here.call("vm.poweroff", vm)


async def test_a_port_that_another_program_has_is_named_and_can_be_changed() -> None:
    with host() as here:
        async with here.serving():
            vm = await raw_guest(here)
            device = await here.call("vm.device.create", {"vm": vm, "attributes": {"dtype": "DISPLAY"}})
            port = device["attributes"]["port"]
            assert port in display_ports()
            with socket.create_server(("127.0.0.1", port)):
                said = await here.failure("vm.start", vm)
                assert f"cannot start: another program listens on port {port} of its SPICE display" in said
                free = (await here.call("vm.port_wizard"))["port"]
                await here.call("vm.device.update", device["id"], {"attributes": {"port": free}})
                await here.call("vm.start", vm)
            await here.call("vm.poweroff", vm)


def _until_running(events: Subscription) -> None:
    while True:
        event: Any = events.get(timeout=PATIENCE)
        if event["fields"]["status"]["state"] == "RUNNING":
            return
