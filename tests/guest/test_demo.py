"""The demo: one option, and a guest runs."""

import sys

from tests.guest.guests import Host, display_ports, host
from tests.processes import Program, program, vmstead


def serve(here: Host) -> list[str]:
    options = ["--state", str(here.state), "--socket", f"{here.state}.sock", "--listen", "none"]
    engine = ["--engine", "private", "--accel", "tcg"]
    return [sys.executable, "-m", "vmstead.cli.main", "serve", *options, *engine, "--demo"]


async def running(server: Program) -> str:
    """What the demo says of the guest: how it runs."""
    return (await server.line("demo: demo (VM 1) is RUNNING")).strip()


async def test_it_boots_a_guest_and_says_how_to_reach_it_and_finds_it_again() -> None:
    with host() as here:
        async with program(*serve(here)) as server:
            first = await running(server)
            await server.line("demo: it has booted")
            assert "vmstead vm console demo" in await server.line("serial console")
            screen = await server.line("spice://127.0.0.1:")
            assert int(screen.rpartition(":")[2]) in display_ports()
            assert await server.end() == 0
        async with program(*serve(here)) as server:
            assert await running(server) == first
            await server.line("the API")
            settings = ["--state", str(here.state), "--socket", f"{here.state}.sock"]
            again = await vmstead("demo", *settings)
            assert again.status == 0, again
            assert first in again.stdout


async def test_without_a_server_it_says_so() -> None:
    with host() as here:
        here.state.joinpath("pools/default").mkdir(parents=True)
        settings = ["--state", str(here.state), "--socket", f"{here.state}.sock"]
        result = await vmstead("demo", *settings)
        assert result.status == 1
        assert f"{here.state}.sock" in result.stderr
