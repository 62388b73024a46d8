"""``filesystem.*``: what is told of files, what is written, and what is out of reach."""

import os
from base64 import b64encode
from pathlib import Path

import pytest

from tests.harness import server


def pool(tmp_path: Path) -> Path:
    return tmp_path / "state/pools/default"


def encoded(data: bytes) -> str:
    return b64encode(data).decode()


async def test_a_file_is_told_with_everything_known_of_it(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        file = pool(tmp_path) / "a.iso"
        file.write_bytes(b"x" * 1000)
        file.chmod(0o640)
        os.setxattr(file, "user.note", b"x")
        os.symlink("a.iso", pool(tmp_path) / "link")
        found = await host.api.call("filesystem.stat", "/mnt/default/link")
        status = file.stat()
        assert found == {
            "name": "link",
            "path": "/mnt/default/link",
            "realpath": "/mnt/default/a.iso",
            "type": "FILE",
            "size": 1000,
            "allocation_size": status.st_blocks * 512,
            "mode": 0o100640,
            "uid": status.st_uid,
            "gid": status.st_gid,
            "acl": False,
            "mount_id": found["mount_id"],
            "is_mountpoint": False,
            "is_ctldir": False,
            "attributes": [],
            "xattrs": ["user.note"],
            "zfs_attrs": None,
            "atime": found["atime"],
            "mtime": pytest.approx(status.st_mtime, abs=1),
            "ctime": pytest.approx(status.st_ctime, abs=1),
            "btime": pytest.approx(status.st_ctime, abs=10),
            "dev": status.st_dev,
            "inode": status.st_ino,
            "nlink": 1,
            "user": "root" if os.geteuid() == 0 else found["user"],
            "group": found["group"],
        }


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("/mnt/default/none", 2),
        ("/mnt/default/none/deeper", 2),
        ("/etc/passwd", 13),
        ("/mnt/default/../../etc/passwd", 13),
        ("/mnt/other/a", 13),
        ("/mnt/default/.volumes", 13),
        ("/mnt/default/out", 13),
        ("relative", 13),
    ],
)
async def test_what_is_not_there_or_out_of_reach(tmp_path: Path, path: str, number: int) -> None:
    async with server(tmp_path) as host:
        os.symlink("/etc", pool(tmp_path) / "out")
        for method in ("filesystem.stat", "filesystem.listdir", "filesystem.statfs"):
            failure = await host.api.failure(method, path)
            assert (failure.code, failure.errno) == (-32001, number), method


async def test_a_folder_is_listed_without_volumes_and_ways_out(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await host.server.services.volumes.create("default/disk", 1 << 20)
        (pool(tmp_path) / "isos").mkdir()
        (pool(tmp_path) / "b.iso").write_bytes(b"12")
        os.symlink("b.iso", pool(tmp_path) / "a.iso")
        os.symlink("/etc", pool(tmp_path) / "out")
        rows = await host.api.call("filesystem.listdir", "/mnt/default/")
        assert [(row["name"], row["type"], row["path"]) for row in rows] == [
            ("a.iso", "SYMLINK", "/mnt/default/a.iso"),
            ("b.iso", "FILE", "/mnt/default/b.iso"),
            ("isos", "DIRECTORY", "/mnt/default/isos"),
        ]
        count = await host.api.call(
            "filesystem.listdir", "/mnt/default", [["type", "=", "FILE"]], {"count": True}
        )
        assert count == 1
        assert [row["path"] for row in await host.api.call("filesystem.listdir", "/mnt")] == ["/mnt/default"]
        assert (await host.api.call("filesystem.stat", "/mnt"))["type"] == "DIRECTORY"
        assert (
            "is not a folder" in (await host.api.failure("filesystem.listdir", "/mnt/default/b.iso")).reason
        )


async def test_the_space_below_a_path_is_told(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        found = await host.api.call("filesystem.statfs", "/mnt/default")
        real = os.statvfs(pool(tmp_path))
        assert found["total_bytes"] == real.f_blocks * real.f_frsize
        assert found["total_blocks"] * found["blocksize"] == found["total_bytes"]
        assert found["avail_bytes"] <= found["free_bytes"] <= found["total_bytes"]
        assert Path(found["dest"]).is_mount()
        assert (found["fsid"], found["name_max"]) == (f"{real.f_fsid:x}", real.f_namemax)
        assert found["flags"][0] == ("RO" if real.f_flag & os.ST_RDONLY else "RW")
        assert ("RELATIME" in found["flags"]) is bool(real.f_flag & os.ST_RELATIME)
        for name in ("total_blocks", "avail_bytes"):
            assert found[f"{name}_str"] == str(found[name])


async def test_a_folder_is_made(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        made = await host.api.call(
            "filesystem.mkdir", {"path": "/mnt/default/isos", "options": {"mode": "750"}}
        )
        assert (made["type"], made["mode"] & 0o777) == ("DIRECTORY", 0o750)
        for path, number in (("/mnt/default/isos", 17), ("/mnt/default/a/b", 2), ("/srv/a", 13)):
            failure = await host.api.failure("filesystem.mkdir", {"path": path})
            assert failure.data["extra"][0][::2] == ["filesystem_mkdir.path", number]


async def test_a_small_file_is_written_replaced_and_made_longer(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        path = "/mnt/default/notes"
        assert await host.api.call("filesystem.file_receive", path, encoded(b"one"), {"mode": 0o600}) is True
        await host.api.call("filesystem.file_receive", path, encoded(b"two"))
        await host.api.call("filesystem.file_receive", path, encoded(b" three"), {"append": True})
        assert (pool(tmp_path) / "notes").read_bytes() == b"two three"
        assert "is not Base64" in (await host.api.failure("filesystem.file_receive", path, "!")).reason
        assert [each.name for each in pool(tmp_path).iterdir()] == ["notes"]
        assert host.server.services.unfinished.all() == []


async def test_what_an_active_vm_uses_is_not_written(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        (pool(tmp_path) / "a.iso").write_bytes(b"old")
        await host.api.call("vm.create", {"name": "a", "memory": 64})
        cdrom = {"dtype": "CDROM", "path": "/mnt/default/a.iso"}
        await host.api.call("vm.device.create", {"vm": 1, "attributes": cdrom})
        await host.api.call("vm.start", 1)
        for options in ({}, {"append": True}):
            failure = await host.api.failure(
                "filesystem.file_receive", "/mnt/default/a.iso", encoded(b"new"), options
            )
            assert "VM 1 (a), which is active" in failure.message + failure.reason
        assert (pool(tmp_path) / "a.iso").read_bytes() == b"old"
        await host.api.call("vm.poweroff", 1)
        await host.api.call("filesystem.file_receive", "/mnt/default/a.iso", encoded(b"new"))
        assert (pool(tmp_path) / "a.iso").read_bytes() == b"new"


async def test_a_name_that_is_no_text_does_not_hide_the_others(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        folder = pool(tmp_path) / "folder"
        folder.mkdir()
        (folder / "good.iso").write_bytes(b"")
        (folder / os.fsdecode(b"bad\xff.iso")).write_bytes(b"")
        listed = await host.api.call("filesystem.listdir", "/mnt/default/folder")
        assert [each["name"] for each in listed] == ["bad\ufffd.iso", "good.iso"]
        one = await host.api.call("filesystem.listdir", "/mnt/default/folder", [["name", "~", "bad"]])
        assert [each["name"] for each in one] == ["bad\ufffd.iso"]
        failure = await host.api.failure("filesystem.stat", "/mnt/default/folder/bad\ufffd.iso")
        assert failure.errno == 2
