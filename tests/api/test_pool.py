"""``pool.*``: pools, datasets and snapshots, as clients of virtual machines use them."""

from pathlib import Path
from typing import Any

import pytest

from tests.harness import ApiFailure, Host, server

MiB = 1024 * 1024


def pool(tmp_path: Path) -> Path:
    return tmp_path / "state/pools/default"


async def volume(host: Host, name: str = "default/a", **fields: Any) -> dict[str, Any]:
    made: dict[str, Any] = await host.api.call(
        "pool.dataset.create", {"name": name, "type": "VOLUME", "volsize": MiB, **fields}
    )
    return made


async def vm_with(host: Host, attributes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    vm: dict[str, Any] = await host.api.call("vm.create", {"name": "vm", "memory": 64, **fields})
    await host.api.call("vm.device.create", {"vm": vm["id"], "attributes": attributes})
    await host.api.call("vm.start", vm["id"])
    return vm


def field_of(failure: ApiFailure) -> tuple[str, int]:
    ((field, _, number),) = failure.data["extra"]
    return field, number


def lasting(entry: dict[str, Any]) -> dict[str, Any]:
    """The entry without what other programs change on the same disk."""
    changing = {"available", "free", "allocated", "free_str", "allocated_str", "fragmentation"}
    return {key: value for key, value in entry.items() if key not in changing}


# --- pools ----------------------------------------------------------------------------------------


async def test_pools_are_told_with_their_space(tmp_path: Path) -> None:
    tank = tmp_path / "tank"
    tank.mkdir()
    async with server(tmp_path, pools={"tank": tank, "gone": tmp_path / "gone"}) as host:
        default, gone, found = await host.api.call("pool.query")
        assert [each["name"] for each in (default, gone, found)] == ["default", "gone", "tank"]
        assert (found["path"], found["status"], found["healthy"]) == ("/mnt/tank", "ONLINE", True)
        assert found["size"] == found["allocated"] + found["free"] > 0
        assert (gone["status"], gone["healthy"], gone["size"]) == ("OFFLINE", False, 0)
        # What ZFS alone has says that it is off.
        assert (found["autotrim"]["parsed"], found["dedup_table_size"]) == ("off", 0)
        one = await host.api.call("pool.get_instance", 3)
        assert (one["name"], one.keys()) == ("tank", found.keys())
        assert await host.api.call("pool.query", [["name", "=", "tank"]], {"count": True}) == 1


# --- volumes --------------------------------------------------------------------------------------


async def test_a_volume_is_made_read_grown_and_destroyed(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        properties: dict[str, Any] = {
            "volblocksize": "64K",
            "compression": "ZSTD",
            "comments": "web",
            "sparse": True,
        }
        made = await volume(host, **properties, user_properties=[{"key": "a:b", "value": "c"}])
        assert (made["id"], made["pool"], made["type"], made["mountpoint"]) == (
            "default/a",
            "default",
            "VOLUME",
            None,
        )
        assert made["volsize"]["parsed"] == MiB
        assert made["volblocksize"]["value"] == "64K"
        assert (made["comments"]["value"], made["user_properties"]["a:b"]["value"]) == ("web", "c")
        assert lasting(await host.api.call("pool.dataset.get_instance", "default/a")) == lasting(made)

        grown = await host.api.call(
            "pool.dataset.update", "default/a", {"volsize": 2 * MiB, "comments": "INHERIT"}
        )
        assert grown["volsize"]["parsed"] == 2 * MiB
        assert "comments" not in grown
        assert grown["compression"]["value"] == "ZSTD"
        shrunk = await host.api.failure("pool.dataset.update", "default/a", {"volsize": MiB})
        assert field_of(shrunk)[0] == "pool_dataset_update.volsize"
        assert "would lose data" in shrunk.reason

        assert await host.api.call("pool.dataset.delete", "default/a") is True
        names = [each["name"] for each in await host.api.call("pool.dataset.query")]
        assert names == ["default"]
        assert host.server.services.unfinished.all() == []
        # A new one of that name knows nothing of the old one.
        assert (await volume(host))["compression"]["source"] == "DEFAULT"


@pytest.mark.parametrize(
    ("fields", "field", "number"),
    [
        ({"volsize": None}, "volsize", 22),
        ({"volsize": 1000}, "volsize", 22),
        ({"volsize": -512}, "volsize", 22),
        ({"name": "nowhere/a"}, "name", 2),
        ({"name": "default/none/a"}, "name", 2),
        ({"name": "default/../a"}, "name", 22),
        ({"name": "default"}, "name", 22),
        ({"name": "default/taken"}, "name", 17),
        (
            {
                "encryption": True,
                "inherit_encryption": False,
                "encryption_options": {"passphrase": "correct horse"},
            },
            "encryption",
            22,
        ),
    ],
)
async def test_a_volume_that_cannot_be(
    tmp_path: Path, fields: dict[str, Any], field: str, number: int
) -> None:
    async with server(tmp_path) as host:
        await volume(host, "default/taken")
        values = {"name": "default/a", "type": "VOLUME", "volsize": MiB, **fields}
        failure = await host.api.failure("pool.dataset.create", values)
        assert field_of(failure) == (f"pool_dataset_create.{field}", number)
        assert host.server.services.unfinished.all() == []


async def test_the_disk_of_an_active_vm_is_not_destroyed(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await volume(host)
        await vm_with(host, {"dtype": "DISK", "path": "/dev/zvol/default/a"})
        failure = await host.api.failure("pool.dataset.delete", "default/a", {"force": True})
        assert field_of(failure) == ("id", 16)
        assert "VM 1 (vm), which is active" in failure.reason
        await host.api.call("vm.poweroff", 1)
        await host.api.call("pool.dataset.delete", "default/a")


async def test_what_is_not_there_is_told_as_such(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for method, *params in (
            ("pool.dataset.get_instance", "default/none"),
            ("pool.dataset.update", "default/none", {}),
            ("pool.dataset.delete", "default/none"),
            ("pool.snapshot.get_instance", "default/none@a"),
            ("pool.snapshot.delete", "default/none@a"),
            ("pool.snapshot.rollback", "default/none@a"),
        ):
            failure = await host.api.failure(method, *params)
            assert "[ENOENT]" in failure.reason, method
            assert "default/none" in failure.reason


# --- file systems ---------------------------------------------------------------------------------


async def test_a_file_system_is_a_folder_and_goes_with_what_is_in_it(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        made = await host.api.call(
            "pool.dataset.create", {"name": "default/vms/isos", "create_ancestors": True}
        )
        assert (made["type"], made["mountpoint"]) == ("FILESYSTEM", "/mnt/default/vms/isos")
        await volume(host, "default/vms/disk")
        (pool(tmp_path) / "vms/isos/a.iso").write_bytes(b"image")
        choices = await host.api.call("pool.filesystem_choices", ["FILESYSTEM"])
        assert choices == ["default", "default/vms", "default/vms/isos"]
        assert await host.api.call("pool.filesystem_choices", ["VOLUME"]) == ["default/vms/disk"]
        assert await host.api.call("pool.dataset.recommended_zvol_blocksize", "default") == "16K"

        failure = await host.api.failure("pool.dataset.delete", "default/vms")
        assert field_of(failure) == ("id", 39)
        await host.api.call("pool.dataset.delete", "default/vms", {"recursive": True})
        assert [each["name"] for each in await host.api.call("pool.dataset.query")] == ["default"]
        assert not (pool(tmp_path) / "vms").exists()


async def test_a_file_system_with_a_file_of_an_active_vm_stays_whole(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("pool.dataset.create", {"name": "default/vms"})
        await volume(host, "default/vms/disk")
        (pool(tmp_path) / "vms/a.iso").write_bytes(b"image")
        await vm_with(host, {"dtype": "CDROM", "path": "/mnt/default/vms/a.iso"})
        failure = await host.api.failure("pool.dataset.delete", "default/vms", {"recursive": True})
        assert "VM 1 (vm), which is active" in failure.reason
        assert await host.api.call("pool.dataset.query", [["type", "=", "VOLUME"]], {"count": True}) == 1


async def test_a_pool_and_a_folder_that_is_none_are_not_destroyed(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        (pool(tmp_path) / "mine").mkdir()
        failure = await host.api.failure("pool.dataset.delete", "default", {"recursive": True})
        assert "is a pool" in failure.reason
        await host.api.failure("pool.dataset.delete", "default/mine")
        assert (pool(tmp_path) / "mine").is_dir()
        taken = await host.api.failure("pool.dataset.create", {"name": "default/mine"})
        assert field_of(taken) == ("pool_dataset_create.name", 17)


# --- snapshots ------------------------------------------------------------------------------------


async def test_a_snapshot_keeps_what_a_volume_had(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await volume(host)
        disk = pool(tmp_path) / ".volumes/a"
        disk.write_bytes(b"old".ljust(MiB, b"\0"))
        made = await host.api.call("pool.snapshot.create", {"dataset": "default/a", "name": "s1"})
        assert (made["id"], made["snapshot_name"]) == ("default/a@s1", "s1")
        assert made["properties"]["volsize"]["parsed"] == MiB
        disk.write_bytes(b"new".ljust(MiB, b"\0"))
        assert await host.api.call("pool.snapshot.query", [["dataset", "=", "default/a"]]) == [made]
        assert await host.api.call("pool.snapshot.get_instance", "default/a@s1") == made

        clone = {"snapshot": "default/a@s1", "dataset_dst": "default/b"}
        assert await host.api.call("pool.snapshot.clone", clone) is True
        assert (pool(tmp_path) / ".volumes/b").read_bytes().startswith(b"old")
        assert field_of(await host.api.failure("pool.snapshot.clone", clone)) == (
            "pool_snapshot_clone.dataset_dst",
            17,
        )
        again = await host.api.failure("pool.snapshot.create", {"dataset": "default/a", "name": "s1"})
        assert field_of(again) == ("pool_snapshot_create.name", 17)

        kept = await host.api.failure("pool.dataset.delete", "default/a")
        assert "default/a@s1" in kept.reason
        await host.api.call("pool.snapshot.delete", "default/a@s1")
        assert await host.api.call("pool.snapshot.query") == []
        await host.api.call("pool.dataset.delete", "default/a")


async def test_a_volume_is_rolled_back_when_nobody_uses_it(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await volume(host)
        disk = pool(tmp_path) / ".volumes/a"
        for name in ("s1", "s2"):
            disk.write_bytes(name.encode().ljust(MiB, b"\0"))
            await host.api.call("pool.snapshot.create", {"dataset": "default/a", "name": name})
        vm = await vm_with(host, {"dtype": "DISK", "path": "/dev/zvol/default/a"})
        in_use = await host.api.failure("pool.snapshot.rollback", "default/a@s2")
        assert (field_of(in_use), "stop it first" in in_use.reason) == (("id", 16), True)
        await host.api.call("vm.poweroff", vm["id"])
        newer = await host.api.failure("pool.snapshot.rollback", "default/a@s1")
        assert (field_of(newer), "forgets: s2" in newer.reason) == (("id", 16), True)
        await host.api.call("core.subscribe", "pool.snapshot.query")
        assert await host.api.call("pool.snapshot.rollback", "default/a@s1", {"recursive": True}) is None
        assert disk.read_bytes().startswith(b"s1")
        assert [each["id"] for each in await host.api.call("pool.snapshot.query")] == ["default/a@s1"]
        event = await host.api.event(lambda params: params["collection"] == "pool.snapshot.query")
        assert (event["msg"], event["id"]) == ("removed", "default/a@s2")


async def test_what_would_take_other_volumes_along_is_not_rolled_back(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await volume(host)
        await host.api.call("pool.snapshot.create", {"dataset": "default/a", "name": "s"})
        for option in ("recursive_clones", "recursive_rollback"):
            failure = await host.api.failure("pool.snapshot.rollback", "default/a@s", {option: True})
            assert field_of(failure) == (f"options.{option}", 22)


async def test_snapshots_go_with_their_volume(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for name in ("default/a", "default/ab"):
            await volume(host, name)
            await host.api.call("pool.snapshot.create", {"dataset": name, "name": "s"})
        await host.api.call("pool.dataset.delete", "default/a", {"recursive": True})
        assert [each["id"] for each in await host.api.call("pool.snapshot.query")] == ["default/ab@s"]


async def test_of_folders_and_with_bad_names_there_are_no_snapshots(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await volume(host)
        for values, field in (
            ({"dataset": "default", "name": "s"}, "dataset"),
            ({"dataset": "default/none", "name": "s"}, "dataset"),
            ({"dataset": "default/a", "name": "a/b"}, "name"),
            ({"dataset": "default/a", "name": None}, "name"),
        ):
            failure = await host.api.failure("pool.snapshot.create", values)
            assert field_of(failure)[0] == f"pool_snapshot_create.{field}"


@pytest.mark.parametrize("halts", [True, False])
async def test_a_guest_halts_for_a_snapshot_if_it_is_to_and_always_goes_on(
    tmp_path: Path, halts: bool
) -> None:
    async with server(tmp_path) as host:
        await volume(host)
        disk = {"dtype": "DISK", "path": "/dev/zvol/default/a"}
        vm = await vm_with(host, disk, suspend_on_snapshot=halts)
        snapshot = {"dataset": "default/a", "name": "s"}
        await host.api.call("pool.snapshot.create", snapshot)
        assert "exists already" in (await host.api.failure("pool.snapshot.create", snapshot)).reason
        actions = [action for action, uuid in host.engine.calls if uuid == vm["uuid"]]
        assert actions.count("suspend") == actions.count("resume") == (2 if halts else 0)
        assert (await host.api.call("vm.status", 1))["state"] == "RUNNING"
