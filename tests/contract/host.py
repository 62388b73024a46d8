"""What every host does: a subclass says where one is found, and inherits the tests."""

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from vmstead.ports.host import Host
from vmstead.ports.machine import RunState, ServiceNames
from vmstead.ports.network import LinkKind

NAMES = ServiceNames(("ssh.service", "sshd.service"), ("sshd",))


@dataclass
class Place:
    """A host that can be told what to be, as far as the tests need it.

    Attributes:
        presses: what was done to its power button so far: ``reboot``, ``poweroff``.
        become: make it start up, run, or go down.
        start: make the service ``ssh`` run, as the process with this number.
        refuse_power: make it refuse to be shut down.
    """

    host: Host
    presses: Callable[[], Sequence[str]]
    become: Callable[[RunState], None]
    start: Callable[[int], None]
    refuse_power: Callable[[], None]


class HostContract:
    """The tests."""

    @pytest.fixture
    def place(self) -> Place:
        raise NotImplementedError

    async def test_it_says_what_it_is(self, place: Place) -> None:
        found = await place.host.machine()
        assert found.hostname
        assert found.cores >= 1
        assert found.timezone
        assert found == await place.host.machine()
        for text in (found.id, found.manufacturer, found.product, found.product_version, found.serial):
            assert text is None or text == text.strip() != ""

    async def test_it_says_how_it_does(self, place: Place) -> None:
        assert await place.host.uptime() > 0
        load = await place.host.load()
        assert len(load) == 3
        assert min(load) >= 0

    async def test_interfaces_have_names_of_their_own_and_proper_addresses(self, place: Place) -> None:
        links = await place.host.links()
        names = [link.name for link in links]
        assert names == sorted(set(names))
        assert "lo" not in names
        for link in links:
            assert link.mtu > 0
            assert (link.parent is not None) <= (link.kind is LinkKind.VLAN)
            assert set(link.members) == set() or link.kind in (LinkKind.BRIDGE, LinkKind.LINK_AGGREGATION)
            for each in link.addresses:
                address = ipaddress.ip_address(each.address)
                assert 0 <= each.prefix <= address.max_prefixlen
                assert each.is_ipv6 is (address.version == 6)
                if each.broadcast is not None:
                    ipaddress.IPv4Address(each.broadcast)

    async def test_what_is_beyond_the_interfaces_are_addresses(self, place: Place) -> None:
        found = await place.host.network_settings()
        for address in (*found.gateways, *found.nameservers):
            ipaddress.ip_address(address)
        assert len(set(found.gateways)) == len(found.gateways)
        for line in found.hosts:
            address, *names = line.split(" ")
            ipaddress.ip_address(address)
            assert names

    async def test_disks_have_names_and_sizes(self, place: Place) -> None:
        disks = await place.host.disks()
        names = [disk.name for disk in disks]
        assert names == sorted(set(names))
        assert not [name for name in names if name.startswith(("loop", "ram", "zram", "sr", "dm-"))]
        for disk in disks:
            assert disk.size >= 0
            assert disk.number > 0
            assert disk.is_rotating or disk.rotation_rate is None

    async def test_time_servers_are_told_once_each(self, place: Place) -> None:
        names = [server.address for server in await place.host.time_servers()]
        assert len(set(names)) == len(names)

    async def test_every_service_that_is_asked_for_is_told(self, place: Place) -> None:
        wanted = {"one": NAMES, "other": ServiceNames(("no-such.service",), ("no-such",))}
        found = await place.host.services(wanted)
        assert found.keys() == wanted.keys()
        assert (found["other"].runs, found["other"].pids) == (False, ())
        assert not found["one"].runs
        place.start(4711)
        found = await place.host.services(wanted)
        assert (found["one"].runs, found["one"].pids) == (True, (4711,))
        assert not found["other"].runs
        assert await place.host.services({}) == {}

    @pytest.mark.parametrize("state", [*RunState])
    async def test_it_tells_whether_it_is_on_its_way(self, place: Place, state: RunState) -> None:
        place.become(state)
        assert await place.host.run_state() is state

    @pytest.mark.parametrize(("restart", "press"), [(True, "reboot"), (False, "poweroff")])
    async def test_it_can_be_shut_down(self, place: Place, restart: bool, press: str) -> None:
        await place.host.power(restart=restart)
        assert list(place.presses()) == [press]

    async def test_what_keeps_it_from_shutting_down_is_told(self, place: Place) -> None:
        place.refuse_power()
        with pytest.raises(OSError, match="an inhibitor"):
            await place.host.power(restart=False)
        assert list(place.presses()) == []
