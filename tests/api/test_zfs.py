"""A server with a pool on ZFS."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.api.test_auth import account
from tests.harness import ApiFailure, Host, server
from vmstead.adapters.fake_zfs import FakeZfs

MiB = 1024 * 1024
GiB = 1024 * MiB
PASSPHRASE = "correct horse"
DISK = {
    "dtype": "DISK",
    "create_zvol": True,
    "zvol_name": "tank/vms/web",
    "zvol_volsize": GiB,
    "type": "VIRTIO",
}


@asynccontextmanager
async def zfs_server(tmp_path: Path, **settings: Any) -> AsyncIterator[tuple[Host, FakeZfs]]:
    """A server with the pools ``default``, a folder, and ``tank``, on ZFS with a file system ``vms``."""
    zfs = FakeZfs(
        tmp_path / "zfs", {"tank": ["raidz1-0", "  /dev/sda", "  /dev/sdb", "  /dev/sdc", "  /dev/sdd"]}
    )
    zfs.do("zfs", "create", "tank/vms")
    async with server(tmp_path, zfs=zfs.host, zfs_pools={"tank": "tank"}, **settings) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        yield host, zfs


async def vm_with(host: Host, *devices: dict[str, Any], **fields: Any) -> int:
    vm = await host.api.call("vm.create", {"name": "web", "memory": 64, "autostart": False, **fields})
    for attributes in devices:
        await host.api.call("vm.device.create", {"vm": vm["id"], "attributes": attributes})
    number: int = vm["id"]
    return number


async def done(host: Host, method: str, *params: Any) -> Any:
    """The result of a job."""
    record = await host.api.job(await host.api.call(method, *params))
    assert record["state"] == "SUCCESS", record["error"]
    return record["result"]


async def failed(host: Host, method: str, *params: Any) -> dict[str, Any]:
    record = await host.api.job(await host.api.call(method, *params))
    assert record["state"] == "FAILED"
    return record


async def datasets(host: Host) -> list[str]:
    found = await host.api.call("pool.dataset.query", [["pool", "=", "tank"]], {"select": ["id"]})
    return [each["id"] for each in found]


def fields(failure: ApiFailure) -> list[tuple[str, int]]:
    return [(field, number) for field, _, number in failure.data["extra"]]


# --- virtual machines -----------------------------------------------------------------------------


@pytest.mark.parametrize("order", [("web", "copy"), ("copy", "web")])
async def test_a_machine_is_made_cloned_kept_and_deleted(tmp_path: Path, order: tuple[str, str]) -> None:
    async with zfs_server(tmp_path) as (host, zfs):
        vm = await vm_with(host, DISK)
        source = await host.server.services.volumes.find("tank/vms/web")
        with source.source.path.open("r+b") as disk:
            disk.write(b"precious")
        snapshot = await host.api.call("pool.snapshot.create", {"dataset": "tank/vms/web", "name": "before"})
        assert snapshot["properties"]["volsize"]["parsed"] == GiB
        zfs.calls.clear()
        assert await host.api.call("vm.clone", vm, "copy") is True
        # Whatever is on the disk, these are all changes: nothing is copied.
        changes = [call[1] for call in zfs.calls if call[1] not in ("list", "get", "status")]
        assert changes == ["snapshot", "clone", "destroy"]
        copy = await host.api.call("vm.query", [["name", "=", "copy"]], {"get": True})
        assert copy["devices"][0]["attributes"]["path"] == "/dev/zvol/tank/vms/web_copy"
        assert await datasets(host) == ["tank", "tank/vms", "tank/vms/web", "tank/vms/web_copy"]
        await host.api.call("vm.start", copy["id"])
        await host.api.call("vm.poweroff", copy["id"])

        ids = {"web": vm, "copy": copy["id"]}
        for name in order:
            await host.api.call("vm.delete", ids[name], {"zvols": True})
            left = await host.api.call("vm.query", [], {"select": ["name"]})
            for each in left:
                path = host.server.services.volumes
                volume = await path.find("tank/vms/web" if each["name"] == "web" else "tank/vms/web_copy")
                assert volume.source.path.read_bytes()[:8] == b"precious"
        assert await datasets(host) == ["tank", "tank/vms"]
        assert zfs.model.snapshots == []
        assert host.server.services.unfinished.all() == []


async def test_a_disk_is_a_block_device_of_the_host(tmp_path: Path) -> None:
    async with zfs_server(tmp_path) as (host, zfs):
        vm = await vm_with(host, DISK)
        await host.api.call("vm.start", vm)
        uuid = (await host.api.call("vm.get_instance", vm))["uuid"]
        document = host.engine.document(uuid).decode()
        assert f'<source dev="{zfs.host.devices}/tank/vms/web"' in document


async def test_a_clone_that_fails_leaves_nothing(tmp_path: Path) -> None:
    async with zfs_server(tmp_path) as (host, zfs):
        vm = await vm_with(host, DISK)
        zfs.refuse = lambda argv: "cannot create 'x': out of space" if argv[1] == "clone" else None
        failure = await host.api.failure("vm.clone", vm, "copy")
        assert "there is no room for tank/vms/web_copy" in failure.reason
        assert await datasets(host) == ["tank", "tank/vms", "tank/vms/web"]
        assert zfs.model.snapshots == []
        assert host.server.services.unfinished.all() == []


async def test_a_pool_that_is_away_deletes_nothing(tmp_path: Path) -> None:
    async with zfs_server(tmp_path) as (host, zfs):
        vm = await vm_with(host, DISK)
        zfs.export("tank")
        failure = await host.api.failure("vm.start", vm)
        assert "zpool import tank" in failure.reason
        device = (await host.api.call("vm.device.query"))[0]["id"]
        assert "zpool import" in (await host.api.failure("vm.device.delete", device, {"zvol": True})).reason
        (pool,) = await host.api.call("pool.query", [["name", "=", "tank"]])
        assert (pool["status"], pool["healthy"], pool["status_code"]) == ("OFFLINE", False, "UNAVAIL")
        zfs.bring_back("tank")
        await host.api.call("vm.start", vm)


async def test_an_image_goes_into_a_volume_and_out_of_it(tmp_path: Path) -> None:
    async with zfs_server(tmp_path) as (host, _zfs):
        await host.api.call("pool.dataset.create", {"name": "tank/a", "type": "VOLUME", "volsize": MiB})
        await host.api.call("pool.dataset.update", "tank/a", {"comments": "web"})
        place = await host.server.services.volumes.locate("/mnt/tank/image.raw")
        place.write_bytes(b"image".ljust(MiB, b"\0"))
        convert = {"source": "/mnt/tank/image.raw", "destination": "/dev/zvol/tank/a"}
        await done(host, "vm.device.convert", convert)
        volume = await host.server.services.volumes.find("tank/a")
        assert volume.source.path.read_bytes()[:5] == b"image"
        assert await datasets(host) == ["tank", "tank/a", "tank/vms"]
        assert (await host.api.call("pool.dataset.get_instance", "tank/a"))["comments"]["value"] == "web"


# --- pools and datasets ---------------------------------------------------------------------------


async def test_pools_of_both_kinds_are_told(tmp_path: Path) -> None:
    async with zfs_server(tmp_path) as (host, _):
        default, tank = await host.api.call("pool.query")
        assert (default["name"], tank["name"], tank["path"]) == ("default", "tank", "/mnt/tank")
        assert tank["allocated"] + tank["free"] == tank["size"]
        (group,) = tank["topology"]["data"]
        assert (group["type"], group["status"], len(group["children"])) == ("RAIDZ1", "ONLINE", 4)
        assert group["children"][0]["path"] == "/dev/sda"
        assert default["topology"]["data"] == []
        assert await host.api.call("pool.dataset.recommended_zvol_blocksize", "tank") == "32K"
        assert await host.api.call("pool.dataset.recommended_zvol_blocksize", "default") == "16K"
        assert fields(await host.api.failure("pool.dataset.recommended_zvol_blocksize", "no")) == [
            ("pool", 2)
        ]


async def test_what_zfs_knows_of_a_volume_is_told(tmp_path: Path) -> None:
    async with zfs_server(tmp_path) as (host, _):
        made = await host.api.call(
            "pool.dataset.create",
            {
                "name": "tank/vms/a",
                "type": "VOLUME",
                "volsize": 1000 * 512,
                "compression": "ZSTD",
                "comments": "a web server",
                "volblocksize": "64K",
                "sparse": True,
                "user_properties": [{"key": "org.omni:managed", "value": "true"}],
            },
        )
        assert made["volsize"]["parsed"] == 8 * 65536
        assert (made["volblocksize"]["parsed"], made["volblocksize"]["value"]) == (65536, "64K")
        assert (made["compression"]["value"], made["compression"]["source"]) == ("ZSTD", "LOCAL")
        assert made["sync"]["source"] == "DEFAULT"
        assert made["comments"]["value"] == "a web server"
        assert made["user_properties"]["org.omni:managed"]["value"] == "true"
        assert (made["encrypted"], made["locked"], made["key_loaded"]) == (False, False, False)
        await host.api.call("pool.dataset.update", "tank/vms", {"atime": "OFF", "quota": 10 * GiB})
        changed = await host.api.call("pool.dataset.get_instance", "tank/vms")
        assert (changed["quota"]["parsed"], changed["atime"]["value"]) == (10 * GiB, "OFF")
        again = await host.api.call("pool.dataset.update", "tank/vms", {"quota": None, "atime": "INHERIT"})
        assert (again["quota"]["value"], again["atime"]["source"]) == (None, "DEFAULT")
        grown = await host.api.call("pool.dataset.update", "tank/vms/a", {"volsize": GiB})
        assert grown["volsize"]["parsed"] == GiB


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"volblocksize": "3K"}, "volblocksize"),
        ({"name": "tank/no/a"}, "name"),
        ({"name": "tank/vms"}, "name"),
        ({"name": "tank/a:vmstead-new"}, "name"),
        ({"encryption": True}, "encryption_options"),
        ({"encryption": True, "inherit_encryption": True}, "inherit_encryption"),
        (
            {"encryption": True, "encryption_options": {"passphrase": "short"}},
            "encryption_options.passphrase",
        ),
        ({"encryption": True, "encryption_options": {"key": "xy"}}, "encryption_options.key"),
        (
            {"encryption": True, "encryption_options": {"generate_key": True}},
            "encryption_options.generate_key",
        ),
        ({"user_properties": [{"key": "-o", "value": "x"}]}, "name"),
    ],
)
async def test_a_volume_that_cannot_be(tmp_path: Path, values: dict[str, Any], field: str) -> None:
    async with zfs_server(tmp_path) as (host, _):
        before = await datasets(host)
        wanted = {"name": "tank/a", "type": "VOLUME", "volsize": MiB, "inherit_encryption": False, **values}
        failure = await host.api.failure("pool.dataset.create", wanted)
        assert f"pool_dataset_create.{field}" in [name for name, _ in fields(failure)]
        assert await datasets(host) == before
        assert host.server.services.unfinished.all() == []


async def test_snapshots_of_file_systems_halt_the_machines_on_them(tmp_path: Path) -> None:
    async with zfs_server(tmp_path) as (host, _):
        await host.server.services.volumes.create_file("/mnt/tank/vms/a.iso", MiB)
        other = {**DISK, "zvol_name": "tank/other"}
        for name, attributes in (
            ("on_file", {"dtype": "CDROM", "path": "/mnt/tank/vms/a.iso"}),
            ("below", DISK),
            ("elsewhere", other),
        ):
            vm = await vm_with(host, attributes, name=name, suspend_on_snapshot=True)
            await host.api.call("vm.start", vm)
        for recursive, halted in ((False, {"on_file"}), (True, {"on_file", "below"})):
            host.engine.calls.clear()
            snapshot = {"dataset": "tank/vms", "name": f"s{recursive}", "recursive": recursive}
            await host.api.call("pool.snapshot.create", snapshot)
            uuids = {each["uuid"]: each["name"] for each in await host.api.call("vm.query")}
            assert {uuids[uuid] for action, uuid in host.engine.calls if action == "suspend"} == halted
            assert {uuids[uuid] for action, uuid in host.engine.calls if action == "resume"} == halted
        found = await host.api.call("pool.snapshot.query", [], {"select": ["id"]})
        assert [each["id"] for each in found] == ["tank/vms@sFalse", "tank/vms@sTrue", "tank/vms/web@sTrue"]
        kept = await host.api.failure("pool.dataset.delete", "tank/vms")
        assert fields(kept) == [("id", 39)]


# --- encryption -----------------------------------------------------------------------------------


async def encrypted(host: Host, name: str = "tank/sec", **values: Any) -> dict[str, Any]:
    made: dict[str, Any] = await host.api.call(
        "pool.dataset.create",
        {
            "name": name,
            "encryption": True,
            "inherit_encryption": False,
            **values,
            "encryption_options": {"algorithm": "AES-256-GCM", "passphrase": PASSPHRASE},
        },
    )
    return made


def secret(name: str = "tank/sec", passphrase: str = PASSPHRASE, **options: Any) -> dict[str, Any]:
    return {"datasets": [{"name": name, "passphrase": passphrase}], **options}


async def test_an_encrypted_dataset_is_locked_and_unlocked(tmp_path: Path) -> None:
    async with zfs_server(tmp_path) as (host, zfs):
        made = await encrypted(host)
        assert (made["encrypted"], made["encryption_root"], made["key_loaded"]) == (True, "tank/sec", True)
        assert made["encryption_algorithm"]["value"] == "AES-256-GCM"
        disk = {**DISK, "zvol_name": "tank/sec/web"}
        vm = await vm_with(host, disk)
        await host.api.call("vm.start", vm)
        assert "VM 1 (web), which is active" in (await failed(host, "pool.dataset.lock", "tank/sec"))["error"]
        await host.api.call("vm.poweroff", vm)
        await host.api.call("core.subscribe", "pool.dataset.query")
        assert await done(host, "pool.dataset.lock", "tank/sec") is True
        await host.api.event(lambda event: event.get("id") == "tank/sec/web")
        told = [event for event in host.api.events if event["collection"] == "pool.dataset.query"]
        assert [(event["msg"], event["id"]) for event in told] == [
            ("changed", "tank/sec"),
            ("changed", "tank/sec/web"),
        ]
        assert all(event["fields"]["locked"] for event in told)
        locked = await host.api.call("pool.dataset.query", [["locked", "=", True]], {"select": ["id"]})
        assert [each["id"] for each in locked] == ["tank/sec", "tank/sec/web"]

        assert "unlock tank/sec first" in (await host.api.failure("vm.start", vm)).reason
        assert "tank/sec/web" not in (await host.api.call("vm.device.disk_choices")).values()
        stat = await host.api.failure("filesystem.stat", "/mnt/tank/sec/a")
        assert (stat.data["errname"], stat.errno) == ("EDATASETISLOCKED", 205)
        wrong = await done(host, "pool.dataset.unlock", "tank/sec", secret(passphrase="another horse"))
        assert wrong["unlocked"] == []
        assert wrong["failed"]["tank/sec"] == {
            "error": "this is not the passphrase of tank/sec",
            "skipped": [],
        }
        assert await done(host, "pool.dataset.unlock", "tank/sec", secret()) == {
            "unlocked": ["tank/sec"],
            "failed": {},
        }
        await host.api.call("vm.start", vm)
        # Neither events nor records nor commands have the secret.
        assert PASSPHRASE not in repr(host.api.frames)
        assert PASSPHRASE not in repr(zfs.calls)
        assert PASSPHRASE not in repr(await host.api.call("core.get_jobs"))


async def test_machines_that_are_to_start_with_the_host_start_when_their_disks_are_there(
    tmp_path: Path,
) -> None:
    async with zfs_server(tmp_path) as (host, _):
        await encrypted(host)
        await vm_with(host, {**DISK, "zvol_name": "tank/sec/a"}, name="starts", autostart=True)
        await vm_with(host, {**DISK, "zvol_name": "tank/sec/b"}, name="does_not")
        await vm_with(host, {**DISK, "zvol_name": "tank/c"}, name="elsewhere", autostart=True)

        async def running() -> list[str]:
            rows = await host.api.call("vm.query", [["status.state", "=", "RUNNING"]], {"select": ["name"]})
            return [row["name"] for row in rows]

        await done(host, "pool.dataset.lock", "tank/sec")
        await done(host, "pool.dataset.unlock", "tank/sec", secret(toggle_attachments=False))
        assert await running() == []
        await done(host, "pool.dataset.lock", "tank/sec")
        await done(host, "pool.dataset.unlock", "tank/sec", secret())
        assert await running() == ["starts"]


async def test_datasets_with_keys_of_their_own_are_unlocked_from_the_top(tmp_path: Path) -> None:
    async with zfs_server(tmp_path) as (host, _):
        await encrypted(host)
        await encrypted(host, "tank/sec/a")
        await encrypted(host, "tank/sec/b", type="VOLUME", volsize=MiB)
        for name in ("tank/sec/b", "tank/sec/a", "tank/sec"):
            await done(host, "pool.dataset.lock", name)
        wrong = {"datasets": [{"name": "tank/sec", "passphrase": "another horse"}], "recursive": True}
        result = await done(host, "pool.dataset.unlock", "tank/sec", wrong)
        assert result["failed"]["tank/sec"]["skipped"] == ["tank/sec/a", "tank/sec/b"]
        right = {
            "datasets": [{"name": "tank/sec", "passphrase": PASSPHRASE, "recursive": True}],
            "recursive": True,
        }
        result = await done(host, "pool.dataset.unlock", "tank/sec", right)
        assert result == {"unlocked": ["tank/sec", "tank/sec/a", "tank/sec/b"], "failed": {}}


@pytest.mark.parametrize(
    ("method", "params", "field"),
    [
        ("pool.dataset.lock", ["tank/vms"], "id"),
        ("pool.dataset.lock", ["tank/sec/web"], "id"),
        ("pool.dataset.lock", ["default"], "id"),
        ("pool.dataset.unlock", ["tank/vms", secret("tank/vms")], "id"),
        ("pool.dataset.unlock", ["tank/sec", secret()], "id"),
        ("pool.dataset.unlock", ["tank/sec/web", secret()], "id"),
        ("pool.dataset.unlock", ["tank/sec", {"datasets": [{"name": "tank/sec"}]}], "options.datasets.0"),
    ],
)
async def test_what_cannot_be_locked_or_unlocked(
    tmp_path: Path, method: str, params: list[Any], field: str
) -> None:
    async with zfs_server(tmp_path) as (host, _):
        await encrypted(host)
        await host.api.call("pool.dataset.create", {"name": "tank/sec/web", "type": "VOLUME", "volsize": MiB})
        record = await failed(host, method, *params)
        assert f"{field}: " in record["error"]
    async with zfs_server(tmp_path / "again") as (host, _):
        assert "does not exist" in (await failed(host, method, "tank/none"))["error"]


async def test_input_that_is_bad_in_itself(tmp_path: Path) -> None:
    async with zfs_server(tmp_path) as (host, _):
        bad_key = {"datasets": [{"name": "tank/sec", "key": "xy"}]}
        for method, *params in (
            ("pool.dataset.lock", 5),
            ("pool.dataset.lock", "tank/sec", {"force": True}),
            ("pool.dataset.unlock", "tank/sec", bad_key),
            ("pool.dataset.unlock", "tank/sec", {"key_file": True}),
        ):
            assert (await failed(host, method, *params))["exc_info"]["type"] == "VALIDATION", method


async def test_locking_takes_a_role(tmp_path: Path) -> None:
    async with zfs_server(tmp_path) as (host, _):
        await account(host, "alice", "open sesame", "DATASET_READ")
        async with host.connect(over_tcp=True) as api:
            assert await api.call("auth.login", "alice", "open sesame")
            for method in ("pool.dataset.lock", "pool.dataset.unlock"):
                assert (await api.failure(method, "tank/vms")).errno == 13
