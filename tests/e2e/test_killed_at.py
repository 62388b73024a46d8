"""A server that is killed at any step of a change: the next one has all of it or nothing, and all else."""

import hashlib
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Host, server
from tests.mortal import attempt

MiB = 1024 * 1024


async def prepare(tmp_path: Path) -> None:
    """A VM with all kinds of storage, another one, and what belongs to nobody."""
    pool = tmp_path / "state/pools/default"
    async with server(tmp_path) as host:
        call = host.api.call
        await call("vm.create", {"name": "a", "memory": 64, "trusted_platform_module": True})
        await call("vm.create", {"name": "other", "memory": 64})
        for vm, attributes in (
            (1, {"dtype": "DISK", "create_zvol": True, "zvol_name": "default/d0", "zvol_volsize": MiB}),
            (1, {"dtype": "RAW", "path": "/mnt/default/r.img", "size": MiB}),
            (1, {"dtype": "NIC"}),
            (2, {"dtype": "RAW", "path": "/mnt/default/other.img", "size": MiB}),
        ):
            await call("vm.device.create", {"vm": vm, "attributes": attributes})
        await call("pool.dataset.create", {"name": "default/sub/fs", "create_ancestors": True})
        for name in ("default/free", "default/sub/v"):
            volume = {"name": name, "type": "VOLUME", "volsize": MiB, "comments": "kept"}
            await call("pool.dataset.create", volume)
        for name in (".volumes/d0", "r.img", "other.img", ".volumes/free", ".volumes/sub/v"):
            (pool / name).write_bytes(f"precious {name}".encode().ljust(MiB, b"\0"))
        (pool / "image.raw").write_bytes(b"image".ljust(MiB, b"\0"))
        (pool / "sub/fs/file").write_bytes(b"file")
        for dataset in ("default/d0", "default/free", "default/sub/v"):
            await call("pool.snapshot.create", {"dataset": dataset, "name": "then"})
        (pool / ".volumes/d0").write_bytes(b"written since".ljust(MiB, b"\0"))
        for row in await call("vm.query"):
            (tmp_path / f"state/nvram/{row['uuid']}_VARS.fd").write_bytes(f"variables {row['name']}".encode())


async def world(tmp_path: Path, host: Host) -> dict[str, Any]:
    """All that a user has and all that could be left behind, without what is made up at random."""
    state, call = tmp_path / "state", host.api.call
    names = {row["uuid"]: row["name"] for row in await call("vm.query")}
    files = {}
    for path in sorted(each for folder in ("pools", "nvram") for each in (state / folder).rglob("*")):
        # Scratch, which the next change writes anew, and folders that volumes may lie in.
        if path.name == ".datasets.new" or (path.is_dir() and ".volumes" in path.parts):
            continue
        name = str(path.relative_to(state))
        for uuid, vm in names.items():
            name = name.replace(uuid, vm)
        files[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
    return {
        "vms": [
            {
                **{key: value for key, value in row.items() if key not in ("uuid", "devices")},
                "devices": [
                    {
                        **device,
                        "attributes": {
                            key: value
                            for key, value in device["attributes"].items()
                            if key not in ("serial", "mac")
                        },
                    }
                    for device in row["devices"]
                ],
            }
            for row in await call("vm.query")
        ],
        "files": files,
        "datasets": [
            (each["id"], each.get("comments", {}).get("value")) for each in await call("pool.dataset.query")
        ],
        "snapshots": [each["id"] for each in await call("pool.snapshot.query")],
        "unfinished": host.server.services.unfinished.all(),
    }


NEW = {"dtype": "DISK", "create_zvol": True, "zvol_name": "default/d1", "zvol_volsize": MiB}
NEW_FILE = {"dtype": "RAW", "path": "/mnt/default/new.img", "size": MiB}
EXISTING = {"type": "VOLUME", "volsize": MiB}
CALLS: dict[str, tuple[str, list[Any]]] = {
    "create": ("vm.create", [{"name": "b", "memory": 64}]),
    "update": (
        "vm.update",
        [1, {"memory": 128, "devices": [{"id": 1}, {"attributes": NEW}, {"attributes": NEW_FILE}]}],
    ),
    "rename": ("vm.update", [1, {"name": "renamed"}]),
    "clone": ("vm.clone", [1, "b"]),
    "delete": ("vm.delete", [1]),
    "delete with volumes": ("vm.delete", [1, {"zvols": True}]),
    "volume for a disk": ("vm.device.create", [{"vm": 1, "attributes": NEW}]),
    "file for a disk": ("vm.device.create", [{"vm": 1, "attributes": NEW_FILE}]),
    "another volume": ("vm.device.update", [1, {"attributes": {**NEW, "path": None}}]),
    "larger file": ("vm.device.update", [2, {"attributes": {"size": 2 * MiB}}]),
    "disk away": ("vm.device.delete", [1]),
    "disk and volume away": ("vm.device.delete", [1, {"zvol": True}]),
    "disk and file away": ("vm.device.delete", [2, {"raw_file": True}]),
    "snapshot": ("pool.snapshot.create", [{"dataset": "default/d0", "name": "now"}]),
    "snapshot that exists": ("pool.snapshot.create", [{"dataset": "default/d0", "name": "then"}]),
    "snapshot cloned": (
        "pool.snapshot.clone",
        [
            {
                "snapshot": "default/d0@then",
                "dataset_dst": "default/copy",
                "dataset_properties": {"comments": "x"},
            }
        ],
    ),
    "snapshot cloned onto a volume": (
        "pool.snapshot.clone",
        [{"snapshot": "default/d0@then", "dataset_dst": "default/free"}],
    ),
    "snapshot rolled back to": ("pool.snapshot.rollback", ["default/d0@then"]),
    "snapshot away": ("pool.snapshot.delete", ["default/d0@then"]),
    "volume": (
        "pool.dataset.create",
        [{"name": "default/x/y/v", **EXISTING, "create_ancestors": True, "comments": "c"}],
    ),
    "volume that exists": ("pool.dataset.create", [{"name": "default/free", **EXISTING}]),
    "file system": (
        "pool.dataset.create",
        [{"name": "default/x/fs", "create_ancestors": True, "comments": "c"}],
    ),
    "file system that exists": ("pool.dataset.create", [{"name": "default/sub/fs"}]),
    "volume grown": ("pool.dataset.update", ["default/free", {"volsize": 2 * MiB, "comments": "c"}]),
    "volume away": ("pool.dataset.delete", ["default/free", {"recursive": True}]),
    "file system away": ("pool.dataset.delete", ["default/sub", {"recursive": True}]),
    "import": ("vm.import_disk_image", [{"diskimg": "/mnt/default/image.raw", "zvol": "default/free"}]),
    "export": (
        "vm.export_disk_image",
        [{"format": "raw", "directory": "/mnt/default/sub", "zvol": "default/free"}],
    ),
    "conversion": (
        "vm.device.convert",
        [{"source": "/dev/zvol/default/free", "destination": "/mnt/default/new.qcow2"}],
    ),
    "upload": ("filesystem.file_receive", ["/mnt/default/small", "aGVsbG8="]),
    "upload over a file": ("filesystem.file_receive", ["/mnt/default/sub/fs/file", "aGVsbG8="]),
    "upload to the end": (
        "filesystem.file_receive",
        ["/mnt/default/sub/fs/file", "aGVsbG8=", {"append": True}],
    ),
    "folder": ("filesystem.mkdir", [{"path": "/mnt/default/folder"}]),
}


#: What has grown stays so: nothing is lost by that, and something may have been written there since.
GROWING = {"larger file": "pools/default/r.img", "volume grown": "pools/default/.volumes/free"}


@pytest.mark.parametrize("name", CALLS)
async def test_a_killed_server_has_done_all_or_nothing(tmp_path: Path, name: str) -> None:
    method, params = CALLS[name]
    origin = tmp_path / "origin"
    origin.mkdir()
    await prepare(origin)
    before = await seen(origin)

    def copy(number: int) -> Path:
        folder = tmp_path / str(number)
        shutil.copytree(origin, folder)
        return folder

    whole = attempt(copy(0), method, params)
    after = await seen(tmp_path / "0")
    assert (before == after) is (whole.failure is not None), whole.failure
    assert whole.steps or whole.failure
    for at, step in enumerate(whole.steps, 1):
        folder = copy(at)
        assert attempt(folder, method, params, at).killed
        found = await seen(folder)
        if found != after:
            if name in GROWING and found["files"][GROWING[name]] == after["files"][GROWING[name]]:
                found["files"][GROWING[name]] = before["files"][GROWING[name]]
            assert found == before, f"killed before {step}: {difference(before, found)}"
            # Nothing is in the way of doing it now.
            assert attempt(folder, method, params).failure == whole.failure
            assert await seen(folder) == after, step
        shutil.rmtree(folder)


async def seen(folder: Path) -> dict[str, Any]:
    """The world, as a server that is started on it tells of it."""
    async with server(folder) as host:
        return await world(folder, host)


def difference(expected: dict[str, Any], found: dict[str, Any]) -> str:
    """What is not as it should be, for a person."""
    parts = []
    for key, value in expected.items():
        if isinstance(value, dict):
            parts += [str(each) for each in sorted(value.items() ^ found[key].items())]
        elif value != found[key]:
            parts.append(f"{key}: {value} -> {found[key]}")
    return "; ".join(parts)
