"""NAT networks on a private libvirtd, made in a namespace; a machine that is plugged in stands for a guest."""

import json
import shutil
import sys

import pytest

from tests.daemons import needs_private_libvirtd
from tests.hostnet import HostNet, host_net, needs_namespaces
from tests.processes import midclt, program, serving

needs_nat = [
    needs_private_libvirtd,
    pytest.mark.skipif(
        shutil.which("dnsmasq", path="/usr/sbin:/usr/bin") is None or shutil.which("busybox") is None,
        reason="dnsmasq or busybox is not installed",
    ),
]
pytestmark = [needs_namespaces, *needs_nat]
_ENGINE = ("--engine", "private", "--accel", "tcg")
_LEASE = """#!/bin/sh
[ $1 = bound ] || exit 0
ip address add $ip/$mask dev $interface
ip route add default via $router
"""
#: Tells whoever connects who they are.
_MIRROR = """
import socket
server = socket.create_server(("10.99.0.1", 7))
print("listens", flush=True)
connection, (address, _) = server.accept()
connection.send(address.encode())
"""
_IN_PEER = ("ip", "netns", "exec", "peer")
_LOOK = 'import socket; print(socket.create_connection(("10.99.0.1", 7), 10).recv(99).decode())'


async def plug(net: HostNet, bridge: str) -> str:
    """Plug a machine of the name ``guest`` in; its address."""
    net.file("/run/lease").write_text(_LEASE)
    net.file("/run/lease").chmod(0o755)
    await net.sh(
        f"ip netns add guest; ip link add vnet9 type veth peer name eth0 netns guest; "
        f"ip link set vnet9 master {bridge} up; ip -n guest link set eth0 up"
    )
    ask = "busybox udhcpc -i eth0 -n -q -t 10 -T 1 -F guest -s /run/lease"
    await net.sh(f"ip netns exec guest {ask} >&2")
    return (await net.sh("ip -n guest -br -4 address show dev eth0")).split()[2]


async def test_guests_get_addresses_and_names_and_reach_out() -> None:
    async with host_net("rw") as net:
        await net.sh("ip address add 10.99.0.2/24 dev enp1s0; ip link set enp1s0 up")
        said = await net.done("create-nat", "lab0", *_ENGINE)
        assert said == (
            "Made lab0: this machine has 192.168.100.1/24 there, guests get theirs by DHCP.\n"
            "A NIC is on it with: nic_attach=lab0\n"
        )
        assert (await plug(net, "lab0")).startswith("192.168.100.")
        # Beyond the host nobody knows a way back to the guest, but to the host.
        async with program(*net.within, *_IN_PEER, sys.executable, "-c", _MIRROR) as mirror:
            await mirror.line("listens")
            assert await net.sh(f"ip netns exec guest {sys.executable} -c '{_LOOK}'") == "10.99.0.2\n"
        ask = "busybox nslookup guest.lab0 192.168.100.1"
        assert "192.168.100." in (await net.sh(f"ip netns exec guest {ask}")).partition("guest.lab0")[2]
        assert "vnet9 is plugged into lab0" in await net.refused("delete", "lab0", *_ENGINE)
        await net.sh("ip link delete vnet9")
        assert await net.done("delete", "lab0", *_ENGINE) == "Deleted lab0.\n"
        assert "lab0" not in await net.sh("ip link")


async def test_it_outlives_the_daemon_and_a_restart_of_the_host() -> None:
    async with host_net("rw") as net:
        await net.done("create-nat", "lab0", "--subnet", "10.20.0.0/24", *_ENGINE)
        # The command has started the daemon and ended it; the network needs none.
        assert "10.20.0.1/24" in await net.sh("ip address show dev lab0")
        assert "lab0  NAT   active  10.20.0.1/24" in await net.done("list", *_ENGINE)
        # After a restart of the host neither programs nor interfaces are there, and the boot has another id.
        net.end_all()
        await net.sh("ip link delete lab0")
        (net.state / "libvirt/boot_id").write_text("another\n")
        assert "lab0  NAT   active  10.20.0.1/24" in await net.done("list", *_ENGINE)
        assert "10.20.0.1/24" in await net.sh("ip address show dev lab0")
        await net.done("delete", "lab0", *_ENGINE)


async def test_addresses_that_are_in_use_and_names_that_are_taken_are_refused() -> None:
    async with host_net("rw") as net:
        await net.sh("ip address add 192.168.100.7/24 dev enp1s0; ip link set enp1s0 up")
        await net.sh("ip route add 10.20.0.0/16 via 192.168.100.1")
        said = await net.refused("create-nat", "lab0", "--subnet", "192.168.0.0/16", *_ENGINE)
        assert "subnet 192.168.0.0/16 overlaps with 192.168.100.7/24, an address of enp1s0" in said
        said = await net.refused("create-nat", "lab0", "--subnet", "10.20.30.0/24", *_ENGINE)
        assert "subnet 10.20.30.0/24 overlaps with 10.20.0.0/16, which is reached through enp1s0" in said
        assert "there is an interface enp1s0 already" in await net.refused("create-nat", "enp1s0", *_ENGINE)
        # The first that is free.
        assert "192.168.101.1/24" in await net.done("create-nat", "lab0", *_ENGINE)
        assert "libvirt has network lab0" in await net.refused("create-nat", "lab0", *_ENGINE)
        assert "engine = memory has no NAT networks" in await net.refused(
            "create-nat", "lab1", "--engine", "memory"
        )
        await net.done("delete", "lab0", *_ENGINE)
        assert "vmstead has made no network lab0" in await net.refused("delete", "lab0", *_ENGINE)


async def test_nics_are_attached_by_its_name_and_keep_it() -> None:
    async with host_net("rw") as net:
        await net.done("create-nat", "lab0", *_ENGINE)
        uri = f"ws+unix://{net.state}.sock"
        async with serving(net.state, within=net.within):
            choices = json.loads((await midclt(uri, "call", "vm.device.nic_attach_choices")).stdout)
            assert choices["lab0"] == "lab0: bridge"
            attributes = {"dtype": "NIC", "nic_attach": "lab0"}
            for name in ("web01", "db01"):
                vm = {"name": name, "memory": 64}
                made = await midclt(uri, "call", "vm.create", json.dumps(vm))
                nic = {"vm": json.loads(made.stdout)["id"], "attributes": attributes}
                assert (await midclt(uri, "call", "vm.device.create", json.dumps(nic))).status == 0
            assert "lab0 is what NICs of web01, db01 are attached to" in await net.refused(
                "delete", "lab0", *_ENGINE
            )
        # It is known without the server, too.
        assert "of web01, db01" in await net.refused("delete", "lab0", *_ENGINE)
        (row,) = json.loads(await net.done("list", "--json", *_ENGINE))
        assert row == {
            "name": "lab0",
            "kind": "NAT",
            "state": "ACTIVE",
            "addresses": ["192.168.100.1/24"],
            "port": None,
            "vms": ["web01", "db01"],
            "is_ours": True,
            "seconds": None,
        }
