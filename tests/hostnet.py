"""A host's network of one's own: a namespace with a card, whoever configures that, and who is at its other end."""

import contextlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from tests.daemons import gone, kill
from tests.processes import Program, Result, command, program
from vmstead.ports.host_network import Arrive, Step

NETWORKD, IFUP = Path("/lib/systemd/systemd-networkd"), shutil.which("ifup")
needs_namespaces = pytest.mark.skipif(os.geteuid() != 0, reason="namespaces of the network need root")
needs_networkd = pytest.mark.skipif(
    not NETWORKD.exists() or shutil.which("dbus-daemon") is None,
    reason="there is no systemd-networkd or no bus",
)
needs_ifupdown = pytest.mark.skipif(IFUP is None, reason="ifupdown is not installed")

#: In the namespace: folders of its own where programs say and are told what to do, a card ``enp1s0``, and at its
#: other end, in the namespace ``peer``, a machine 10.99.0.1.
_PREPARE = """
set -e
mount --make-rprivate /
mount -t tmpfs none /run
mkdir -p /run/lock /run/dbus /run/systemd/netif /run/systemd/network /run/network
chown systemd-network: /run/systemd/netif || true
mount -t sysfs -o "$2" none /sys
for folder in /etc/systemd/network /etc/network /usr/local/sbin; do
    mkdir -p $folder "$1$folder"
    mount --bind "$1$folder" $folder
done
for when in pre-up up down post-down; do mkdir -p /etc/network/if-$when.d; done
ip link set lo up
ip netns add peer
ip link add enp1s0 address 02:00:00:00:00:01 type veth peer name far netns peer
ip -n peer link set lo up
ip -n peer address add 10.99.0.1/24 dev far
ip -n peer link set far up
sysctl -qw net.ipv6.conf.enp1s0.accept_dad=0 || true
echo prepared
exec sleep infinity
"""
_BUS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=/run/dbus/system_bus_socket</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_type="*"/><allow receive_type="*"/></policy>
</busconfig>
"""
_PERFORM = """
import asyncio, msgspec, sys
from pathlib import Path
from vmstead.adapters.host_network import LinuxHostNetwork
from vmstead.ports.host_network import Step
step = msgspec.json.decode(sys.argv[1], type=Step)
asyncio.run(LinuxHostNetwork(Path("/nowhere")).perform(step))
"""
#: Whether anybody is at an address: nobody listens there, which whoever is there says.
REACH = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], 9), timeout=10)
except ConnectionRefusedError:
    print("reached")
"""


@dataclass
class HostNet:
    """The namespace.

    Attributes:
        folder: what its folders below /etc really are.
        state: the state folder of commands that run in it.
    """

    anchor: Program
    folder: Path
    state: Path
    stack: AsyncExitStack
    networkd: Program | None = None

    @property
    def within(self) -> tuple[str, ...]:
        return ("nsenter", "-t", str(self.anchor.process.pid), "-n", "-m", "--")

    def file(self, path: str) -> Path:
        """A file as it is seen there."""
        return Path(f"/proc/{self.anchor.process.pid}/root{path}")

    async def sh(self, script: str) -> str:
        """What a shell script prints in it."""
        result = await command(*self.within, "sh", "-ec", script)
        assert result.status == 0, result
        return result.stdout

    async def vmstead(self, *arguments: str) -> Result:
        """Run a command of ``vmstead network`` in it."""
        argv = [sys.executable, "-m", "vmstead.cli.main", "network", *arguments, "--state", str(self.state)]
        return await command(*self.within, *argv)

    async def done(self, *arguments: str) -> str:
        result = await self.vmstead(*arguments)
        assert result.status == 0, result
        return result.stdout

    async def refused(self, *arguments: str) -> str:
        result = await self.vmstead(*arguments)
        assert result.status == 1, result
        return result.stderr

    async def arrived(self, link: str, *addresses: str) -> None:
        """Wait until an interface is up and has these addresses (``lent``: any of IPv4)."""
        told = tuple(each for each in addresses if each != "lent")
        await self.perform(Arrive(link, told, "lent" in addresses))

    async def perform(self, step: Step) -> None:
        """Take a step of a change."""
        asked = msgspec.json.encode(step).decode()
        result = await command(*self.within, sys.executable, "-c", _PERFORM, asked)
        assert result.status == 0, result

    async def start_networkd(self) -> None:
        """Run systemd-networkd, as if the host had just started with it."""
        self.networkd = await self.stack.enter_async_context(program(*self.within, str(NETWORKD)))
        ask = "busctl --system call org.freedesktop.DBus /org/freedesktop/DBus org.freedesktop.DBus NameHasOwner"
        await self.sh(f"until {ask} s org.freedesktop.network1 | grep -q true; do :; done")

    async def bus(self) -> None:
        """Run the system's bus."""
        self.file("/run/bus.conf").write_text(_BUS)
        options = ["--config-file=/run/bus.conf", "--nofork", "--nopidfile", "--print-address"]
        bus = await self.stack.enter_async_context(program(*self.within, "dbus-daemon", *options))
        await bus.line("unix:")

    async def reached(self, address: str) -> bool:
        """Whether the machine at the other end gets through to an address of the host."""
        return "reached" in await self.sh(f"ip netns exec peer {sys.executable} -c '{REACH}' {address}")

    async def looks(self) -> tuple[str, ...]:
        """All that a change of the network might change."""
        links = json.loads(await self.sh("ip -json -details address show"))
        shown = sorted(
            f"{each['ifname']} {each.get('master', '-')} {'UP' in each['flags']} "
            + " ".join(
                sorted(f"{a['local']}/{a['prefixlen']}" for a in each["addr_info"] if a["family"] == "inet")
            )
            for each in links
        )
        routes = sorted((await self.sh("ip -4 route show table all")).splitlines())
        files = sorted(
            f"{path}: {path.read_text()}"
            for folder in ("/etc/systemd/network", "/etc/network", "/run/systemd/network")
            for path in self.file(folder).rglob("*")
            if path.is_file()
        )
        kept = sorted(path.name for path in (self.state / "networks").glob("*"))
        # A bridge is known to have a connection a moment after it has one.
        told = (route.replace(" linkdown", "").strip() for route in routes)
        return (*shown, *told, *files, *kept)

    def processes(self) -> dict[int, list[bytes]]:
        """Everything that runs in this namespace, with its command."""
        mine = os.readlink(f"/proc/{self.anchor.process.pid}/ns/net")
        found = {}
        for entry in Path("/proc").iterdir():
            # It may be gone since the listing.
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and os.readlink(entry / "ns/net") == mine:
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().split(b"\0")
        return found

    def guards(self) -> list[int]:
        """Processes that watch a change."""
        return [pid for pid, words in self.processes().items() if b"vmstead.adapters.network_guard" in words]

    def end_all(self) -> None:
        """Kill everything that runs in it, as the host does when it loses its power."""
        for pid in self.processes().keys() - {self.anchor.process.pid}:
            kill(pid)

    async def unguarded(self) -> None:
        """Wait until no guard watches any more."""
        for pid in self.guards():
            with contextlib.suppress(ProcessLookupError):
                descriptor = os.pidfd_open(pid)
                assert gone(descriptor), self.file("/run/vmstead/network/guard.log").read_text()
                os.close(descriptor)


@asynccontextmanager
async def host_net(devices: str = "ro") -> AsyncIterator[HostNet]:
    """The namespace, in which nobody configures anything yet.

    Args:
        devices: how /sys is mounted. Where it cannot be written to, systemd-networkd waits for no udev.
    """
    folder = Path(tempfile.mkdtemp(prefix="vmstead-net-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        async with AsyncExitStack() as stack:
            argv = ("unshare", "--net", "--mount", "sh", "-c", _PREPARE, "sh", str(folder), devices)
            anchor = await stack.enter_async_context(program(*argv))
            await anchor.line("prepared")
            net = HostNet(anchor, folder, folder / "state", stack)
            stack.callback(net.end_all)
            yield net
    finally:
        shutil.rmtree(folder)
