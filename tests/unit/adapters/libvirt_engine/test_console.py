"""A console is left alone once nobody can be told of it: libvirt tells of an ended stream without a pause."""

import asyncio
from dataclasses import dataclass

import libvirt
import pytest

from vmstead.adapters.libvirt_engine.console import LibvirtConsole

_HANGUP, _READABLE = libvirt.VIR_STREAM_EVENT_HANGUP, libvirt.VIR_STREAM_EVENT_READABLE


@dataclass
class Stream:
    """What the console needs of libvirt's streams."""

    data: bytes = b""
    listeners: int = 1
    is_aborted: bool = False

    def recv(self, size: int) -> bytes:
        return self.data[:size]

    def eventRemoveCallback(self) -> None:  # noqa: N802 - its name there
        self.listeners -= 1

    def abort(self) -> None:
        self.is_aborted = True


@dataclass
class Connection:
    """And of its connections."""

    is_open: bool = True

    def close(self) -> None:
        self.is_open = False


@pytest.mark.parametrize(("events", "data"), [(_HANGUP, b""), (_READABLE, b"")])
async def test_a_stream_that_has_ended(events: int, data: bytes) -> None:
    stream = Stream(data)
    console = LibvirtConsole(None, stream, asyncio.get_running_loop(), is_remote=True)
    console._on_event(stream, events, None)
    assert stream.listeners == 0
    assert [chunk async for chunk in console] == []


@pytest.mark.parametrize("events", [_HANGUP, _READABLE])
def test_a_server_that_has_ended(events: int) -> None:
    loop = asyncio.new_event_loop()
    loop.close()
    stream = Stream(b"still talking")
    LibvirtConsole(None, stream, loop, is_remote=True)._on_event(stream, events, None)
    assert stream.listeners == 0


async def test_one_that_goes_on_is_listened_to() -> None:
    stream = Stream(b"hello")
    console = LibvirtConsole(None, stream, asyncio.get_running_loop(), is_remote=True)
    console._on_event(stream, _READABLE, None)
    assert stream.listeners == 1
    async for chunk in console:
        assert chunk == b"hello"
        break


@pytest.mark.parametrize("is_remote", [True, False])
async def test_a_terminal_is_given_up_that_no_daemon_gives_up(is_remote: bool) -> None:
    stream, connection = Stream(), Connection()
    console = LibvirtConsole(connection, stream, asyncio.get_running_loop(), is_remote=is_remote)
    await console.close()
    assert (stream.listeners, stream.is_aborted, connection.is_open) == (0, not is_remote, False)
