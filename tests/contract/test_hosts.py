"""Every host does what the port says."""

from pathlib import Path

import pytest

from tests.contract.host import HostContract, Place
from vmstead.adapters.fake_host import FakeHost
from vmstead.adapters.linux_host import LinuxHost
from vmstead.ports.machine import RunState, ServiceState

_WORDS = {RunState.STARTING: "starting", RunState.RUNNING: "degraded", RunState.STOPPING: "stopping"}
#: A systemd that says what lies in its folder, and writes down what it was told to do.
_SYSTEMCTL = """#!/bin/sh
cd "$(dirname "$0")" || exit 9
case "$*" in
*SystemState*) cat state ;;
*ssh.service*) cat ssh ;;
show*) printf 'LoadState=not-found\\nActiveState=inactive\\nUnitFileState=\\nMainPID=0\\n' ;;
*) [ ! -e refusal ] || { cat refusal >&2; exit 1; }; echo "$*" >> presses ;;
esac
"""
_SSH = (
    "MainPID={pid}\nLoadState=loaded\nActiveState={active}\nUnitFileState=enabled\n\n"
    "MainPID=0\nLoadState=not-found\nActiveState=inactive\nUnitFileState=\n"
)


class TestFakeHost(HostContract):
    @pytest.fixture
    def place(self) -> Place:
        host = FakeHost()
        return Place(
            host,
            presses=lambda: host.presses,
            become=lambda state: setattr(host, "state", state),
            start=lambda pid: host.units.update(ssh=ServiceState(runs=True, starts=True, pids=(pid,))),
            refuse_power=lambda: setattr(host, "power_failure", "an inhibitor is in the way"),
        )


class TestLinuxHost(HostContract):
    """This machine, with a systemd of its own."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Place:
        (tmp_path / "systemd/system").mkdir(parents=True)
        program = tmp_path / "systemctl"
        program.write_text(_SYSTEMCTL)
        program.chmod(0o755)
        presses = tmp_path / "presses"

        def become(state: RunState) -> None:
            (tmp_path / "state").write_text(f"{_WORDS[state]}\n")

        def start(pid: int) -> None:
            (tmp_path / "ssh").write_text(_SSH.format(pid=pid, active="active"))

        def refuse() -> None:
            (tmp_path / "refusal").write_text("an inhibitor is in the way")

        (tmp_path / "ssh").write_text(_SSH.format(pid=0, active="inactive"))
        return Place(
            LinuxHost(run=tmp_path, systemctl=str(program)),
            presses=lambda: presses.read_text().split() if presses.exists() else [],
            become=become,
            start=start,
            refuse_power=refuse,
        )
