"""A session with ZFS, recorded: what it was told, and what it answered.

``python -m tests.unit.adapters.fake_zfs.session`` has a real ZFS answer anew. It needs root and an empty pool
``data``, which nothing else uses, and rewrites ``session.txt``::

    $ zfs create -- data/a          a command
    < secret                        a line that it reads
    > text                          a line of its output
    ! text                          a line of its complaint
    = 1                             the status with the complaint
"""

import asyncio
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from vmstead.adapters.zfs.programs import Runner
from vmstead.kernel.run import CommandError, run

FILE = Path(__file__).with_name("session.txt")


@dataclass
class Exchange:
    """A command and what came of it. ``title``: comments above it."""

    argv: list[str]
    stdin: list[str] = field(default_factory=list)
    output: list[str] = field(default_factory=list)
    complaint: list[str] = field(default_factory=list)
    status: int = 0
    title: list[str] = field(default_factory=list)

    async def repeated(self, runner: Runner) -> "Exchange":
        """The same command, with the answer that it gets from there."""
        again = Exchange(self.argv, self.stdin, title=self.title)
        try:
            stdin = "".join(f"{line}\n" for line in self.stdin)
            again.output = (await runner(self.argv, stdin=stdin.encode())).decode().splitlines()
        except CommandError as error:
            again.complaint, again.status = error.output.splitlines(), error.status or -1
        return again

    def lines(self) -> Iterator[str]:
        """As it is written down."""
        yield from self.title
        yield f"$ {shlex.join(self.argv)}"
        yield from (f"< {line}" for line in self.stdin)
        yield from (f"> {line}" for line in self.output)
        yield from (f"! {line}" for line in self.complaint)
        if self.status:
            yield f"= {self.status}"


def read(text: str) -> list[Exchange]:
    """What was written down."""
    exchanges: list[Exchange] = []
    title: list[str] = []
    for line in text.splitlines():
        kind, rest = line[:2], line[2:]
        if kind == "$ ":
            exchanges.append(Exchange(shlex.split(rest), title=title))
            title = []
        elif kind in ("< ", "> ", "! "):
            lists = {"< ": exchanges[-1].stdin, "> ": exchanges[-1].output, "! ": exchanges[-1].complaint}
            lists[kind].append(rest)
        elif kind == "= ":
            exchanges[-1].status = int(rest)
        else:
            title.append(line)
    return exchanges


async def record() -> None:
    """Have a real ZFS answer."""
    version = (await run(["zfs", "--version"])).decode().split()[0]
    lines = [f"# Recorded with {version}"]
    for each in read(FILE.read_text()):
        if each.argv[0] == "zfs" and each.argv[1] in ("create", "clone", "load-key", "rename"):
            await run(["udevadm", "settle"])
        again = await each.repeated(run)
        again.title = [line for line in again.title if not line.startswith("# Recorded")]
        lines += again.lines()
        await run(["udevadm", "settle"])
    FILE.write_text("".join(f"{line}\n" for line in lines))


if __name__ == "__main__":
    asyncio.run(record())
