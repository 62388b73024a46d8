"""A server that is killed at any moment while clients change all that can be changed, again and again.

``VMSTEAD_KILLS=500`` has so many kills; ``VMSTEAD_SEED`` repeats what a failure names, but for the moments.
"""

import asyncio
import contextlib
import os
import random
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import libvirt
import pytest

from tests.apart import Apart, apart, shared_driver
from tests.daemons import members, needs_private_libvirtd, state_folder
from tests.e2e.random.world import Client, difference, look, parts, powered_off
from tests.harness import Api
from vmstead.adapters.private_libvirtd import PrivateLibvirtd

pytestmark = pytest.mark.timeout(7200)

KILLS = int(os.environ.get("VMSTEAD_KILLS", "8"))
SEED = int(os.environ.get("VMSTEAD_SEED", "1760000000"))
#: Seconds after the start of the process, and after the first call, in which the end comes.
_START, _WORK = 0.6, 0.5
#: Seconds that the engine gets to end what it was told to begin.
_SETTLE = 5
#: Every so many kills, the server that comes back is killed as well before it is there.
_TWICE = 4


@dataclass
class Story:
    """Lives of one server, one after the other.

    Attributes:
        outlived: guests go on while there is no server.
        domains: the uuids of all guests that the engine knows, if it can be asked from outside.
    """

    state: Path
    engine: str
    outlived: bool = False
    domains: Callable[[], set[str]] | None = None
    clients: list[Client] = field(default_factory=list)

    async def tell(self, kills: int) -> None:
        """So many lives that end early, and one more, in which everything is in order."""
        try:
            await self._tell(kills)
        except BaseException as error:
            error.add_note(f"to repeat it: VMSTEAD_SEED={SEED} VMSTEAD_KILLS={KILLS}, with {self.engine}")
            raise

    async def _tell(self, kills: int) -> None:
        dice = random.Random(f"{SEED} {self.engine.partition(':')[0]}")
        guests = self.engine == "private"
        self.clients = [
            Client(f"w{n}", random.Random(dice.random()), guests) for n in range(2 if guests else 4)
        ]
        killed = 0
        while killed < kills:
            if killed % _TWICE == _TWICE - 1:
                await self._die_young(dice.uniform(0, _START))
                killed += 1
            await self._live(dice.uniform(0, _WORK))
            killed += 1
        async with apart(self.state, self.engine) as server:
            await self._check(server)

    async def _die_young(self, after: float) -> None:
        async with apart(self.state, self.engine) as server:
            timer = asyncio.get_running_loop().call_later(after, server.kill)
            await server.ready()
            timer.cancel()

    async def _live(self, seconds: float) -> None:
        async with apart(self.state, self.engine) as server:
            await self._check(server)
            async with AsyncExitStack() as stack:
                lines = [await stack.enter_async_context(server.connect()) for _ in self.clients]
                asyncio.get_running_loop().call_later(seconds, server.kill)
                await asyncio.gather(
                    *(client.work(line) for client, line in zip(self.clients, lines, strict=True))
                )

    async def _check(self, server: Apart) -> None:
        """What is there is what clients know of, and it fits together."""
        assert await server.ready()
        for name in ("vmstead.db", "audit.db"):
            check_database(self.state / name)
        async with server.connect() as api:
            await api.call("core.subscribe", "vm.query")
            # What the engine goes on with by itself, it tells of.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SETTLE):
                    while self.outlived and await self._wrong(api):
                        await api.event(lambda _: True, since=len(api.frames))
            rows = await api.call("vm.query")
            check_devices(rows, await api.call("vm.device.query"))
            wrong = await self._wrong(api)
        if wrong:
            pytest.fail(wrong, pytrace=False)
        for client in self.clients:
            client.under_way = None
        assert (await server.held())["unfinished"] == 0
        if self.domains is not None:
            assert self.domains() <= {row["uuid"] for row in rows}

    async def _wrong(self, api: Api) -> str:
        """What is not as a client may find it; takes over what is."""
        found = parts(await look(api, self.state), [client.name for client in self.clients])
        nobodys = found.pop("")
        if nobodys:
            return f"nobody's: {nobodys}"
        for client in self.clients:
            possible, mine = client.possible(), found[client.name]
            if not self.outlived:
                possible = [powered_off(world) for world in possible]
            if mine not in possible:
                method = client.under_way and (client.under_way.method, client.under_way.params)
                wrong = [difference(world, mine) for world in possible]
                return "\n".join((*client.told, f"{method}: {wrong}"))
        if self.engine == "private":
            rows = await api.call("vm.query", [["status.state", "!=", "STOPPED"]])
            told, running = {row["status"]["pid"] for row in rows}, await asyncio.to_thread(self._guests)
            if told != running:
                return f"guests that are known: {told}, and that run: {running}"
        for client in self.clients:
            client.world = found[client.name]
        return ""

    def _guests(self) -> set[int]:
        return {pid for pid in members(self.state.parent) if is_guest(pid)}

    def check_what_was_done(self) -> None:
        """Clients were not merely refused."""
        done: Counter[str] = Counter()
        for client in self.clients:
            done.update(client.done)
        refused = [text for client in self.clients for text in client.refused]
        assert done.total() > 10 * len(refused), Counter(refused).most_common(10)


def check_database(path: Path) -> None:
    """What is stored can be read, and refers to what is there."""
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


def check_devices(vms: list[dict[str, Any]], devices: list[dict[str, Any]]) -> None:
    """Each device belongs to a machine, and what only one can have, one has."""
    assert {each["vm"] for each in devices} <= {row["id"] for row in vms}
    unique: dict[str, list[Any]] = {
        "name": [row["name"] for row in vms],
        "uuid": [row["uuid"] for row in vms],
    }
    for each in devices:
        attributes = each["attributes"]
        if attributes["dtype"] in ("DISK", "RAW"):
            unique.setdefault("path", []).append(attributes["path"])
        for name in ("mac", "port", "web_port", "serial"):
            if name in attributes:
                assert attributes[name], each
                unique.setdefault("port" if "port" in name else name, []).append(attributes[name])
    for name, values in unique.items():
        assert len(values) == len(set(values)), (name, Counter(values).most_common(1))


def is_guest(pid: int) -> bool:
    """Whether a process is QEMU's, and not only about to become it."""
    try:
        return "qemu-system" in os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return False


def share(of_all: float) -> int:
    """Kills of a part of the tests."""
    return max(1, round(KILLS * of_all))


async def test_nothing_is_lost_doubled_or_left_half_done(tmp_path: Path) -> None:
    story = Story(tmp_path / "state", "memory")
    await story.tell(share(0.6))
    story.check_what_was_done()


@pytest.fixture
def folder() -> Iterator[Path]:
    with state_folder() as found:
        yield found


@needs_private_libvirtd
async def test_guests_that_run_on_are_known_to_the_next_server(folder: Path) -> None:
    """On libvirt's test driver in a daemon of its own, whose domains last as long as this test watches."""
    daemon = PrivateLibvirtd(folder / "libvirt", hide_kvm=True)
    await daemon.ensure()
    uri = shared_driver(folder / "libvirt/run/libvirt-sock")
    with closing(libvirt.open(uri)) as watching:
        for domain in watching.listAllDomains():
            domain.destroy()
            domain.undefine()

        def domains() -> set[str]:
            return {domain.UUIDString() for domain in watching.listAllDomains()}

        story = Story(folder / "state", uri, outlived=True, domains=domains)
        await story.tell(share(0.3))
    story.check_what_was_done()


@needs_private_libvirtd
async def test_real_guests_run_on_and_none_is_doubled(folder: Path) -> None:
    story = Story(folder / "state", "private", outlived=True)
    await story.tell(share(0.1))
    story.check_what_was_done()
