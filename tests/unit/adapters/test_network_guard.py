"""Guards are units where systemd is in charge, and processes elsewhere."""

from pathlib import Path

import pytest

from vmstead.adapters.network_guard import DetachedGuards, SystemdGuards, make_guards
from vmstead.ports.host_network import NetworkError


def systemd_run(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """The only program of that name that is found."""
    program = folder / "systemd-run"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


async def test_a_unit_watches_where_systemd_is_in_charge(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd_run(tmp_path, monkeypatch, f'printf "%s\\n" "$@" >{tmp_path}/said')
    guards = make_guards(tmp_path)
    assert isinstance(guards, SystemdGuards)
    await guards.post("12ab", 210.0)
    said = (tmp_path / "said").read_text().splitlines()
    # It is there before anything is done, comes back when it is killed, and leaves others what it has started.
    assert {"--unit=vmstead-network-12ab", "--service-type=notify", "--collect"} <= set(said)
    assert {"--property=Restart=on-failure", "--property=KillMode=process"} <= set(said)
    assert said[-4:] == ["-m", "vmstead.adapters.network_guard", "12ab", "210"]


async def test_without_a_guard_it_is_said_that_nothing_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    systemd_run(tmp_path, monkeypatch, "echo the bus is full >&2; exit 1")
    with pytest.raises(NetworkError, match="so nothing was done: the bus is full"):
        await SystemdGuards().post("12ab", 1)


def test_elsewhere_it_is_a_process(tmp_path: Path) -> None:
    assert isinstance(make_guards(tmp_path / "none"), DetachedGuards)
