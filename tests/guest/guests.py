"""Real guests for tests: a server that runs them, their disks, and what is typed at their consoles."""

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.daemons import state_folder
from tests.processes import Program, Result, midclt, serving
from vmstead.addresses import DISPLAY_PORTS, PortRange
from vmstead.client import Client
from vmstead.client.shell import ShellConnection
from vmstead.demo.guest import LOGIN, READY, Inventory, build, default_cache, parse_inventory
from vmstead.kernel.run import run

#: Seconds that an emulated guest gets for what usually takes ten.
PATIENCE = 120.0
_PORTS = 100


def display_ports() -> PortRange:
    """The ports for displays in tests of this worker."""
    first = DISPLAY_PORTS.first + _PORTS * int(
        os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    )
    return PortRange(first, first + _PORTS - 1)


@dataclass
class Host:
    """A server's state folder, through which everything about it is found."""

    state: Path
    #: Seconds that its guests get to write what is waited for.
    patience: ClassVar[float] = PATIENCE

    @property
    def uri(self) -> str:
        return f"ws+unix://{self.state}.sock"

    @asynccontextmanager
    async def serving(self, within: Sequence[str] = ()) -> AsyncIterator[Program]:
        """The server as a process of its own; guests that run at its end go on."""
        async with serving(self.state, "--accel", "tcg", engine="private", within=within) as server:
            yield server

    async def midclt(self, *arguments: str) -> Result:
        return await midclt(self.uri, *arguments)

    async def call(self, method: str, *params: object, job: bool = False) -> Any:
        """Call a method with the command midclt, which must succeed."""
        options = ["-j"] if job else []
        result = await self.midclt("call", *options, method, *(json.dumps(param) for param in params))
        assert result.status == 0, result
        try:
            return json.loads(result.stdout)
        except json.JSONDecodeError:
            return result.stdout.strip()

    async def failure(self, method: str, *params: object, job: bool = False) -> str:
        """What midclt says of a call that must fail."""
        options = ["-j"] if job else []
        result = await self.midclt("call", *options, method, *(json.dumps(param) for param in params))
        assert result.status == 1, result
        return result.stderr

    async def status(self, vm: int) -> dict[str, Any]:
        (row,) = await self.call("vm.query", [["id", "=", vm]], {"select": ["status"]})
        status: dict[str, Any] = row["status"]
        return status

    async def fill(self, name: str) -> Path:
        """Put the demo guest on an image file of the default pool, or on a volume: ``.volumes/NAME``."""
        target = self.state / "pools/default" / name
        image = await build(default_cache())
        await run(["cp", "--sparse=always", "--", str(image), str(target)])
        return target

    @contextmanager
    def console(self, vm: int) -> Iterator["Terminal"]:
        """The serial console. Output of the recent past comes too."""
        with Client(self.uri) as client:
            token = client.call("auth.generate_token")
            assert isinstance(token, str)
            with ShellConnection(self.uri, token, vm) as connection:
                yield Terminal(connection, self.patience)


@dataclass
class Terminal:
    """Somebody at a serial console who waits for what is printed before typing on."""

    connection: ShellConnection
    patience: float = PATIENCE
    _seen: bytes = b""

    def until(self, text: str) -> str:
        """Read up to a text; returns what was printed before it."""
        deadline = time.monotonic() + self.patience
        while text.encode() not in self._seen:
            data = self.connection.read(max(deadline - time.monotonic(), 0))
            assert data, f"no {text!r} in what the guest printed: {self._seen.decode(errors='replace')}"
            self._seen += data
        before, self._seen = self._seen.split(text.encode(), 1)
        return before.decode(errors="replace")

    def type(self, text: str) -> None:
        self.connection.write(f"{text}\n".encode())

    def log_in(self) -> None:
        """Wait for the end of the start, and log in."""
        self.until(READY)
        self.until(LOGIN)
        self.type("root")
        self.until("# ")

    def inventory(self) -> Inventory:
        """What the guest finds when somebody asks it."""
        # The echo of what is typed must not look like the answer's end.
        self.type('inventory; echo DO""NE')
        return parse_inventory(self.until("DONE"))


@contextmanager
def host() -> Iterator[Host]:
    """A machine without VMs, on which nothing is left at the end."""
    with state_folder() as folder:
        yield Host(folder / "state")


@asynccontextmanager
async def ends(pid: int) -> AsyncIterator[asyncio.Future[float]]:
    """The time, on the monotonic clock, at which a process ends."""
    loop = asyncio.get_running_loop()
    end: asyncio.Future[float] = loop.create_future()
    descriptor = os.pidfd_open(pid)

    def note() -> None:
        loop.remove_reader(descriptor)
        end.set_result(time.monotonic())

    loop.add_reader(descriptor, note)
    try:
        yield end
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
