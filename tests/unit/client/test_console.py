"""Console sessions: at a pseudo terminal, through pipes, and ended in every way."""

import asyncio
import os
import pty
import select
import signal
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from math import inf
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from aiohttp import web

from tests.unit.client.conftest import Serve
from tests.unit.client.server import Method, Peer
from vmstead.cli.console import run_console
from vmstead.client import Credentials

LONG = 30.0
VMS = {4: ("web01", "RUNNING"), 5: ("off", "STOPPED"), 6: ("7", "RUNNING"), 7: ("slept", "SUSPENDED")}


async def serial(socket: web.WebSocketResponse, opening: dict[str, Any]) -> None:
    """A machine that greets, repeats what it is told, and knows a few words."""
    await socket.send_json({"msg": "connected", "id": "s"})
    await socket.send_bytes(f"vm {opening['options']['vm_id']} login: ".encode())
    async for message in socket:
        if message.data == b"flood":
            for _ in range(300):
                await socket.send_bytes(b"x" * 100)
        elif message.data.strip() == b"halt":
            await socket.send_bytes(b"halted\r\n")
            return
        elif message.data == b"crash":
            transport = socket._req.transport if socket._req is not None else None
            assert transport is not None
            transport.abort()
        else:
            await socket.send_bytes(b"<" + message.data + b">")


def query(peer: Peer, filters: list[Any], options: Any) -> list[dict[str, Any]]:
    ((field, _, value),) = filters
    return [
        {"id": number, "name": name, "status": {"state": state}}
        for number, (name, state) in VMS.items()
        if value == (number if field == "id" else name)
    ]


METHODS: dict[str, Method] = {
    "vm.query": query,
    "auth.generate_token": lambda peer, *params: "a-token",
    "auth.login_with_api_key": lambda peer, key: key == "1-right",
}


class Terminal:
    """A pseudo terminal, from the side of the person in front of it."""

    def __init__(self) -> None:
        self.keyboard, self.slave = pty.openpty()
        self.before = termios.tcgetattr(self.slave)
        self.shown = b""

    def type(self, data: bytes) -> None:
        os.write(self.keyboard, data)

    def wait_for(self, text: bytes) -> None:
        """Until the screen has shown this, which may be what it showed already."""
        deadline = monotonic() + LONG
        while text not in self.shown:
            ready, _, _ = select.select([self.keyboard], [], [], max(deadline - monotonic(), 0))
            assert ready, f"{text!r} did not appear, only {self.shown!r}"
            self.shown += os.read(self.keyboard, 4096)

    def is_as_before(self) -> bool:
        return termios.tcgetattr(self.slave) == self.before

    def close(self) -> None:
        os.close(self.keyboard)
        os.close(self.slave)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


@contextmanager
def session(*args: Any, **options: Any) -> Iterator[Callable[[], int]]:
    """A console session in a thread; gives a function that waits for its exit status."""
    statuses: list[int] = []
    thread = threading.Thread(target=lambda: statuses.append(run_console(*args, **options)))
    thread.start()

    def status() -> int:
        thread.join(LONG)
        assert not thread.is_alive()
        return statuses[0]

    yield status
    status()


class Pipes:
    """Standard input, output and error of a session without a terminal."""

    def __init__(self, stack: ExitStack, given: bytes, *, more: bool = False) -> None:
        stdin, self.feed = os.pipe()
        self.out, stdout = os.pipe()
        self.err, stderr = os.pipe()
        self.files = (stdin, stdout, stderr)
        self._open = [stdin, stdout, stderr, self.feed, self.out, self.err]
        stack.callback(self.close)
        os.write(self.feed, given)
        if not more:
            self.end_input()

    def end_input(self) -> None:
        self._close(self.feed)

    def output(self) -> tuple[bytes, bytes]:
        """What came out; ends the writing side, so only after the session."""
        for descriptor in self.files:
            self._close(descriptor)
        return os.read(self.out, 1 << 20), os.read(self.err, 1 << 20)

    def stop_reading(self) -> None:
        self._close(self.out)

    def close(self) -> None:
        for descriptor in list(self._open):
            self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        if descriptor in self._open:
            self._open.remove(descriptor)
            os.close(descriptor)


@pytest.fixture
def pipes() -> Iterator[Callable[..., Pipes]]:
    with ExitStack() as stack:
        yield lambda given=b"", **options: Pipes(stack, given, **options)


# --- at a terminal -------------------------------------------------------------------------------


def test_typing_and_leaving(serve: Serve, terminal: Terminal) -> None:
    server = serve(METHODS, shell=serial)
    with session(server.uri, "web01", files=(terminal.slave,) * 3) as status:
        terminal.wait_for(b"Connected to web01. Leave with Ctrl-].\r\nPress Enter if nothing appears.\r\n")
        terminal.wait_for(b"vm 4 login: ")
        assert not terminal.is_as_before()
        terminal.type(b"\x03")
        terminal.wait_for(b"<\x03>")
        terminal.type(b"root\r")
        terminal.wait_for(b"<root\r>")
        terminal.type(b"last\x1dnever")
        terminal.wait_for(b"Left the console.\r\n")
        assert status() == 0
    assert terminal.is_as_before()
    assert b"never" not in terminal.shown
    assert server.calls("auth.generate_token") == [[60]]


def test_the_server_closes(serve: Serve, terminal: Terminal) -> None:
    server = serve(METHODS, shell=serial)
    with session(server.uri, 4, files=(terminal.slave,) * 3) as status:
        terminal.wait_for(b"login: ")
        terminal.type(b"halt\r")
        terminal.wait_for(b"halted\r\n\r\nThe server closed the console.\r\n")
        assert status() == 0
    assert terminal.is_as_before()


def test_the_connection_breaks(serve: Serve, terminal: Terminal) -> None:
    server = serve(METHODS, shell=serial)
    with session(server.uri, 4, files=(terminal.slave,) * 3) as status:
        terminal.wait_for(b"login: ")
        terminal.type(b"crash")
        assert status() == 1
        terminal.wait_for(b"vmstead: The connection to the server was lost")
    assert terminal.is_as_before()


def test_the_terminal_goes_away(serve: Serve) -> None:
    server = serve(METHODS, shell=serial)
    terminal = Terminal()
    with session(server.uri, 4, files=(terminal.slave,) * 3) as status:
        terminal.wait_for(b"login: ")
        os.close(terminal.keyboard)
        assert status() in (0, 1)
    os.close(terminal.slave)


def test_much_output_over_tls(serve: Serve, certificate: Path, terminal: Terminal) -> None:
    server = serve(METHODS, shell=serial, certificate=certificate)
    options = {"verify_tls": False, "files": (terminal.slave,) * 3}
    with session(server.tcp_uri, "web01", **options) as status:
        terminal.wait_for(b"login: ")
        terminal.type(b"flood")
        terminal.wait_for(b"x" * 30_000)
        terminal.type(b"\x1d")
        assert status() == 0


def test_the_first_connection_may_end(serve: Serve, terminal: Terminal) -> None:
    async def leave(peer: Peer, *params: Any) -> str:
        asyncio.get_running_loop().call_later(
            0.01, lambda: closing.append(asyncio.ensure_future(peer.close()))
        )
        return "a-token"

    closing: list[Any] = []
    server = serve({**METHODS, "auth.generate_token": leave}, shell=serial)
    with session(server.uri, "web01", files=(terminal.slave,) * 3) as status:
        terminal.wait_for(b"login: ")
        terminal.type(b"still here")
        terminal.wait_for(b"<still here>")
        terminal.type(b"\x1d")
        assert status() == 0


@pytest.mark.parametrize(
    ("number", "expected"),
    [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGQUIT, 131), (signal.SIGINT, 130)],
)
def test_signals_put_the_terminal_back(
    serve: Serve, terminal: Terminal, number: signal.Signals, expected: int
) -> None:
    server = serve(METHODS, shell=serial)
    program = (
        f"import sys; from vmstead.cli.console import run_console; sys.exit(run_console({server.uri!r}, 4))"
    )

    async def run() -> int:
        # kernel.run gives a program pipes; this one needs a terminal.
        process = await asyncio.create_subprocess_exec(  # noqa: TID251
            sys.executable, "-c", program, stdin=terminal.slave, stdout=terminal.slave, stderr=terminal.slave
        )
        await asyncio.to_thread(terminal.wait_for, b"login: ")
        assert not terminal.is_as_before()
        process.send_signal(number)
        return await process.wait()

    assert asyncio.run(run()) == expected
    assert terminal.is_as_before()


# --- through pipes -------------------------------------------------------------------------------


def read_until(descriptor: int, end: bytes) -> bytes:
    text = b""
    while end not in text:
        text += os.read(descriptor, 4096)
    return text


def test_a_pipe_until_the_server_closes(serve: Serve, pipes: Callable[..., Pipes]) -> None:
    server = serve(METHODS, shell=serial)
    through = pipes(b"halt\n")
    assert run_console(server.uri, "web01", files=through.files) == 0
    assert through.output() == (b"vm 4 login: halted\r\n", b"")


def test_a_pipe_that_passes_every_byte(serve: Serve, pipes: Callable[..., Pipes]) -> None:
    through = pipes(b"\x1d\x00\xff", more=True)
    with session(serve(METHODS, shell=serial).uri, 4, linger=0.0, files=through.files) as status:
        assert read_until(through.out, b">") == b"vm 4 login: <\x1d\x00\xff>"
        through.end_input()
        assert status() == 0
    assert through.output() == (b"", b"")


def test_lingering_counts_from_the_end_of_input(serve: Serve, pipes: Callable[..., Pipes]) -> None:
    through = pipes(b"one", more=True)
    with session(serve(METHODS, shell=serial).uri, 4, linger=0.0, files=through.files) as status:
        read_until(through.out, b"<one>")
        through.end_input()
        assert status() == 0


def test_nobody_reads_the_output(serve: Serve, pipes: Callable[..., Pipes]) -> None:
    through = pipes(b"x")
    through.stop_reading()
    assert run_console(serve(METHODS, shell=serial).uri, 4, files=through.files) == 1


def test_output_that_is_not_taken_at_once(serve: Serve, pipes: Callable[..., Pipes]) -> None:
    through = pipes(b"flood", more=True)
    os.set_blocking(through.files[1], False)
    with session(serve(METHODS, shell=serial).uri, 4, linger=inf, files=through.files) as status:
        count = 0
        while count < 30_000:
            count += os.read(through.out, 512).count(b"x")
        os.write(through.feed, b"halt")
        assert status() == 0


# --- which machine, and who ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vm", "number"), [("web01", 4), (4, 4), ("4", 4), ("7", 6), (7, 7), ("slept", 7), (6, 6)]
)
def test_machines(serve: Serve, pipes: Callable[..., Pipes], vm: int | str, number: int) -> None:
    through = pipes(b"halt")
    assert run_console(serve(METHODS, shell=serial).uri, vm, files=through.files) == 0
    assert through.output()[0].startswith(f"vm {number} ".encode())


@pytest.mark.parametrize(
    ("vm", "text"),
    [
        ("nope", b"vmstead: There is no virtual machine called nope.\n"),
        (99, b"vmstead: There is no virtual machine with number 99.\n"),
        ("99", b"vmstead: There is no virtual machine called 99.\n"),
        ("off", b"vmstead: off is not running (it is STOPPED); start it first.\n"),
    ],
)
def test_no_such_machine(serve: Serve, pipes: Callable[..., Pipes], vm: int | str, text: bytes) -> None:
    through = pipes()
    assert run_console(serve(METHODS, shell=serial).uri, vm, files=through.files) == 1
    assert through.output() == (b"", text)


def test_logging_in(serve: Serve, pipes: Callable[..., Pipes]) -> None:
    server = serve(METHODS, shell=serial)
    through = pipes(b"halt")
    assert run_console(server.uri, 4, Credentials(api_key="1-right"), files=through.files) == 0
    through = pipes()
    assert run_console(server.uri, 4, Credentials(api_key="1-wrong"), files=through.files) == 1
    assert through.output() == (b"", b"vmstead: Invalid API key\n")


def test_no_server(tmp_path: Path, pipes: Callable[..., Pipes]) -> None:
    through = pipes()
    assert run_console(f"ws+unix://{tmp_path}/none", 4, files=through.files) == 1
    assert through.output()[1].startswith(b"vmstead: Cannot connect to ws+unix://")


def test_no_console(serve: Serve, pipes: Callable[..., Pipes]) -> None:
    async def refuse(socket: web.WebSocketResponse, opening: dict[str, Any]) -> None:
        await socket.send_json({"msg": "failed", "error": {"error": 1, "reason": "No serial\nport"}})

    through = pipes()
    assert run_console(serve(METHODS, shell=refuse).uri, 4, files=through.files) == 1
    assert through.output()[1] == b"vmstead: The server gave no console: No serial; port\n"
