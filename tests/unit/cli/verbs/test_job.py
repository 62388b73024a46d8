"""Jobs from the command line."""

from pathlib import Path

from tests.unit.cli.verbs.desk import Desk, desk
from vmstead.adapters.memory_engine import MemoryEngine, Script
from vmstead.kernel.clock import ManualClock


async def stubborn(at: Desk) -> int:
    """The number of a job that waits for a guest that does not shut down."""
    await at.vm(shutdown_timeout=60)
    await at.host.api.call("vm.start", 1)
    number: int = await at.host.api.call("vm.stop", 1)
    return number


def engine(clock: ManualClock) -> MemoryEngine:
    return MemoryEngine(clock, Script(shutdown_seconds=None))


async def test_what_is_under_way_and_what_was(tmp_path: Path) -> None:
    clock = ManualClock()
    async with desk(tmp_path, clock=clock, engine=engine(clock)) as at:
        number = await stubborn(at)
        rows = (await at.run("job", "list")).rows
        assert rows[0] == ["ID", "METHOD", "STATE", "DONE", "STARTED", "WHAT"]
        assert rows[1][:5] == [str(number), "vm.stop", "RUNNING", "0", "%"]
        assert "Waiting for VM 1 (web01) to shut down" in await at.done("job", "show", str(number))
        assert await at.done("job", "abort", str(number)) == f"Job {number} is aborted.\n"
        assert len((await at.run("job", "list")).rows) == 1
        assert (await at.run("job", "list", "--all")).rows[-1][2] == "ABORTED"
        assert (await at.json("job", "show", str(number)))["state"] == "ABORTED"
        assert (await at.json("job", "list", "--all"))[-1]["id"] == number
        assert await at.refused("job", "abort", str(number)) == (
            1,
            f"job {number} has ended already: ABORTED",
        )


async def test_waiting_for_the_end(tmp_path: Path) -> None:
    clock = ManualClock()
    async with desk(tmp_path, clock=clock, engine=engine(clock)) as at:
        number = await stubborn(at)
        status, text = await at.refused("job", "wait", str(number), "--timeout", "0.1")
        assert (status, text) == (5, f"job {number} is still under way after 0.1 seconds")
        waiting = at.begin("job", "wait", str(number))
        await at.subscribed("core.get_jobs")
        await at.host.api.call("vm.poweroff", 1)
        outcome = await waiting
        assert (outcome.status, outcome.stdout) == (0, f"Job {number} has succeeded.\n")
        assert await at.json("job", "wait", str(number)) is None
        other: int = await at.host.api.call("vm.stop", 1)
        status, text = await at.refused("job", "wait", str(other))
        assert (status, text) == (1, "[EFAULT] VM 1 (web01) is not running")


async def test_jobs_that_are_not_there(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        assert (await at.refused("job", "wait", "99"))[0] == 4
        assert (await at.refused("job", "show", "99"))[0] in (1, 4)
        assert (await at.refused("job", "abort", "nope"))[0] == 2
