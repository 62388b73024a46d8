"""Which libvirt the setting ``engine`` means on this machine."""

import asyncio
import contextlib
import os
import pwd
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from vmstead.adapters import accelerator
from vmstead.adapters.embedded_libvirt import PREFIX as EMBEDDED
from vmstead.adapters.embedded_libvirt import embedded as embedded_target
from vmstead.adapters.embedded_libvirt import root_of
from vmstead.adapters.embedded_libvirt import tpm_states as embedded_tpm_states
from vmstead.adapters.libvirt_engine import LibvirtEngine, Target
from vmstead.adapters.libvirt_engine.networks import LibvirtNetworks
from vmstead.adapters.libvirt_engine.target import Provider
from vmstead.adapters.linux_host import LinuxHost
from vmstead.adapters.memory_engine import MemoryEngine, Script
from vmstead.adapters.private_libvirtd import PrivateLibvirtd, is_installed
from vmstead.adapters.qemu_conf import GUEST_USER
from vmstead.config import Config
from vmstead.kernel.clock import Clock
from vmstead.ports.engine import Engine, EngineError, EngineErrorKind
from vmstead.ports.host import Host
from vmstead.ports.networks import NatNetworks

_SYSTEM_TPM_STATES = Path("/var/lib/libvirt/swtpm")
#: Folder of the console logs, below the state.
CONSOLES = "consoles"


@dataclass(frozen=True)
class Surroundings:
    """What of this machine the choice depends on.

    Attributes:
        is_root: the server runs as root.
        sockets: where a system daemon listens: the one daemon for everything, or the one for QEMU alone.
        qemu_conf: the settings of the system daemon's guests.
        has_libvirtd: tells whether there is what a private daemon needs.
    """

    is_root: bool = os.geteuid() == 0
    sockets: tuple[Path, ...] = (Path("/run/libvirt/libvirt-sock"), Path("/run/libvirt/virtqemud-sock"))
    qemu_conf: Path = Path("/etc/libvirt/qemu.conf")
    has_libvirtd: Callable[[], bool] = is_installed


THIS_MACHINE = Surroundings()


def make_engine(config: Config, clock: Clock) -> Engine:
    """The engine that the settings ask for."""
    if config.engine == "memory":
        # Guests of nobody take a moment to go down, so that clients meet jobs that have not ended yet.
        return MemoryEngine(clock, Script(shutdown_seconds=0.5))
    return LibvirtEngine(provider_for(config, LinuxHost()), clock)


def provider_for(config: Config, host: Host, around: Surroundings = THIS_MACHINE) -> Provider:
    """Finds the libvirt of the settings at each connection."""

    async def provide() -> Target:
        name = await choose_engine(config, host, around)
        if name == "private":
            return await _private(config, around)
        return await asyncio.to_thread(_by_uri, name, config, around)

    return provide


def tpm_folders(state: Path, around: Surroundings = THIS_MACHINE) -> dict[str, Path]:
    """Where each kind of libvirt that may serve this state folder keeps a folder for each guest's TPM."""
    embedded = embedded_tpm_states(state / "embed")
    if not around.is_root:
        return {"session": _session_settings() / "libvirt/qemu/swtpm", "embed": embedded}
    return {
        "embed": embedded,
        "private": PrivateLibvirtd(state / "libvirt", hide_kvm=False).tpm_states,
        "system": _SYSTEM_TPM_STATES,
    }


async def choose_engine(config: Config, host: Host, around: Surroundings = THIS_MACHINE) -> str:
    """What ``auto`` means here: the system's libvirt, the user's, or a private one. Others stay as they are."""
    if config.engine != "auto":
        return config.engine
    if await asyncio.to_thread(_any_answers, around.sockets):
        barrier = None if around.is_root else await host.unreachable_for(GUEST_USER, config.state / "pools")
        # A system daemon is of no use to a user whose files its guests cannot get at.
        if barrier is None:
            return "qemu:///system"
    return "private" if around.is_root else "qemu:///session"


def _any_answers(sockets: tuple[Path, ...]) -> bool:
    for path in sockets:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(2)
            try:
                connection.connect(str(path))
            except OSError:
                continue
            return True
    return False


@asynccontextmanager
async def nat_networks(
    config: Config, host: Host, around: Surroundings = THIS_MACHINE, *, start: bool = True
) -> AsyncIterator[NatNetworks | None]:
    """The networks that libvirt keeps on this machine for guests of a server with these settings.

    None where there is no libvirt that can keep any: one without root, of another machine, or none at all.

    Args:
        start: start a private libvirtd for the time of the block where none runs; else there is none either.

    Raises:
        EngineError: it cannot be reached.
    """
    name = await choose_engine(config, host, around)
    if name == "private" and around.is_root:
        accel, _ = await asyncio.to_thread(accelerator.choose, config.accel, GUEST_USER)
        daemon = _daemon(config, accel)
        # One that runs is the server's, and stays as it is: its settings may be others.
        async with contextlib.AsyncExitStack() as steps:
            if not await daemon.is_running():
                if not start:
                    yield None
                    return
                await daemon.ensure()
                steps.push_async_callback(daemon.stop)
            yield await steps.enter_async_context(LibvirtNetworks.at(daemon.uri))
    elif name == "qemu:///system" or name.startswith(("qemu+unix:///system", "test:")):
        async with LibvirtNetworks.at(name) as networks:
            yield networks
    else:
        yield None


def _daemon(config: Config, accel: str) -> PrivateLibvirtd:
    consoles = config.state / CONSOLES
    return PrivateLibvirtd(config.state / "libvirt", hide_kvm=accel != "kvm", bounded=consoles)


async def _private(config: Config, around: Surroundings) -> Target:
    if not around.is_root:
        raise EngineError(
            EngineErrorKind.UNREACHABLE, "a private libvirtd needs root; use engine = qemu:///session"
        )
    if not await asyncio.to_thread(around.has_libvirtd):
        raise EngineError(
            EngineErrorKind.UNREACHABLE,
            "libvirtd is not installed; install it with: apt-get install libvirt-daemon-system",
        )
    accel, reason = await asyncio.to_thread(accelerator.choose, config.accel, GUEST_USER)
    daemon = _daemon(config, accel)
    await daemon.ensure()

    async def leave(guests_are_running: bool) -> None:
        if not guests_are_running:
            await daemon.stop()

    return Target(
        daemon.uri,
        accel,
        reason,
        privileged=True,
        guest_user=GUEST_USER,
        pid_files=daemon.pid_files,
        tpm_states=daemon.tpm_states,
        log_folder=daemon.log_folder,
        keeps_consoles=True,
        leave=leave,
    )


def _by_uri(uri: str, config: Config, around: Surroundings) -> Target:
    setting = config.accel
    if uri.startswith("test:"):
        return Target(uri, "tcg", "the test driver runs no guests", True, None, None, runs_guests=False)
    if uri == "qemu:///system":
        user = _configured_user(around.qemu_conf)
        states = _SYSTEM_TPM_STATES if around.is_root else None
        logs = Path("/var/log/libvirt/qemu")
        target = Target(
            uri, "", None, True, user, Path("/run/libvirt/qemu"), tpm_states=states, log_folder=logs
        )
        # What the system's log daemon makes is root's alone.
        return _with_accelerator(replace(target, keeps_consoles=around.is_root), setting)
    if uri == "qemu:///session":
        states = _session_settings() / "libvirt/qemu/swtpm"
        logs = _session_cache() / "libvirt/qemu/log"
        target = Target(uri, "", None, False, None, _session_pid_files(), tpm_states=states, log_folder=logs)
        return _with_accelerator(replace(target, keeps_consoles=True), setting)
    if uri.partition("?")[0] == EMBEDDED:
        target = embedded_target(root_of(uri, config.state), is_root=around.is_root)
        return _with_accelerator(target, setting)
    # Another machine or another root: what holds there is not known here.
    accel = "tcg" if setting == "tcg" else "kvm"
    reason = "emulation was asked for (accel = tcg)" if accel == "tcg" else None
    return Target(uri, accel, reason, True, None, None)


def _with_accelerator(target: Target, setting: str) -> Target:
    accel, reason = accelerator.choose(setting, target.guest_user)
    return replace(target, accelerator=accel, accelerator_reason=reason)


def _configured_user(qemu_conf: Path) -> str:
    """Whom the system daemon runs guests as."""
    try:
        match = re.search(r"""^\s*user\s*=\s*(["'])(.+?)\1""", qemu_conf.read_text(), re.MULTILINE)
    except OSError:
        match = None
    return _name_of(match[2]) if match else GUEST_USER


def _name_of(user: str) -> str:
    """A user as libvirt's settings have it: by name, or by number, perhaps with a + before it."""
    number = user.removeprefix("+")
    if number.isdecimal():
        with contextlib.suppress(KeyError):
            return pwd.getpwuid(int(number)).pw_name
    return user


def _session_settings() -> Path:
    return Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")


def _session_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")


def _session_pid_files() -> Path | None:
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    return Path(runtime) / "libvirt/qemu/run" if runtime else None
