"""A server in a process of its own, which can be killed at any moment and tells what it holds.

It is made of the parts that a test asks for, as in ``tests.harness``, but with the real time; its client is in the
test's process.
"""

import asyncio
import contextlib
import gc
import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import aiohttp
import structlog

from tests.daemons import lasting_engine
from tests.harness import Api
from vmstead.adapters.fake_host import FakeHost
from vmstead.adapters.libvirt_engine import LibvirtEngine, Target
from vmstead.adapters.memory_engine import MemoryEngine, Script
from vmstead.app import Server, running
from vmstead.config import Config
from vmstead.kernel.clock import SystemClock
from vmstead.ports.engine import Engine

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

#: Seconds that a server gets for what usually takes a fraction of one.
_PATIENCE = 60

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.apart"])


@dataclass
class Apart:
    """The server's process.

    Attributes:
        state: its state folder; the socket lies beside it.
        handle: its process, which cannot be taken for another one when it is gone.
    """

    state: Path
    process: Any
    handle: int
    pipe: "Connection[Any, Any]"

    async def ready(self) -> bool:
        """Wait until it accepts calls. False when it was killed before."""
        return bool(await self._read() == "ready")

    async def held(self) -> dict[str, int]:
        """What the server holds at this moment, by kind; see ``_held``."""
        self.pipe.send("held")
        found: dict[str, int] = await self._read()
        return found

    async def _read(self) -> Any:
        def read() -> Any:
            try:
                return self.pipe.recv() if self.pipe.poll(_PATIENCE) else None
            except EOFError:
                return ""

        found = await asyncio.to_thread(read)
        assert found is not None, "the server says nothing"
        return found

    def kill(self) -> None:
        """Kill it, wherever it is at this moment."""
        self._tell(signal.SIGKILL)

    def _tell(self, number: int) -> None:
        # It may be gone and not known to be.
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, number)

    async def end(self, number: int = signal.SIGKILL) -> None:
        """End it, and wait until it is gone."""
        self._tell(number)
        await asyncio.to_thread(self.process.join, _PATIENCE)
        assert self.process.exitcode is not None, "the server does not end"

    def connect(self) -> AbstractAsyncContextManager[Api]:
        """A client that is logged in as root, and waits for the results of jobs."""
        return connected(Path(f"{self.state}.sock"))


@asynccontextmanager
async def connected(socket_path: Path) -> AsyncIterator[Api]:
    """A client at a server's socket that is logged in as root, and waits for the results of jobs."""
    connector = aiohttp.UnixConnector(str(socket_path), limit=0)
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.ws_connect("ws://localhost/api/current", max_msg_size=0) as socket,
    ):
        api = Api(socket)
        reader = asyncio.get_running_loop().create_task(api.read())
        try:
            await api.call("core.set_options", {"legacy_jobs": False})
            yield api
        finally:
            await socket.close()
            await reader


@asynccontextmanager
async def apart(state: Path, engine: str = "memory", **settings: Any) -> AsyncIterator[Apart]:
    """A server on a state folder; at the end it is killed, unless it has ended.

    Args:
        engine: ``memory``; ``private``: a libvirtd below the state folder, which stays when the server ends; or a
            URI of libvirt's test driver, also in a daemon that runs already.
        settings: those of ``Config``.
    """
    ours, theirs = _processes.Pipe()
    process = _processes.Process(target=_live, args=(theirs, state, engine, settings))
    await asyncio.to_thread(process.start)
    theirs.close()
    assert process.pid is not None
    server = Apart(state, process, os.pidfd_open(process.pid), ours)
    try:
        yield server
    finally:
        await server.end()
        os.close(server.handle)
        ours.close()


def shared_driver(socket: Path) -> str:
    """The test driver in the daemon that listens there: its domains last as long as somebody is connected."""
    return f"test+unix:///default?socket={quote(str(socket))}"


def _engine(state: Path, name: str) -> Engine:
    if name == "memory":
        return MemoryEngine(SystemClock(), Script(shutdown_seconds=0.02))
    if name == "private":
        return lasting_engine(state)()

    async def target() -> Target:
        return Target(name, "tcg", "the test driver runs no guests", True, None, None, runs_guests=False)

    return LibvirtEngine(target, SystemClock())


def _live(parent: "Connection[Any, Any]", state: Path, engine: str, settings: dict[str, Any]) -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    asyncio.run(_serve(parent, state, engine, settings))


async def _serve(parent: "Connection[Any, Any]", state: Path, engine: str, settings: dict[str, Any]) -> None:
    """Serve until told to end by a signal or by the end of the pipe."""
    config = Config(
        **{
            "state": state,
            "socket": Path(f"{state}.sock"),
            "listen": None,
            "login_rate": 1000,
            "accel": "tcg",
            **settings,
        }
    )
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    async with running(config, engine=_engine(state, engine), host=FakeHost(), clock=SystemClock()) as server:
        # What it does by itself at its start belongs to the start.
        while tasks := server.services.tasks._tasks - {asyncio.current_task()}:
            await asyncio.wait(tasks)
        parent.send("ready")

        def asked() -> None:
            try:
                parent.recv()
                parent.send(_held(server))
            except (EOFError, OSError):
                loop.remove_reader(parent.fileno())
                stop.set()

        loop.add_reader(parent.fileno(), asked)
        await stop.wait()
        loop.remove_reader(parent.fileno())


def _held(server: Server) -> dict[str, int]:
    """What a server holds and is to give back: of the process, of its loop, and of its parts."""
    services = server.services
    gc.collect()
    return {
        "KiB": int(Path("/proc/self/statm").read_text().split()[1]) * 4,
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks()),
        "tasks of its own": len(services.tasks._tasks),
        "jobs": len(services.jobs._jobs),
        "locks": len(services.locks._queues),
        "waits for states": len(services.states._expected),
        "states": len(services.states._states),
        "memory promised": services.promised_memory.total,
        "consoles": len(services.consoles._consoles),
        "subscriptions": len(services.bus._subscribers),
        "sessions": len(services.sessions._logins),
        "unfinished": len(services.unfinished.all()),
    }
