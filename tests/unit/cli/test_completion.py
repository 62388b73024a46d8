"""Shells complete commands, options and names."""

import asyncio
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.unit.cli.verbs.desk import Desk, desk
from vmstead.cli.main import main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_is_told_how(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert f"_VMSTEAD_COMPLETE={shell}_complete" in result.stdout


async def completed(at: Desk, line: str, **environment: str) -> list[str]:
    """What fish offers for the last word of a line, with the explanations."""
    words = line.split(" ")
    variables = {
        "_VMSTEAD_COMPLETE": "fish_complete",
        "COMP_WORDS": " ".join(words),
        "COMP_CWORD": words[-1],
        "VMSTEAD_URI": f"ws+unix://{at.host.config.socket}",
        **environment,
    }
    runner = CliRunner(env=variables)
    result = await asyncio.to_thread(runner.invoke, main, [], prog_name="vmstead")
    assert result.exit_code == 0, result
    offered = [entry.split(",", 1)[1] for entry in result.stdout.splitlines() if entry.startswith("plain,")]
    return [entry.replace("\t", " ") for entry in offered]


async def test_commands_names_and_numbers(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        await at.vm("web02")
        await at.vm("db01")
        await at.host.api.call("vm.start", 2)
        assert await completed(at, "vmstead vo") == ["volume Volumes: the disks of virtual machines."]
        assert await completed(at, "vmstead vm res") == [
            "restart Stop a virtual machine and start it anew.",
            "reset Press a virtual machine's reset button.",
            "resume Let a suspended virtual machine go on.",
        ]
        assert await completed(at, "vmstead vm start w") == ["web01 stopped", "web02 running"]
        assert await completed(at, "vmstead vm start web01 d") == ["db01 stopped"]
        assert await completed(at, "vmstead vm console web") == ["web01 stopped", "web02 running"]
        assert await completed(at, "vmstead vm set web01 mem") == ["memory="]
        assert await completed(at, "vmstead vm wait web01 --for s") == ["stopped", "suspended"]
        await at.done("vm", "devices", "add", "web01", "disk", "size=1M", "serial=abc")
        assert await completed(at, "vmstead vm devices remove web01 ") == [
            "1 DISK AHCI /dev/zvol/default/web01 serial abc"
        ]
        assert await completed(at, "vmstead volume delete default/") == ["default/web01"]


async def test_another_server_is_asked_where_the_line_names_it(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        uri = f"ws+unix://{at.host.config.socket}"
        nowhere = {"VMSTEAD_URI": "ws+unix:///nonexistent"}
        assert await completed(at, f"vmstead vm -u {uri} start w", **nowhere) == ["web01 stopped"]
        # Where nobody answers, or a password would have to be typed, nothing is offered.
        assert await completed(at, "vmstead vm start w", **nowhere) == []
        assert await completed(at, "vmstead vm -U alice start w") == []


async def test_networks_are_completed_without_a_server(tmp_path: Path) -> None:
    (tmp_path / "networks").mkdir()
    record = '{"bridge": "lan9", "port": "enp9s0", "manager": "networkd"}'
    (tmp_path / "networks/lan9.json").write_text(record)
    variables = {
        "_VMSTEAD_COMPLETE": "fish_complete",
        "COMP_WORDS": "vmstead network delete la",
        "COMP_CWORD": "la",
        "VMSTEAD_STATE": str(tmp_path),
        "VMSTEAD_ENGINE": "memory",
    }
    result = await asyncio.to_thread(CliRunner(env=variables).invoke, main, [], prog_name="vmstead")
    assert result.stdout == "plain,lan9\tBRIDGE\n"
