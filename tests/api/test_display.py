"""Displays: what is told of them, where a browser finds them, which ports are free."""

from pathlib import Path
from typing import Any

from tests.harness import Host, server


async def add(host: Host, **attributes: Any) -> dict[str, Any]:
    device: dict[str, Any] = await host.api.call(
        "vm.device.create", {"vm": 1, "attributes": {"dtype": "DISPLAY", **attributes}}
    )
    return device


async def make(host: Host) -> None:
    await host.api.call("vm.create", {"name": "a", "memory": 64})


async def test_only_displays_are_told_with_whether_they_have_a_password(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        await host.api.call("vm.device.create", {"vm": 1, "attributes": {"dtype": "NIC"}})
        spice = await add(host, password="secret")
        vnc = await add(host, type="VNC", password="")
        assert await host.api.call("vm.get_display_devices", 1) == [
            {**spice, "password_configured": True},
            {**vnc, "password_configured": False},
        ]
        assert await host.api.call("vm.get_display_devices", 99) == []


async def test_the_first_display_that_the_page_offers_has_an_address(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        nothing = {"error": "Display device is not configured for this VM", "uri": None}
        assert await host.api.call("vm.get_display_web_uri", 1) == nothing
        assert await host.api.call("vm.get_display_web_uri", 99) == nothing
        hidden = await add(host, type="VNC", web=False)
        assert await host.api.call("vm.get_display_web_uri", 1) == {
            "error": "Web display is not configured",
            "uri": None,
        }
        shown = await add(host)
        assert hidden["id"] < shown["id"] == 2
        tail = "/vm/display/2/spice_auto.html?path=vm%2Fdisplay%2F2%2F&autoconnect=1"
        for params, start in (
            (["nas.example:8443"], "http://nas.example:8443"),
            (["[2001:db8::1]", {"protocol": "HTTPS"}], "https://[2001:db8::1]"),
        ):
            answer = await host.api.call("vm.get_display_web_uri", 1, *params)
            assert answer == {"error": None, "uri": start + tail}


async def test_without_a_host_the_address_is_where_the_client_reached_the_server(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make(host)
        await add(host)
        token = await host.api.call("auth.generate_token", 60, {}, False)
        async with host.connect(over_tcp=True) as api:
            answer = await api.call("auth.login_ex", {"mechanism": "TOKEN_PLAIN", "token": token})
            assert answer["response_type"] == "SUCCESS"
            uri = (await api.call("vm.get_display_web_uri", 1))["uri"]
            assert uri.startswith(f"http{host.tcp_url.removeprefix('ws')}/vm/display/1/")


async def test_free_ports_are_those_that_nothing_has(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        assert await host.api.call("vm.port_wizard") == {"port": 5900, "web": 5901}
        await make(host)
        await add(host, port=5901, web_port=5903)
        host.machine.ports |= {5900, 5904}
        assert await host.api.call("vm.port_wizard") == {"port": 5902, "web": 5905}


async def test_resolutions_are_told_largest_first(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        choices = await host.api.call("vm.resolution_choices")
        assert list(choices) == list(choices.values())
        assert (*choices,)[:: len(choices) - 1] == ("1920x1200", "640x480")
        assert len(choices) == 10
