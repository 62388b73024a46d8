"""``filesystem.setperm`` and ``filesystem.chown``: what they change, and what they leave alone."""

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from tests.api.answers import with_roles
from tests.harness import Host, server

METHODS = ("filesystem.setperm", "filesystem.chown")
#: What each method needs beside a path.
ENOUGH: dict[str, dict[str, Any]] = {"filesystem.setperm": {"mode": "755"}, "filesystem.chown": {"uid": 1234}}


def pool(tmp_path: Path) -> Path:
    return tmp_path / "state/pools/default"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def done(host: Host, method: str, data: dict[str, Any]) -> dict[str, Any]:
    """The record of the job that a call makes."""
    return await host.api.job(await host.api.call(method, data))


async def test_permissions_and_owners_are_set(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        isos = pool(tmp_path) / "isos"
        (isos / "old").mkdir(parents=True)
        (isos / "a.iso").touch(mode=0o600)
        data = {"path": "/mnt/default/isos", "mode": "750", "gid": 1235}
        job = await done(host, "filesystem.setperm", data)
        assert (job["state"], job["result"]) == ("SUCCESS", None)
        assert (mode(isos), isos.stat().st_gid, mode(isos / "a.iso")) == (0o750, 1235, 0o600)
        both = {"path": "/mnt/default/isos/", "uid": 1234, "gid": -1, "options": {"recursive": True}}
        job = await done(host, "filesystem.chown", both)
        assert job["progress"]["description"] == "3 files and folders were changed"
        for each in (isos, isos / "old", isos / "a.iso"):
            assert each.stat().st_uid == 1234
        assert (isos / "a.iso").stat().st_gid == os.getegid()
        named = {"path": "/mnt/default/isos/a.iso", "user": "root", "group": "root"}
        assert (await done(host, "filesystem.chown", named))["state"] == "SUCCESS"
        assert (isos / "a.iso").stat().st_uid == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/mnt/default/none", 2),
        ("/mnt/default", 13),
        ("/mnt/default/", 13),
        ("/mnt", 13),
        ("/etc", 13),
        ("/mnt/default/.volumes", 13),
        ("/mnt/default/out", 13),
        ("/mnt/default/a/../../../etc", 13),
    ],
)
async def test_what_is_not_there_or_out_of_reach(tmp_path: Path, method: str, path: str, number: int) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        (pool(tmp_path) / ".volumes").mkdir(exist_ok=True)
        os.symlink("/etc", pool(tmp_path) / "out")
        job = await done(host, method, {"path": path, **ENOUGH[method]})
        schema = method.replace(".", "_")
        assert [each[::2] for each in job["exc_info"]["extra"]] == [[f"{schema}.path", number]]


@pytest.mark.parametrize(
    ("method", "data", "field"),
    [
        ("filesystem.setperm", {}, "filesystem_setperm.mode"),
        ("filesystem.setperm", {"mode": "0755"}, "filesystem_setperm.mode"),
        ("filesystem.setperm", {"mode": "4755"}, "filesystem_setperm.mode"),
        ("filesystem.setperm", {"mode": "abc"}, "filesystem_setperm.mode"),
        ("filesystem.setperm", {"mode": "755", "user": "no-such-user"}, "filesystem_setperm.user"),
        ("filesystem.chown", {}, "filesystem_chown"),
        ("filesystem.chown", {"uid": -1, "gid": -1}, "filesystem_chown"),
        ("filesystem.chown", {"uid": -2}, "filesystem_chown.uid"),
        ("filesystem.chown", {"uid": 2**32}, "filesystem_chown.uid"),
        ("filesystem.chown", {"uid": 0, "user": "root"}, "filesystem_chown.user"),
        ("filesystem.chown", {"group": "no-such-group"}, "filesystem_chown.group"),
        ("filesystem.chown", {"uid": 0, "options": {"stripacl": True}}, "filesystem_chown.options.stripacl"),
    ],
)
async def test_bad_questions_name_their_field(
    tmp_path: Path, method: str, data: dict[str, Any], field: str
) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        (pool(tmp_path) / "a").touch(mode=0o600)
        job = await done(host, method, {"path": "/mnt/default/a", **data})
        assert [each[0] for each in job["exc_info"]["extra"]] == [field]
        assert mode(pool(tmp_path) / "a") == 0o600


@pytest.mark.parametrize("method", METHODS)
async def test_they_take_a_role(tmp_path: Path, method: str) -> None:
    async with server(tmp_path) as host:
        (pool(tmp_path) / "a").touch(mode=0o600)
        data = {"path": "/mnt/default/a", **ENOUGH[method]}
        async with with_roles(host, "FILESYSTEM_DATA_WRITE", "READONLY_ADMIN") as other:
            assert (await other.failure(method, data)).errno == 13
        async with with_roles(host, "FILESYSTEM_ATTRS_WRITE") as holder:
            await holder.call("core.subscribe", "core.get_jobs")
            assert (await holder.job(await holder.call(method, data)))["state"] == "SUCCESS"


@pytest.mark.parametrize("method", METHODS)
async def test_what_an_active_vm_uses_is_left_alone(tmp_path: Path, method: str) -> None:
    async with server(tmp_path) as host:
        await host.api.call("core.subscribe", "core.get_jobs")
        (pool(tmp_path) / "isos").mkdir()
        (pool(tmp_path) / "isos/a.iso").touch(mode=0o600)
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        cdrom = {"dtype": "CDROM", "path": "/mnt/default/isos/a.iso"}
        await host.api.call("vm.device.create", {"vm": 1, "attributes": cdrom})
        await host.api.call("vm.start", 1)
        for path in ("/mnt/default/isos/a.iso", "/mnt/default/isos"):
            job = await done(host, method, {"path": path, **ENOUGH[method]})
            assert "in use by VM 1 (a), which is active" in job["error"]
        await host.api.call("vm.poweroff", 1)
        assert (await done(host, method, {"path": path, **ENOUGH[method]}))["state"] == "SUCCESS"
