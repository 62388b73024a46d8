"""Serial consoles: one reader for each running guest, any number of viewers.

QEMU serves a serial port to one reader, and what is written while nobody reads is lost. So the server itself
reads, from the start of the guest to its end, keeps the most recent output, and passes everything on.
"""

import asyncio
from typing import Any

import structlog

from vmstead.ports.engine import ConsoleStream, Engine

log = structlog.get_logger()

#: Bytes of recent output that a new viewer gets to see.
SCROLLBACK = 64 * 1024
#: Bytes that a viewer may fall behind before it is cut off.
_BACKLOG = 1024 * 1024


class Viewer:
    """One viewer of a console: iterate over it for the output, from the scrollback on.

    The iteration ends when the guest stops, and raises ``ViewerTooSlow`` when the viewer fell too far behind.
    """

    def __init__(self, console: "Console", scrollback: bytes) -> None:
        self._console = console
        self._pending = bytearray(scrollback)
        self._wake = asyncio.Event()
        self._ended = False
        self._dropped = False
        if scrollback:
            self._wake.set()

    def feed(self, data: bytes) -> None:
        """Take note of output."""
        if self._dropped or len(self._pending) + len(data) > _BACKLOG + SCROLLBACK:
            # From here on there would be a hole.
            self._dropped = True
        else:
            self._pending += data
        self._wake.set()

    def end(self) -> None:
        """Take note that no more will come."""
        self._ended = True
        self._wake.set()

    def __aiter__(self) -> "Viewer":
        return self

    async def __anext__(self) -> bytes:
        while not self._pending:
            if self._dropped:
                raise ViewerTooSlow
            if self._ended:
                raise StopAsyncIteration
            self._wake.clear()
            await self._wake.wait()
        data = bytes(self._pending)
        self._pending.clear()
        return data

    async def write(self, data: bytes) -> None:
        """Type into the console. Raises EngineError when the guest is gone."""
        await self._console.stream.write(data)

    def close(self) -> None:
        """Stop viewing."""
        self._console.viewers.discard(self)


class ViewerTooSlow(Exception):
    """A viewer did not take the output in time."""


class Console:
    """The console of one running guest."""

    def __init__(self, stream: ConsoleStream) -> None:
        self.stream = stream
        self.viewers: set[Viewer] = set()
        self.scrollback = bytearray()
        self.ended = False

    def view(self) -> Viewer:
        """A viewer, from the scrollback on."""
        viewer = Viewer(self, bytes(self.scrollback))
        if self.ended:
            viewer.end()
        else:
            self.viewers.add(viewer)
        return viewer

    async def pump(self) -> None:
        """Read until the guest ends, passing everything on."""
        try:
            async for data in self.stream:
                self.scrollback += data
                if len(self.scrollback) > SCROLLBACK:
                    del self.scrollback[:-SCROLLBACK]
                for viewer in self.viewers:
                    viewer.feed(data)
        finally:
            self.ended = True
            for viewer in self.viewers:
                viewer.end()
            await self.stream.close()


class Consoles:
    """The consoles of all running guests."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._consoles: dict[str, asyncio.Task[Console]] = {}
        self._pumps: set[asyncio.Task[None]] = set()

    def watch(self, uuid: str) -> None:
        """Begin to read the console of a guest that runs. Does nothing where that is done already."""
        known = self._consoles.get(uuid)
        # An ended console may still be giving itself back when its guest is started again.
        if known is None or (known.done() and (_failed(known) or known.result().ended)):
            task = self._consoles[uuid] = asyncio.get_running_loop().create_task(self._open(uuid))
            task.add_done_callback(lambda task: self._opened(uuid, task))

    def _opened(self, uuid: str, task: "asyncio.Task[Console]") -> None:
        if _failed(task):
            self._forget(uuid, task)
            if not task.cancelled():
                log.info("no console", uuid=uuid, reason=str(task.exception()))

    def _forget(self, uuid: str, task: "asyncio.Task[Console]") -> None:
        if self._consoles.get(uuid) is task:
            del self._consoles[uuid]

    async def _open(self, uuid: str) -> Console:
        stream = await self._engine.console(uuid)
        console = Console(stream)
        pump = asyncio.get_running_loop().create_task(console.pump())
        self._pumps.add(pump)
        mine = self._consoles[uuid]

        def ended(_: "asyncio.Task[None]") -> None:
            self._pumps.discard(pump)
            self._forget(uuid, mine)
            if _failed(pump) and not pump.cancelled():
                log.warning("console lost", uuid=uuid, reason=str(pump.exception()))

        pump.add_done_callback(ended)
        return console

    async def view(self, uuid: str) -> Viewer:
        """Look at the console of a guest that runs.

        Raises:
            EngineError: the guest does not run, or has no console.
        """
        self.watch(uuid)
        return (await asyncio.shield(self._consoles[uuid])).view()

    async def close(self) -> None:
        """Stop reading. The guests go on."""
        tasks = [*self._consoles.values(), *self._pumps]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _failed(task: "asyncio.Task[Any]") -> bool:
    return task.cancelled() or task.exception() is not None
