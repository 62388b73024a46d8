"""Running `midclt`, or any Python program, as a process."""

import asyncio
import os
import sys
from typing import Any, NamedTuple


class Outcome(NamedTuple):
    status: int
    stdout: str
    stderr: str


def python(*args: str, stdin: bytes | None = b"", **environment: str) -> Outcome:
    """Run Python with these arguments; without stdin it has a terminal there, but none to ask at."""
    variables = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LC_ALL": "C.UTF-8", **environment}

    async def run() -> Outcome:
        keyboard, terminal = os.openpty()
        try:
            # kernel.run gives out standard output or an error; here both, and the status, are the point.
            process = await asyncio.create_subprocess_exec(  # noqa: TID251
                sys.executable,
                *args,
                stdin=terminal if stdin is None else asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=variables,
                start_new_session=True,
            )
            out, err = await asyncio.wait_for(process.communicate(stdin), 60)
        finally:
            os.close(keyboard)
            os.close(terminal)
        assert process.returncode is not None
        return Outcome(process.returncode, out.decode(), err.decode())

    return asyncio.run(run())


def midclt(*args: str, **options: Any) -> Outcome:
    return python("-W", "error", "-m", "vmstead.cli.midclt", *args, **options)
