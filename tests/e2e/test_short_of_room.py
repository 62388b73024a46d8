"""A server whose disks are full or read-only: it says so, goes on with what it can, and recovers by itself."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

import aiohttp
import pytest

from tests.apart import connected
from tests.daemons import needs_a_loop_device
from tests.harness import Api, ApiFailure
from tests.processes import Program, command, serving

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="a file system of one's own needs root")

MiB = 1024 * 1024


@dataclass
class Small:
    """A server in a view of the file system of its own, where a folder is a small file system.

    Attributes:
        place: the folder, as the server sees it.
    """

    server: Program
    place: Path
    api: Api

    def seen(self, name: str) -> Path:
        """Something in the folder, from outside."""
        return Path(f"/proc/{self.server.process.pid}/root{self.place}/{name}")

    def fill(self) -> None:
        """Take all room that there is."""
        with self.seen("filling").open("ab", buffering=0) as file:
            for size in (MiB, 4096):
                try:
                    while True:
                        file.write(b"x" * size)
                except OSError:
                    continue

    def free(self) -> None:
        self.seen("filling").unlink()

    def files(self) -> list[str]:
        """What lies in the folder."""
        return sorted(str(path) for path in self.seen("").rglob("*") if path.is_file())


@asynccontextmanager
async def small(state: Path, place: Path, size: str) -> AsyncIterator[Small]:
    place.mkdir(parents=True, exist_ok=True)
    mount = f'mount -t tmpfs -o size={size},mode=711 small {place} && exec "$@"'
    async with (
        serving(state, within=("unshare", "--mount", "sh", "-c", mount, "sh")) as server,
        connected(Path(f"{state}.sock")) as api,
    ):
        yield Small(server, place, api)


async def failure(api: Api, method: str, *params: object) -> str:
    """What a call is refused with, which is no surprise to the server."""
    said = (await api.failure(method, *params)).reason
    assert "unexpectedly" not in said
    return said


async def alerts(api: Api) -> set[str]:
    """The kinds of alerts that there are."""
    return {alert["klass"] for alert in await api.call("alert.list")}


async def refused(path: Path) -> bool:
    """Whether there is no room for one more client."""
    try:
        async with connected(path) as api:
            assert await api.call("core.ping") == "pong"
    except aiohttp.WSServerHandshakeError as error:
        if error.status != HTTPStatus.SERVICE_UNAVAILABLE:
            raise
        return True
    return False


async def until_full(api: Api) -> str:
    """Make machines until there is no room for one more; what is said then."""
    for number in range(10_000):
        try:
            await api.call("vm.create", {"name": f"more{number}", "memory": 64, "description": "x" * 1000})
        except ApiFailure as error:
            return error.reason
    raise AssertionError("there is always room")


async def test_with_a_full_state_folder_all_can_be_read_and_stopped_and_room_is_enough_to_go_on(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    async with small(state, state, "16m") as host:
        api = host.api
        vm = (await api.call("vm.create", {"name": "a", "memory": 64}))["id"]
        other = (await api.call("vm.create", {"name": "b", "memory": 64}))["id"]
        await api.call("pool.dataset.create", {"name": "default/v", "type": "VOLUME", "volsize": MiB})
        await api.call("vm.start", vm)
        host.fill()
        said = await until_full(api)
        assert "[ENOSPC]" in said
        assert "could not be written: database or disk is full" in said
        before = await api.call("vm.query")
        assert "[ENOSPC]" in await failure(api, "vm.update", other, {"description": "y" * 1000})
        assert await api.call("vm.query") == before
        await api.call("vm.suspend", vm)
        await api.call("vm.resume", vm)
        await api.call("vm.poweroff", vm)
        assert {"PoolNearlyFull", "StateNotWritten"} <= await alerts(api)
        host.free()
        await api.call("vm.update", other, {"description": "y" * 1000})
        await api.call("vm.start", other)
        await api.call("vm.delete", vm)
        assert await api.call("pool.dataset.delete", "default/v") is True
        assert "StateNotWritten" not in await alerts(api)


@needs_a_loop_device
async def test_a_state_folder_that_becomes_read_only_can_be_read_and_guests_stopped(tmp_path: Path) -> None:
    """As a file system does when its disk has failed; it stays so until it is mounted anew."""
    state, image = tmp_path / "state", tmp_path / "image"
    state.mkdir()
    with image.open("wb") as file:
        file.truncate(32 * MiB)
    assert (await command("mkfs.ext4", "-q", str(image))).status == 0
    mount = f'mount -o loop,errors=remount-ro {image} {state} && chmod 711 {state} && exec "$@"'
    async with serving(state, within=("unshare", "--mount", "sh", "-c", mount, "sh")) as server:
        async with connected(Path(f"{state}.sock")) as api:
            vm = (await api.call("vm.create", {"name": "a", "memory": 64}))["id"]
            await api.call("vm.start", vm)
            inside = ["nsenter", "--target", str(server.process.pid), "--mount"]
            assert (await command(*inside, "mount", "-o", "remount,abort", str(state))).status == 0
            before = await api.call("vm.query")
            for method, *params in (
                ("vm.create", {"name": "b", "memory": 64}),
                ("vm.update", vm, {"memory": 128}),
                ("vm.device.create", {"vm": vm, "attributes": {"dtype": "NIC"}}),
                ("pool.dataset.create", {"name": "default/v", "type": "VOLUME", "volsize": MiB}),
                ("filesystem.mkdir", {"path": "/mnt/default/x"}),
                ("filesystem.file_receive", "/mnt/default/x", "aGVsbG8="),
                ("vm.clone", vm, "c"),
            ):
                said = await failure(api, method, *params)
                assert "ead-only" in said or "disk I/O error" in said or "readonly" in said, said
            assert await api.call("vm.query") == before
            await api.call("vm.suspend", vm)
            await api.call("vm.poweroff", vm)
            assert (await api.call("vm.status", vm))["state"] == "STOPPED"
            assert "StateNotWritten" in await alerts(api)
        assert await server.end() == 0


async def test_a_full_pool_is_told_and_nothing_half_done_stays_in_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    pool = state / "pools/default"
    async with small(state, pool, "8m") as host:
        api = host.api
        vm = (await api.call("vm.create", {"name": "a", "memory": 64}))["id"]
        raw = {"dtype": "RAW", "path": "/mnt/default/a.img", "size": MiB}
        await api.call("vm.device.create", {"vm": vm, "attributes": raw})
        host.seen("a.img").write_bytes(os.urandom(MiB))
        volume = {"name": "default/v", "type": "VOLUME", "volsize": MiB}
        await api.call("pool.dataset.create", volume)
        host.seen(".volumes/v").write_bytes(os.urandom(MiB))
        host.fill()
        before = host.files()
        image = {"source": "/dev/zvol/default/v", "destination": "/mnt/default/v.raw"}
        for method, *params in (
            ("vm.clone", vm, "b"),
            ("pool.snapshot.create", {"dataset": "default/v", "name": "s"}),
            ("vm.device.convert", image),
            ("filesystem.file_receive", "/mnt/default/x", "aGVsbG8h" * 5_000),
        ):
            said = await failure(api, method, *params)
            assert "space" in said or "free" in said or "room" in said, said
            assert host.files() == before
        host.free()
        await api.call("vm.clone", vm, "b")
        await api.call("pool.snapshot.create", {"dataset": "default/v", "name": "s"})


async def test_out_of_descriptors_those_who_are_connected_are_served_and_others_as_soon_as_there_are_some(
    tmp_path: Path,
) -> None:
    state = tmp_path / "state"
    few = 'ulimit -n 64; exec "$@"'
    async with serving(state, within=("sh", "-c", few, "sh")) as server:
        path = Path(f"{state}.sock")
        async with connected(path) as api:
            vm = (await api.call("vm.create", {"name": "a", "memory": 64}))["id"]
            with ExitStack() as waiting:
                for _ in range(100):
                    one = waiting.enter_context(socket.socket(socket.AF_UNIX))
                    one.connect(str(path))
                for _ in range(100):
                    assert len(await api.call("vm.query")) == 1
                # What takes files and programs has them.
                await api.call("vm.start", vm)
                await api.call("filesystem.file_receive", "/mnt/default/x", "aGVsbG8=")
                await api.call("pool.dataset.create", {"name": "default/v", "type": "VOLUME", "volsize": MiB})
                image = {"source": "/dev/zvol/default/v", "destination": "/mnt/default/v.qcow2"}
                await api.call("vm.device.convert", image)
                # The next one is told why it is not served.
                answer = one.recv(100)
                assert answer.startswith(b"HTTP/1.1 503 ")
            async with asyncio.timeout(10):
                while await refused(path):
                    pass
        assert await server.end() == 0


async def test_out_of_memory_calls_are_refused_and_the_server_goes_on(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with serving(state) as server:
        pid = str(server.process.pid)
        async with connected(Path(f"{state}.sock")) as api:
            for number in range(20):
                await api.call("vm.create", {"name": f"vm{number}", "memory": 64, "description": "x" * 1000})
            status = Path(f"/proc/{pid}/status").read_text()
            size = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmSize")))
            limit = size * 1024 + 12 * MiB
            assert (await command("prlimit", "--pid", pid, f"--as={limit}:")).status == 0
            refusals = []
            for _ in range(20):
                calls = [api.begin("vm.query") for _ in range(5)]
                calls += [api.begin("pool.dataset.query") for _ in range(5)]
                calls += [api.begin("vm.start", number) for number in range(1, 6)]
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
                refusals += [str(each.reason) for each in outcomes if isinstance(each, ApiFailure)]
            assert [said for said in refusals if "unexpectedly" in said] == []
            assert (await command("prlimit", "--pid", pid, "--as=unlimited:")).status == 0
            assert len(await api.call("vm.query")) == 20
            await api.call("pool.dataset.create", {"name": "default/v", "type": "VOLUME", "volsize": MiB})
        assert any("can start no more threads" in said or "no memory left" in said for said in refusals)
        assert await server.end() == 0
