"""Images to, from and on the server."""

from pathlib import Path

import pytest

from tests.api.test_auth import account, api_key
from tests.unit.cli.verbs.desk import Desk, desk

MIB = 1024**2


def pool(at: Desk) -> Path:
    return at.host.config.state / "pools/default"


async def test_a_file_goes_to_the_server_and_comes_back(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        original = tmp_path / "disk.raw"
        original.write_bytes(bytes(range(256)) * 4096 * 3 + b"end")
        assert await at.done("image", "upload", str(original)) == "/mnt/default/disk.raw is there.\n"
        assert (pool(at) / "disk.raw").read_bytes() == original.read_bytes()
        await at.done("image", "upload", str(original), "/mnt/default/other.raw")
        back = tmp_path / "back.raw"
        assert await at.done("image", "download", "other.raw", str(back)) == f"{back} is there.\n"
        assert back.read_bytes() == original.read_bytes()
        status, text = await at.refused("image", "download", "other.raw", str(back))
        assert (status, text) == (1, f"{back} is there already; --force replaces it")
        assert await at.json("image", "download", "other.raw", str(back), "--force") == {"path": str(back)}
        assert sorted(path.name for path in tmp_path.glob("*.part")) == []


async def test_somebody_far_away_with_a_key_can_do_that_too(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        key = tmp_path / "key"
        key.write_text(await api_key(at.host, await account(at.host)))
        original = tmp_path / "disk.raw"
        original.write_bytes(b"x" * 100_000)
        far = {"VMSTEAD_URI": at.host.tcp_url, "VMSTEAD_API_KEY_FILE": str(key)}
        assert (await at.run("image", "upload", str(original), **far)).status == 0
        back = tmp_path / "back"
        assert (await at.run("image", "download", "disk.raw", str(back), **far)).status == 0
        assert back.read_bytes() == original.read_bytes()


async def test_what_cannot_be_sent_or_fetched_leaves_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        original = tmp_path / "disk.raw"
        original.write_bytes(b"x" * 3_000_000)
        status, text = await at.refused("image", "upload", str(original), "/etc/passwd")
        assert status == 1
        assert "/etc/passwd" in text
        back = tmp_path / "back"
        assert (await at.refused("image", "download", "nope.raw", str(back)))[0] == 4
        assert not back.exists()
        (pool(at) / "a.raw").write_bytes(b"x")
        status, text = await at.refused("image", "download", "a.raw", str(tmp_path / "no" / "such"))
        assert (status, "cannot be written" in text) == (1, True)


async def test_the_images_of_a_folder_and_who_uses_them(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        for name in ("debian.iso", "disk.qcow2", "notes.txt", "disk.raw"):
            (pool(at) / name).write_bytes(b"x" * 2048)
        await at.vm()
        await at.done("vm", "devices", "add", "web01", "cdrom", "path=/mnt/default/debian.iso")
        assert (await at.run("image", "list")).rows == [
            ["IMAGE", "KIND", "SIZE", "VM"],
            ["/mnt/default/debian.iso", "ISO", "2", "KiB", "web01"],
            ["/mnt/default/disk.qcow2", "disk", "2", "KiB", "-"],
            ["/mnt/default/disk.raw", "disk", "2", "KiB", "-"],
        ]
        assert len(await at.json("image", "list", "/mnt/default")) == 3
        assert (await at.run("image", "info", "disk.raw")).rows == [
            ["image", "/mnt/default/disk.raw"],
            ["file", "2", "KiB"],
            ["disk", "2", "KiB"],
        ]
        assert (await at.json("image", "info", "disk.raw"))["virtual_size"] == 2048
        assert (await at.refused("image", "list", "/mnt/nope"))[0] in (1, 4)


async def test_an_image_becomes_a_volume_and_a_volume_an_image(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        (pool(at) / "disk.raw").write_bytes(b"content!" * (MIB // 8))
        done = await at.done("image", "import", "disk.raw", "default/new")
        assert done == "/mnt/default/disk.raw is on default/new.\n"
        assert (pool(at) / ".volumes/new").read_bytes() == (pool(at) / "disk.raw").read_bytes()
        await at.done("image", "import", "disk.raw", "default/larger", "--size", "3M")
        assert (pool(at) / ".volumes/larger").stat().st_size == 3 * MIB
        exported = await at.done("image", "export", "default/new", "copy.qcow2")
        assert exported == "default/new is copied to /mnt/default/copy.qcow2.\n"
        assert (pool(at) / "copy.qcow2").read_bytes()[:4] == b"QFI\xfb"


async def test_nothing_is_overwritten_without_a_word(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        (pool(at) / "disk.raw").write_bytes(b"content!" * (MIB // 8))
        await at.done("volume", "create", "default/data", "1M")
        (pool(at) / ".volumes/data").write_bytes(b"precious" * (MIB // 8))
        status, text = await at.refused("image", "import", "disk.raw", "default/data")
        assert (status, "--yes" in text) == (1, True)
        assert (pool(at) / ".volumes/data").read_bytes().startswith(b"precious")
        assert (await at.refused("image", "import", "disk.raw", "default/data", "--size", "1G"))[0] == 2
        await at.done("image", "import", "disk.raw", "default/data", "--yes")
        assert (pool(at) / ".volumes/data").read_bytes().startswith(b"content!")


@pytest.mark.parametrize("image", ["broken.qcow2", "nope.raw"])
async def test_a_volume_that_was_made_for_nothing_is_gone(tmp_path: Path, image: str) -> None:
    async with desk(tmp_path) as at:
        (pool(at) / "broken.qcow2").write_bytes(b"QFI\xfb" + bytes(100))
        await at.refused("image", "import", image, "default/new")
        assert await at.json("volume", "list") == []
