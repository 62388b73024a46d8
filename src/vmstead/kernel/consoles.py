"""Serial consoles: one reader for each running guest, any number of viewers.

QEMU serves a serial port to one reader, and who types needs that one. So the server itself reads, from the start
of the guest to its end, and passes everything on. What was written before it began to read (a start, or a server
that was away) it has from the engine's log.
"""

import asyncio
from typing import Any

import structlog

from vmstead.kernel.console_viewer import Viewer
from vmstead.kernel.terminal import replayed, unseen
from vmstead.ports.console_logs import ConsoleLogs
from vmstead.ports.engine import ConsoleStream, Engine

log = structlog.get_logger()

#: Bytes of recent output that a new viewer gets to see.
SCROLLBACK = 64 * 1024
#: Viewers that one console serves.
MOST_VIEWERS = 32
#: Bytes after which a log is looked at again: it may have become large.
_TRIM_AFTER = 512 * 1024


#: Bytes of output that do not look like an earlier part of it by chance.
_TELLING = 64


class TooManyViewers(Exception):
    """A console has as many viewers as it can have."""


class Console:
    """The console of one running guest.

    Args:
        history: what the guest wrote before ``stream`` was opened, and perhaps a little of what came after.
        overlap: how many bytes at the end of the history the stream may bring again.
    """

    def __init__(self, stream: ConsoleStream, history: bytes = b"", overlap: int = 0) -> None:
        self.stream = stream
        self.viewers: set[Viewer] = set()
        self.scrollback = bytearray(history)
        self.ended = False
        self._window = history[len(history) - overlap :]
        #: Output that could be part of the record, or could just look like it: what comes next tells.
        self._held = b""
        self._is_cut = len(history) >= SCROLLBACK
        #: Bytes that were read since the log was looked at.
        self.unlooked = 0

    def view(self) -> Viewer:
        """A viewer, from the scrollback on. Raises TooManyViewers."""
        if len(self.viewers) >= MOST_VIEWERS:
            raise TooManyViewers
        viewer = Viewer(
            replayed(bytes(self.scrollback), is_cut=self._is_cut), self.stream.write, self.viewers.discard
        )
        if self.ended:
            viewer.end("the guest has stopped")
        else:
            self.viewers.add(viewer)
        return viewer

    def take(self, data: bytes) -> None:
        """Take note of a piece of output."""
        self.unlooked += len(data)
        if self._window:
            self._held += data
            data, left = unseen(self._window, self._held)
            if left and len(self._held) < _TELLING:
                return
            self._window, self._held = left, b""
        self.scrollback += data
        if len(self.scrollback) > SCROLLBACK:
            del self.scrollback[:-SCROLLBACK]
            self._is_cut = True
        for viewer in self.viewers:
            viewer.feed(data)

    async def close(self, reason: str) -> None:
        """Send the viewers away and give the console back."""
        self.ended = True
        for viewer in self.viewers:
            viewer.end(reason)
        await self.stream.close()


class Consoles:
    """The consoles of all running guests."""

    def __init__(self, engine: Engine, logs: ConsoleLogs) -> None:
        self._engine = engine
        self._logs = logs
        self._consoles: dict[str, asyncio.Task[Console]] = {}
        self._pumps: set[asyncio.Task[None]] = set()
        self._trims: set[asyncio.Task[None]] = set()

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
        # The log goes on while the stream is being opened: between these two lies where the stream begins.
        before = await self._logs.length(uuid)
        stream = await self._engine.console(uuid)
        try:
            after = await self._logs.length(uuid)
            history = await self._logs.tail(uuid, SCROLLBACK, after)
        except BaseException:
            await stream.close()
            raise
        console = Console(stream, history, min(abs(after - before), len(history)))
        pump = asyncio.get_running_loop().create_task(self._pump(uuid, console))
        self._pumps.add(pump)
        mine = self._consoles[uuid]

        def ended(_: "asyncio.Task[None]") -> None:
            self._pumps.discard(pump)
            self._forget(uuid, mine)
            if _failed(pump) and not pump.cancelled():
                log.warning("console lost", uuid=uuid, reason=str(pump.exception()))

        pump.add_done_callback(ended)
        return console

    async def _pump(self, uuid: str, console: Console) -> None:
        """Read until the guest ends, passing everything on."""
        reason = "the console was lost"
        try:
            async for data in console.stream:
                console.take(data)
                if console.unlooked >= _TRIM_AFTER and not self._trims:
                    console.unlooked = 0
                    self._trim(uuid)
            reason = "the guest has stopped"
        except asyncio.CancelledError:
            reason = "the server is stopping"
            raise
        finally:
            await console.close(reason)

    def _trim(self, uuid: str) -> None:
        # Beside the reading, which waits for no disk.
        task = asyncio.get_running_loop().create_task(self._logs.trim(uuid), name=f"trim the log of {uuid}")
        self._trims.add(task)
        task.add_done_callback(self._trims.discard)

    async def view(self, uuid: str) -> Viewer:
        """Look at the console of a guest that runs.

        Raises:
            EngineError: the guest does not run, or has no console.
            TooManyViewers: it serves as many as it can.
        """
        self.watch(uuid)
        return (await asyncio.shield(self._consoles[uuid])).view()

    def viewer(self, id: str) -> Viewer | None:
        """The viewer of that id, while it looks at something."""
        for task in self._consoles.values():
            if task.done() and not _failed(task):
                for viewer in task.result().viewers:
                    if viewer.id == id:
                        return viewer
        return None

    def send_away(self, reason: str) -> None:
        """End all viewing. Reading goes on."""
        for task in self._consoles.values():
            if task.done() and not _failed(task):
                for viewer in task.result().viewers:
                    viewer.end(reason)

    async def close(self) -> None:
        """Stop reading. The guests go on."""
        tasks = [*self._consoles.values(), *self._pumps, *self._trims]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)


def _failed(task: "asyncio.Task[Any]") -> bool:
    return task.cancelled() or task.exception() is not None
