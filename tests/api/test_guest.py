"""``vm.reset`` and ``vm.get_guest_network_interfaces``."""

from pathlib import Path

from tests.api.answers import shaped, with_roles
from tests.harness import Host, server
from vmstead.adapters.memory_engine import Script
from vmstead.ports.engine import GuestInterface

TELLS = [GuestInterface("eth0", "00:a0:98:12:34:56", (("192.0.2.7", 24), ("2001:db8::7", 64)))]


async def make(host: Host, interfaces: list[GuestInterface] | None = None) -> str:
    vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
    host.engine.scripts[vm["uuid"]] = Script(interfaces=interfaces)
    return str(vm["uuid"])


async def test_a_guest_tells_of_its_network(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host, TELLS)
        await host.api.call("vm.start", 1)
        assert await shaped(host, "vm.get_guest_network_interfaces", 1) == [
            {
                "name": "eth0",
                "hardware_address": "00:a0:98:12:34:56",
                "ip_addresses": [
                    {"ip_address": "192.0.2.7", "prefix": 24, "ip_address_type": "IPV4"},
                    {"ip_address": "2001:db8::7", "prefix": 64, "ip_address_type": "IPV6"},
                ],
            }
        ]
        async with with_roles(host, "READONLY_ADMIN") as reader:
            await reader.call("vm.get_guest_network_interfaces", 1)
        async with with_roles(host, "POOL_READ") as other:
            assert (await other.failure("vm.get_guest_network_interfaces", 1)).errno == 13


async def test_a_guest_that_does_not_answer_is_told_with_the_way_out(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        failure = await host.api.failure("vm.get_guest_network_interfaces", 1)
        assert failure.reason == "[EFAULT] VM 1 (a) is not running, so nobody in it can answer"
        await host.api.call("vm.start", 1)
        failure = await host.api.failure("vm.get_guest_network_interfaces", 1)
        assert failure.data["errname"] == "ENOTCONN"
        assert "install and start qemu-guest-agent" in failure.reason
        host.engine.disconnect("gone")
        failure = await host.api.failure("vm.get_guest_network_interfaces", 1)
        assert failure.data["errname"] == "EHOSTUNREACH"
        assert (await host.api.failure("vm.get_guest_network_interfaces", 9)).data["extra"][0][2] == 2
        assert (await host.api.failure("vm.get_guest_network_interfaces", "a")).attributes == ["id"]


async def test_a_guest_is_reset_in_its_process(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        uuid = await make(host)
        failure = await host.api.failure("vm.reset", 1)
        assert failure.reason == "[EFAULT] VM 1 (a) is not running"
        await host.api.call("vm.start", 1)
        pid = (await host.api.call("vm.status", 1))["pid"]
        assert await host.api.call("vm.reset", 1) is None
        await host.api.call("vm.suspend", 1)
        await host.api.call("vm.reset", 1)
        assert host.engine.calls.count(("reset", uuid)) == 2
        assert (await host.api.call("vm.status", 1))["pid"] == pid
        assert (await host.api.failure("vm.reset", 9)).data["extra"][0][2] == 2
        assert (await host.api.failure("vm.reset", "a")).attributes == ["id"]
        async with with_roles(host, "VM_READ") as reader:
            assert (await reader.failure("vm.reset", 1)).errno == 13
        async with with_roles(host, "VM_WRITE") as writer:
            await writer.call("vm.reset", 1)
