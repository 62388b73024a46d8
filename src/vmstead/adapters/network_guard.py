"""Guards of changes of the network, and the program that each is.

    python -m vmstead.adapters.network_guard CHANGE PATIENCE

It takes a change back when whoever makes it dies, or nobody confirms it in time. Under systemd it is a unit of its
own, which no end of a session touches and which is started anew when it is killed; elsewhere a process in the
background. It is loaded before anything is changed, and needs no network. systemd and ``kill`` end it by SIGTERM,
upon which it takes the change back at once.
"""

import asyncio
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import NoReturn

from vmstead.adapters.host_network import PATH, LinuxHostNetwork
from vmstead.adapters.service_manager import notify
from vmstead.adapters.trials import FOLDER, FileTrials
from vmstead.kernel.run import CommandError, run
from vmstead.network.guard import watch
from vmstead.ports.host_network import Guards, NetworkError

# -P: what lies in the folder of whoever calls must not become a part of a program of root's.
_PROGRAM = (sys.executable, "-P", "-m", "vmstead.adapters.network_guard")
#: What the process in the background says when it watches.
_WATCHES = b"\0"


def make_guards(booted: Path = Path("/run/systemd/system")) -> Guards:
    """What this host has for them."""
    if booted.is_dir() and shutil.which("systemd-run") is not None:
        return SystemdGuards()
    return DetachedGuards()


class SystemdGuards:
    """Each is a unit that goes when it is done."""

    async def post(self, change: str, within: float) -> None:
        options = [
            "--quiet",
            "--collect",
            f"--unit=vmstead-network-{change}",
            "--description=Takes a change of the network back unless it is confirmed",
            "--service-type=notify",
            "--property=Restart=on-failure",
            "--property=RestartSec=100ms",
            # What it starts goes on without it: whoever asks for addresses, for instance.
            "--property=KillMode=process",
            "--property=TimeoutStopSec=90s",
            f"--setenv=PATH={PATH}",
        ]
        await _start(["systemd-run", *options, "--", *_PROGRAM, change, f"{within:g}"])


class DetachedGuards:
    """Each is a process in the background, of no session."""

    async def post(self, change: str, within: float) -> None:
        await _start([*_PROGRAM, change, f"{within:g}", "--detach"])


async def _start(argv: list[str]) -> None:
    try:
        await run(argv, timeout=60)
    except CommandError as error:
        raise NetworkError(
            f"nobody would take the change back, so nothing was done: {error.output.strip()}"
        ) from error


def main(arguments: list[str]) -> None:
    """Watch over a change until it is over."""
    change, patience, *options = arguments
    report = _detach() if "--detach" in options else None
    asyncio.run(_watch(change, float(patience), report))


async def _watch(change: str, patience: float, report: int | None) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, ended.set)
    # It remembers nothing of bridges itself: what to do is in the change.
    host, trials = LinuxHostNetwork(FOLDER), FileTrials()
    # Whatever is still to be loaded is loaded before anything happens to the network.
    await host.cabling()
    if report is None:
        notify("READY=1")
    else:
        os.write(report, _WATCHES)
        os.close(report)
    await watch(host, trials, change, ended, patience)


def _detach() -> int:
    """Go on in the background; the caller's process ends when that says how it went. Returns where to say it."""
    FOLDER.mkdir(mode=0o700, parents=True, exist_ok=True)
    log = os.open(FOLDER / "guard.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    reader, writer = os.pipe()
    if os.fork() != 0:
        os.close(writer)
        _exit_with(os.read(reader, 4096))
    os.setsid()
    os.chdir("/")
    os.dup2(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC), 0)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(reader)
    return writer


def _exit_with(answer: bytes) -> NoReturn:
    """End the command as the process in the background says."""
    if answer == _WATCHES:
        os._exit(0)
    os.write(2, b"the guard ended at once; see /run/vmstead/network/guard.log")
    os._exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
