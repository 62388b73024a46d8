"""A published client of TrueNAS runs a real guest."""

from tests.clients.served import served
from tests.guest.guests import host


async def test_pytruenas_runs_a_guest_and_reads_its_log() -> None:
    with host() as here:
        async with served(here.state, "--tls", "--accel", "tcg", engine="private") as server:
            seen = await server.ask("pytruenas")
    assert (seen["state"], seen["stopped"], seen["waited"]) == (
        "RUNNING",
        ["int", None, "SUCCESS"],
        [None, None],
    )
    assert "qemu-system-x86_64" in seen["log"]
    assert "-name guest=1_pytruenas" in seen["log"]
    assert seen["deleted"] == [True, []]
