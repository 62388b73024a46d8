"""A server for programs that are written against TrueNAS."""

import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.arch.source import ROOT
from tests.processes import command, program, vmstead

ENVIRONMENTS = ROOT / ".venv-clients"
INSTALLED = {path.parent.name for path in ENVIRONMENTS.glob("*/.wanted")}
PASSWORD = "open sesame"


@dataclass
class Served:
    """A running server, and who may come in."""

    where: dict[str, Any]
    state: Path
    pid: int

    @property
    def home(self) -> dict[str, str]:
        """Where clients keep what they remember: it is not to outlive the server."""
        folder = str(self.state.with_name("home"))
        return {"HOME": folder, "XDG_CACHE_HOME": folder, "XDG_CONFIG_HOME": folder}

    async def ask(self, client: str, program: str | None = None, **more: object) -> dict[str, Any]:
        """What a client's program has seen. It is told by way of its input: nobody else may read a password.

        Args:
            program: which; by default the one that does all that the client can.
            more: what it is told beside where the server is and who may come in.
        """
        python = ENVIRONMENTS / client / "bin/python"
        script = Path(__file__).parent / "programs" / f"with_{program or client.replace('-', '_')}.py"
        told = json.dumps({**self.where, **more})
        result = await command(str(python), str(script), stdin=told, env=self.home)
        assert result.status == 0, result.stderr
        seen: dict[str, Any] = json.loads(result.stdout)
        return seen


@asynccontextmanager
async def served(state: Path, *options: str, engine: str = "memory") -> AsyncIterator[Served]:
    """A server with an account, which listens on a unix socket and on loopback."""
    where = ["--state", str(state), "--socket", f"{state}.sock", "--listen", "127.0.0.1:0"]
    serve = [sys.executable, "-m", "vmstead.cli.main", "serve", *where, "--engine", engine]
    async with program(*serve, *options) as server:
        uri = (await server.line("is ready")).split()[-1]
        folder = ["--state", str(state)]
        await vmstead("user", "add", "alice", "--password-stdin", *folder, stdin=f"{PASSWORD}\n")
        key = (await vmstead("api-key", "create", "laptop", *folder)).stdout.strip()
        verify = str(state / "certificate.pem") if uri.startswith("wss") else True
        who = {"username": "alice", "password": PASSWORD, "api_key": key}
        yield Served(
            {"uri": uri, "socket": f"{state}.sock", "verify": verify, **who}, state, server.process.pid
        )
