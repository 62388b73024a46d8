"""``system.*`` and its neighbours: who answers, what it runs on, and how both are set."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.api.answers import needs_role, shaped, with_roles
from tests.harness import server
from tests.unit.adapters.sysfs import build, pci_record
from tests.unit.client.certificate import self_signed
from vmstead import __version__
from vmstead.adapters.fake_host import FakeHost
from vmstead.adapters.hardware import pci_devices
from vmstead.adapters.linux_host import LinuxHost
from vmstead.addresses import Address
from vmstead.ports.hardware import PciAddress, PciDevice
from vmstead.ports.machine import Machine, RunState, TimeServer


async def test_clients_find_out_whose_api_this_is(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        # Clients take three numbers out of it, and need the first to be 25 or more.
        assert re.fullmatch(r"TrueNAS-25\.10\.\d+", await host.api.call("system.version"))
        assert (
            await host.api.call("system.version") == f"TrueNAS-{await host.api.call('system.version_short')}"
        )
        assert await host.api.call("vmstead.version") == __version__
        assert await host.api.call("system.hostname") == "fake"
        async with with_roles(host, "POOL_READ") as anybody:
            for method in ("system.version", "system.version_short", "system.hostname", "vmstead.version"):
                assert await anybody.call(method) == await host.api.call(method)


async def test_what_only_an_appliance_has_is_denied(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        calls: dict[tuple[Any, ...], Any] = {
            ("system.product_type",): "COMMUNITY_EDITION",
            ("system.feature_enabled", "VM"): True,
            ("system.feature_enabled", "DEDUP"): False,
            ("system.feature_enabled", "FIBRECHANNEL"): False,
            ("failover.licensed",): False,
            ("failover.status",): "SINGLE",
            ("failover.node",): "MANUAL",
            ("truenas.is_ix_hardware",): False,
            ("truenas.managed_by_truecommand",): False,
        }
        for call, answer in calls.items():
            assert await host.api.call(*call) == answer, call
        assert (await host.api.failure("system.feature_enabled", "FLUX")).attributes == ["feature"]
        product = [call for call in calls if call[0].startswith(("system.", "truenas."))]
        await needs_role(host, "SYSTEM_PRODUCT_READ", *product)
        await needs_role(host, "FAILOVER_READ", *(call for call in calls if call not in product))
        assert (await host.api.failure("app.query")).code == -32601


async def test_the_host_is_told_with_what_it_is_and_how_it_does(tmp_path: Path) -> None:
    machine = FakeHost(
        itself=Machine(
            "nas", processor="A 9", cores=4, serial="S1", manufacturer="Maker", has_ecc=True, id="0" * 32
        ),
        up_for=93_784.5,
    )
    async with server(tmp_path, machine=machine) as host:
        found = await shaped(host, "system.info")
        now = host.clock.now()
        assert found == {
            "version": await host.api.call("system.version_short"),
            "buildtime": found["buildtime"],
            "hostname": "nas",
            "physmem": machine.total,
            "model": "A 9",
            "cores": 8,
            "physical_cores": 4,
            "loadavg": [0.5, 0.25, 0.125],
            "uptime": "1 day, 2:03:04.500000",
            "uptime_seconds": 93_784.5,
            "system_serial": "S1",
            "system_product": None,
            "system_product_version": None,
            "license": None,
            "boottime": {"$date": round((now - 93_784.5) * 1000)},
            "datetime": {"$date": round(now * 1000)},
            "timezone": "UTC",
            "system_manufacturer": "Maker",
            "ecc_memory": True,
        }
        await needs_role(host, "READONLY_ADMIN", ("system.info",), ("system.host_id",))


async def test_this_host_is_told_in_the_same_form(tmp_path: Path) -> None:
    async with server(tmp_path, machine=LinuxHost()) as host:  # type: ignore[arg-type]
        found = await shaped(host, "system.info")
        assert found["hostname"] == await host.api.call("system.hostname")
        assert found["physical_cores"] <= found["cores"]
        for method in ("system.general.config", "system.advanced.config", "network.general.summary"):
            await shaped(host, method)
        for method in ("interface.query", "disk.query", "service.query", "system.ntpserver.query"):
            await shaped(host, method)


async def test_ids_of_the_host_and_of_its_start(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(over_tcp=True) as stranger:
        assert await stranger.call("system.boot_id") == "first"
        id = await host.api.call("system.host_id")
        assert re.fullmatch("[0-9a-f]{64}", id)
        # The host's own id must not be told as it is.
        assert host.machine.itself.id not in (None, id)
        host.machine.itself = replace(host.machine.itself, id="f" * 32)
        assert await host.api.call("system.host_id") != id
        host.machine.itself = replace(host.machine.itself, id=None)
        failure = await host.api.failure("system.host_id")
        assert failure.errno == 2
        assert "systemd-machine-id-setup" in failure.reason


async def test_the_host_is_ready_when_it_is_up_and_its_guests_were_started(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.idle()
        assert await host.api.call("system.state") == "READY"
        assert await host.api.call("system.ready") is True
        host.machine.state = RunState.STARTING
        assert await host.api.call("system.state") == "BOOTING"
        assert await host.api.call("system.ready") is False
        host.machine.state = RunState.STOPPING
        assert await host.api.call("system.state") == "SHUTTING_DOWN"
        host.machine.state, host.machine.boot = RunState.RUNNING, "second"
        assert await host.api.call("system.state") == "BOOTING"
        await needs_role(host, "SYSTEM_GENERAL_READ", ("system.state",), ("system.ready",))


@pytest.mark.parametrize(
    ("listen", "ipv4", "ipv6"),
    [
        (Address("127.0.0.1", 0), ["127.0.0.1"], []),
        (Address("", 0), ["0.0.0.0"], ["::"]),
        (Address("::1", 0), [], ["::1"]),
        (None, [], []),
    ],
)
async def test_where_the_api_is_served(
    tmp_path: Path, listen: Address | None, ipv4: list[str], ipv6: list[str]
) -> None:
    async with server(tmp_path, listen=listen, plain_http=True) as host:
        found = await shaped(host, "system.general.config")
        assert (found["ui_address"], found["ui_v6address"]) == (ipv4, ipv6)
        assert found["ui_port"] == (0 if listen else None)
        assert (found["ui_httpsport"], found["ui_certificate"], found["ui_httpsprotocols"]) == (
            None,
            None,
            [],
        )
        assert (found["timezone"], found["usage_collection"]) == ("Europe/Berlin", False)
        assert found["ui_httpsredirect"] is False


async def test_with_tls_there_is_one_port_for_it(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path / "host.pem")
    async with server(tmp_path, tls_cert=certificate) as host:
        found = await shaped(host, "system.general.config")
        assert (found["ui_httpsport"], found["ui_port"]) == (0, None)
        assert found["ui_httpsprotocols"] == ["TLSv1.2", "TLSv1.3"]
        assert found["ui_certificate"] == {"id": 1, "name": "host", "certificate_path": str(certificate)}
        assert found["ui_httpsredirect"] is True


async def test_a_name_to_listen_on_is_told_as_addresses(tmp_path: Path) -> None:
    async with server(tmp_path, listen=Address("localhost", 0)) as host:
        found = await host.api.call("system.general.config")
        assert {"127.0.0.1", "::1"} >= {*found["ui_address"], *found["ui_v6address"]} > set()
        await needs_role(host, "SYSTEM_GENERAL_READ", ("system.general.config",))


async def test_what_the_hosts_kernel_is_told(tmp_path: Path) -> None:
    options = "root=/dev/sda1 console=tty0 console=ttyS1,115200n8 quiet"
    machine = FakeHost(itself=Machine("nas", motd="Hello.", kernel_options=options, has_crash_kernel=True))
    async with server(tmp_path, machine=machine, login_banner="Members only.") as host:
        found = await shaped(host, "system.advanced.config")
        assert (found["serialconsole"], found["serialport"], found["serialspeed"]) == (
            True,
            "ttyS1",
            "115200",
        )
        assert (found["kernel_extra_options"], found["kdump_enabled"]) == (options, True)
        assert (found["motd"], found["login_banner"]) == ("Hello.", "Members only.")
        assert (found["isolated_gpu_pci_ids"], found["boot_scrub"], found["anonstats"]) == ([], None, False)
        machine.itself = Machine("nas", kernel_options="console=ttyS0")
        found = await shaped(host, "system.advanced.config")
        assert (found["serialport"], found["serialspeed"]) == ("ttyS0", None)
        machine.itself = Machine("nas")
        found = await shaped(host, "system.advanced.config")
        assert (found["serialconsole"], found["serialport"]) == (False, "")
        await needs_role(
            host,
            "SYSTEM_ADVANCED_READ",
            ("system.advanced.config",),
            ("system.advanced.get_gpu_pci_choices",),
        )


async def test_what_people_read_before_they_log_in(tmp_path: Path) -> None:
    async with server(tmp_path, login_banner="Members only.") as host, host.connect(over_tcp=True) as api:
        assert await api.call("system.advanced.login_banner") == "Members only."


async def test_gpus_are_told_with_what_keeps_them_from_guests(tmp_path: Path) -> None:
    build(tmp_path / "sys", pci_record())
    others = list(pci_devices(tmp_path / "sys", []).values())
    free = PciDevice(PciAddress(0, 9, 0, 0), 0x030000, product="Card", driver="vfio-pci", iommu_group=99)
    taken = PciDevice(PciAddress(0, 10, 0, 0), 0x030200, driver="nouveau")
    machine = FakeHost(pci=[*others, taken, free])
    async with server(tmp_path, machine=machine) as host:
        choices = await shaped(host, "system.advanced.get_gpu_pci_choices")
        assert choices["Card [0000:09:00.0]"] == {
            "pci_slot": "0000:09:00.0",
            "uses_system_critical_devices": False,
            "critical_reason": None,
        }
        other = choices["Not Available [0000:0a:00.0]"]
        assert other["uses_system_critical_devices"] is True
        assert "the host needs it itself" in other["critical_reason"]
        config = await host.api.call("system.advanced.config")
        assert config["isolated_gpu_pci_ids"] == ["0000:09:00.0"]


async def test_time_servers_are_numbered_as_they_are_configured(tmp_path: Path) -> None:
    machine = FakeHost(clocks=[TimeServer("a.example", prefer=True), TimeServer("b.example", iburst=True)])
    async with server(tmp_path, machine=machine) as host:
        rows = await shaped(host, "system.ntpserver.query")
        assert [(row["id"], row["address"], row["prefer"]) for row in rows] == [
            (1, "a.example", True),
            (2, "b.example", False),
        ]
        assert await shaped(host, "system.ntpserver.get_instance", 2) == rows[1]
        assert (await host.api.failure("system.ntpserver.get_instance", 3)).data["extra"][0][2] == 2
        assert (await host.api.failure("system.ntpserver.get_instance", "a")).attributes == ["id"]
        await needs_role(
            host,
            "SYSTEM_GENERAL_READ",
            ("system.ntpserver.query",),
            ("system.ntpserver.get_instance", 1),
        )
