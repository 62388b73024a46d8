"""Running external programs: the only place in the tree that starts one.

Programs are given as an argument list, never as a shell line, so that no value can become a command.
"""

import asyncio
import contextlib
import os
import re
import signal
from collections.abc import Callable, Collection, Mapping, Sequence

#: How much of a failing program's output goes into the error text.
_OUTPUT_IN_ERROR = 2000
#: Bytes of output that are of interest where a file has it all.
_MOST = 1 << 20
#: Bytes that are read at a time from a program whose lines are wanted as they come.
_PIECE = 64 * 1024


class CommandError(Exception):
    """An external program could not be started, ended with a status other than 0, or took too long.

    Attributes:
        argv: the command, as it was run.
        status: its exit status; negative for a signal, None when it never ran or was killed for time.
        output: what it wrote to its standard error (and output, where that is all there is).
    """

    def __init__(self, argv: Sequence[str], status: int | None, output: str) -> None:
        self.argv = list(argv)
        self.status = status
        self.output = output
        how = "did not finish in time" if status is None else f"ended with status {status}"
        super().__init__(f"{argv[0]} {how}: {output[-_OUTPUT_IN_ERROR:].strip()}")


async def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    env: Mapping[str, str] | None = None,
    timeout: float = 600.0,
    on_line: Callable[[str], None] | None = None,
    files: Collection[int] = (),
    leaves: bool = False,
) -> bytes:
    """Run a program to its end and return what it wrote to standard output.

    Cancelling the call kills the program and what it has started. Messages are asked for in English
    (``LC_ALL=C``), because texts of programs end up in logs and errors.

    Args:
        argv: program and arguments; put ``--`` before any argument that a client chose.
        stdin: what the program reads.
        env: variables set in addition to this process's own.
        timeout: seconds after which the program is killed.
        on_line: told each line of standard output when it is complete; a carriage return ends one too, as
            programs write their progress. What it raises ends the program and the call.
        files: descriptors that the program gets, under the same numbers.
        leaves: it leaves others running, who may hold its output open: it is over when it has ended itself. Not
            with ``on_line``.

    Raises:
        CommandError: it is not installed, failed, or took longer than ``timeout``.
    """
    # A task of its own: a start that is cancelled half-way may never end.
    outputs = (
        (_file("stdout"), _file("stderr")) if leaves else (asyncio.subprocess.PIPE, asyncio.subprocess.PIPE)
    )
    starting = asyncio.get_running_loop().create_task(_start(argv, stdin, env or {}, files, outputs))
    try:
        async with asyncio.timeout(timeout):
            process = await asyncio.shield(starting)
            if leaves:
                await process.wait()
                stdout, stderr = (os.pread(each, _MOST, 0) for each in outputs)
            elif on_line is None:
                stdout, stderr = await process.communicate()
            else:
                stdout, stderr = await _followed(process, on_line)
    except CommandError:
        raise
    except BaseException as error:
        with contextlib.suppress(CommandError):
            await _kill(await starting)
        if isinstance(error, TimeoutError):
            raise CommandError(argv, None, f"killed after {timeout:g} seconds") from None
        raise
    finally:
        for each in outputs if leaves else ():
            os.close(each)
    if process.returncode != 0:
        raise CommandError(argv, process.returncode, (stderr or stdout).decode(errors="replace"))
    return stdout


def _file(name: str) -> int:
    """A file in memory, which no other program gets by chance."""
    return os.memfd_create(name, os.MFD_CLOEXEC)


async def _start(
    argv: Sequence[str],
    stdin: bytes,
    env: Mapping[str, str],
    files: Collection[int],
    outputs: tuple[int, int],
) -> asyncio.subprocess.Process:
    # A file in memory, and no pipe: what does not read it, or ends before it is written, is nobody's concern.
    source = _file("stdin")
    try:
        with os.fdopen(source, "wb", closefd=False) as file:
            file.write(stdin)
        os.lseek(source, 0, os.SEEK_SET)
        return await asyncio.create_subprocess_exec(  # noqa: TID251 - the one place that may
            *argv,
            stdin=source,
            stdout=outputs[0],
            stderr=outputs[1],
            env={**os.environ, "LC_ALL": "C", **env},
            start_new_session=True,
            pass_fds=tuple(files),
        )
    except (OSError, ValueError) as error:
        # A ValueError: no program can be given such an argument, one with a NUL for instance.
        raise CommandError(argv, 127, getattr(error, "strerror", None) or str(error)) from error
    finally:
        os.close(source)


async def _followed(
    process: asyncio.subprocess.Process, on_line: Callable[[str], None]
) -> tuple[bytes, bytes]:
    """As ``communicate``, telling the lines of standard output on the way."""
    assert process.stdout is not None
    assert process.stderr is not None
    async with asyncio.TaskGroup() as group:
        stderr = group.create_task(process.stderr.read())
        stdout = b""
        told = 0
        while piece := await process.stdout.read(_PIECE):
            stdout += piece
            *lines, rest = re.split(rb"[\r\n]", stdout[told:])
            told = len(stdout) - len(rest)
            for line in lines:
                on_line(line.decode(errors="replace"))
        if stdout[told:]:
            on_line(stdout[told:].decode(errors="replace"))
    await process.wait()
    return stdout, stderr.result()


async def _kill(process: asyncio.subprocess.Process) -> None:
    """Kill a program with those that it has started: they hold its pipes open, and would be waited for."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    # What has left its group may hold them still; there is no public way to let go of the pipes.
    process._transport.close()  # type: ignore[attr-defined]  # noqa: SLF001
    await process.wait()
