"""A server that is killed in the middle of something: the next one has all of it or nothing."""

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.processes import midclt, program, serving

MiB = 1024 * 1024


async def call(state: Path, method: str, *params: object) -> Any:
    arguments = [json.dumps(param) for param in params]
    result = await midclt(f"ws+unix://{state}.sock", "call", method, *arguments)
    assert result.status == 0, result
    return json.loads(result.stdout)


def storage(state: Path) -> set[str]:
    return {path.name for path in (state / "pools").rglob("*") if path.is_file()}


@pytest.mark.parametrize("megabytes", [1, 64, 256])
async def test_a_clone_is_there_as_a_whole_or_not_at_all(tmp_path: Path, megabytes: int) -> None:
    """Killed as soon as something of the copy shows; how far it has come by then is chance."""
    state = tmp_path / "state"
    async with serving(state) as server:
        await call(state, "vm.create", {"name": "a", "memory": 64})
        for name, size in (("first", MiB), ("second", megabytes * MiB)):
            attributes = {"dtype": "RAW", "path": f"/mnt/default/{name}", "size": size}
            await call(state, "vm.device.create", {"vm": 1, "attributes": attributes})
            (state / "pools/default" / name).write_bytes(os.urandom(size))
        before = storage(state)
        cloning = [sys.executable, "-m", "vmstead.cli.midclt", "-u", f"ws+unix://{state}.sock"]
        async with program(*cloning, "call", "vm.clone", "1", "b"):
            while storage(state) == before:
                os.sched_yield()
            await server.end(signal.SIGKILL)
    async with serving(state):
        rows = await call(state, "vm.query")
        if len(rows) == 1:
            assert storage(state) == before
        else:
            assert storage(state) == before | {"first_b", "second_b"}
            assert len(rows[1]["devices"]) == 2
