"""Consoles: everything a guest writes reaches every viewer, from the guest's start to its end."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from tests.harness import settle
from vmstead.adapters.console_files import ConsoleFiles
from vmstead.adapters.memory_engine import MemoryConsole, MemoryEngine
from vmstead.kernel.clock import ManualClock
from vmstead.kernel.console_viewer import BACKLOG, Viewer
from vmstead.kernel.consoles import MOST_VIEWERS, SCROLLBACK, Consoles, TooManyViewers
from vmstead.ports.engine import ConsoleStream, Domain, DomainState, EngineError

GUEST = "11111111-0000-4000-8000-000000000000"


class Listener:
    """Somebody must listen to an engine."""

    def connected(self, states: Mapping[str, DomainState]) -> None: ...

    def disconnected(self, reason: str) -> None: ...

    def changed(self, uuid: str, state: DomainState) -> None: ...

    def viewed(self, uuid: str) -> None: ...


class Engine(MemoryEngine):
    """An engine whose consoles open and close no sooner than the test lets them."""

    def __init__(self) -> None:
        super().__init__(ManualClock())
        self.may_open = asyncio.Event()
        self.may_open.set()
        self.may_close = asyncio.Event()
        self.may_close.set()
        self.opened: list[SlowToClose] = []
        self.asked = asyncio.Event()

    async def console(self, uuid: str) -> ConsoleStream:
        stream = await super().console(uuid)
        self.asked.set()
        await self.may_open.wait()
        assert isinstance(stream, MemoryConsole)
        console = SlowToClose(stream, self.may_close)
        self.opened.append(console)
        return console

    def print(self, data: bytes) -> None:
        self.opened[-1].stream.print(data)


class SlowToClose:
    """A console stream that can be made to linger and to fail."""

    def __init__(self, stream: MemoryConsole, may_close: asyncio.Event) -> None:
        self.stream = stream
        self._may_close = may_close
        self.failure: Exception | None = None
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for data in self.stream:
            if self.failure is not None:
                raise self.failure
            yield data

    async def write(self, data: bytes) -> None:
        await self.stream.write(data)

    async def close(self) -> None:
        await self._may_close.wait()
        await self.stream.close()
        self.is_closed = True


async def running_guest(folder: Path) -> tuple[Engine, Consoles]:
    engine = Engine()
    await engine.open(Listener())
    logs = ConsoleFiles(folder)
    log = await logs.begin(GUEST)
    serial = f"<devices><serial><log file='{log}'/></serial></devices>"
    xml = f"<domain><name>guest</name><uuid>{GUEST}</uuid>{serial}</domain>"
    await engine.define(Domain(GUEST, "guest", xml.encode()))
    await engine.start(GUEST)
    return engine, Consoles(engine, logs)


async def read_by(consoles: Consoles) -> None:
    """Have the guest's console read, and wait until it is."""
    consoles.watch(GUEST)
    await asyncio.shield(consoles._consoles[GUEST])
    await settle()


async def rest_of(viewer: Viewer) -> bytes:
    return b"".join([data async for data in viewer])


async def test_what_was_written_before_anybody_looked_is_there(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    await read_by(consoles)
    engine.print(b"booting ")
    await settle()
    viewer = await consoles.view(GUEST)
    engine.print(b"login: ")
    await settle()
    await engine.destroy(GUEST)
    assert await rest_of(viewer) == b"booting login: "


async def test_every_viewer_gets_everything_and_one_reader_serves_them_all(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    viewers = [await consoles.view(GUEST) for _ in range(3)]
    consoles.watch(GUEST)
    engine.print(b"hello")
    await settle()
    await engine.destroy(GUEST)
    assert [await rest_of(viewer) for viewer in viewers] == [b"hello"] * 3
    assert len(engine.opened) == 1
    assert engine.opened[0].is_closed


async def test_output_comes_as_it_is_written(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    viewer = await consoles.view(GUEST)
    for data in (b"a", b"b"):
        waiting = asyncio.ensure_future(anext(viewer))
        await settle()
        assert not waiting.done()
        engine.print(data)
        assert await waiting == data
    await consoles.close()


async def test_what_is_typed_reaches_the_guest(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    viewer = await consoles.view(GUEST)
    await viewer.write(b"ls\r")
    assert await anext(viewer) == b"ls\r\n"
    await engine.destroy(GUEST)
    with pytest.raises(EngineError):
        await viewer.write(b"x")


async def test_the_scrollback_is_the_most_recent_output_from_the_beginning_of_a_line(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    first = await consoles.view(GUEST)
    written = b""
    for number in range(SCROLLBACK // 10):
        engine.print(line := b"line %d\r\n" % number)
        written += line
    await settle()
    late = await consoles.view(GUEST)
    await engine.destroy(GUEST)
    assert await rest_of(first) == written
    seen = await rest_of(late)
    assert SCROLLBACK - 20 < len(seen) <= SCROLLBACK
    assert written.endswith(seen)
    assert seen.startswith(b"line ")


async def test_what_old_output_asked_the_terminal_is_not_asked_again(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    first = await consoles.view(GUEST)
    engine.print(b"# \x1b[6n")
    await settle()
    late = await consoles.view(GUEST)
    await engine.destroy(GUEST)
    assert await rest_of(first) == b"# \x1b[6n"
    assert await rest_of(late) == b"# "


async def test_a_viewer_that_falls_behind_misses_the_oldest_and_is_told_how_much(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    slow, quick = await consoles.view(GUEST), await consoles.view(GUEST)
    chunk = bytes(range(32, 127)) * 1024
    taken = b""
    for _ in range(5):
        engine.print(chunk)
        await settle()
        while quick._pending:
            taken += await anext(quick)
    assert taken == chunk * 5
    assert len(slow._pending) == BACKLOG
    mark = f"\r\n[... {5 * len(chunk) - BACKLOG} bytes skipped: this viewer was too slow ...]\r\n".encode()
    engine.print(b"the end")
    await settle()
    await engine.destroy(GUEST)
    got = await rest_of(slow)
    assert got.startswith(b"\r\n[... ")
    assert got.endswith((chunk * 5)[-1000:] + b"the end")
    assert len(got) == BACKLOG + len(mark)


async def test_a_console_serves_so_many_viewers_and_another_when_one_has_left(tmp_path: Path) -> None:
    _, consoles = await running_guest(tmp_path)
    viewers = [await consoles.view(GUEST) for _ in range(MOST_VIEWERS)]
    with pytest.raises(TooManyViewers):
        await consoles.view(GUEST)
    viewers[0].close()
    last = await consoles.view(GUEST)
    assert consoles.viewer(last.id) is last
    assert consoles.viewer(viewers[0].id) is None
    await consoles.close()


async def test_viewers_can_be_sent_away_while_reading_goes_on(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    viewer = await consoles.view(GUEST)
    engine.print(b"before")
    await settle()
    consoles.send_away("the server is stopping")
    engine.print(b"after")
    await settle()
    assert await rest_of(viewer) == b"before"
    assert viewer.reason == "the server is stopping"
    assert not engine.opened[0].is_closed
    await consoles.close()


async def test_what_a_guest_writes_while_no_server_reads_is_there_for_the_next_one(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    await read_by(consoles)
    engine.print(b"seen by the first, ")
    await settle()
    await consoles.close()
    engine.print(b"written while nobody was there, ")
    next_one = Consoles(engine, ConsoleFiles(tmp_path))
    viewer = await next_one.view(GUEST)
    engine.print(b"seen by the second")
    await settle()
    await engine.destroy(GUEST)
    expected = b"seen by the first, written while nobody was there, seen by the second"
    assert await rest_of(viewer) == expected


async def test_what_is_written_while_a_console_opens_is_there_once(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    log = ConsoleFiles(tmp_path)
    engine.may_open.clear()
    opening = asyncio.ensure_future(consoles.view(GUEST))
    await engine.asked.wait()
    stream = await MemoryEngine.console(engine, GUEST)
    assert isinstance(stream, MemoryConsole)
    stream.print(b"in the log and in the stream, ")
    assert await log.length(GUEST) > 0
    engine.may_open.set()
    viewer = await opening
    stream.print(b"in the stream")
    await settle()
    await engine.destroy(GUEST)
    assert await rest_of(viewer) == b"in the log and in the stream, in the stream"


async def test_a_log_is_looked_after_now_and_then(tmp_path: Path) -> None:
    class Logs(ConsoleFiles):
        trims = 0

        async def trim(self, uuid: str) -> None:
            self.trims += 1

    engine, _ = await running_guest(tmp_path)
    consoles = Consoles(engine, logs := Logs(tmp_path))
    await read_by(consoles)
    for _ in range(17):
        engine.print(bytes(64 * 1024))
        await settle()
    assert logs.trims == 2
    await consoles.close()


async def test_a_viewer_that_left_is_not_fed_any_more(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    viewer = await consoles.view(GUEST)
    viewer.close()
    viewer.close()
    engine.print(b"x")
    await settle()
    assert not viewer._pending
    await consoles.close()


async def test_a_guest_that_does_not_run_has_no_console_until_it_runs(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    await engine.destroy(GUEST)
    for _ in range(2):
        with pytest.raises(EngineError):
            await consoles.view(GUEST)
    await engine.start(GUEST)
    viewer = await consoles.view(GUEST)
    engine.print(b"again")
    assert await anext(viewer) == b"again"
    await consoles.close()


async def test_the_next_guest_has_a_console_of_its_own(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    await read_by(consoles)
    engine.print(b"first")
    await engine.destroy(GUEST)
    await settle()
    await ConsoleFiles(tmp_path).begin(GUEST)
    await engine.start(GUEST)
    await read_by(consoles)
    engine.print(b"second")
    await settle()
    viewer = await consoles.view(GUEST)
    assert await anext(viewer) == b"second"
    await consoles.close()


async def test_a_guest_started_anew_is_read_even_while_its_old_console_lingers(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    engine.may_close.clear()
    await read_by(consoles)
    await engine.destroy(GUEST)
    await settle()
    await engine.start(GUEST)
    await read_by(consoles)
    engine.print(b"boot messages")
    engine.may_close.set()
    await settle()
    viewer = await consoles.view(GUEST)
    assert await anext(viewer) == b"boot messages"
    await consoles.close()
    assert all(console.is_closed for console in engine.opened)


async def test_nobody_is_left_looking_at_a_console_that_has_ended(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    engine.may_open.clear()
    views = [asyncio.ensure_future(consoles.view(GUEST)) for _ in range(2)]
    await engine.asked.wait()
    await engine.destroy(GUEST)
    engine.may_open.set()
    for view in views:
        assert await rest_of(await view) == b""
    engine.may_close.clear()
    with pytest.raises(EngineError):
        await consoles.view(GUEST)
    engine.may_close.set()


async def test_who_gives_up_while_a_console_opens_does_not_close_it_for_others(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    engine.may_open.clear()
    impatient = asyncio.ensure_future(consoles.view(GUEST))
    patient = asyncio.ensure_future(consoles.view(GUEST))
    await engine.asked.wait()
    impatient.cancel()
    await settle()
    engine.may_open.set()
    viewer = await patient
    engine.print(b"x")
    assert await anext(viewer) == b"x"
    await consoles.close()


async def test_a_console_that_breaks_ends_for_its_viewers_and_can_be_opened_again(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    viewer = await consoles.view(GUEST)
    engine.opened[0].failure = OSError("broken")
    engine.print(b"lost")
    assert await rest_of(viewer) == b""
    await settle()
    viewer = await consoles.view(GUEST)
    engine.print(b" and found")
    await settle()
    await engine.destroy(GUEST)
    assert await rest_of(viewer) == b"lost and found"
    assert len(engine.opened) == 2
    await consoles.close()


async def test_closing_gives_consoles_back_and_leaves_the_guests_alone(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    viewer = await consoles.view(GUEST)
    await settle()
    await consoles.close()
    assert engine.opened[0].is_closed
    assert await rest_of(viewer) == b""
    assert ("destroy", GUEST) not in engine.calls


async def test_closing_ends_what_is_still_opening(tmp_path: Path) -> None:
    engine, consoles = await running_guest(tmp_path)
    engine.may_open.clear()
    consoles.watch(GUEST)
    await engine.asked.wait()
    await consoles.close()
    assert engine.opened == []
    await Consoles(engine, ConsoleFiles(tmp_path)).close()
