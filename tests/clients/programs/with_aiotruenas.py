"""What aiotruenas does with a server: JSON-RPC with numbers as ids, and a cache as Home Assistant has it."""

import asyncio
import json
import sys
from typing import Any
from urllib.parse import urlsplit

from aiotruenas import (
    TrueNASAuthenticationError,
    TrueNASCallError,
    TrueNASClient,
    TrueNASState,
    TrueNASSystem,
)


def client(where: dict[str, Any], key: str) -> TrueNASClient:
    """Connects to the server; the library can only check certificates of the system's."""
    uri = urlsplit(where["uri"])
    return TrueNASClient(uri.hostname, key, port=uri.port, use_tls=uri.scheme == "wss", verify_ssl=False)


async def main() -> None:
    """Read where the server is, and who may come in; write what was seen."""
    where = json.load(sys.stdin)
    seen: dict[str, Any] = {}
    try:
        await client(where, "1-wrong").connect()
    except TrueNASAuthenticationError as error:
        seen["wrong key"] = str(error)
    async with client(where, where["api_key"]) as nas:
        seen |= await whole_life(nas) | await state(nas)
    json.dump(seen, sys.stdout)


async def whole_life(nas: TrueNASClient) -> dict[str, Any]:
    """A machine, made and followed with calls and subscriptions."""
    subscription, events = await nas.subscribe("vm.query")
    vm = await nas.call("vm.create", [{"name": "aiotruenas", "memory": 64}])
    device = await nas.call("vm.device.create", [{"vm": vm["id"], "attributes": {"dtype": "NIC"}}])
    started = await nas.call("vm.start", [vm["id"]])
    machines = await TrueNASState(nas).get_vm()
    stopped = await nas.call("vm.stop", [vm["id"], {"force": True}], job=True)
    failed = ""
    try:
        await nas.call("vm.stop", [99], job=True)
    except TrueNASCallError as error:
        failed = str(error)
    number, path = await nas.call("core.download", ["vm.log_file_download", [vm["id"]], "vm.log"])
    deleted = await nas.call("vm.delete", [vm["id"]])
    told = []
    while "removed" not in told:
        told.append((await asyncio.wait_for(events.get(), 30))["params"]["msg"])
    await nas.unsubscribe(subscription)
    return {
        "device": device["attributes"]["dtype"],
        "machine": [(found["name"], found["status"], found["running"]) for found in machines.values()],
        "ended": [started, stopped, deleted],
        "failed": failed,
        "download": path.startswith(f"/_download/{number}?auth_token="),
        "told": [told[0], told[-1]],
    }


async def state(nas: TrueNASClient) -> dict[str, Any]:
    """What is asked of a server every few seconds."""
    known = TrueNASState(nas)
    system = TrueNASSystem(nas)
    return {
        "version": (await system.get_system_info()).version,
        "interfaces": sorted(await system.get_network_interfaces()) == sorted(await known.get_interface()),
        "datasets": sorted(await known.get_dataset()),
        "services": sorted(service["service"] for service in (await known.get_service()).values()),
    }


asyncio.run(main())
