"""Somebody at the command line of a server that runs in the test's own process."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from tests.harness import PATIENCE, Host, server
from vmstead.cli.main import main


@dataclass
class Outcome:
    """How a command ended."""

    status: int
    stdout: str
    stderr: str

    @property
    def rows(self) -> list[list[str]]:
        """The cells of a table, its heading first."""
        return [line.split() for line in self.stdout.splitlines()]


@dataclass
class Desk:
    """The command line, at a server."""

    host: Host

    async def run(self, *arguments: str, stdin: str = "", **environment: str) -> Outcome:
        """Run ``vmstead`` with these arguments, on a thread: it blocks, and the server does not."""
        variables = {"VMSTEAD_URI": f"ws+unix://{self.host.config.socket}", **environment}
        runner = CliRunner(env=variables)
        result = await asyncio.to_thread(runner.invoke, main, arguments, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Outcome(result.exit_code, result.stdout, result.stderr)

    async def done(self, *arguments: str, stdin: str = "") -> str:
        """What a command prints that must succeed."""
        outcome = await self.run(*arguments, stdin=stdin)
        assert outcome.status == 0, outcome
        return outcome.stdout

    async def json(self, *arguments: str) -> Any:
        """What a command prints for programs."""
        return json.loads(await self.done(*arguments, "--json"))

    async def refused(self, *arguments: str, stdin: str = "") -> tuple[int, str]:
        """The status and the one line of a command that must fail."""
        outcome = await self.run(*arguments, stdin=stdin)
        assert outcome.status != 0, outcome
        assert outcome.stdout == ""
        assert "Traceback" not in outcome.stderr
        return outcome.status, outcome.stderr.splitlines()[-1].removeprefix("Error: ")

    def begin(self, *arguments: str) -> "asyncio.Task[Outcome]":
        """Start a command that ends later. One at a time: its output is that of this process."""
        return asyncio.get_running_loop().create_task(self.run(*arguments))

    async def subscribed(self, collection: str) -> None:
        """Wait until somebody has subscribed."""
        async with asyncio.timeout(PATIENCE):
            while not self.host.server.services.bus.has_subscribers(collection):
                await asyncio.to_thread(lambda: None)

    async def vm(self, name: str = "web01", **fields: object) -> dict[str, Any]:
        """A VM without devices."""
        row: dict[str, Any] = await self.host.api.call("vm.create", {"name": name, "memory": 64, **fields})
        return row


@asynccontextmanager
async def desk(tmp_path: Path, **settings: Any) -> AsyncIterator[Desk]:
    """A server and somebody at its command line."""
    async with server(tmp_path, **settings) as host:
        yield Desk(host)
