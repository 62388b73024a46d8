"""What a call costs: over the wire against a bare echo, and queries against the encoding of their own answers.

    .venv/bin/python benchmarks/calls.py [--rounds 7]

Servers are processes of their own, on unix sockets; each pair is measured by turns. The client is the same for both
sides, so that the ratio says what a user sees. ``vm.query`` of 1,000 VMs is set against encoding the same rows with
msgspec besides one call that has libvirt list 1,000 domains (its test driver).
"""

import argparse
import asyncio
import json
import shutil
import subprocess  # noqa: TID251 - measures programs
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import libvirt
import msgspec

from benchmarks.pairs import paired
from benchmarks.startup import fill

CALLS = 2000


@contextmanager
def started(*argv: str):
    """A server, from its first line to the end of the block."""
    with subprocess.Popen(
        [sys.executable, *argv], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            yield
        finally:
            server.terminate()


@contextmanager
def vmstead(folder: Path, count: int):
    """A server with so many VMs; its socket."""
    fill(folder / f"state{count}", count)
    socket = folder / f"vmstead{count}.sock"
    options = ["--state", str(folder / f"state{count}"), "--socket", str(socket), "--listen", "127.0.0.1:0"]
    with started("-m", "vmstead.cli.main", "serve", *options, "--engine", "memory"):
        yield socket


class Clients:
    """Connections that make the same call again and again."""

    def __init__(self, runner: asyncio.Runner, socket: Path, count: int) -> None:
        self._runner = runner
        self._sockets = runner.run(self._open(socket, count))

    async def _open(self, path: Path, count: int):
        self._session = aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(path), limit=0))
        return [
            await self._session.ws_connect("http://localhost/api/current", max_msg_size=0)
            for _ in range(count)
        ]

    def seconds(self, method: str, params: list, calls: int) -> float:
        """The time that so many calls take, spread over the connections, one at a time on each."""
        frame = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})

        async def call(socket) -> None:
            for _ in range(calls // len(self._sockets)):
                await socket.send_str(frame)
                answer = await socket.receive_str()
                assert '"error"' not in answer[:60]

        async def all_of_them() -> float:
            begin = time.perf_counter()
            await asyncio.gather(*map(call, self._sockets))
            return time.perf_counter() - begin

        return self._runner.run(all_of_them())

    def result(self, method: str, *params):
        """The result of one call."""

        async def call():
            frame = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            await self._sockets[0].send_str(json.dumps(frame))
            return json.loads(await self._sockets[0].receive_str())["result"]

        return self._runner.run(call())

    def close(self) -> None:
        """End them."""
        self._runner.run(self._session.close())


def libvirts(count: int):
    """A libvirt with so many domains, none of which runs."""
    connection = libvirt.open("test:///default")
    for number in range(count):
        connection.defineXML(
            f"<domain type='test'><name>vm{number}</name><memory>65536</memory><os><type>hvm</type></os></domain>"
        )
    return connection


def listing(connection, rows):
    """Seconds of one bulk call for all domains with their states, and of encoding the rows."""

    def measure() -> float:
        begin = time.perf_counter()
        for domain in connection.listAllDomains():
            domain.state()
        msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "result": rows})
        return time.perf_counter() - begin

    return measure


def line(what: str, ratio, target: str) -> None:
    print(f"| {what} | {ratio} | {target} |", flush=True)


def pings(runner, folder: Path, rounds: int) -> None:
    bare = folder / "bare.sock"
    with vmstead(folder, 0) as ours, started(str(Path(__file__).with_name("bare.py")), str(bare)):
        for count in (1, 32):
            mine, others = Clients(runner, ours, count), Clients(runner, bare, count)
            ratio = paired(
                lambda mine=mine: mine.seconds("core.ping", [], CALLS),
                lambda others=others: others.seconds("core.ping", [], CALLS),
                rounds,
            )
            print(f"  {CALLS / ratio.first:.0f} calls per second against {CALLS / ratio.second:.0f}")
            line(f"core.ping, {count} connections: time of a call / a bare echo's", ratio, "1.33")
            mine.close(), others.close()


def queries(runner, folder: Path, rounds: int) -> None:
    with vmstead(folder, 1000) as socket:
        clients = Clients(runner, socket, 1)
        rows = clients.result("vm.query")
        ratio = paired(
            lambda: clients.seconds("vm.query", [], 1), listing(libvirts(len(rows)), rows), 4 * rounds
        )
        print(f"  {ratio.first * 1000:.1f} ms against {ratio.second * 1000:.1f} ms")
        line("vm.query of 1,000 VMs / libvirt's listing and msgspec", ratio, "1.5")
        clients.close()
    with vmstead(folder, 10_000) as socket:
        clients = Clients(runner, socket, 1)
        for what, filters in (
            ("by id", [["id", "=", 7777]]),
            ("RUNNING", [["status.state", "=", "RUNNING"]]),
        ):
            ratio = paired(
                lambda filters=filters: clients.seconds("vm.query", [filters], 200),
                lambda: clients.seconds("core.ping", [], 200),
                rounds,
            )
            print(f"  {ratio.first * 5:.2f} ms against {ratio.second * 5:.2f} ms")
            target = "1.3" if what == "by id" else "15 ms"
            line(f"vm.query {what} among 10,000 / core.ping", ratio, target)
        clients.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    folder = Path(tempfile.mkdtemp(prefix="vmstead-bench-", dir="/var/tmp"))
    try:
        with asyncio.Runner() as runner:
            pings(runner, folder, rounds)
            queries(runner, folder, rounds)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
