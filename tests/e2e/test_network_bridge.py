"""Bridges over a card, made in a namespace in which systemd-networkd or ifupdown configures it."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.hostnet import HostNet, host_net, needs_ifupdown, needs_namespaces, needs_networkd
from tests.processes import PATIENCE, program
from vmstead.ports.host_network import Arrive

pytestmark = needs_namespaces

_STATIC = """[Match]
Name=enp1s0

[Network]
Address=10.99.0.2/24
Gateway=10.99.0.1
LinkLocalAddressing=no
IPv6AcceptRA=no
"""
_INTERFACES = """auto lo
iface lo inet loopback

# The card at the front.
auto enp1s0
iface enp1s0 inet static
    address 10.99.0.2/24
    gateway 10.99.0.1

# What follows.
"""
_CREATE = ("create-bridge", "lan0", "--port", "enp1s0", "--confirm-within")


@asynccontextmanager
async def configured(by: str) -> AsyncIterator[HostNet]:
    """A host whose card has 10.99.0.2 and a default route, with another address and route that were set by hand."""
    async with host_net() as net:
        if by == "networkd":
            await net.bus()
            net.file("/etc/systemd/network/10-lan.network").write_text(_STATIC)
            await net.start_networkd()
        else:
            net.file("/etc/network/interfaces").write_text(_INTERFACES)
            await net.sh("ifup enp1s0")
        await net.arrived("enp1s0", "10.99.0.2/24")
        await net.sh("ip address add 10.98.0.2/24 dev enp1s0; ip route add 10.97.0.0/16 via 10.98.0.9")
        yield net


managers = pytest.mark.parametrize(
    "by", [pytest.param("networkd", marks=needs_networkd), pytest.param("ifupdown", marks=needs_ifupdown)]
)


@managers
async def test_what_nobody_confirms_is_taken_back(by: str) -> None:
    async with configured(by) as net:
        before = await net.looks()
        assert "unless you run: vmstead network confirm" in await net.done(*_CREATE, "1")
        await net.unguarded()
        assert await net.looks() == before
        assert await net.reached("10.99.0.2")
        assert "no change waits" in await net.refused("confirm")


@managers
async def test_what_is_confirmed_stays_until_it_is_deleted(by: str) -> None:
    async with configured(by) as net:
        before = await net.looks()
        said = await net.done(*_CREATE, "60")
        assert "Bridge lan0 over enp1s0 is there, with 10.99.0.2/24, 10.98.0.2/24." in said
        now = "\n".join(await net.looks())
        assert "enp1s0 lan0 True \n" in now
        assert "default via 10.99.0.1 dev lan0" in now
        assert "10.97.0.0/16 via 10.98.0.9 dev lan0" in now
        assert "02:00:00:00:00:01" in await net.sh("cat /sys/class/net/lan0/address")
        assert await net.reached("10.99.0.2")
        assert "waits to be confirmed" in await net.refused("create-bridge", "lan1", "--port", "far")
        (row,) = json.loads(await net.done("list", "--json", "--engine", "memory"))
        assert (row["name"], row["kind"], row["state"], row["port"]) == (
            "lan0",
            "BRIDGE",
            "ON_TRIAL",
            "enp1s0",
        )
        assert 0 < row["seconds"] <= 60
        assert "nic_attach=lan0" in await net.done("confirm")
        assert "lan0  BRIDGE  active" in await net.done("list", "--engine", "memory")
        await started_anew(net, by)
        assert await net.reached("10.99.0.2")
        # The bridge comes back where its end is not confirmed.
        with_bridge = await net.looks()
        assert "it comes back" in await net.done("delete", "lan0", "--confirm-within", "1")
        await net.unguarded()
        assert await net.looks() == with_bridge
        await net.done("delete", "lan0")
        assert not any(line.startswith("lan0 ") for line in await net.looks())
        assert await net.done("confirm") == "Bridge lan0 is no more.\n"
        # The host has started anew, without what was set by hand.
        await net.sh("ip address add 10.98.0.2/24 dev enp1s0; ip route add 10.97.0.0/16 via 10.98.0.9")
        assert await net.looks() == before


async def started_anew(net: HostNet, by: str) -> None:
    """The network as it comes up when the host starts."""
    if by == "networkd":
        assert list(net.file("/run/systemd/network").iterdir()) == []
        assert net.networkd is not None
        await net.networkd.end()
        await net.sh("ip link delete lan0")
        await net.start_networkd()
    else:
        await net.sh("ifdown lan0; ip address flush dev enp1s0; ifup -a")
    await net.arrived("lan0", "10.99.0.2/24")


@pytest.mark.parametrize(
    ("by", "word", "status"),
    [
        pytest.param("networkd", "KILL", -9, marks=needs_networkd),
        # The session has ended; somebody has pressed Ctrl-C.
        pytest.param("networkd", "HUP", -1, marks=needs_networkd),
        pytest.param("networkd", "INT", 1, marks=needs_networkd),
        pytest.param("ifupdown", "KILL", -9, marks=needs_ifupdown),
    ],
)
async def test_it_is_taken_back_at_once_when_whoever_makes_it_is_killed(
    by: str, word: str, status: int
) -> None:
    async with configured(by) as net:
        before = await net.looks()
        name = {"networkd": "networkctl", "ifupdown": "ifup"}[by]
        # The first that is run does what it should, and then kills whoever runs it.
        program = net.file(f"/usr/local/sbin/{name}")
        real = (await net.sh(f"command -v {name}")).strip()
        program.write_text(f'#!/bin/sh\nrm "$0"\n{real} "$@"\nkill -{word} $PPID\n')
        program.chmod(0o755)
        result = await net.vmstead(*_CREATE, "60")
        assert result.status == status
        await net.unguarded()
        assert not program.exists()
        assert await net.looks() == before


@managers
async def test_a_step_that_fails_leaves_everything_as_it_was(by: str) -> None:
    async with configured(by) as net:
        before = await net.looks()
        name = {"networkd": "networkctl", "ifupdown": "ifup"}[by]
        program = net.file(f"/usr/local/sbin/{name}")
        program.write_text('#!/bin/sh\nrm "$0"\necho no such luck >&2\nexit 3\n')
        program.chmod(0o755)
        said = await net.refused(*_CREATE, "60")
        assert "no such luck; everything is as before" in said
        assert await net.looks() == before
        await net.unguarded()


@needs_networkd
async def test_who_borrows_an_address_gets_the_same_by_the_bridge() -> None:
    async with host_net() as net:
        await net.bus()
        options = "--dhcp-range=10.99.0.10,10.99.0.99,1h --dhcp-option=3,10.99.0.1 --leasefile-ro --port=0"
        serve = f"dnsmasq -C /dev/null -u root -x /run/dnsmasq.pid --no-ping -i far {options}"
        await net.sh(f"ip netns exec peer {serve}")
        text = "[Match]\nName=enp1s0\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n"
        net.file("/etc/systemd/network/10-lan.network").write_text(text)
        await net.start_networkd()
        try:
            await net.arrived("enp1s0", "lent")
            address = (await net.sh("ip -br -4 address show dev enp1s0")).split()[2]
            assert f"is there, with {address}." in await net.done(*_CREATE, "1")
            await net.unguarded()
            assert address in await net.sh("ip -br -4 address show dev enp1s0")
            assert "default via 10.99.0.1 dev enp1s0" in await net.sh("ip route")
            assert "lan0" not in await net.sh("ip link")
            # Confirmed, and deleted before systemd-networkd has been told anything else.
            await net.done(*_CREATE, "60")
            assert "default via 10.99.0.1 dev lan0" in await net.sh("ip route")
            await net.done("confirm")
            assert "Bridge lan0 is gone." in await net.done("delete", "lan0", "--confirm-within", "60")
            await net.done("confirm")
            assert address in await net.sh("ip -br -4 address show dev enp1s0")
        finally:
            await net.sh("kill $(cat /run/dnsmasq.pid)")


async def test_whoever_configures_a_card_is_asked_again_when_nothing_comes() -> None:
    async with host_net() as net:
        await net.sh("ip link set enp1s0 up")
        ask = ("ip", "address", "add", "10.99.0.2/24", "dev", "enp1s0")
        await net.perform(Arrive("enp1s0", ("10.99.0.2/24",), ask=ask, ask_after=0.2))
        await net.perform(
            Arrive("enp1s0", ("10.99.0.3/24",), ask=ask, ask_after=0.1, seconds=0.5, needed=False)
        )
        assert "10.99.0.2/24" in await net.sh("ip -br -4 address show dev enp1s0")


@needs_networkd
async def test_a_card_that_nobody_configures_is_for_guests_alone() -> None:
    async with host_net() as net:
        await net.bus()
        await net.start_networkd()
        before = await net.looks()
        assert "no address, as the card had none" in await net.done(*_CREATE, "60")
        assert "enp1s0 lan0 True" in "\n".join(await net.looks())
        assert "Everything is as it was" in await net.done("rollback")
        assert await net.looks() == before
        await net.unguarded()


_HOLD = """
import asyncio
from pathlib import Path
from vmstead.adapters.host_network import LinuxHostNetwork
from vmstead.ports.host_network import Hold, Run
steps = (
    Run(("ip", "address", "replace", "10.1.0.2/24", "dev", "enp1s0")),
    Run(("ip", "route", "replace", "10.2.0.0/16", "via", "10.1.0.1")),
)
asyncio.run(LinuxHostNetwork(Path("/nowhere")).perform(Hold("enp1s0", steps, ("10.1.0.2/24",), 8.0)))
"""


async def test_what_is_taken_away_meanwhile_is_set_again() -> None:
    async with host_net() as net:
        await net.sh("ip link set enp1s0 up")
        async with program(*net.within, sys.executable, "-c", _HOLD) as holding:
            await net.arrived("enp1s0", "10.1.0.2/24")
            await net.sh("ip address del 10.1.0.2/24 dev enp1s0")
            await net.arrived("enp1s0", "10.1.0.2/24")
            async with asyncio.timeout(PATIENCE):
                assert await holding.process.wait() == 0, holding.stderr
        assert "10.2.0.0/16 via 10.1.0.1" in await net.sh("ip route")
