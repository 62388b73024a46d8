"""Which server, as whom, and how a verb ends."""

import os
import re
import sys
from pathlib import Path

import pytest

from tests.api.test_auth import account, api_key
from tests.harness import PATIENCE
from tests.unit.cli.verbs.desk import desk
from vmstead.kernel.run import run


async def test_who_gives_a_name_is_asked_for_the_password(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await account(at.host)
        far = ["vm", "-u", at.host.tcp_url, "-U", "alice", "list"]
        outcome = await at.run(*far, stdin="open sesame\n")
        assert outcome.status == 0
        assert outcome.stdout.startswith("ID  NAME")
        assert "Password:" in outcome.stderr
        assert "open sesame" not in outcome.stdout + outcome.stderr
        outcome = await at.run(*far, stdin="wrong\n")
        assert outcome.status == 3
        assert outcome.stderr.endswith("Error: Invalid username or password\n")
        by_variable = {"VMSTEAD_URI": at.host.tcp_url, "VMSTEAD_USERNAME": "alice"}
        assert (await at.run("job", "list", stdin="open sesame\n", **by_variable)).status == 0


async def test_who_has_a_key_in_a_file_is_asked_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        key = tmp_path / "key"
        key.write_text(await api_key(at.host, await account(at.host)) + "\n")
        assert (await at.run("vm", "-u", at.host.tcp_url, "-K", str(key), "list")).status == 0
        key.write_text("1-wrong")
        outcome = await at.run("vm", "-u", at.host.tcp_url, "-K", str(key), "list")
        assert (outcome.status, outcome.stderr) == (3, "Error: Invalid API key\n")
        assert await at.refused("vm", "-K", "/nonexistent", "list") == (
            2,
            "Invalid value for '-K' / '--api-key-file': File '/nonexistent' does not exist.",
        )


async def test_who_is_not_let_in_or_finds_nobody_is_told_in_one_line(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        for uri, text in (
            (at.host.tcp_url, "[ENOTAUTHENTICATED] Not authenticated"),
            (
                "ws+unix:///nonexistent/s",
                "Cannot connect to ws+unix:///nonexistent/s: No such file or directory",
            ),
            ("ws://127.0.0.1:1", "Cannot connect to ws://127.0.0.1:1: Connection refused"),
        ):
            assert await at.refused("vm", "-u", uri, "list") == (3, text)
        status, text = await at.refused("vm", "-u", "http://h", "list")
        assert (status, text[:26]) == (3, "Not a valid server address")


async def test_a_role_that_is_missing_is_told(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        key = tmp_path / "key"
        key.write_text(await api_key(at.host, await account(at.host, "bob", None, "VM_READ")))
        await at.vm()
        reader = {"VMSTEAD_URI": at.host.tcp_url, "VMSTEAD_API_KEY_FILE": str(key)}
        assert (await at.run("vm", "list", **reader)).status == 0
        outcome = await at.run("vm", "start", "web01", **reader)
        assert (outcome.status, outcome.stderr) == (1, "Error: [EACCES] Not authorized\n")


@pytest.mark.parametrize("answer", ["n\n", "\n"])
async def test_who_does_not_agree_changes_nothing(tmp_path: Path, answer: str) -> None:
    # A terminal of its own: nobody is asked at anything else.
    async with desk(tmp_path) as at:
        await at.vm()
        uri = f"ws+unix://{at.host.config.socket}"
        seen = await at_terminal(f"vmstead vm -u {uri} delete web01", answer, "[y/N]")
        assert "Lost: its settings" in seen
        assert seen.rstrip().endswith("Error: nothing was changed")
        assert len(await at.host.api.call("vm.query")) == 1
        seen = await at_terminal(f"vmstead vm -u {uri} delete web01", "y\n", "[y/N]")
        assert seen.rstrip().endswith("Deleted web01.")


async def test_states_are_in_colour_on_a_terminal_unless_somebody_wants_none(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await at.vm()
        await at.done("vm", "start", "web01")
        line = f"vmstead vm -u ws+unix://{at.host.config.socket} list"
        assert "\x1b[32mRUNNING\x1b[0m" in await at_terminal(line)
        assert "\x1b" not in await at_terminal(f"env NO_COLOR=1 {line}")
        # On a terminal, JSON is spread out for eyes.
        assert re.search(
            r'^    "name": "web01",', (await at_terminal(f"{line} --json")).replace("\r", ""), re.MULTILINE
        )
        assert "\x1b" not in await at.done("vm", "list")


async def at_terminal(line: str, typed: str = "", when: str = "") -> str:
    """What a command prints at a terminal, where somebody types when something is printed."""
    program = Path(__file__).with_name("terminal.py")
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    output = await run(
        [sys.executable, str(program), typed, when, *line.split()],
        env={"PATH": path},
        timeout=PATIENCE,
    )
    return output.decode()
