"""Following a job at a terminal, and leaving it alone."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.unit.cli.verbs.desk import desk
from tests.unit.cli.verbs.test_here import at_terminal
from tests.unit.cli.verbs.test_job import engine
from vmstead.adapters.qemu_img import QemuImg
from vmstead.kernel.clock import ManualClock


async def test_a_bar_at_a_terminal(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        await at.done("vm", "start", "web01")
        seen = await at_terminal(f"vmstead vm -u ws+unix://{at.host.config.socket} stop web01")
        assert "VM 1 (web01) is off  [########################]  100%" in seen
        assert seen.rstrip().endswith("web01 is stopped.")


async def test_ctrl_c_leaves_the_job_alone_and_says_so(tmp_path: Path) -> None:
    clock = ManualClock()
    async with desk(tmp_path, clock=clock, engine=engine(clock)) as at:
        await at.vm()
        await at.done("vm", "start", "web01")
        line = f"vmstead vm -u ws+unix://{at.host.config.socket} stop web01"
        seen = await at_terminal(line, "^C", "Waiting for VM 1 (web01) to shut down")
        (job,) = await at.json("job", "list")
        assert f"Detached from job {job['id']}, which goes on." in seen
        assert f"vmstead job wait {job['id']}" in seen
        assert seen.endswith("[exit status 130]")
        assert job["state"] == "RUNNING"


class Endless(QemuImg):
    """Copies images, and never gets done."""

    async def convert(self, *arguments: Any, progress: Callable[[int], None], **options: Any) -> None:
        progress(10)
        await asyncio.Event().wait()


async def test_ctrl_c_while_a_disk_is_filled_takes_everything_back(tmp_path: Path) -> None:
    async with desk(tmp_path, images=Endless()) as at:
        (at.host.config.state / "pools/default/a.raw").write_bytes(bytes(1024 * 1024))
        for command in ("vm -u {} create web01 --image a.raw", "image -u {} import a.raw default/web01"):
            line = command.format(f"ws+unix://{at.host.config.socket}")
            seen = await at_terminal(f"vmstead {line}", "^C", "10%")
            assert "Aborted." in seen
            assert seen.endswith("[exit status 130]")
            assert await at.host.api.call("vm.query") == []
            assert await at.json("volume", "list") == []
            assert (await at.json("job", "list", "--all"))[-1]["state"] == "ABORTED"
