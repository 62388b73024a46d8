"""A day's work of many clients in a few minutes: what it needed has been given back.

On libvirt's test driver, within the server's process. ``VMSTEAD_DAY=10000`` does so much; a normal run a little.
"""

import asyncio
import os
import random
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.apart import Apart, apart
from tests.harness import Api, ApiFailure
from vmstead.kernel.jobs import KEPT

pytestmark = pytest.mark.timeout(7200)

WORK = int(os.environ.get("VMSTEAD_DAY", "300"))
MACHINES, CLIENTS, FOLLOWERS = 50, 20, 3
#: What the second half of the day may take beyond the first, where something is needed for a moment or kept.
_MORE = {"KiB": 16 * 1024, "descriptors": 8, "threads": 8, "tasks": 4, "jobs": KEPT, "states": MACHINES}
_POWER = {
    "STOPPED": ["start", "start", "start", "clone", "edit"],
    "RUNNING": ["stop", "poweroff", "restart", "suspend", "edit", "reset"],
    "SUSPENDED": ["resume", "poweroff"],
}


class Day:
    """Everybody's work."""

    def __init__(self, lines: list[Api], vms: list[int]) -> None:
        self.lines = lines
        self.vms = vms
        self.done: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    async def work(self, times: int) -> None:
        """So many things are done, by all clients at once."""
        left = iter(range(times))
        await asyncio.gather(*(self._client(number, line, left) for number, line in enumerate(self.lines)))

    async def _client(self, number: int, api: Api, left: Any) -> None:
        dice = random.Random(number)
        for _ in left:
            vm = dice.choice(self.vms)
            try:
                state = (await api.call("vm.status", vm))["state"]
                await getattr(self, f"_{dice.choice(_POWER[state])}")(api, vm, dice)
            except ApiFailure as failure:
                # Two had the same thing in mind.
                self.refused[failure.data["reason"].partition("]")[0]] += 1
            api.frames.clear()
            api.events.clear()

    async def _call(self, api: Api, method: str, *params: Any) -> Any:
        result = await api.call(method, *params)
        self.done[method] += 1
        return result

    async def _start(self, api: Api, vm: int, dice: random.Random) -> None:
        await self._call(api, "vm.start", vm, {"overcommit": dice.random() < 0.5})

    async def _stop(self, api: Api, vm: int, dice: random.Random) -> None:
        await self._call(api, "vm.stop", vm, {"force": dice.random() < 0.5})

    async def _poweroff(self, api: Api, vm: int, dice: random.Random) -> None:
        await self._call(api, "vm.poweroff", vm)

    async def _restart(self, api: Api, vm: int, dice: random.Random) -> None:
        await self._call(api, "vm.restart", vm)

    async def _reset(self, api: Api, vm: int, dice: random.Random) -> None:
        await self._call(api, "vm.reset", vm)

    async def _suspend(self, api: Api, vm: int, dice: random.Random) -> None:
        await self._call(api, "vm.suspend", vm)

    async def _resume(self, api: Api, vm: int, dice: random.Random) -> None:
        await self._call(api, "vm.resume", vm)

    async def _edit(self, api: Api, vm: int, dice: random.Random) -> None:
        await self._call(api, "vm.update", vm, {"description": str(dice.random())})
        attributes = dice.choice(
            [{"dtype": "NIC", "nic_attach": "user"}, {"dtype": "DISPLAY", "type": "VNC"}]
        )
        device = await self._call(api, "vm.device.create", {"vm": vm, "attributes": attributes})
        await self._call(api, "vm.device.delete", device["id"])

    async def _clone(self, api: Api, vm: int, dice: random.Random) -> None:
        """A copy that lives for a moment."""
        name = f"copy{dice.randrange(10**9)}"
        await self._call(api, "vm.clone", vm, name)
        row = await api.call("vm.query", [["name", "=", name]], {"get": True})
        await self._call(api, "vm.start", row["id"])
        await self._call(api, "vm.delete", row["id"], {"force": True, "zvols": True})


async def prepare(api: Api) -> list[int]:
    """The machines, each with a disk, a card and a display."""
    vms = []
    for number in range(MACHINES):
        usual = {"memory": 64, "bootloader": "UEFI_CSM", "autostart": False}
        row = await api.call("vm.create", {"name": f"vm{number}", **usual})
        disk = {"create_zvol": True, "zvol_name": f"default/d{number}", "zvol_volsize": 4096}
        for attributes in ({"dtype": "DISK", **disk}, {"dtype": "NIC"}, {"dtype": "DISPLAY"}):
            await api.call("vm.device.create", {"vm": row["id"], "attributes": attributes})
        vms.append(row["id"])
    return vms


async def settled(server: Apart, descriptors: int = 10**6) -> dict[str, int]:
    """What is held when nothing is under way any more, and no more descriptors than these are open."""
    async with asyncio.timeout(20):
        while True:
            found = await server.held()
            if not found["locks"] and not found["tasks of its own"] and found["descriptors"] <= descriptors:
                return found


async def test_what_a_day_needed_has_been_given_back(tmp_path: Path) -> None:
    async with apart(tmp_path / "state", "test:///default") as server:
        assert await server.ready()
        async with server.connect() as api:
            vms = await prepare(api)
        before = await settled(server)
        async with AsyncExitStack() as stack:
            lines = [await stack.enter_async_context(server.connect()) for _ in range(CLIENTS)]
            for line in lines[:FOLLOWERS]:
                for collection in ("vm.query", "core.get_jobs"):
                    await line.call("core.subscribe", collection)
            day = Day(lines, vms)
            await day.work(WORK // 2)
            noon = await settled(server)
            await day.work(WORK - WORK // 2)
            evening = await settled(server)
            assert day.done.total() > 2 * day.refused.total(), day.refused
            growth = {key: evening[key] - noon[key] for key in noon}
            assert {key: more for key, more in growth.items() if more > _MORE.get(key, 0)} == {}
            assert evening["jobs"] <= KEPT
            assert evening["memory promised"] == evening["waits for states"] == evening["unfinished"] == 0
            assert all(not line.socket.closed for line in lines)
        night = await settled(server, before["descriptors"] + _MORE["descriptors"])
        assert night["sessions"] == before["sessions"]
        assert night["subscriptions"] == before["subscriptions"] == 0
        async with server.connect() as api:
            rows = await api.call("vm.query")
            assert [row["id"] for row in rows] == vms
            await asyncio.gather(
                *(api.call("vm.delete", vm, {"force": True, "zvols": True}) for vm in vms[:10])
            )
            for vm in vms[10:]:
                await api.call("vm.delete", vm, {"force": True, "zvols": True})
            # The ports of all displays are free again, and their storage is gone.
            assert await api.call("vm.port_wizard") == {"port": 5900, "web": 5901}
            assert await api.call("pool.dataset.query", [["type", "=", "VOLUME"]]) == []
        # One domain is the test driver's own.
        assert (await settled(server))["states"] == before["states"] <= 1
