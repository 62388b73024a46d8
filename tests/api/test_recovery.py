"""What a killed server left half-done is gone when the next one answers."""

from pathlib import Path

from tests.harness import server
from vmstead.store.unfinished import Kind, Unfinished

DISK = {"dtype": "DISK", "create_zvol": True, "zvol_name": "default/kept", "zvol_volsize": 512}


def files(tmp_path: Path) -> list[str]:
    state = tmp_path / "state"
    found = [*(state / "pools").rglob("*"), *(state / "nvram").rglob("*")]
    return sorted(path.name for path in found if path.is_file())


async def test_storage_that_belongs_to_nothing_is_removed(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await host.api.call("vm.create", {"name": "a", "memory": 64})
        await host.api.call("vm.device.create", {"vm": vm["id"], "attributes": DISK})
        services = host.server.services
        # As far as a clone gets before it is stored.
        for kind, name in (
            (Kind.VOLUME, "/dev/zvol/default/copy"),
            (Kind.FILE, "/mnt/default/copy.raw"),
            (Kind.FILE, "/mnt/default/never-made.raw"),
            (Kind.FIRMWARE, "7b5c2a10-93d1-4c2b-8a57-5d9d3c0c1f42"),
        ):
            await services.unfinished.note(Unfinished(kind, name))
        await services.volumes.create("default/copy", 512)
        await services.volumes.create_file("/mnt/default/copy.raw", 512)
        variables = tmp_path / "state/nvram/7b5c2a10-93d1-4c2b-8a57-5d9d3c0c1f42_VARS.fd"
        variables.write_bytes(b"variables")
        # Of the same kind, but nobody's note: a file of the user's.
        (tmp_path / "state/pools/default/mine.raw").write_bytes(b"mine")
    async with server(tmp_path) as host:
        assert files(tmp_path) == ["kept", "mine.raw"]
        assert host.server.services.unfinished.all() == []


async def test_after_every_kind_of_success_nothing_is_noted(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        vm = await host.api.call("vm.create", {"name": "a", "memory": 64, "trusted_platform_module": True})
        raw = {"dtype": "RAW", "path": "/mnt/default/a.raw", "size": 512}
        await host.api.call("vm.device.create", {"vm": vm["id"], "attributes": DISK})
        await host.api.call("vm.update", vm["id"], {"devices": [{"id": 1}, {"attributes": raw}]})
        await host.api.call("vm.clone", vm["id"])
        assert host.server.services.unfinished.all() == []


async def test_what_cannot_be_removed_is_tried_again(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.server.services.unfinished.note(Unfinished(Kind.FILE, "/mnt/default/folder"))
        folder = tmp_path / "state/pools/default/folder"
        folder.mkdir()
    async with server(tmp_path) as host:
        assert len(host.server.services.unfinished.all()) == 1
        folder.rmdir()
        folder.write_bytes(b"")
    async with server(tmp_path) as host:
        assert host.server.services.unfinished.all() == []
        assert not folder.exists()
