"""A person's, or a script's, session at the serial console of a virtual machine.

    run_console(None, "web01")                                        # on this machine's socket
    run_console("wss://vmhost", 4, Credentials("alice", "secret"))    # on another one, as somebody

At a terminal, everything typed goes to the machine, Ctrl-C included; Ctrl-] leaves. Without a terminal it is
a pipe: standard input goes to the machine, its output to standard output, and nothing else is written there.
"""

import os
import select
import signal
import termios
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf
from time import monotonic
from types import FrameType
from typing import NamedTuple, NoReturn

from vmstead.client import Client, ClientError, ConnectionLostError, Credentials
from vmstead.client.ejson import Json
from vmstead.client.login import authenticate
from vmstead.client.shell import ShellConnection

#: Ctrl-], which leaves an interactive session.
_LEAVE = b"\x1d"
_CHUNK = 4096
_CLOSED = "The server closed the console."
#: Seconds of silence after which a ping shows proxies on the way that the console is in use.
_KEEPALIVE = 25.0
#: Seconds in which a token must be used; it is used at once.
_TOKEN_LIFETIME = 60
#: Signals that end the process and must not leave the terminal in raw mode behind.
_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


class _ConsoleError(Exception):
    """There can be no session; the text is the one line to tell the user."""


class _EndedBySignal(BaseException):
    """A signal asked the process to end. Not an Exception, so that nobody takes it for an error."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class _Files(NamedTuple):
    """File descriptors of a session: where typing comes from, where output and remarks go."""

    stdin: int
    stdout: int
    stderr: int


def run_console(
    uri: str | None,
    vm: int | str,
    credentials: Credentials | None = None,
    *,
    verify_tls: bool = True,
    timeout: float = 30.0,
    linger: float | None = None,
    files: tuple[int, int, int] = (0, 1, 2),
) -> int:
    """Connect the terminal, or standard input and output, to a machine's serial console.

    The session lasts until Ctrl-] is typed, the server closes the console, or, without a terminal, until
    input has ended and the output after it. The terminal's settings are put back however the session ends.

    Args:
        uri: the server, as for `vmstead.client.Client`.
        vm: the machine's name or number. A string of digits is a number unless a machine has that name.
        credentials: what to log in with, where that is needed.
        verify_tls: False accepts any certificate.
        timeout: seconds for each step of connecting.
        linger: without a terminal, seconds to go on printing output after the end of input; None until the
            server closes the console.
        files: descriptors for standard input, output and error.

    Returns:
        The exit status: 0 after a session that was left or that the server ended, 1 after an error (told in
        one line on standard error), 130 after an interrupt, 128 and the signal's number after another signal.
    """
    descriptors = _Files(*files)
    try:
        with Client(uri, timeout, verify_tls) as client:
            authenticate(client, credentials or Credentials())
            machine = _find(client, vm)
            token = client.call("auth.generate_token", _TOKEN_LIFETIME)
            with ShellConnection(uri, token, machine["id"], timeout=timeout, verify_tls=verify_tls) as shell:
                session = _Session(client, shell, descriptors, linger)
                if os.isatty(descriptors.stdin):
                    with _raw_terminal(descriptors.stdin):
                        _say(descriptors, f"Connected to {machine['name']}. Leave with Ctrl-].", raw=True)
                        _say(descriptors, "Press Enter if nothing appears.", raw=True)
                        session.run()
                else:
                    with _ending_signals():
                        session.run()
    except (_ConsoleError, ClientError) as error:
        _say(descriptors, f"vmstead: {_one_line(str(error))}")
        return 1
    except BrokenPipeError:
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except _EndedBySignal as ended:
        return 128 + ended.number
    return 0


class _Session:
    """Copies both ways until one side has had enough."""

    def __init__(self, client: Client, shell: ShellConnection, files: _Files, linger: float | None) -> None:
        self._client = client
        self._shell = shell
        self._files = files
        self._interactive = os.isatty(files.stdin)
        self._linger = inf if linger is None else linger
        self._input_open = True
        self._deadline = inf
        self._client_open = True

    def run(self) -> None:
        """Copy until the end of the session.

        Raises:
            ConnectionLostError: the console broke.
            BrokenPipeError: nobody reads standard output any more.
        """
        while True:
            ready = self._wait()
            # Output first: what the machine said before the end of input belongs before it.
            if self._shell.fileno() in ready and not self._copy_output():
                self._remark(_CLOSED)
                return
            if self._client_open and self._client.fileno() in ready:
                self._poll_client()
            if self._files.stdin in ready and not self._copy_input():
                return
            if monotonic() >= self._deadline:
                return

    def _wait(self) -> set[int]:
        """The descriptors that something can be read from; none of them once the deadline has passed."""
        watched = [self._shell.fileno()]
        if self._client_open:
            watched.append(self._client.fileno())
        if self._input_open:
            watched.append(self._files.stdin)
        # TLS may hold data that has left the socket, which select cannot know about.
        pending = self._shell.pending()
        left = 0 if pending else min(self._deadline - monotonic(), _KEEPALIVE)
        readable, _, _ = select.select(watched, [], [], max(left, 0))
        if pending:
            return {self._shell.fileno(), *readable}
        if not readable:
            self._shell.ping()
        return set(readable)

    def _copy_output(self) -> bool:
        """Print what the machine has said; False when the console is closed."""
        data = self._shell.read(0)
        if data is None:
            return True
        _write_all(self._files.stdout, data)
        return bool(data)

    def _copy_input(self) -> bool:
        """Send what was typed; False when the user has left."""
        try:
            data = os.read(self._files.stdin, _CHUNK)
        except OSError:
            # The terminal is gone.
            data = b""
        if not data and self._interactive:
            return False
        if not data:
            self._input_open = False
            self._deadline = monotonic() + self._linger
            return True
        left = self._interactive and _LEAVE in data
        data = data.split(_LEAVE, 1)[0] if left else data
        if data and not self._send(data):
            return False
        if left:
            self._remark("Left the console.")
        return not left

    def _send(self, data: bytes) -> bool:
        """Send input; False when the server has closed the console meanwhile."""
        try:
            self._shell.write(data)
        except ConnectionLostError as lost:
            if lost.code is None:
                raise
            self._remark(_CLOSED)
            return False
        return True

    def _poll_client(self) -> None:
        """Answer the server's pings on the connection that the token came from, as long as it lasts."""
        try:
            self._client.poll()
        except ConnectionLostError:
            # The console does not depend on it any more.
            self._client_open = False

    def _remark(self, text: str) -> None:
        if self._interactive:
            # Wherever the machine left the cursor, a remark starts a line of its own.
            _say(self._files, "\r\n" + text, raw=True)


def _find(client: Client, vm: int | str) -> dict[str, Json]:
    """The machine of that name or number, which must be running.

    Raises:
        _ConsoleError: there is none, or it does not run.
    """
    select_ = {"select": ["id", "name", "status"]}
    rows = client.call("vm.query", [["name", "=", vm]], select_) if isinstance(vm, str) else []
    if not rows and str(vm).isdecimal():
        rows = client.call("vm.query", [["id", "=", int(vm)]], select_)
    if not rows:
        known = f"with number {vm}" if isinstance(vm, int) else f"called {vm}"
        raise _ConsoleError(f"There is no virtual machine {known}.")
    machine: dict[str, Json] = rows[0]
    state = machine["status"]["state"]
    if state not in ("RUNNING", "SUSPENDED"):
        raise _ConsoleError(f"{machine['name']} is not running (it is {state}); start it first.")
    return machine


@contextmanager
def _raw_terminal(stdin: int) -> Iterator[None]:
    """Let every key through while the context lasts, and put the terminal back as it was after it."""
    before = termios.tcgetattr(stdin)
    with _ending_signals():
        try:
            tty.setraw(stdin, termios.TCSADRAIN)
            yield
        finally:
            # A terminal that was closed has no settings any more.
            with suppress(termios.error):
                termios.tcsetattr(stdin, termios.TCSADRAIN, before)


@contextmanager
def _ending_signals() -> Iterator[None]:
    """Turn signals that would end the process at once into an exception, so that contexts are left."""
    if threading.current_thread() is not threading.main_thread():
        # Python delivers signals to the main thread only, which then has its own arrangements.
        yield
        return
    before = {number: signal.signal(number, _end) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(number: int, frame: FrameType | None) -> NoReturn:
    raise _EndedBySignal(number)


def _say(files: _Files, text: str, *, raw: bool = False) -> None:
    """Tell the user something; in a raw terminal a line feed alone would not return to the left edge."""
    # Nobody may be listening, as after a hang-up; that must not change how the session ends.
    with suppress(OSError):
        _write_all(files.stderr, (text + ("\r\n" if raw else "\n")).encode())


def _one_line(text: str) -> str:
    return "; ".join(line.strip() for line in text.splitlines() if line.strip())


def _write_all(descriptor: int, data: bytes) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            # Another program sharing the terminal has made it non-blocking.
            select.select([], [descriptor], [])
