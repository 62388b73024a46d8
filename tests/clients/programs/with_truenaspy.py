"""What truenaspy does with a server: a password, calls, and events, as Home Assistant uses it."""

import asyncio
import json
import sys
from typing import Any
from urllib.parse import urlsplit

from truenaspy import AuthenticationFailed, ExecutionFailed, TruenasWebsocket


def websocket(where: dict[str, Any]) -> TruenasWebsocket:
    """A connection; the library can only check certificates of the system's."""
    uri = urlsplit(where["uri"])
    return TruenasWebsocket(uri.hostname, port=uri.port, use_tls=uri.scheme == "wss", verify_ssl=False)


async def main() -> None:
    """Read where the server is, and who may come in; write what was seen."""
    where = json.load(sys.stdin)
    seen: dict[str, Any] = {}
    async with websocket(where) as stranger:
        try:
            await stranger.async_connect(where["username"], "wrong")
        except AuthenticationFailed as error:
            seen["wrong password"] = str(error)
    async with websocket(where) as nas:
        await nas.async_connect(where["username"], where["password"])
        await nas.async_ping()
        seen |= await whole_life(nas)
    json.dump(seen, sys.stdout)


async def whole_life(nas: TruenasWebsocket) -> dict[str, Any]:
    """A machine, made, run and removed."""
    told: list[str] = []
    removed = asyncio.Event()

    async def hear(params: dict[str, Any]) -> None:
        told.append(params["msg"])
        if params["msg"] == "removed":
            removed.set()

    await nas.async_subscribe("vm.query", hear)
    vm = await nas.async_call("vm.create", {"name": "truenaspy", "memory": 64})
    await nas.async_call("vm.device.create", {"vm": vm["id"], "attributes": {"dtype": "NIC"}})
    started = await nas.async_call("vm.start", vm["id"])
    state = (await nas.async_call("vm.query", [[["name", "=", "truenaspy"]], {"get": True}]))["status"][
        "state"
    ]
    job = await nas.async_call("vm.stop", [vm["id"], {"force": True}])
    waited = await nas.async_call("core.job_wait", job)
    failed = {}
    try:
        await nas.async_call("vm.get_instance", 99)
    except ExecutionFailed as error:
        failed = error.args[0]
    deleted = await nas.async_call("vm.delete", vm["id"])
    await asyncio.wait_for(removed.wait(), 30)
    # It names the event rather than the subscription, which a server takes without a word.
    await nas.async_unsubscribe("vm.query")
    return {
        "state": state,
        "ended": [started, type(job).__name__, type(waited).__name__, deleted],
        "failed": failed,
        "told": [told[0], told[-1]],
    }


asyncio.run(main())
