"""``vmstead backup`` and ``vmstead restore`` as a person runs them."""

import json
from pathlib import Path
from typing import Any

import msgspec

from tests.harness import server
from tests.processes import Result, midclt, serving, vmstead
from vmstead.store.files import DATABASE, RESTORING
from vmstead.store.restore import Move


async def call(state: Path, *arguments: str) -> Any:
    result = await midclt(f"ws+unix://{state}.sock", "call", *arguments)
    assert result.status == 0, result
    return json.loads(result.stdout)


async def test_settings_are_saved_while_the_server_runs_and_put_back_while_it_does_not(
    tmp_path: Path,
) -> None:
    state, file, settings = tmp_path / "state", tmp_path / "saved", tmp_path / "vmstead.toml"
    settings.write_text("history = 5\n")

    async def run(*arguments: str) -> Result:
        return await vmstead(
            *arguments, "--state", str(state), "--config", str(settings), env={"VMSTEAD_CONFIG": ""}
        )

    password = json.dumps({"vm": 1, "attributes": {"dtype": "DISPLAY", "password": "hunter2"}})
    async with serving(state) as running:
        await call(state, "vm.create", '{"name": "web01", "memory": 64}')
        await call(state, "vm.device.create", password)
        saved = await run("backup", str(file))
        assert (saved.status, saved.stderr) == (0, "")
        assert saved.stdout.startswith(f"Saved 1 virtual machine and 0 accounts in {file} (0.")
        await call(state, "vm.update", "1", '{"name": "renamed"}')
        refused = await run("restore", str(file))
        assert (refused.status, "stop it first" in refused.stderr) == (1, True)
        assert (await call(state, "vm.get_instance", "1"))["name"] == "renamed"
        await running.end()
    assert "hunter2" not in file.read_bytes().decode("latin-1")
    checked = await run("restore", "--check", str(file))
    assert checked.stdout.startswith(f"{file} is sound: 1 virtual machine and 0 accounts, of 20")
    restored = await run("restore", str(file))
    assert (restored.status, restored.stderr) == (0, "")
    assert f"What was there before is in {state}/vmstead.db.before-" in restored.stdout
    async with serving(state):
        [vm] = await call(state, "vm.query")
        assert (vm["name"], vm["devices"][0]["attributes"]["password"]) == ("web01", "hunter2")
        entries = await call(state, "audit.query", '{"query-filters": [["event", "=", "METHOD_CALL"]]}')
        told = [each["event_data"]["method"] for each in entries]
        assert told[-3:] == ["vmstead backup", "vm.update", "vmstead restore"]


async def test_what_is_no_good_ends_with_one_line(tmp_path: Path) -> None:
    state, file = tmp_path / "state", tmp_path / "saved"
    for arguments, text in (
        (("restore", str(tmp_path / "nowhere")), "nowhere: No such file or directory. Nothing was changed"),
        (("backup", str(file)), "there is nothing to save in"),
        (("backup", str(tmp_path / "no" / "folder")), "there is nothing to save in"),
    ):
        result = await vmstead(*arguments, "--state", str(state))
        assert (result.status, result.stdout, len(result.stderr.splitlines())) == (1, "", 1)
        assert text in result.stderr
    file.write_text("no backup")
    result = await vmstead("restore", str(file), "--state", str(state))
    assert "is damaged, or no backup" in result.stderr
    assert not (state / DATABASE).exists()


async def test_a_server_takes_back_what_a_killed_restore_began(tmp_path: Path) -> None:
    state = tmp_path / "state"
    async with server(tmp_path) as host:
        await host.api.call("vm.create", {"name": "a", "memory": 64})
    place, kept = state / DATABASE, state / f"{DATABASE}.before-now"
    place.rename(kept)
    place.write_text("half of another")
    moves = [Move(str(place), str(kept), was_there=True, new=None)]
    (state / RESTORING).write_bytes(msgspec.json.encode(moves))
    async with server(tmp_path) as host:
        assert [vm["name"] for vm in await host.api.call("vm.query")] == ["a"]
    assert not kept.exists()
    assert not (state / RESTORING).exists()
