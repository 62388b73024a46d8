"""Starting, stopping and waiting, by name or number."""

import asyncio
from pathlib import Path

import pytest

from tests.unit.cli.verbs.desk import desk
from vmstead.adapters.memory_engine import MemoryEngine, Script
from vmstead.kernel.clock import ManualClock


async def test_each_verb_does_what_it_says_and_says_what_it_did(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        await at.vm("7")
        assert await at.done("vm", "start", "web01") == "web01 is running.\n"
        # A name that consists of digits is a name.
        assert await at.done("vm", "start", "7") == "7 is running.\n"
        assert await at.done("vm", "suspend", "1") == "web01 is suspended.\n"
        assert await at.done("vm", "resume", "web01") == "web01 is running.\n"
        assert await at.done("vm", "poweroff", "web01") == "web01 is stopped.\n"
        assert await at.done("vm", "start", "web01") == "web01 is running.\n"
        outcome = await at.run("vm", "restart", "web01")
        assert (outcome.status, outcome.stdout) == (0, "web01 is running.\n")
        assert "Starting VM 1" in outcome.stderr
        outcome = await at.run("vm", "stop", "web01", "7")
        assert (outcome.status, outcome.stdout) == (0, "web01 is stopped.\n7 is stopped.\n")
        assert "VM 1 (web01) is off" in outcome.stderr
        assert (await at.host.api.call("vm.status", 2))["state"] == "STOPPED"


async def test_all_are_stopped_side_by_side_as_before_the_host_goes_down(tmp_path: Path) -> None:
    clock = ManualClock()
    engine = MemoryEngine(clock, Script(shutdown_seconds=None))
    async with desk(tmp_path, clock=clock, engine=engine) as at:
        for name in ("web01", "db01", "halted", "off"):
            await at.vm(name, shutdown_timeout=60)
        await at.done("vm", "start", "web01", "db01", "halted")
        await at.done("vm", "suspend", "halted")
        before = clock.monotonic()
        stopping = asyncio.ensure_future(at.run("vm", "stop", "--all", "--force-after-timeout"))
        while not stopping.done():
            await asyncio.to_thread(lambda: None)
            await at.host.pass_time(1)
        outcome = await stopping
        assert (outcome.status, outcome.stdout) == (
            0,
            "web01 is stopped.\ndb01 is stopped.\nhalted is stopped.\n",
        )
        # One timeout for all of them, and what it takes until the command has noticed.
        assert clock.monotonic() - before < 2 * 60
        assert await at.done("vm", "stop", "--all") == ""
        assert (await at.run("vm", "stop")).status == 2


async def test_programs_get_the_state_as_json(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        started = await at.json("vm", "start", "web01")
        assert (started["id"], started["name"], started["status"]["state"]) == (1, "web01", "RUNNING")
        assert (await at.json("vm", "stop", "web01"))["status"]["state"] == "STOPPED"


async def test_a_guest_that_does_not_obey_is_told_and_counts_as_a_failure(tmp_path: Path) -> None:
    clock = ManualClock()
    engine = MemoryEngine(clock, Script(shutdown_seconds=None))
    async with desk(tmp_path, clock=clock, engine=engine) as at:
        await at.vm(shutdown_timeout=5)
        await at.done("vm", "start", "web01")
        stopping = asyncio.ensure_future(at.run("vm", "stop", "web01"))
        while not stopping.done():
            await asyncio.to_thread(lambda: None)
            await at.host.pass_time(1)
        outcome = await stopping
        assert outcome.status == 1
        assert "still runs: it did not shut down within 5 seconds" in outcome.stderr
        assert "to turn it off: vmstead vm poweroff web01" in outcome.stderr
        assert await at.done("vm", "stop", "web01", "--force") == "web01 is stopped.\n"


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["start", "nope"], 4, "there is no VM nope; there is db01, web01"),
        (["stop", "web01"], 1, "[EFAULT] VM 1 (web01) is not running"),
        (["resume", "web01"], 1, "[EFAULT] VM 1 (web01) is not running"),
        (["start"], 2, "Missing argument 'NAME...'."),
        (
            ["wait", "web01", "--for", "running", "--timeout", "0"],
            5,
            "web01 is not running after 0 seconds, but stopped",
        ),
    ],
)
async def test_refusals_are_one_line_and_a_status(
    tmp_path: Path, arguments: list[str], status: int, text: str
) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        await at.vm("db01")
        assert await at.refused("vm", *arguments) == (status, text)


async def test_nothing_is_started_when_one_of_several_is_not_there(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        await at.refused("vm", "start", "web01", "nope")
        assert (await at.host.api.call("vm.status", 1))["state"] == "STOPPED"


async def test_of_many_names_those_are_told_that_look_alike(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        for number in range(13):
            await at.vm(f"web{number:02}")
        assert await at.refused("vm", "start", "web1") == (
            4,
            "there is no VM web1; perhaps you mean web12 or web11 or web10",
        )
        assert (await at.refused("vm", "start", "x"))[1].endswith("vmstead vm list shows what there is")


async def test_waiting_ends_with_the_state_that_is_waited_for(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        assert await at.done("vm", "wait", "web01", "--for", "stopped") == "web01 is stopped.\n"
        waiting = at.begin("vm", "wait", "web01", "--for", "suspended")
        await at.subscribed("vm.query")
        for action in ("start", "suspend"):
            await at.host.api.call(f"vm.{action}", 1)
        assert (await waiting).stdout == "web01 is suspended.\n"


async def test_waiting_ends_with_the_vm_where_its_end_is_waited_for(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        waiting = at.begin("vm", "wait", "web01", "--for", "deleted")
        await at.subscribed("vm.query")
        await at.host.api.call("vm.delete", 1)
        assert (await waiting).stdout == "web01 is deleted.\n"


async def test_waiting_for_a_state_of_what_is_deleted_is_in_vain(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        waiting = at.begin("vm", "wait", "web01")
        await at.subscribed("vm.query")
        await at.host.api.call("vm.delete", 1)
        outcome = await waiting
        assert (outcome.status, outcome.stderr) in (
            (1, "Error: web01 was deleted\n"),
            # Before it was looked for.
            (4, "Error: there is no VM web01; there is none at all\n"),
        )
