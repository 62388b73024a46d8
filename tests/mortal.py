"""A server that is killed at a chosen step of a call, in a process of its own.

A step is whatever the outside could see: a call of the operating system that changes something below the state
folder, a program that is started, the end of a transaction, and on a real engine each call of it. They are counted
by what the interpreter and SQLite tell of themselves (``sys.addaudithook``, ``set_trace_callback``) and around the
engine, so the server knows nothing of it.
"""

import asyncio
import contextlib
import multiprocessing
import os
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.daemons import lasting_engine
from tests.harness import ApiFailure, Host, server
from vmstead.kernel.clock import SystemClock
from vmstead.ports.engine import Engine

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

#: Seconds that a call gets until its server has answered or is dead.
_PATIENCE = 60
#: What the interpreter calls the changes to files: the places of paths among the arguments, and of their folders.
_CHANGES = {
    "os.chmod": {0: 2},
    "os.chown": {0: 3},
    "os.link": {0: 2, 1: 3},
    "os.mkdir": {0: 2},
    "os.remove": {0: 1},
    "os.rename": {0: 2, 1: 3},
    "os.rmdir": {0: 1},
    "os.symlink": {1: 2},
    "os.truncate": {0: 0},
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.mortal"])


@dataclass
class Reaper:
    """Counts steps once it is armed, and kills its own process before the one that it is to.

    Attributes:
        root: the folder whose changes count; None: none do.
        at: the number of the fatal step, from 1; None: it only counts.
        steps: what was counted.
    """

    root: Path | None
    at: int | None
    steps: list[str] = field(default_factory=list)
    databases: list[sqlite3.Connection] = field(default_factory=list)
    armed: bool = False

    def arm(self) -> None:
        """Count from now on."""
        for each in self.databases:
            # One may have been opened for a look and closed again.
            with contextlib.suppress(sqlite3.ProgrammingError):
                each.set_trace_callback(self._statement)
        self.armed = True

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Hear of something that the interpreter is about to do."""
        if event == "sqlite3.connect/handle":
            # It cannot be traced yet: it is still being made.
            self.databases.append(arguments[0])
        elif not self.armed or self.root is None:
            return
        elif event == "open":
            path, _, flags = arguments
            if (
                isinstance(flags, int)
                and flags & _WRITING
                and not isinstance(path, int)
                and self._is_ours(path)
            ):
                self.step(f"open {path}")
        elif event in _CHANGES:
            paths = [_whole(arguments[path], arguments[folder]) for path, folder in _CHANGES[event].items()]
            if any(self._is_ours(path) for path in paths):
                self.step(f"{event} {' '.join(str(path) for path in paths)}")
        elif event == "subprocess.Popen":
            self.step(f"run {arguments[0]}")

    def _statement(self, statement: str) -> None:
        if statement == "COMMIT":
            self.step(statement)

    def _is_ours(self, path: object) -> bool:
        if isinstance(path, int):
            # Of a descriptor nobody knows here what it belongs to.
            return True
        text = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
        # The database's files are its own business: what counts is the transaction. Of a name in a folder that is
        # open, only whoever opened that knows where it is.
        return (text.startswith(str(self.root)) or "/" not in text) and "vmstead.db" not in text

    def step(self, name: str) -> None:
        """Count a step that comes now, and die if it is the fatal one."""
        if not self.armed:
            return
        self.steps.append(name.replace(f"{self.root}/", ""))
        if len(self.steps) == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


def _whole(path: object, folder: object) -> object:
    """A path with the folder that it is relative to."""
    if isinstance(path, int) or not isinstance(folder, int) or folder < 0:
        return path
    return f"{os.readlink(f'/proc/self/fd/{folder}')}/{os.fsdecode(path)}"  # type: ignore[arg-type]


@dataclass(frozen=True)
class Outcome:
    """What became of a call: its result or error, and the steps that led there; or that its server was killed."""

    steps: list[str] = field(default_factory=list)
    result: object = None
    failure: str | None = None
    killed: bool = False


class Counted:
    """An engine on which the beginning and the end of each change are steps."""

    def __init__(self, engine: Engine, reaper: Reaper) -> None:
        self._engine = engine
        self._reaper = reaper

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._engine, name)
        if name not in {"define", "undefine", "copy_tpm", "start", "destroy", "suspend", "resume"}:
            return found

        async def counted(*arguments: Any, **options: Any) -> Any:
            self._reaper.step(name)
            result = await found(*arguments, **options)
            self._reaper.step(f"{name} is done")
            return result

        return counted


@asynccontextmanager
async def private_server(folder: Path, reaper: Reaper | None = None) -> AsyncIterator[Host]:
    """A server on a libvirtd of its own, which goes on when the server ends."""
    engine: Any = lasting_engine(folder / "state")()
    clock: Any = SystemClock()
    counted: Any = engine if reaper is None else Counted(engine, reaper)
    async with server(folder, engine=counted, clock=clock) as host:
        yield host


def attempt(
    folder: Path, method: str, params: Sequence[object], at: int | None = None, *, private: bool = False
) -> Outcome:
    """Start a server on the state below ``folder``, call a method, and end; or die before step ``at`` of it.

    Args:
        private: the server has guests, and steps are those of its engine and its database.
    """
    ours, theirs = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_live, args=(theirs, folder, method, list(params), at, private))
    process.start()
    theirs.close()
    try:
        outcome: Outcome = ours.recv() if ours.poll(_PATIENCE) else Outcome(failure="nothing came of it")
    except EOFError:
        outcome = Outcome(killed=True)
    finally:
        ours.close()
        process.join(_PATIENCE)
    if process.exitcode is None:
        process.kill()
    assert process.exitcode == (-signal.SIGKILL if outcome.killed else 0), (outcome, process.exitcode)
    process.close()
    return outcome


def _live(
    parent: "Connection[Any, Any]",
    folder: Path,
    method: str,
    params: list[object],
    at: int | None,
    private: bool,
) -> None:
    reaper = Reaper(None if private else folder, at)
    sys.addaudithook(reaper.audit)
    served = private_server(folder, reaper) if private else server(folder)
    parent.send(asyncio.run(_call(reaper, served, method, params)))
    parent.close()


async def _call(
    reaper: Reaper, served: AbstractAsyncContextManager[Host], method: str, params: list[object]
) -> Outcome:
    async with served as host:
        await host.api.call("core.set_options", {"legacy_jobs": False})
        # What the server does by itself at its start is not counted.
        while tasks := host.server.services.tasks._tasks - {asyncio.current_task()}:
            await asyncio.wait(tasks)
        reaper.arm()
        try:
            result = await host.api.call(method, *params)
        except ApiFailure as failure:
            reaper.armed = False
            return Outcome(reaper.steps, failure=failure.reason)
        reaper.armed = False
        return Outcome(reaper.steps, result)
