"""What aiotruenas-client does with a server: the older protocol, as programs for home automation speak it."""

import asyncio
import json
import sys
from typing import Any

from aiotruenas_client.websockets import CachingMachine
from websockets.exceptions import SecurityError


async def main() -> None:
    """Read where the server is, and who may come in; write what was seen."""
    where = json.load(sys.stdin)
    password = {"username": where["username"], "password": where["password"]}
    key = {"api_key": where["api_key"]}
    secure = where["uri"].startswith("wss")
    host = where["uri"].partition("://")[2].partition("/")[0]
    seen: dict[str, Any] = {"ways": {}}
    for name, credentials in (("password", password), ("key", key)):
        machine = await CachingMachine.create(host, secure=secure, **credentials)
        seen["ways"][name] = (await machine.get_system_info())["version"]
        await machine.close()
    try:
        await CachingMachine.create(host, secure=secure, **{**password, "password": "wrong"})
    except SecurityError as error:
        seen["ways"]["wrong password"] = str(error)
    machine = await CachingMachine.create(host, secure=secure, **key)
    seen |= await whole_life(machine)
    await machine.close()
    json.dump(seen, sys.stdout)


async def whole_life(machine: CachingMachine) -> dict[str, Any]:
    """A machine is made with calls of the protocol, and lived with as the library does."""
    vm = await machine.invoke_method("vm.create", [{"name": "aiotruenas_client", "memory": 64}])
    for attributes in ({"dtype": "NIC"}, {"dtype": "DISPLAY"}):
        await machine.invoke_method("vm.device.create", [{"vm": vm["id"], "attributes": attributes}])
    (found,) = await machine.get_vms()
    states = [str(found.status)]
    started = await found.start()
    await machine.get_vms()
    states.append(str(found.status))
    restarted = await found.restart()
    stopped = await found.stop(force=True)
    states.append(str(found.status))
    pools = [(pool.name, str(pool.status)) for pool in await machine.get_pools()]
    datasets = [dataset.id for dataset in await machine.get_datasets()]
    number, path = await machine.invoke_method(
        "core.download", ["vm.log_file_download", [vm["id"]], "vm.log"]
    )
    deleted = await machine.invoke_method("vm.delete", [vm["id"]])
    return {
        "name": [found.name, found.description],
        "states": states,
        "ended": [started, restarted, stopped],
        "pools": pools,
        "datasets": datasets,
        "download": [type(number).__name__, path.startswith(f"/_download/{number}?auth_token=")],
        "deleted": deleted,
        "left": [vm.name for vm in await machine.get_vms() if vm.available],
    }


asyncio.run(main())
