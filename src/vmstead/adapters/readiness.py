"""Whether this machine can run VMs: each prerequisite, its state, and the command that mends it."""

import os
import shutil
import socket
from collections.abc import AsyncIterator
from pathlib import Path

from vmstead.adapters import accelerator
from vmstead.adapters.engine_choice import THIS_MACHINE, Surroundings, choose_engine
from vmstead.adapters.linux_host import LinuxHost
from vmstead.adapters.qemu_conf import GUEST_USER
from vmstead.adapters.zfs.base import Zfs
from vmstead.adapters.zfs.programs import THIS_HOST, ZfsHost
from vmstead.config import Config
from vmstead.kernel.run import CommandError, run
from vmstead.ports.host import Host
from vmstead.ports.readiness import Finding, Verdict

QEMU = "qemu-system-x86_64"
_GiB = 1024**3


async def examine(
    config: Config,
    host: Host | None = None,
    around: Surroundings = THIS_MACHINE,
    zfs: ZfsHost = THIS_HOST,
) -> AsyncIterator[Finding]:
    """Every prerequisite of a server with these settings, in the order in which they matter.

    Args:
        host: the machine to look at; this one by default.
        zfs: its ZFS.
    """
    host = host or LinuxHost()
    guest_user = GUEST_USER if around.is_root and around.has_libvirtd() else None
    pretends = config.engine == "memory" or config.engine.startswith("test:")
    if pretends:
        yield Finding(
            "engine", Verdict.GOOD, f"{config.engine}: guests are only pretended, nothing is needed"
        )
    else:
        for finding in await _qemu():
            yield finding
        yield await _libvirt(config, host, around)
        yield _kvm(config, guest_user)
        yield await _firmware(host)
        yield _tpm()
        for finding in _nat(around):
            yield finding
    yield await _memory(host)
    for finding in await _state(config, host, None if pretends else guest_user):
        yield finding
    for finding in await _zfs_pools(config, around, zfs):
        yield finding
    if config.plain_http and config.listen is not None and not config.listen.is_loopback:
        text = f"connections to {config.listen} are not encrypted: passwords can be read on the way"
        yield Finding("encryption", Verdict.POOR, text, "leave out plain_http, unless a proxy encrypts")
    yield _server(config)


async def _qemu() -> list[Finding]:
    path = shutil.which(QEMU)
    if path is None:
        return [
            Finding("qemu", Verdict.MISSING, f"{QEMU} is not installed", "apt-get install qemu-system-x86")
        ]
    try:
        version = (await run([path, "--version"])).decode().splitlines()[0]
        devices = (await run([path, "-device", "help"])).decode()
        networks = (await run([path, "-M", "none", "-netdev", "help"])).decode()
    except CommandError as error:
        return [Finding("qemu", Verdict.MISSING, str(error), "apt-get install --reinstall qemu-system-x86")]
    findings = [Finding("qemu", Verdict.GOOD, version.replace("QEMU emulator version", "QEMU"))]
    if "qxl-vga" not in devices:
        text = "QEMU has no SPICE: VMs with a SPICE display do not start; VNC displays work"
        findings.append(Finding("spice", Verdict.POOR, text, "apt-get install qemu-system-modules-spice"))
    if "user" not in networks.split():
        text = "QEMU has no user-mode network: NICs need a bridge or an interface"
        findings.append(Finding("network", Verdict.POOR, text))
    return findings


async def _libvirt(config: Config, host: Host, around: Surroundings) -> Finding:
    name = await choose_engine(config, host, around)
    if name == "private" and not around.has_libvirtd():
        mend = "apt-get install libvirt-daemon-system"
        return Finding("libvirt", Verdict.MISSING, "libvirtd is not installed", mend)
    # It is not on an ordinary user's path.
    if name == "qemu:///session" and shutil.which("libvirtd", path=f"{os.defpath}:/usr/sbin") is None:
        mend = "sudo apt-get install libvirt-daemon-system"
        return Finding("libvirt", Verdict.MISSING, "libvirtd is not installed", mend)
    what = "a private libvirtd, started by the server" if name == "private" else name
    return Finding("libvirt", Verdict.GOOD, what)


def _kvm(config: Config, guest_user: str | None) -> Finding:
    name, reason = accelerator.choose(config.accel, guest_user)
    if name == "kvm":
        return Finding("kvm", Verdict.GOOD, "guests run at the processor's speed")
    text, _, mend = (reason or "").partition("; allow it with: ")
    return Finding("kvm", Verdict.POOR, f"guests are emulated, which is slow: {text}", mend or None)


async def _firmware(host: Host) -> Finding:
    images = [name for name in await host.firmware() if name.startswith("OVMF_CODE")]
    if not images:
        text = "there are no UEFI images: only VMs with a legacy BIOS start"
        return Finding("firmware", Verdict.POOR, text, "apt-get install ovmf")
    return Finding("firmware", Verdict.GOOD, f"{len(images)} UEFI images in /usr/share/OVMF")


def _tpm() -> Finding:
    if shutil.which("swtpm") is None or shutil.which("swtpm_setup") is None:
        text = "swtpm is not installed: VMs with a TPM do not start"
        return Finding("tpm", Verdict.POOR, text, "apt-get install swtpm swtpm-tools")
    return Finding("tpm", Verdict.GOOD, "swtpm is installed")


def _nat(around: Surroundings) -> list[Finding]:
    """What networks behind the host's address need: only root makes any."""
    if not around.is_root or shutil.which("dnsmasq") is not None:
        return []
    text = "dnsmasq is not installed: vmstead network create-nat can make no network"
    return [Finding("nat", Verdict.POOR, text, "apt-get install dnsmasq-base")]


async def _memory(host: Host) -> Finding:
    memory = await host.memory()
    text = f"{memory.available / _GiB:.1f} of {memory.total / _GiB:.1f} GiB are available"
    verdict = Verdict.GOOD if memory.available >= _GiB // 2 else Verdict.POOR
    return Finding("memory", verdict, text)


async def _state(config: Config, host: Host, guest_user: str | None) -> list[Finding]:
    state = config.state
    existing = _nearest(state)
    if not os.access(existing, os.W_OK | os.X_OK):
        text = f"{existing} cannot be written by this user"
        return [Finding("state", Verdict.MISSING, text, "choose another folder with --state, or run as root")]
    free = shutil.disk_usage(existing).free
    findings = [Finding("state", Verdict.GOOD, f"{state}, {free / _GiB:.1f} GiB free")]
    if guest_user is not None:
        barrier = await host.unreachable_for(guest_user, existing / "pools")
        if barrier is not None:
            text = f"guests run as {guest_user}, which may not enter {barrier}"
            findings.append(Finding("state", Verdict.MISSING, text, f"chmod o+x {barrier}"))
    return findings


async def _zfs_pools(config: Config, around: Surroundings, zfs: ZfsHost) -> list[Finding]:
    """The pools that are ZFS's. Without them the server does what needs none of them."""
    names = config.zfs_pools
    if not names:
        return []
    findings = []
    listing = await Zfs(zfs, names).inventory.read()
    for name, dataset in names.items():
        why = listing.missing.get(name)
        if why is not None:
            text, _, mend = str(why).partition(" with: ")
            findings.append(Finding("pool", Verdict.POOR, text.rpartition("; ")[0] or text, mend or None))
            continue
        found = listing.datasets[dataset]
        text = f"{name}, on ZFS ({dataset}), {found.available / _GiB:.1f} GiB free"
        if around.is_root:
            findings.append(Finding("pool", Verdict.GOOD, text))
        else:
            text = f"{text}; only root makes volumes there and opens them"
            findings.append(Finding("pool", Verdict.POOR, text, "run the server as root"))
    return findings


def _nearest(folder: Path) -> Path:
    """The folder, or the first above it that can be seen."""
    return next(each for each in (folder, *folder.parents) if os.path.exists(each))


def _server(config: Config) -> Finding:
    if _answers(config.socket):
        return Finding("server", Verdict.GOOD, f"running, at {config.socket}")
    return Finding("server", Verdict.POOR, "not running", "vmstead serve")


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            return False
    return True
