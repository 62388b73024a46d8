"""Services where no systemd is in charge."""

from pathlib import Path

import pytest

from vmstead.adapters.linux_host import LinuxHost
from vmstead.ports.machine import RunState, ServiceNames, ServiceState

SSH = ServiceNames(("ssh.service", "sshd.service"), ("sshd",))


@pytest.fixture
def host(tmp_path: Path) -> LinuxHost:
    for pid, name in ((7, "sshd"), (9, "sshd"), (11, "bash")):
        (tmp_path / "proc" / str(pid)).mkdir(parents=True)
        (tmp_path / "proc" / str(pid) / "comm").write_text(f"{name}\n")
    (tmp_path / "proc/self").mkdir()
    (tmp_path / "etc/rc3.d").mkdir(parents=True)
    (tmp_path / "run").mkdir()
    return LinuxHost(
        proc=tmp_path / "proc", etc=tmp_path / "etc", run=tmp_path / "run", systemctl="/nonexistent"
    )


async def test_processes_and_old_links_tell(host: LinuxHost, tmp_path: Path) -> None:
    other = ServiceNames(("libvirtd.service",), ("libvirtd",))
    assert await host.services({"ssh": SSH, "libvirtd": other}) == {
        "ssh": ServiceState(runs=True, starts=False, pids=(7, 9)),
        "libvirtd": ServiceState(),
    }
    (tmp_path / "etc/rc3.d/S02ssh").symlink_to("../init.d/ssh")
    (tmp_path / "etc/rc3.d/K01libvirtd").symlink_to("../init.d/libvirtd")
    found = await host.services({"ssh": SSH, "libvirtd": other})
    assert (found["ssh"].starts, found["libvirtd"].starts) == (True, False)


async def test_nobody_can_tell_that_it_is_on_its_way(host: LinuxHost) -> None:
    assert await host.run_state() is RunState.RUNNING


async def test_a_systemd_that_cannot_be_asked_is_an_error(host: LinuxHost, tmp_path: Path) -> None:
    (tmp_path / "run/systemd/system").mkdir(parents=True)
    with pytest.raises(OSError, match="nonexistent"):
        await host.run_state()
