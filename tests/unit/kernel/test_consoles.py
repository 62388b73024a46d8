"""Consoles: everything a guest writes reaches every viewer, from the guest's start to its end."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import pytest

from tests.harness import settle
from vmstead.adapters.memory_engine import MemoryConsole, MemoryEngine
from vmstead.kernel.clock import ManualClock
from vmstead.kernel.consoles import SCROLLBACK, Consoles, Viewer, ViewerTooSlow
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

    async def console(self, uuid: str) -> ConsoleStream:
        stream = await super().console(uuid)
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
        self.is_closed = True


async def running_guest() -> tuple[Engine, Consoles]:
    engine = Engine()
    await engine.open(Listener())
    xml = f"<domain><name>guest</name><uuid>{GUEST}</uuid></domain>"
    await engine.define(Domain(GUEST, "guest", xml.encode()))
    await engine.start(GUEST)
    return engine, Consoles(engine)


async def rest_of(viewer: Viewer) -> bytes:
    return b"".join([data async for data in viewer])


async def test_what_was_written_before_anybody_looked_is_there() -> None:
    engine, consoles = await running_guest()
    consoles.watch(GUEST)
    await settle()
    engine.print(b"booting ")
    await settle()
    viewer = await consoles.view(GUEST)
    engine.print(b"login: ")
    await settle()
    await engine.destroy(GUEST)
    assert await rest_of(viewer) == b"booting login: "


async def test_every_viewer_gets_everything_and_one_reader_serves_them_all() -> None:
    engine, consoles = await running_guest()
    viewers = [await consoles.view(GUEST) for _ in range(3)]
    consoles.watch(GUEST)
    engine.print(b"hello")
    await settle()
    await engine.destroy(GUEST)
    assert [await rest_of(viewer) for viewer in viewers] == [b"hello"] * 3
    assert len(engine.opened) == 1
    assert engine.opened[0].is_closed


async def test_output_comes_as_it_is_written() -> None:
    engine, consoles = await running_guest()
    viewer = await consoles.view(GUEST)
    for data in (b"a", b"b"):
        waiting = asyncio.ensure_future(anext(viewer))
        await settle()
        assert not waiting.done()
        engine.print(data)
        assert await waiting == data
    await consoles.close()


async def test_what_is_typed_reaches_the_guest() -> None:
    engine, consoles = await running_guest()
    viewer = await consoles.view(GUEST)
    await viewer.write(b"ls\r")
    assert await anext(viewer) == b"ls\r\n"
    await engine.destroy(GUEST)
    with pytest.raises(EngineError):
        await viewer.write(b"x")


async def test_the_scrollback_is_the_most_recent_output() -> None:
    engine, consoles = await running_guest()
    first = await consoles.view(GUEST)
    for number in range(20):
        engine.print(bytes([number]) * (SCROLLBACK // 10))
    await settle()
    late = await consoles.view(GUEST)
    await engine.destroy(GUEST)
    everything = await rest_of(first)
    assert len(everything) == 20 * (SCROLLBACK // 10)
    assert await rest_of(late) == everything[-SCROLLBACK:]


async def test_a_viewer_that_falls_behind_is_cut_off_without_a_hole_in_what_it_got() -> None:
    engine, consoles = await running_guest()
    slow = await consoles.view(GUEST)
    chunk = bytes(range(256)) * 1024
    written = b""
    for _ in range(5):
        engine.print(chunk)
        written += chunk
        await settle()
    got = await anext(slow)
    engine.print(b"after the hole")
    await settle()
    with pytest.raises(ViewerTooSlow):
        await anext(slow)
    assert written.startswith(got)
    assert len(got) >= 1024 * 1024
    await consoles.close()


async def test_a_viewer_that_left_is_not_fed_any_more() -> None:
    engine, consoles = await running_guest()
    viewer = await consoles.view(GUEST)
    viewer.close()
    viewer.close()
    engine.print(b"x")
    await settle()
    assert not viewer._pending
    await consoles.close()


async def test_a_guest_that_does_not_run_has_no_console_until_it_runs() -> None:
    engine, consoles = await running_guest()
    await engine.destroy(GUEST)
    for _ in range(2):
        with pytest.raises(EngineError):
            await consoles.view(GUEST)
    await engine.start(GUEST)
    viewer = await consoles.view(GUEST)
    engine.print(b"again")
    assert await anext(viewer) == b"again"
    await consoles.close()


async def test_the_next_guest_has_a_console_of_its_own() -> None:
    engine, consoles = await running_guest()
    consoles.watch(GUEST)
    await settle()
    engine.print(b"first")
    await engine.destroy(GUEST)
    await settle()
    await engine.start(GUEST)
    consoles.watch(GUEST)
    await settle()
    engine.print(b"second")
    await settle()
    viewer = await consoles.view(GUEST)
    assert await anext(viewer) == b"second"
    await consoles.close()


async def test_a_guest_started_anew_is_read_even_while_its_old_console_lingers() -> None:
    engine, consoles = await running_guest()
    engine.may_close.clear()
    consoles.watch(GUEST)
    await settle()
    await engine.destroy(GUEST)
    await settle()
    await engine.start(GUEST)
    consoles.watch(GUEST)
    await settle()
    engine.print(b"boot messages")
    engine.may_close.set()
    await settle()
    viewer = await consoles.view(GUEST)
    assert await anext(viewer) == b"boot messages"
    await consoles.close()
    assert all(console.is_closed for console in engine.opened)


async def test_nobody_is_left_looking_at_a_console_that_has_ended() -> None:
    engine, consoles = await running_guest()
    engine.may_open.clear()
    views = [asyncio.ensure_future(consoles.view(GUEST)) for _ in range(2)]
    await settle()
    await engine.destroy(GUEST)
    engine.may_open.set()
    for view in views:
        assert await rest_of(await view) == b""
    engine.may_close.clear()
    with pytest.raises(EngineError):
        await consoles.view(GUEST)
    engine.may_close.set()


async def test_who_gives_up_while_a_console_opens_does_not_close_it_for_others() -> None:
    engine, consoles = await running_guest()
    engine.may_open.clear()
    impatient = asyncio.ensure_future(consoles.view(GUEST))
    patient = asyncio.ensure_future(consoles.view(GUEST))
    await settle()
    impatient.cancel()
    await settle()
    engine.may_open.set()
    viewer = await patient
    engine.print(b"x")
    assert await anext(viewer) == b"x"
    await consoles.close()


async def test_a_console_that_breaks_ends_for_its_viewers_and_can_be_opened_again() -> None:
    engine, consoles = await running_guest()
    viewer = await consoles.view(GUEST)
    engine.opened[0].failure = OSError("broken")
    engine.print(b"lost")
    assert await rest_of(viewer) == b""
    await settle()
    viewer = await consoles.view(GUEST)
    engine.print(b"found")
    assert await anext(viewer) == b"found"
    assert len(engine.opened) == 2
    await consoles.close()


async def test_closing_gives_consoles_back_and_leaves_the_guests_alone() -> None:
    engine, consoles = await running_guest()
    viewer = await consoles.view(GUEST)
    await settle()
    await consoles.close()
    assert engine.opened[0].is_closed
    assert await rest_of(viewer) == b""
    assert ("destroy", GUEST) not in engine.calls


async def test_closing_ends_what_is_still_opening() -> None:
    engine, consoles = await running_guest()
    engine.may_open.clear()
    consoles.watch(GUEST)
    await settle()
    await consoles.close()
    assert engine.opened == []
    await Consoles(engine).close()
