"""A server that is killed at a chosen step of a call, in a process of its own.

A step is whatever the outside could see: a call of the operating system that changes something below the state
folder, a program that is started, and the end of a transaction. They are counted by what the interpreter and SQLite
tell of themselves (``sys.addaudithook``, ``set_trace_callback``), so the server knows nothing of it.
"""

import asyncio
import multiprocessing
import os
import signal
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.harness import ApiFailure, server

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

#: Seconds that a call gets until its server has answered or is dead.
_PATIENCE = 60
#: What the interpreter calls the changes to files, and which of their arguments are paths.
_CHANGES = {
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.link": (0, 1),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.symlink": (0, 1),
    "os.truncate": (0,),
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["tests.mortal"])


@dataclass
class Reaper:
    """Counts steps once it is armed, and kills its own process before the one that it is to.

    Attributes:
        root: the folder whose changes count.
        at: the number of the fatal step, from 1; None: it only counts.
        steps: what was counted.
    """

    root: Path
    at: int | None
    steps: list[str] = field(default_factory=list)
    databases: list[sqlite3.Connection] = field(default_factory=list)
    armed: bool = False

    def arm(self) -> None:
        """Count from now on."""
        for each in self.databases:
            each.set_trace_callback(self._statement)
        self.armed = True

    def audit(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Hear of something that the interpreter is about to do."""
        if event == "sqlite3.connect/handle":
            # It cannot be traced yet: it is still being made.
            self.databases.append(arguments[0])
        elif not self.armed:
            return
        elif event == "open":
            path, _, flags = arguments
            if (
                isinstance(flags, int)
                and flags & _WRITING
                and not isinstance(path, int)
                and self._is_ours(path)
            ):
                self._step(f"open {path}")
        elif event in _CHANGES:
            paths = [arguments[index] for index in _CHANGES[event]]
            if any(self._is_ours(path) for path in paths):
                self._step(f"{event} {' '.join(str(path) for path in paths)}")
        elif event == "subprocess.Popen":
            self._step(f"run {arguments[0]}")

    def _statement(self, statement: str) -> None:
        if self.armed and statement == "COMMIT":
            self._step(statement)

    def _is_ours(self, path: object) -> bool:
        if isinstance(path, int):
            # Of a descriptor nobody knows here what it belongs to.
            return True
        text = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else ""
        # The database's files are its own business: what counts is the transaction.
        return text.startswith(str(self.root)) and "vmstead.db" not in text

    def _step(self, name: str) -> None:
        self.steps.append(name.replace(str(self.root), "."))
        if len(self.steps) == self.at:
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Outcome:
    """What became of a call: its result or error, and the steps that led there; or that its server was killed."""

    steps: list[str] = field(default_factory=list)
    result: object = None
    failure: str | None = None
    killed: bool = False


def attempt(folder: Path, method: str, params: Sequence[object], at: int | None = None) -> Outcome:
    """Start a server on the state below ``folder``, call a method, and end; or die before step ``at`` of it."""
    ours, theirs = _processes.Pipe(duplex=False)
    process = _processes.Process(target=_live, args=(theirs, folder, method, list(params), at))
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
    parent: "Connection[Any, Any]", folder: Path, method: str, params: list[object], at: int | None
) -> None:
    reaper = Reaper(folder, at)
    sys.addaudithook(reaper.audit)
    parent.send(asyncio.run(_call(reaper, folder, method, params)))
    parent.close()


async def _call(reaper: Reaper, folder: Path, method: str, params: list[object]) -> Outcome:
    async with server(folder) as host:
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
