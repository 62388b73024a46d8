"""Serial consoles of real guests: what they write is there, whoever looks and whenever, and hurts nobody."""

import asyncio
import os
import re
import signal
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.daemons import daemon_pid
from tests.guest.guests import PATIENCE, Host, Terminal, host
from tests.guest.test_life import raw_guest
from tests.processes import program
from vmstead.adapters._bounded import MOST

MIB = 1024 * 1024
#: What a guest writes that is not to be seen in what was typed for it.
SAY = 'echo "it says: $((40 + 2))"'
SAID = "it says: 42"


async def test_what_a_guest_writes_while_the_server_is_away_is_there_afterwards() -> None:
    with host() as here:
        async with here.serving() as server:
            vm = await raw_guest(here)
            await here.call("vm.start", vm)
            with here.console(vm) as console:
                console.log_in()
                # It waits for the server's end, so that nobody reads what it writes then.
                console.type("n=0; while [ $n -lt 400 ]; do n=$((n+1)); echo line-$n-; usleep 20000; done")
                console.until("line-3-")
                await server.end(signal.SIGKILL)
        async with program("tail", "-c", "+1", "-f", str(log_of(here))) as follow:
            await follow.line("line-200-")
        assert b"line-400-" not in log_of(here).read_bytes()
        async with here.serving():
            # In the midst of the lines: none is missing where old and new were joined, and none is there twice.
            with here.console(vm) as console:
                seen = console.until("line-400-") + "line-400-"
            numbers = [int(number) for number in re.findall(r"line-(\d+)-", seen)]
            assert numbers == list(range(numbers[0], 401))
            assert numbers[0] < 50
            assert "line-200-" in await here.call("vm.console_log", vm)

            # The next run has a console of its own, from its first line on.
            await here.call("vm.poweroff", vm)
            await here.call("vm.start", vm)
            with here.console(vm) as console:
                console.log_in()
                console.type(SAY)
                console.until(SAID)
            assert "line-" not in await here.call("vm.console_log", vm)
            assert "line-400-" in await here.call("vm.console_log", vm, {"previous": True})
            await here.call("vm.delete", vm, {"force": True})
            assert list((here.state / "consoles").iterdir()) == []


async def test_a_guest_that_never_stops_writing_fills_no_disk_and_no_memory_and_disturbs_nobody() -> None:
    with host() as here:
        async with here.serving() as server:
            vm = await raw_guest(here)
            await here.call("vm.start", vm)
            with here.console(vm) as console, ExitStack() as stack:
                console.log_in()
                # One of them never reads, one does.
                stack.enter_context(here.console(vm))
                reader = stack.enter_context(here.console(vm))
                console.type("yes 0123456789012345678901234567890123456789012345678901234567890123456789")
                # By then everything that is kept for the two who do not read is there.
                await asyncio.to_thread(take, reader, MIB)
                before = resident(server.process.pid)
                await asyncio.to_thread(take, reader, MOST)
                assert allocated(log_of(here)) < MOST + MIB
                assert resident(server.process.pid) - before < MOST / 2
                assert (await here.midclt("-t", "5", "call", "core.ping")).stdout == "pong\n"
                with here.console(vm) as another:
                    another.until("0123456789")
            await server.end(signal.SIGKILL)
        # Nobody reads now, but the one who keeps libvirtd looks after the log, now and then and when told.
        log = log_of(here)
        await grows(log, MOST)
        (keeper,) = re.findall(r"PPid:\s+(\d+)", Path(f"/proc/{daemon_pid(here.state)}/status").read_text())
        os.kill(int(keeper), signal.SIGALRM)
        await grows(log, MIB)
        assert allocated(log) < MOST + MIB
        async with here.serving():
            with here.console(vm) as console:
                console.until("0123456789")
                console.connection.write(b"\x03")
                console.until("# ")
                console.type(SAY)
                console.until(SAID)
            await here.call("vm.poweroff", vm)


async def test_a_full_disk_stops_no_console() -> None:
    with host() as here:
        place = here.state / "consoles"
        place.mkdir(parents=True)
        async with here.serving(within=on_64_kib(place)) as server:
            # As the server sees it: nobody else has that file system.
            folder = Path(f"/proc/{server.process.pid}/root{place}")
            vm = await raw_guest(here)
            (folder / "filler").write_bytes(bytes(40 * 1024))
            await here.call("vm.start", vm)
            with here.console(vm) as console:
                console.log_in()
                console.type("yes 0123456789 | head -n 10000")
                console.type(SAY)
                console.until(SAID)
                assert sum(path.stat().st_size for path in folder.rglob("*.log")) < 64 * 1024
                # When there is room again, the log goes on.
                (folder / "filler").unlink()
                console.type("echo $((3 * 14))-again")
                console.until("42-again")
            assert "42-again" in await here.call("vm.console_log", vm)
            await here.call("vm.poweroff", vm)
            # And a start without room for a log is a start.
            with suppress(OSError):
                (folder / "filler").write_bytes(bytes(64 * 1024))
            await here.call("vm.start", vm)
            with here.console(vm) as console:
                console.log_in()
            await here.call("vm.poweroff", vm)


async def test_much_can_be_typed_at_once_and_several_type_at_one_console() -> None:
    with host() as here:
        async with here.serving():
            vm = await raw_guest(here)
            await here.call("vm.start", vm)
            with here.console(vm) as first, here.console(vm) as second:
                first.log_in()
                second.until("# ")
                first.type("stty -echo; cat > /tmp/typed; stty echo")
                for number in range(2000):
                    first.connection.write(b"%049d\n" % number)
                first.connection.write(b"\x04")
                first.until("# ")
                second.type("wc -c < /tmp/typed; tail -n 1 /tmp/typed")
                for each in (first, second):
                    each.until("100000")
                    each.until("1999")


def log_of(here: Host) -> Path:
    """The log of the only VM."""
    (path,) = (here.state / "consoles").glob("*/serial.log")
    return path


async def grows(log: Path, count: int) -> None:
    """Wait until so many bytes more have been written."""
    async with program("tail", "-c", "0", "-f", str(log)) as follow:
        assert follow.process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            await follow.process.stdout.readexactly(count)


def allocated(log: Path) -> int:
    """Bytes that a log takes on the disk."""
    return log.stat().st_blocks * 512


def resident(pid: int) -> int:
    """Bytes of memory that a process has."""
    (pages,) = re.findall(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(pages) * 1024


def take(terminal: Terminal, count: int) -> None:
    """Read so many bytes."""
    while count > 0:
        data = terminal.connection.read(60)
        assert data
        count -= len(data)


def on_64_kib(folder: Path) -> tuple[str, ...]:
    """A command that runs the command after it where there is a small file system at that place, for it alone."""
    mount = f'mount -t tmpfs -o size=64k,mode=700 none {folder} && exec "$@"'
    return ("unshare", "--mount", "sh", "-c", mount, "sh")
