"""Turns at the host's network end with their process, whatever becomes of that."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.daemons import gone
from tests.processes import program
from vmstead.adapters.trials import FileTrials
from vmstead.ports.host_network import Change, NetworkError

_HOLDER = """
import asyncio, sys
from pathlib import Path
from vmstead.adapters.trials import FileTrials
async def main():
    async with FileTrials(Path(sys.argv[1])).turn():
        print("has it", flush=True)
        await asyncio.Event().wait()
asyncio.run(main())
"""
CHANGE = Change("1", "create", "lan0", "enp1s0", "applied", 9.5, (), ())


async def test_whoever_comes_second_waits_and_is_told(tmp_path: Path) -> None:
    async with program(sys.executable, "-c", _HOLDER, str(tmp_path)) as holder:
        await holder.line("has it")
        trials = FileTrials(tmp_path)
        with pytest.raises(NetworkError, match="somebody else works on the host's network"):
            async with trials.turn(0.05):
                raise AssertionError
        await holder.end(signal.SIGKILL)
        async with trials.turn(0.05):
            pass


async def test_a_turn_goes_over_when_its_holder_dies(tmp_path: Path) -> None:
    async with program(sys.executable, "-c", _HOLDER, str(tmp_path)) as holder:
        await holder.line("has it")

        async def next_one() -> None:
            async with FileTrials(tmp_path).turn(60):
                assert holder.process.returncode is None or holder.process.returncode == -signal.SIGKILL

        waiting = asyncio.get_running_loop().create_task(next_one())
        await holder.end(signal.SIGKILL)
        await waiting


async def test_whoever_is_held_up_for_too_long_is_ended(tmp_path: Path) -> None:
    async with program(sys.executable, "-c", _HOLDER, str(tmp_path)) as holder:
        await holder.line("has it")
        descriptor = os.pidfd_open(holder.process.pid)
        holder.process.send_signal(signal.SIGSTOP)
        async with FileTrials(tmp_path).turn(0.05, by_force=True):
            assert gone(descriptor)
        os.close(descriptor)


async def test_what_is_noted_is_read_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "network"
    trials, other = FileTrials(folder), FileTrials(folder)
    assert await trials.read() is None
    async with trials.bell() as rung, other.turn():
        for change in (CHANGE, None, CHANGE):
            await other.write(change)
            async with asyncio.timeout(20):
                await rung.wait()
            rung.clear()
            assert await trials.read() == change
    # Nobody listens any more, which is nobody's fault.
    await other.write(None)
    assert folder.stat().st_mode & 0o777 == 0o700
