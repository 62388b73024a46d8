"""Displays, logs, events and the console, from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.cli.verbs.desk import Desk, desk
from vmstead.adapters.memory_engine import MemoryConsole
from vmstead.cli.verbs.look import address


def shown(kind: str, bind: str, *, has_password: bool = False) -> dict[str, Any]:
    attributes = {"type": kind, "bind": bind, "port": 5910}
    return {"attributes": attributes, "password_configured": has_password}


@pytest.mark.parametrize(
    ("display", "host", "uri", "note"),
    [
        (shown("SPICE", "127.0.0.1"), None, "spice://127.0.0.1:5910", ""),
        (shown("SPICE", "127.0.0.1"), "localhost", "spice://127.0.0.1:5910", ""),
        (
            shown("SPICE", "127.0.0.1"),
            "vmhost",
            "spice://127.0.0.1:5910",
            "ssh -L 5910:localhost:5910 vmhost",
        ),
        (shown("VNC", "0.0.0.0"), None, "vnc://localhost:5910", ""),
        (shown("VNC", "0.0.0.0"), "vmhost", "vnc://vmhost:5910", ""),
        (
            shown("VNC", "::", has_password=True),
            "2001:db8::1",
            "vnc://[2001:db8::1]:5910",
            "asks for a password",
        ),
        (shown("VNC", "192.0.2.7"), "vmhost", "vnc://192.0.2.7:5910", ""),
    ],
)
def test_where_a_screen_is(display: dict[str, Any], host: str | None, uri: str, note: str) -> None:
    found = address(display, host)
    assert found["uri"] == uri
    assert note in found["note"]
    assert bool(note) is bool(found["note"])


async def test_each_screen_has_a_line_and_so_has_the_page(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        assert await at.refused("vm", "display", "web01") == (
            4,
            "web01 has no display; add one: vmstead vm devices add web01 display",
        )
        await at.done("vm", "devices", "add", "web01", "display", "port=5910")
        await at.done("vm", "devices", "add", "web01", "display", "type=VNC", "port=5911", "password=secret")
        outcome = await at.run("vm", "display", "web01")
        assert [row[:2] for row in outcome.rows[:3]] == [
            ["TYPE", "ADDRESS"],
            ["SPICE", "spice://127.0.0.1:5910"],
            ["VNC", "vnc://127.0.0.1:5911"],
        ]
        assert outcome.rows[3][0] == "WEB"
        assert "secret" not in outcome.stdout
        assert "asks for a password" in outcome.stdout
        assert [each["type"] for each in await at.json("vm", "display", "web01")] == ["SPICE", "VNC", "WEB"]
        status, text = await at.refused("vm", "display", "web01", "--open")
        assert (status, text) == (1, "web01 is not running; start it first")
        await at.done("vm", "start", "web01")
        status, text = await at.refused("vm", "display", "web01", "--open")
        assert status == 1
        assert "remote-viewer cannot be run" in text


async def console(at: Desk) -> MemoryConsole:
    (vm,) = await at.host.api.call("vm.query")
    found = await at.host.engine.console(vm["uuid"])
    assert isinstance(found, MemoryConsole)
    return found


async def test_logs(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        assert await at.done("vm", "log", "web01") == ""
        for text in ("first run", "second run"):
            await at.done("vm", "start", "web01")
            (await console(at)).print(text.encode())
            await at.done("vm", "poweroff", "web01")
        assert await at.done("vm", "log", "web01", "--console") == "second run"
        assert await at.done("vm", "log", "web01", "--console", "--previous") == "first run"
        assert await at.json("vm", "log", "web01", "--console") == "second run"
        assert await at.refused("vm", "log", "web01", "--previous") == (2, "--previous goes with --console")


async def test_events_as_they_happen(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        await at.vm("other")
        watching = at.begin("vm", "events", "web01", "-n", "4")
        await at.subscribed("vm.query")
        await at.host.api.call("vm.start", 2)
        await at.host.api.call("vm.start", 1)
        await at.host.api.call("vm.update", 1, {"description": "The web server"})
        await at.host.api.call("vm.poweroff", 1)
        await at.host.api.call("vm.delete", 1)
        outcome = await watching
        lines = [line.split()[1:] for line in outcome.stdout.splitlines()]
        # What was known before may have been asked for only after the start.
        assert lines[0] in (["web01", "RUNNING"], ["web01", "running"])
        assert lines[1][:2] in (["web01", "changed:"], ["web01", "changed"])
        assert lines[2:] == [["web01", "STOPPED"], ["web01", "deleted"]]


async def test_events_for_programs(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        watching = at.begin("vm", "events", "--json", "-n", "1")
        await at.subscribed("vm.query")
        await at.host.api.call("vm.start", 1)
        event = json.loads((await watching).stdout)
        assert (event["collection"], event["id"], event["fields"]["status"]["state"]) == (
            "vm.query",
            1,
            "RUNNING",
        )
