"""The lab's host: a whole Debian in an emulated machine with what a development machine lacks.

An IOMMU, a network card and an NVMe drive to give away, USB sticks that come and go, disks for pools, a second
network card, real OpenZFS, and a ``/dev/kvm`` that works (the emulated processor has AMD's virtualization).
"""

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vmstead.kernel.run import CommandError, run

#: Seconds that the host gets to start, or to go on from its snapshot, and a guest in it to boot. Machines that are
#: slow and busy take several times what others do.
PATIENCE = 1200.0
_SNAPSHOT = "started"
_APPEND = (
    "root=/dev/vda rw console=ttyS0 quiet intel_iommu=on iommu=pt systemd.show_status=0 mitigations=off"
    # Large pages are what the emulator is slow with.
    " tsc=reliable no_timer_check transparent_hugepage=never"
)
#: Disks that the host has from its start, by size: they are part of its snapshot.
_DISKS = {"system": None, "pool1": "8G", "pool2": "8G"}


@dataclass(frozen=True)
class Machine:
    """A host in a folder of its own.

    Args:
        image: what ``lab/image.sh`` built.
        folder: where its disks, sockets and process id are.
    """

    image: Path
    folder: Path

    @property
    def pid(self) -> int | None:
        """The emulator's process, None when it does not run."""
        try:
            pid = int((self.folder / "pid").read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ValueError, ProcessLookupError):
            return None
        return pid if str(self.folder).encode() in command else None

    @property
    def saved(self) -> Path:
        """Where its state after the first start is kept: for each hardware in another place."""
        hardware = [str((self.image / "qemu").resolve()), *Machine(self.image, Path("any"))._command(0)]
        return self.image / f"saved-{hashlib.sha256(repr(hardware).encode()).hexdigest()[:16]}"

    # --- life -------------------------------------------------------------------------------------

    async def start(self, *, snapshot: bool = False) -> None:
        """Start it: from the beginning, or with ``snapshot`` where ``save`` left it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not snapshot:
            await self._make_disks()
        for name, size in (("nvme", "1G"), ("stick1", "64M"), ("stick2", "64M")):
            if not (self.folder / f"{name}.raw").exists():
                await run(["truncate", "-s", size, "--", str(self.folder / f"{name}.raw")])
        (self.folder / "port").write_text(str(_free_port()))
        resume = ["-loadvm", _SNAPSHOT] if snapshot else []
        await run([*self._command(self._port), *resume], timeout=60)
        await self._reachable()
        if snapshot:
            await self.ssh("hwclock --hctosys")

    async def save(self) -> None:
        """Keep the state it is in, to go on from there any number of times, and end it."""
        await self.ssh("sync; echo 3 >/proc/sys/vm/drop_caches; fstrim / || true")
        await self._human(f"savevm {_SNAPSHOT}")
        await self.stop()

    async def stop(self) -> None:
        """Pull its plug. Nothing happens when it does not run."""
        pid = self.pid
        if pid is None:
            return
        descriptor = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            ended = asyncio.Event()
            asyncio.get_running_loop().add_reader(descriptor, ended.set)
            async with asyncio.timeout(30):
                await ended.wait()
        finally:
            asyncio.get_running_loop().remove_reader(descriptor)
            os.close(descriptor)

    async def reboot(self) -> float:
        """Have it start anew by itself, and wait until it is back; the seconds that its going down took."""
        async with self._monitor() as monitor:
            began = time.monotonic()
            await self.ssh("systemctl reboot")
            await monitor.until("RESET", patience=PATIENCE)
            down = time.monotonic() - began
        await self._hang_up()
        await self._reachable()
        return down

    async def reset(self) -> None:
        """Press its reset button, and wait until it is back."""
        await self.qmp("system_reset")
        await self._hang_up()
        await self._reachable()

    # --- what happens to its hardware -------------------------------------------------------------

    async def plug_stick(self, number: int) -> None:
        """Plug a USB stick in, with the serial number ``STICK<number>``."""
        node = {"driver": "raw", "node-name": f"stick{number}", "file": self._file(f"stick{number}")}
        await self.qmp("blockdev-add", **node)
        device = {"driver": "usb-storage", "id": f"usb{number}", "bus": "xhci.0", "drive": f"stick{number}"}
        await self.qmp("device_add", **device, serial=f"STICK{number}", removable=True)

    async def unplug_stick(self, number: int) -> None:
        """Pull a USB stick out."""
        async with self._monitor() as monitor:
            await monitor.ask("device_del", id=f"usb{number}")
            await monitor.until("DEVICE_DELETED")
            await monitor.ask("blockdev-del", **{"node-name": f"stick{number}"})

    async def add_nvme(self) -> None:
        """Put the NVMe drive in. It cannot be part of a snapshot."""
        await self.qmp("blockdev-add", **{"driver": "raw", "node-name": "nvme", "file": self._file("nvme")})
        await self.qmp("device_add", driver="nvme", id="nvme0", bus="rp2", drive="nvme", serial="SPARE-NVME")

    def _file(self, name: str) -> dict[str, object]:
        return {"driver": "file", "filename": str(self.folder / f"{name}.raw")}

    # --- what is done in it -----------------------------------------------------------------------

    async def ssh(self, command: str, *, stdin: bytes = b"", timeout: float = 600) -> str:
        """Run a shell command in it as root; its output. Raises CommandError."""
        argv = ["ssh", *self.ssh_options(), "root@127.0.0.1", command]
        return (await run(argv, stdin=stdin, timeout=timeout)).decode()

    async def _hang_up(self) -> None:
        """Give up the connection to a host that has started anew; it may have closed it in time itself."""
        with contextlib.suppress(CommandError):
            await run(["ssh", *self.ssh_options(), "-O", "exit", "root@127.0.0.1"])

    async def forward(self, local: Path, remote: str) -> None:
        """Let a unix socket here lead to one in it, while the connection lives."""
        leads = ["-L", f"{local}:{remote}", "root@127.0.0.1"]
        # A connection that lives would not make anew what it was told to make before.
        with contextlib.suppress(CommandError):
            await run(["ssh", *self.ssh_options(), "-O", "cancel", *leads])
        local.unlink(missing_ok=True)
        await run(["ssh", *self.ssh_options(), "-O", "forward", *leads])

    def ssh_options(self) -> list[str]:
        """What leads ssh to it."""
        options = {
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "LogLevel": "ERROR",
            "ConnectTimeout": "5",
            # A host that is busy with guests may not answer for a while.
            "ServerAliveInterval": "15",
            "ServerAliveCountMax": "40",
            "ControlMaster": "auto",
            "ControlPath": str(self.folder / "ssh"),
            "ControlPersist": "600",
        }
        pairs = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
        return ["-i", str(self.image / "key"), "-p", str(self._port), *pairs]

    @property
    def _port(self) -> int:
        return int((self.folder / "port").read_text())

    async def _reachable(self) -> None:
        """Wait until somebody can log in. QEMU accepts connections before the host does, and holds them."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                await self.ssh("systemctl is-system-running --wait >/dev/null || true", timeout=PATIENCE)
            except CommandError as error:
                if time.monotonic() > deadline or self.pid is None:
                    log = (self.folder / "serial.log").read_text(errors="replace")[-2000:]
                    raise RuntimeError(f"the lab's host cannot be reached: {error}\n{log}") from error
            else:
                return

    # --- the emulator -----------------------------------------------------------------------------

    async def _make_disks(self) -> None:
        for name, size in _DISKS.items():
            disk = self.folder / f"{name}.qcow2"
            disk.unlink(missing_ok=True)
            base = [] if size else ["-F", "raw", "-b", str(self.image / "disk.raw")]
            await run(
                ["qemu-img", "create", "-q", "-f", "qcow2", *base, str(disk), *([size] if size else [])]
            )

    def _command(self, port: int) -> list[str]:
        control = f"user,id=n0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22"
        roots = [
            part
            for number in range(1, 5)
            for part in ("-device", f"pcie-root-port,id=rp{number},chassis={number}")
        ]
        disks = [
            part
            for name in _DISKS
            for part in (
                "-drive",
                f"file={self.folder / name}.qcow2,if=none,id={name},cache=unsafe,discard=unmap",
                "-device",
                f"virtio-blk-pci,drive={name},serial={name}",
            )
        ]
        return [
            *(str(self.image / "qemu"), "-name", "vmstead-lab", "-nodefaults", "-no-user-config"),
            *("-machine", "q35,kernel-irqchip=split", "-accel", "tcg,tb-size=1024"),
            # One processor: with two, guests that start side by side end the host now and then, unless they take
            # turns on one thread, which is slower. Page tables of five levels are slower than those of four.
            *("-cpu", "max,la57=off", "-smp", "1", "-m", "5G"),
            *("-device", "intel-iommu,intremap=on,caching-mode=on,device-iotlb=on"),
            *("-kernel", str(self.image / "vmlinuz"), "-initrd", str(self.image / "initrd.img")),
            *("-append", _APPEND),
            *roots,
            *disks,
            *("-netdev", control, "-device", "virtio-net-pci,netdev=n0,mac=52:54:00:00:00:01"),
            *("-netdev", "user,id=n1,restrict=on,net=192.168.77.0/24"),
            *("-device", "virtio-net-pci,netdev=n1,mac=52:54:00:00:00:02"),
            *("-netdev", "user,id=n2,restrict=on,net=192.168.78.0/24"),
            *("-device", "e1000e,netdev=n2,bus=rp1,mac=52:54:00:00:00:03"),
            *("-device", "qemu-xhci,id=xhci,bus=rp3", "-device", "usb-tablet,bus=xhci.0"),
            *("-device", "virtio-rng-pci", "-vga", "none", "-device", "bochs-display", "-display", "none"),
            *("-serial", f"file:{self.folder / 'serial.log'}"),
            *("-qmp", f"unix:{self.folder / 'qmp'},server=on,wait=off"),
            *("-pidfile", str(self.folder / "pid"), "-daemonize"),
        ]

    @asynccontextmanager
    async def _monitor(self) -> AsyncIterator["Monitor"]:
        reader, writer = await asyncio.open_unix_connection(str(self.folder / "qmp"))
        try:
            monitor = Monitor(reader, writer)
            await monitor.until("QMP")
            await monitor.ask("qmp_capabilities")
            yield monitor
        finally:
            writer.close()

    async def qmp(self, command: str, **arguments: object) -> Any:
        """Give the emulator a command of its machine protocol."""
        async with self._monitor() as monitor:
            return await monitor.ask(command, **arguments)

    async def _human(self, line: str) -> None:
        answer = await self.qmp("human-monitor-command", **{"command-line": line})
        if answer.strip():
            raise RuntimeError(f"{line}: {answer.strip()}")


@dataclass
class Monitor:
    """A connection to the emulator's machine protocol."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self, command: str, **arguments: object) -> Any:
        """The answer to a command. Raises RuntimeError with the emulator's reason."""
        self.writer.write(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        answer = await self.until("return", "error")
        if "error" in answer:
            raise RuntimeError(f"{command}: {answer['error']['desc']}")
        return answer["return"]

    async def until(self, *kinds: str, patience: float = 120) -> dict[str, Any]:
        """The next message with one of these members, or the next event of one of these names."""
        async with asyncio.timeout(patience):
            while line := await self.reader.readline():
                message: dict[str, Any] = json.loads(line)
                if message.keys() & set(kinds) or message.get("event") in kinds:
                    return message
        raise RuntimeError(f"the emulator ended before it said any of {', '.join(kinds)}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def copy(source: Path, target: Path) -> None:
    """The disks of a saved host, for another one that goes on from there."""
    target.mkdir(parents=True, exist_ok=True)
    for name in _DISKS:
        disks = (str(folder / f"{name}.qcow2") for folder in (source, target))
        await run(["cp", "--sparse=always", "--reflink=auto", "--", *disks])
