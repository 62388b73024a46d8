"""A real server in the test's own process: real sockets, real database; no guests, and a time that is told.

::

    async with server(tmp_path) as host:
        vm = await host.api.call("vm.create", {"name": "a", "memory": 512})
"""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from vmstead.adapters.fake_host import FakeHost
from vmstead.adapters.memory_engine import MemoryEngine
from vmstead.adapters.zfs.programs import THIS_HOST, ZfsHost
from vmstead.addresses import Address
from vmstead.app import Server, running
from vmstead.config import Config
from vmstead.kernel.clock import ManualClock
from vmstead.ports.images import Images
from vmstead.ports.volumes import Volumes

#: Seconds after which a test that waits for something that does not come fails.
PATIENCE = 20


class ApiFailure(Exception):
    """A call was answered with an error."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(json.dumps(error))
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: dict[str, Any] = error.get("data", {})

    @property
    def errno(self) -> int:
        return int(self.data["error"])

    @property
    def reason(self) -> str:
        return str(self.data["reason"])

    @property
    def attributes(self) -> list[str | None]:
        """The fields that a validation error names."""
        return [attribute for attribute, _, _ in self.data["extra"]]


@dataclass
class Api:
    """A client: one WebSocket, calls by name, events kept in order."""

    socket: aiohttp.ClientWebSocketResponse
    events: list[dict[str, Any]] = field(default_factory=list)
    frames: list[dict[str, Any]] = field(default_factory=list)
    _answers: dict[Any, "asyncio.Future[dict[str, Any]]"] = field(default_factory=dict)
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self, method: str, *params: Any) -> Any:
        """The result of a call. Raises ApiFailure."""
        return await self.begin(method, *params)

    def begin(self, method: str, *params: Any) -> "asyncio.Task[Any]":
        """Send a call now and wait for its answer later."""
        return asyncio.get_running_loop().create_task(self._call(method, list(params)))

    async def _call(self, method: str, params: list[Any]) -> Any:
        message = await self.frame_of(method, *params)
        if "error" in message:
            raise ApiFailure(message["error"])
        return message["result"]

    async def frame_of(self, method: str, *params: Any) -> dict[str, Any]:
        """The frame that answers a call, whether with a result or with an error."""
        number = f"c{next(self._ids)}"
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        await self.socket.send_str(
            json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": [*params]})
        )
        async with asyncio.timeout(PATIENCE):
            frame: dict[str, Any] = await answer
        return frame

    async def failure(self, method: str, *params: Any) -> ApiFailure:
        """The error that a call is answered with; fails the test when there is none."""
        try:
            result = await self.call(method, *params)
        except ApiFailure as failure:
            return failure
        raise AssertionError(f"{method} succeeded with {result!r}")

    async def send(self, text: str) -> None:
        """Send a frame as it is."""
        await self.socket.send_str(text)

    async def exchange(self, text: str) -> dict[str, Any]:
        """Send a frame as it is, and return the next one that comes."""
        at = len(self.frames)
        await self.send(text)
        return await self.frame(lambda frame: True, since=at)

    async def frame(self, wanted: Callable[[dict[str, Any]], bool], since: int = 0) -> dict[str, Any]:
        """The first frame of this kind that came or comes. Raises ConnectionError when none can come any more."""
        async with asyncio.timeout(PATIENCE):
            while True:
                for frame in self.frames[since:]:
                    if wanted(frame):
                        return frame
                since = len(self.frames)
                if self.socket.closed:
                    raise ConnectionError(f"closed with {self.socket.close_code}")
                self._arrived.clear()
                await self._arrived.wait()

    async def event(self, wanted: Callable[[dict[str, Any]], bool], since: int = 0) -> dict[str, Any]:
        """The parameters of the first event of this kind that came or comes."""

        def matches(frame: dict[str, Any]) -> bool:
            return frame.get("method") == "collection_update" and wanted(frame["params"])

        params: dict[str, Any] = (await self.frame(matches, since))["params"]
        return params

    async def job(self, number: int) -> dict[str, Any]:
        """The record of a job that has ended or ends. Needs a subscription to core.get_jobs."""
        final = {"SUCCESS", "FAILED", "ABORTED"}

        def ended(params: dict[str, Any]) -> bool:
            return (
                params["collection"] == "core.get_jobs"
                and params["id"] == number
                and params["fields"]["state"] in final
            )

        record: dict[str, Any] = (await self.event(ended))["fields"]
        return record

    async def closed(self) -> int | None:
        """Wait until the server has closed the connection; the code that it gave."""
        async with asyncio.timeout(PATIENCE):
            while not self.socket.closed:
                self._arrived.clear()
                await self._arrived.wait()
        return self.socket.close_code

    async def read(self) -> None:
        """Sort what arrives, until the connection ends."""
        async for message in self.socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            frame = json.loads(message.data)
            self.frames.append(frame)
            if "method" in frame:
                self.events.append(frame["params"])
            answer = self._answers.pop(frame.get("id"), None)
            if answer is not None and not answer.done():
                answer.set_result(frame)
            self._arrived.set()
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(ConnectionError(f"closed with {self.socket.close_code}"))
        self._arrived.set()


@dataclass
class Host:
    """A running server with its parts."""

    server: Server
    engine: MemoryEngine
    clock: ManualClock
    machine: FakeHost
    config: Config
    http: aiohttp.ClientSession
    api: Api = field(init=False)

    @asynccontextmanager
    async def connect(self, *, over_tcp: bool = False, version: str = "current") -> AsyncIterator[Api]:
        """Another client. The unix socket logs in by itself, TCP does not."""
        async with self.dial(f"/api/{version}", over_tcp=over_tcp) as socket:
            api = Api(socket)
            reader = asyncio.get_running_loop().create_task(api.read())
            try:
                yield api
            finally:
                await socket.close()
                await reader

    @asynccontextmanager
    async def dial(
        self, path: str, *, over_tcp: bool = False, **options: Any
    ) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """A WebSocket at this address, with aiohttp's options for it."""
        async with aiohttp.ClientSession(connector=self._connector(over_tcp)) as session:
            url = self.tcp_url if over_tcp else "ws://localhost"
            async with session.ws_connect(f"{url}{path}", max_msg_size=0, **options) as socket:
                yield socket

    def _connector(self, over_tcp: bool) -> aiohttp.BaseConnector:
        return aiohttp.TCPConnector(ssl=False) if over_tcp else aiohttp.UnixConnector(str(self.config.socket))

    @property
    def tcp_url(self) -> str:
        """Where the server listens on TCP: ``ws://127.0.0.1:PORT``."""
        return self.server.addresses[1].removesuffix("/api/current")

    async def idle(self) -> None:
        """Wait until what the server does by itself is done."""
        async with asyncio.timeout(PATIENCE):
            while tasks := self.server.services.tasks._tasks:
                await asyncio.wait(tasks)

    async def pass_time(self, seconds: float) -> None:
        """Let time pass in steps, so that what falls due can do something and wait again."""
        end = self.clock.monotonic() + seconds
        while self.clock.monotonic() < end:
            for _ in range(20):
                await settle()
            left = end - self.clock.monotonic()
            step = self.clock.next_timer
            self.clock.advance(left if step is None else min(step, left))
        await settle()


async def settle() -> None:
    """Let everything that can run now, run."""
    loop = asyncio.get_running_loop()
    for _ in range(5):
        turn = loop.create_future()
        loop.call_soon(turn.set_result, None)
        await turn


@asynccontextmanager
async def server(
    tmp_path: Path,
    *,
    engine: MemoryEngine | None = None,
    machine: FakeHost | None = None,
    clock: ManualClock | None = None,
    volumes: Volumes | None = None,
    images: Images | None = None,
    zfs: ZfsHost = THIS_HOST,
    **settings: Any,
) -> AsyncIterator[Host]:
    """A server on a state folder below ``tmp_path``, and a client that is logged in as root."""
    clock = clock or ManualClock()
    engine = engine or MemoryEngine(clock)
    machine = machine or FakeHost()
    state = tmp_path / "state"
    config = Config(
        state=state,
        socket=tmp_path / "middlewared.sock",
        listen=Address("127.0.0.1", 0),
        login_rate=1000,
        engine="memory",
    )
    config = Config(**{**vars(config), **settings})
    async with (
        running(
            config, engine=engine, host=machine, clock=clock, volumes=volumes, images=images, zfs=zfs
        ) as running_server,
        aiohttp.ClientSession() as http,
    ):
        host = Host(running_server, engine, clock, machine, config, http)
        async with host.connect() as api:
            host.api = api
            yield host
