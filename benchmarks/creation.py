"""200 VMs with three devices each, made over eight connections, next to sqlite3 writing as many rows."""

import itertools
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks.pairs import Line, by_turns, seconds
from benchmarks.servers import folder, vmstead
from benchmarks.wire import Wire

TARGET = 2
COUNT, CONNECTIONS = 200, 8
NIC = {"dtype": "NIC", "type": "VIRTIO", "nic_attach": "user"}
DISPLAY = {"dtype": "DISPLAY", "type": "SPICE", "bind": "127.0.0.1", "password": "a password"}


def create(wires: list[Wire], prefix: str) -> list[int]:
    """Make them; returns their ids."""
    numbers = itertools.count()
    made: list[int] = []

    def work(wire: Wire) -> None:
        while (number := next(numbers)) < COUNT:
            vm = wire.call("vm.create", {"name": f"{prefix}{number}", "memory": 64})
            for attributes in (NIC, NIC, DISPLAY):
                wire.call("vm.device.create", {"vm": vm["id"], "attributes": attributes})
            made.append(vm["id"])

    threads = [threading.Thread(target=work, args=(wire,)) for wire in wires]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == COUNT, f"{len(made)} of {COUNT} were made"
    return made


def insert(path: Path) -> None:
    """As many rows of the same size, each in a transaction that is synced as the server's are."""
    device = json.dumps(NIC)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS vm (id INTEGER PRIMARY KEY, settings TEXT)")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS device (id INTEGER PRIMARY KEY, vm INTEGER, attributes TEXT)"
        )
        for number in range(COUNT):
            connection.execute("INSERT INTO vm (settings) VALUES (?)", ("x" * 300,))
            for _ in range(3):
                connection.execute("INSERT INTO device (vm, attributes) VALUES (?, ?)", (number, device))


def lines(runs: int = 3) -> Iterator[Line]:
    """The whole of it."""
    with folder() as place, ExitStack() as stack:
        server = stack.enter_context(vmstead(place / "state"))
        wires = [stack.enter_context(Wire(server.socket)) for _ in range(CONNECTIONS)]
        rounds = itertools.count()

        def ours():
            prefix = f"round{next(rounds)}vm"
            made: list[int] = []
            taken = seconds(lambda: made.extend(create(wires, prefix)))
            for id in made:
                wires[0].call("vm.delete", id)
            return taken

        pairs = by_turns(ours, lambda: seconds(lambda: insert(place / "plain.db")), runs)
        mine, other = pairs.middle
        yield Line(
            f"{COUNT} VMs with 3 devices, {CONNECTIONS} connections",
            "sqlite3, one transaction a row",
            f"at most {TARGET} times",
            f"{pairs.ratio.shown()}; {mine:.2f} and {other:.2f} s",
            pairs.ratio.middle <= TARGET,
        )


if __name__ == "__main__":
    print(*lines(), sep="\n")
