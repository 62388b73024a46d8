"""The versions of the API: which there are, and what each has that others have not."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.api.test_auth import account
from tests.harness import PATIENCE, Host, server
from vmstead import editions
from vmstead.adapters.fake_host import FakeHost
from vmstead.errors import ENOMETHOD
from vmstead.ports.hardware import UsbDevice
from vmstead.ports.host import Interface
from vmstead.rpc.registry import table
from vmstead.surface import EVENT_ROLES, NAMESPACES

BEFORE_26 = ["v25.04.2", "v25.10.0", "v25.10.1", "v25.10.2", "v25.10.3", "v25.10.4", "v25.10.5"]
ALL = [*BEFORE_26, "v26.0.0"]
#: What TrueNAS 25.10 has for a VM and for devices, by its models.
VM = {
    *("command_line_args", "cpu_mode", "cpu_model", "name", "description", "vcpus", "cores", "threads"),
    *("cpuset", "nodeset", "enable_cpu_topology_extension", "pin_vcpus", "suspend_on_snapshot"),
    *("trusted_platform_module", "memory", "min_memory", "hyperv_enlightenments", "bootloader"),
    *("bootloader_ovmf", "autostart", "hide_from_msr", "ensure_display_device", "time", "shutdown_timeout"),
    *("arch_type", "machine_type", "uuid", "devices", "display_available", "id", "status"),
    "enable_secure_boot",
}
NIC = {"dtype", "type", "nic_attach", "mac", "trust_guest_rx_filters"}


def machine() -> FakeHost:
    network = {
        "br0": Interface("br0", is_bridge=True),
        "eth0": Interface("eth0"),
        "eth1": Interface("eth1", bridge="br0"),
    }
    return FakeHost(network=network, usb=[UsbDevice("usb_1_2", 1, 5, 0x8086, 0x1234, serial="1_2")])


async def get(host: Host, path: str, **options: Any) -> tuple[int, Any]:
    """Status and body of an answer; the body is parsed where it is JSON."""
    url = host.tcp_url.replace("ws:", "http:") + path
    async with host.http.get(url, **options) as response:
        text = await response.text()
        return response.status, json.loads(text) if response.content_type == "application/json" else text


async def test_the_versions_of_25_are_told_and_the_last_is_the_current(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        assert await get(host, "/api/versions") == (200, BEFORE_26)
        assert await get(host, "/api/boot_id") == (200, await host.machine.boot_id())


@pytest.mark.parametrize("version", [*ALL, "current"])
async def test_each_version_is_served(tmp_path: Path, version: str) -> None:
    async with server(tmp_path) as host, host.connect(version=version) as api:
        assert await api.call("core.ping") == "pong"
        status, text = await get(host, f"/api/{version}")
        assert (status, text) == (400, "This address speaks WebSocket.\n")


@pytest.mark.parametrize(
    "path", ["/api/v9.9.9", "/api/v24.10", "/api", "/api/", "/api/v25.10.0/x", "/websocketx", "/nowhere"]
)
async def test_other_addresses_are_not_there(tmp_path: Path, path: str) -> None:
    async with server(tmp_path) as host:
        assert (await get(host, path))[0] == 404


async def test_doubled_slashes_lead_to_the_right_address(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        url = host.tcp_url.replace("ws:", "http:")
        async with host.http.get(f"{url}//api///versions?x=1", allow_redirects=False) as response:
            assert response.status == 308
            assert response.headers["Location"] == "/api/versions?x=1"
        assert (await get(host, "//api//versions"))[0] == 200
        # What is not there under any spelling stays so.
        assert (await get(host, "//api//v9"))[0] == 404


async def test_an_entry_has_what_truenas_has_and_nothing_else(tmp_path: Path) -> None:
    async with server(tmp_path, machine=machine()) as host:
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        await host.api.call("vm.device.create", {"vm": 1, "attributes": {"dtype": "NIC"}})
        for version in ALL:
            async with host.connect(version=version) as api:
                await api.call("core.subscribe", "vm.query")
                vm = await api.call("vm.get_instance", 1)
                await api.call("vm.update", 1, {"description": version})
                event = await api.event(lambda event: True)
                for entry in (vm, (await api.call("vm.query"))[0], event["fields"]):
                    assert entry.keys() == VM
                    assert entry["status"].keys() == {"state", "pid", "domain_state"}
                    (device,) = entry["devices"]
                    assert device.keys() == {"id", "attributes", "vm", "order"}
                    assert device["attributes"].keys() == NIC


async def test_what_came_later_is_not_there_yet(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for method, first in (("vm.device.convert", "v25.10.0"), ("vm.device.virtual_size", "v25.10.1")):
            for version in ALL:
                async with host.connect(version=version) as api:
                    await api.call("core.set_options", {"legacy_jobs": False})
                    failure = await api.failure(method, {"path": "/mnt/default/x"})
                    if ALL.index(version) < ALL.index(first):
                        assert (failure.code, failure.errno) == (-32001, ENOMETHOD)
                        name = method.rpartition(".")[2]
                        assert failure.reason == f"[ENOMETHOD] Method '{name}' not found in 'vm.device'"
                    else:
                        assert failure.code == -32602


async def test_what_vmstead_adds_is_known_to_no_version_of_truenas(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for version in ALL:
            async with host.connect(version=version) as api:
                for method in editions.EXTENSIONS & host.server.services.methods.keys():
                    failure = await api.failure(method)
                    assert (failure.code, failure.message) == (-32601, "Method does not exist")


async def test_figures_of_guests_are_told_to_the_current_version_only(tmp_path: Path) -> None:
    name = 'reporting.realtime:{"interval": 2}'
    async with server(tmp_path) as host, host.connect(version="v25.10.5") as api:
        for each in (host.api, api):
            await each.call("core.subscribe", name)
            await each.call("core.subscribe", "vm.stats:{}")
        async with asyncio.timeout(PATIENCE):
            while not (host.api.events and api.events):
                await host.pass_time(1)
        [mine] = [event for event in host.api.events if event["collection"] == name][:1]
        assert mine["fields"]["virtual_machines"] == {}
        assert {event["collection"] for event in api.events} == {name}
        assert "virtual_machines" not in api.events[0]["fields"]
        assert api.events[0]["fields"].keys() == mine["fields"].keys() - {"virtual_machines"}


def test_every_method_is_one_of_truenas_or_said_to_be_added() -> None:
    """Who adds a method says which it is: here if TrueNAS 25.10 has it, in the editions if it has not."""
    truenas = set((Path(__file__).parent / "truenas-25.10-methods.txt").read_text().split())
    methods = table(NAMESPACES).keys()
    assert sorted(methods - truenas - editions.EXTENSIONS) == []
    assert sorted(truenas & editions.EXTENSIONS) == []
    # The same of collections; those of queries are called like the methods.
    others = {"alert.list", "core.get_jobs", "reporting.realtime", "system.reboot", "system.shutdown"}
    assert sorted(EVENT_ROLES.keys() - truenas - others - editions.EXTENSIONS) == []


async def test_options_are_answered_since_25_10(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for version in ALL:
            async with host.connect(version=version) as api:
                await api.call("vm.create", {"name": version.replace(".", ""), "memory": 64})
                options = await api.call("core.set_options", {"legacy_jobs": False})
                assert (options is None) is (version == "v25.04.2")
                # It is done in either case.
                assert await api.call("vm.log_file_download", 1) == ""


async def test_usb_devices_have_had_a_description_since_26(tmp_path: Path) -> None:
    async with server(tmp_path, machine=machine()) as host:
        for version in [*ALL, "current"]:
            async with host.connect(version=version) as api:
                choices = await api.call("vm.device.usb_passthrough_choices")
                one = await api.call("vm.device.usb_passthrough_device", "usb_1_2")
                assert choices == {"usb_1_2": one}
                has_description = version not in BEFORE_26
                assert one.keys() - {"description"} == {"capability", "available", "error"}
                assert ("description" in one) is has_description


async def test_26_groups_what_nics_attach_to(tmp_path: Path) -> None:
    async with server(tmp_path, machine=machine()) as host:
        async with host.connect(version="v26.0.0") as api:
            choices = await api.call("vm.device.nic_attach_choices")
            assert choices == {"BRIDGE": ["br0"], "MACVLAN": ["eth0"]}
        async with host.connect(version="v25.10.5") as api:
            assert (await api.call("vm.device.nic_attach_choices")).keys() == {"br0", "eth0", "user"}


async def test_26_suspends_for_snapshots_and_answers_a_deletion_with_null(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for version, suspends, deleted in (("v26.0.0", True, None), ("v25.10.5", False, True)):
            async with host.connect(version=version) as api:
                vm = await api.call("vm.create", {"name": "a", "memory": 64})
                assert vm["suspend_on_snapshot"] is suspends
                said = await api.call("vm.update", vm["id"], {"suspend_on_snapshot": False})
                assert said["suspend_on_snapshot"] is False
                other = await api.call("vm.create", {"name": "b", "memory": 64, "suspend_on_snapshot": False})
                assert other["suspend_on_snapshot"] is False
                for each in (vm, other):
                    assert await api.call("vm.delete", each["id"]) is deleted


async def test_26_has_given_up_some_methods(tmp_path: Path) -> None:
    async with server(tmp_path) as host, host.connect(version="v26.0.0") as api:
        for method in ("vm.import_disk_image", "vm.export_disk_image", "vm.device.pptdev_choices"):
            assert (await api.failure(method)).code == -32601


async def test_logins_have_known_scram_refusals_and_reconnecting_since_26(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await account(host)
        await account(host, "nobody", "open sesame", "")
        data = {"mechanism": "PASSWORD_PLAIN", "username": "alice", "password": "open sesame"}
        for version in [*ALL, "current"]:
            is_new = version not in BEFORE_26
            async with host.connect(over_tcp=True, version=version) as api:
                ways = await api.call("auth.mechanism_choices")
                assert ways[:3] == ["API_KEY_PLAIN", "TOKEN_PLAIN", "PASSWORD_PLAIN"]
                assert ("SCRAM" in ways) is is_new
                refused = await api.call("auth.login_ex", {**data, "username": "nobody"})
                assert refused == {"response_type": "DENIED" if is_new else "AUTH_ERR"}
                options = {"login_options": {"reconnect_token": True}}
                answer = await api.call("auth.login_ex", {**data, **options})
                assert answer["response_type"] == "SUCCESS"
                assert ("reconnect_token" in answer) is is_new


async def test_the_older_protocol_speaks_of_25_10(tmp_path: Path) -> None:
    async with server(tmp_path, machine=machine()) as host, host.dial("/websocket") as socket:
        await socket.send_json({"msg": "connect", "version": "1"})
        await socket.receive_json()
        method = "vm.device.usb_passthrough_device"
        await socket.send_json({"msg": "method", "id": "i", "method": method, "params": ["usb_1_2"]})
        answer = await socket.receive_json()
        assert "description" not in answer["result"]


async def test_a_connection_with_another_verb_is_refused(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        url = host.tcp_url.replace("ws:", "http:")
        async with host.http.post(f"{url}/api/current") as response:
            assert response.status == 405
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            async with host.http.ws_connect(f"{host.tcp_url}/api/v1.2.3"):
                pass
        assert refused.value.status == 404
