"""Programs under test as real processes."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

#: Seconds that a program gets for what usually takes one.
PATIENCE = 60
#: Lines of a program's errors that a test which fails tells of.
_LAST_LINES = 100


@dataclass
class Program:
    """A running program and what it has printed."""

    process: asyncio.subprocess.Process
    stderr: list[str] = field(default_factory=list)

    async def line(self, containing: str) -> str:
        """The next line of output with that text in it."""
        assert self.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while line := (await self.process.stdout.readline()).decode():
                if containing in line:
                    return line
        raise AssertionError(f"ended without printing {containing!r}; errors: {''.join(self.stderr)}")

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end; returns the exit status."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        async with asyncio.timeout(PATIENCE):
            return await self.process.wait()


@asynccontextmanager
async def program(*argv: str, env: dict[str, str] | None = None) -> AsyncIterator[Program]:
    """Run a program during the block; it is killed at the end if it still runs."""
    process = await asyncio.create_subprocess_exec(  # noqa: TID251 - the program under test
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )
    running = Program(process)

    async def collect() -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            running.stderr.append(line.decode())

    collector = asyncio.get_running_loop().create_task(collect())

    async def stop() -> None:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await collector

    try:
        yield running
    except BaseException as error:
        await stop()
        told = "".join(running.stderr[-_LAST_LINES:])
        error.add_note(f"{' '.join(argv)} has said, of late:\n{told}")
        raise
    finally:
        await stop()


@dataclass
class Result:
    """How a program ended."""

    status: int
    stdout: str
    stderr: str


async def vmstead(*arguments: str, stdin: str = "", env: dict[str, str] | None = None) -> Result:
    """Run the command ``vmstead`` to its end."""
    return await command(sys.executable, "-m", "vmstead.cli.main", *arguments, stdin=stdin, env=env)


async def midclt(uri: str, *arguments: str) -> Result:
    """Run the command ``midclt`` to its end."""
    return await command(sys.executable, "-m", "vmstead.cli.midclt", "-u", uri, *arguments)


async def command(*argv: str, stdin: str = "", env: dict[str, str] | None = None) -> Result:
    """Run any command to its end."""
    process = await asyncio.create_subprocess_exec(  # noqa: TID251 - the program under test
        *argv,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )
    try:
        async with asyncio.timeout(300):
            stdout, stderr = await process.communicate(stdin.encode())
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return Result(process.returncode, stdout.decode(), stderr.decode())


@asynccontextmanager
async def serving(
    state: Path, *options: str, engine: str = "memory", within: Sequence[str] = ()
) -> AsyncIterator[Program]:
    """A server process on a state folder, accepting calls on ``<state>.sock``.

    Args:
        within: a command that runs the command after it somewhere else, such as ``ip netns exec NAME``.
    """
    argv = [
        "serve",
        "--state",
        str(state),
        "--socket",
        f"{state}.sock",
        "--listen",
        "none",
        "--engine",
        engine,
    ]
    async with program(*within, sys.executable, "-m", "vmstead.cli.main", *argv, *options) as server:
        await server.line("is ready")
        yield server
