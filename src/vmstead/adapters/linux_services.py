"""Services of a Linux machine and its power: by systemd where it runs, else by /proc and the old links."""

import os
from collections.abc import Mapping
from pathlib import Path

from vmstead.adapters.linux_machine import text_of
from vmstead.kernel.run import CommandError, run
from vmstead.ports.machine import RunState, ServiceNames, ServiceState

#: What systemd calls units that are started with the machine or when somebody asks for them.
_STARTS = {"enabled", "enabled-runtime", "static", "alias", "indirect", "generated", "linked"}
_RUNS = {"active", "reloading"}
#: Seconds that systemd gets to answer.
_PATIENCE = 20.0


def has_systemd(run_folder: Path) -> bool:
    """Whether systemd is in charge of the machine; see sd_booted(3)."""
    return (run_folder / "systemd/system").is_dir()


async def run_state(systemctl: str, run_folder: Path) -> RunState:
    """Whether the machine is on its way up or down. Without systemd nobody can tell: it runs. Raises OSError."""
    if not has_systemd(run_folder):
        return RunState.RUNNING
    state = (await _systemctl(systemctl, "show", "--property=SystemState", "--value")).strip()
    if state in ("initializing", "starting"):
        return RunState.STARTING
    return RunState.STOPPING if state == "stopping" else RunState.RUNNING


async def power(systemctl: str, run_folder: Path, *, restart: bool) -> None:
    """Begin to shut the machine down. Raises OSError."""
    if has_systemd(run_folder):
        await _systemctl(systemctl, "reboot" if restart else "poweroff")
    else:
        await _program("shutdown", "-r" if restart else "-P", "now")


async def services(
    systemctl: str, proc: Path, etc: Path, run_folder: Path, wanted: Mapping[str, ServiceNames]
) -> dict[str, ServiceState]:
    """How services do, by the key they were asked with. Raises OSError."""
    if not has_systemd(run_folder):
        return {key: _by_processes(proc, etc, names) for key, names in wanted.items()}
    found = {}
    for key, names in wanted.items():
        properties = "--property=LoadState,ActiveState,UnitFileState,MainPID"
        text = await _systemctl(systemctl, "show", properties, "--", *names.units)
        units = [dict(line.split("=", 1) for line in part.splitlines()) for part in text.split("\n\n")]
        found[key] = _by_units([unit for unit in units if unit.get("LoadState") == "loaded"])
    return found


def _by_units(units: list[dict[str, str]]) -> ServiceState:
    running = [unit for unit in units if unit.get("ActiveState") in _RUNS]
    pids = {int(unit.get("MainPID", "0")) for unit in running} - {0}
    return ServiceState(
        runs=bool(running),
        starts=any(unit.get("UnitFileState") in _STARTS for unit in units),
        pids=tuple(sorted(pids)),
    )


def _by_processes(proc: Path, etc: Path, names: ServiceNames) -> ServiceState:
    pids = [
        int(folder.name)
        for folder in proc.iterdir()
        if folder.name.isdecimal() and text_of(folder / "comm") in names.programs
    ]
    links = {unit.removesuffix(".service") for unit in names.units}
    starts = any(
        link.name[3:] in links for level in "2345" for link in (etc / f"rc{level}.d").glob("S[0-9][0-9]*")
    )
    return ServiceState(runs=bool(pids), starts=starts, pids=tuple(sorted(pids)))


async def _systemctl(program: str, *arguments: str) -> str:
    return await _program(program, *arguments)


async def _program(*argv: str) -> str:
    try:
        return (await run(argv, timeout=_PATIENCE)).decode(errors="replace")
    except CommandError as error:
        raise OSError(error.status or os.EX_UNAVAILABLE, str(error)) from error
