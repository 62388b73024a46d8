"""Image tools: disk images in and out of volumes, with the real ``qemu-img``."""

import asyncio
import os
import select
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.harness import Host, server
from vmstead.adapters.dir_volumes import DirVolumes
from vmstead.adapters.qemu_img import QemuImg
from vmstead.kernel.run import run
from vmstead.ports.images import Image
from vmstead.ports.volumes import DiskSource

MiB = 1024 * 1024
SIZE = 4 * MiB
ENDINGS = ["qcow2", "qed", "raw", "vdi", "vhdx", "vmdk"]
#: Begins and ends with something, and is mostly a hole.
CONTENTS = b"begin".ljust(100_000, b"x") + bytes(SIZE - 100_003) + b"end"

#: Stands in for qemu-img and stops in the middle of a copy.
STUCK = """#!/bin/sh
[ "$1" = convert ] || exec qemu-img "$@"
for target; do :; done
echo half > "$target"
printf '    (50.00/100%%)\\r'
kill -STOP $$
"""
#: Stands in for qemu-img and fails in the middle of a copy.
FAILING = """#!/bin/sh
[ "$1" = convert ] || exec qemu-img "$@"
for target; do :; done
echo half > "$target"
echo "qemu-img: error while writing at byte 512: $0" >&2
exit 1
"""


class Held(QemuImg):
    """Waits, when a copy is complete, to be told to go on."""

    def __init__(self) -> None:
        super().__init__()
        self.is_copied = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def convert(
        self,
        source: DiskSource,
        image: Image,
        target: DiskSource,
        format: str,
        *,
        is_blank: bool,
        progress: Callable[[int], None],
    ) -> None:
        await super().convert(source, image, target, format, is_blank=is_blank, progress=progress)
        self.is_copied.set()
        await self.may_go_on.wait()


class Full(DirVolumes):
    """Has hardly any room left."""

    async def free(self, path: str) -> int:
        return 1000


def pool(tmp_path: Path) -> Path:
    folder = tmp_path / "state/pools/default"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def script(tmp_path: Path, text: str) -> QemuImg:
    path = tmp_path / "qemu-img-stand-in"
    path.write_text(text)
    path.chmod(0o755)
    return QemuImg(str(path))


def files(tmp_path: Path) -> list[str]:
    """Everything in the pool."""
    base = pool(tmp_path)
    return sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())


async def make_image(path: Path, format: str, *options: str, contents: bytes = CONTENTS) -> None:
    raw = path.with_name("contents")
    raw.write_bytes(contents)
    await run(["qemu-img", "convert", "-f", "raw", "-O", format, *options, str(raw), str(path)])
    raw.unlink()


async def make_volume(host: Host, contents: bytes = bytes(SIZE), name: str = "default/a") -> Path:
    """A volume, and where it lies."""
    volume = await host.server.services.volumes.create(name, len(contents))
    volume.source.path.write_bytes(contents)
    return volume.source.path


async def done(host: Host, method: str, **arguments: str) -> dict[str, Any]:
    """The record of a job that has ended."""
    await host.api.call("core.subscribe", "core.get_jobs")
    return await host.api.job(await host.api.call(method, arguments))


async def problem(host: Host, method: str, **arguments: str) -> tuple[str, int, str]:
    """Field, number and text of the one thing that is wrong with a job's arguments."""
    record = await done(host, method, **arguments)
    assert record["state"] == "FAILED", record
    [[field, text, number]] = record["exc_info"]["extra"]
    return field, number, text


async def vm_with(host: Host, start: bool = True, **attributes: Any) -> int:
    vm = await host.api.call("vm.create", {"name": "guest", "memory": 64})
    await host.api.call("vm.device.create", {"vm": vm["id"], "attributes": attributes})
    if start:
        await host.api.call("vm.start", vm["id"])
    return int(vm["id"])


# --- virtual_size -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", [*ENDINGS, "vpc"])
async def test_the_size_of_an_image_is_that_of_its_disk(tmp_path: Path, format: str) -> None:
    options = ["-o", "force_size=on"] if format == "vpc" else []
    await make_image(pool(tmp_path) / "an image.bin", format, *options)
    async with server(tmp_path) as host:
        assert await host.api.call("vm.device.virtual_size", {"path": "/mnt/default/an image.bin"}) == SIZE


async def test_the_size_of_a_volume_and_of_a_raw_file_whose_last_sector_is_not_full(tmp_path: Path) -> None:
    (pool(tmp_path) / "a.raw").write_bytes(bytes(513))
    (pool(tmp_path) / "empty").touch()
    async with server(tmp_path) as host:
        await make_volume(host)
        for path, size in (
            ("/mnt/default/a.raw", 1024),
            ("/mnt/default/empty", 0),
            ("/dev/zvol/default/a", SIZE),
        ):
            assert await host.api.call("vm.device.virtual_size", {"path": path}) == size


def qcow2(backing: int = 0, features: int = 0, size: int = SIZE, encryption: int = 0) -> bytes:
    head = struct.pack(">4sIQIIQIIQQIIQQQQII", b"QFI\xfb", 3, backing, 11 if backing else 0, 16, size,
                       encryption, 1, 0x30000, 0x10000, 1, 0, 0, features, 0, 0, 4, 104)  # fmt: skip
    return head.ljust(backing or 104, b"\0") + b"/etc/passwd"


DESCRIPTION = b"""# Disk DescriptorFile
version=1
CID=fffffffe
parentCID=ffffffff
createType="monolithicFlat"
RW 8192 FLAT "/etc/passwd" 0
"""
CRAFTED = [
    ("a.qcow2", qcow2(backing=112), "backing file"),
    ("a.qcow2", qcow2(features=4), "another file"),
    ("a.qcow2", qcow2(encryption=1), "encrypted"),
    ("a.qcow2", qcow2()[:50], "cut off"),
    ("a.qcow2", qcow2(), "could not be read"),
    ("a.qed", b"QED\0" + struct.pack("<IIIQ", 65536, 4, 1, 1), "backing file"),
    ("a.vmdk", DESCRIPTION, "other files"),
    ("a.vmdk", b"\n\n" + DESCRIPTION, "other files"),
    ("a.vmdk", b"KDMV" + bytes(508) + DESCRIPTION, "other files"),
    ("a.img", b"QFI\xfb" + struct.pack(">I", 1), "qcow (version 1)"),
    ("a.img", b"#!/bin/sh\n#V2.0 Format\n", "cloop"),
]


@pytest.mark.parametrize(("name", "contents", "words"), CRAFTED)
async def test_images_that_lead_to_other_files_are_refused_by_every_method(
    tmp_path: Path, name: str, contents: bytes, words: str
) -> None:
    (pool(tmp_path) / name).write_bytes(contents)
    path = f"/mnt/default/{name}"
    async with server(tmp_path) as host:
        volume = await make_volume(host, b"o" * SIZE)
        failure = await host.api.failure("vm.device.virtual_size", {"path": path})
        assert failure.attributes == ["vm.device.virtual_size"]
        assert words in failure.reason
        field, number, text = await problem(host, "vm.import_disk_image", diskimg=path, zvol="default/a")
        assert (field, number) == ("vm_import_disk_image.diskimg", 22)
        assert words in text
        if not name.endswith(".img"):
            target = "/dev/zvol/default/a"
            field, _, text = await problem(host, "vm.device.convert", source=path, destination=target)
            assert field == "vm.device.convert.source"
            assert words in text
        assert volume.read_bytes() == b"o" * SIZE


@pytest.mark.parametrize(
    ("path", "number"),
    [
        ("a.qcow2", 22),
        ("/etc/passwd", 22),
        ("/mnt/default/../../etc/passwd", 22),
        ("/mnt/default/out", 22),
        ("/mnt/default/folder", 22),
        ("/mnt/default/missing", 2),
        ("/mnt/default/.volumes/a", 22),
        ("/dev/zvol/default/missing", 2),
        ("json:{}", 22),
    ],
)
async def test_only_files_in_the_pools_have_a_size(tmp_path: Path, path: str, number: int) -> None:
    (pool(tmp_path) / "out").symlink_to("/etc/passwd")
    (pool(tmp_path) / "folder").mkdir()
    async with server(tmp_path) as host:
        await make_volume(host)
        failure = await host.api.failure("vm.device.virtual_size", {"path": path})
        [[field, _, errno]] = failure.data["extra"]
        assert field == "vm.device.virtual_size"
        assert errno == number
        assert (await host.api.failure("vm.device.virtual_size", {"path": ""})).attributes == [
            "vm_virtual_size.path"
        ]


# --- image to volume --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ENDINGS)
async def test_a_volume_is_filled_from_an_image(tmp_path: Path, format: str) -> None:
    await make_image(pool(tmp_path) / f"a.{format}", format)
    async with server(tmp_path) as host:
        volume = await make_volume(host, b"o" * (SIZE + MiB))
        record = await done(
            host, "vm.device.convert", source=f"/mnt/default/a.{format}", destination="/dev/zvol/default/a"
        )
        assert (record["state"], record["result"]) == ("SUCCESS", True), record
        assert record["progress"]["percent"] == 100
        assert f"a.{format} to default/a" in record["progress"]["description"]
        # What the volume held before is gone behind the image's end too, and takes no room.
        assert volume.read_bytes() == CONTENTS + bytes(MiB)
        assert volume.stat().st_blocks * 512 < MiB
        assert files(tmp_path) == [".volumes/a", f"a.{format}"]
        assert host.server.services.unfinished.all() == []


async def test_an_image_of_any_name_is_imported(tmp_path: Path) -> None:
    await make_image(pool(tmp_path) / "cloud.img", "qcow2", "-c")
    async with server(tmp_path) as host:
        volume = await make_volume(host)
        record = await done(host, "vm.import_disk_image", diskimg="/mnt/default/cloud.img", zvol="default/a")
        assert record["result"] is True, record
        assert volume.read_bytes() == CONTENTS


async def test_a_name_with_blanks_and_no_suffix_like_an_image(tmp_path: Path) -> None:
    await make_image(pool(tmp_path) / "a.raw", "raw")
    async with server(tmp_path) as host:
        for name, path in (
            ("default/my draw", "/dev/zvol/default/my+draw"),
            ("default/draw", "default/draw"),
        ):
            volume = await make_volume(host, name=name)
            record = await done(host, "vm.device.convert", source="/mnt/default/a.raw", destination=path)
            assert record["result"] is True, record
            assert volume.read_bytes() == CONTENTS


async def test_copies_that_are_asked_for_at_once_are_all_made(tmp_path: Path) -> None:
    await make_image(pool(tmp_path) / "a.raw", "raw")
    async with server(tmp_path) as host:
        names = [f"default/v{number}" for number in range(5)]
        volumes = [await make_volume(host, name=name) for name in names]
        records = await asyncio.gather(
            *(
                done(host, "vm.device.convert", source="/mnt/default/a.raw", destination=f"/dev/zvol/{name}")
                for name in names
            )
        )
        assert len({record["id"] for record in records}) == len(names)
        assert [volume.read_bytes() == CONTENTS for volume in volumes] == [True] * len(names)


@pytest.mark.parametrize("format", ["qcow2", "qed", "vdi", "vhdx", "vmdk", "vpc"])
async def test_an_image_that_was_cut_off_changes_nothing(tmp_path: Path, format: str) -> None:
    image = pool(tmp_path) / "a.img"
    await make_image(image, format, contents=os.urandom(SIZE))
    os.truncate(image, image.stat().st_size // 2)
    async with server(tmp_path) as host:
        volume = await make_volume(host, b"o" * SIZE * 2)
        field, _, _ = await problem(
            host, "vm.import_disk_image", diskimg="/mnt/default/a.img", zvol="default/a"
        )
        assert field == "vm_import_disk_image.diskimg"
        assert volume.read_bytes() == b"o" * SIZE * 2
        assert files(tmp_path) == [".volumes/a", "a.img"]


async def test_an_image_of_a_huge_disk_does_not_fit(tmp_path: Path) -> None:
    image = pool(tmp_path) / "a.qcow2"
    await run(["qemu-img", "create", "-q", "-f", "qcow2", str(image), "1024T"])
    async with server(tmp_path) as host:
        await make_volume(host)
        path = "/mnt/default/a.qcow2"
        assert await host.api.call("vm.device.virtual_size", {"path": path}) == 1 << 50
        found = await problem(host, "vm.device.convert", source=path, destination="/dev/zvol/default/a")
        assert found[:2] == ("vm.device.convert.destination", 28)
        assert str(SIZE) in found[2]


async def test_there_must_be_room_for_the_copy(tmp_path: Path) -> None:
    await make_image(pool(tmp_path) / "a.raw", "raw")
    async with server(tmp_path, volumes=Full({"default": pool(tmp_path)})) as host:
        volume = await make_volume(host, b"o" * SIZE)
        for source, destination in (
            ("/mnt/default/a.raw", "/dev/zvol/default/a"),
            ("/dev/zvol/default/a", "/mnt/default/new.qcow2"),
        ):
            found = await problem(host, "vm.device.convert", source=source, destination=destination)
            assert found[:2] == ("vm.device.convert.destination", 28)
            assert "1000 bytes free" in found[2]
        assert volume.read_bytes() == b"o" * SIZE
        assert files(tmp_path) == [".volumes/a", "a.raw"]


@pytest.mark.parametrize(
    ("source", "destination", "field", "number"),
    [
        ("/mnt/default/a.raw", "/mnt/default/b.raw", "", 22),
        ("/dev/zvol/default/a", "default/a", "", 22),
        ("/mnt/default/a.iso", "/dev/zvol/default/a", "", 22),
        ("/mnt/default/a.raw", "/dev/zvol/default/missing", ".destination", 2),
        ("/mnt/default/a.raw", "/dev/zvol/nopool/a", ".destination", 2),
        ("/mnt/default/a.raw", "/dev/zvol/default/../a", ".destination", 22),
        ("/mnt/default/missing.raw", "/dev/zvol/default/a", ".source", 2),
        ("/etc/raw", "/dev/zvol/default/a", ".source", 22),
        ("/mnt/default/out.raw", "/dev/zvol/default/a", ".source", 22),
        ("/mnt/default/folder.raw", "/dev/zvol/default/a", ".source", 22),
        ("/mnt/default/a.qcow2", "/dev/zvol/default/a", ".source", 22),
        ("/dev/zvol/default/missing", "/mnt/default/b.raw", ".source", 2),
        ("/dev/zvol/default/a", "/mnt/default/a.raw", ".destination", 17),
        ("/dev/zvol/default/a", "/mnt/default/none/b.raw", ".destination", 2),
        ("/dev/zvol/default/a", "/tmp/b.raw", ".destination", 22),
        ("/dev/zvol/default/a", "/mnt/default/out.raw", ".destination", 22),
        ("/dev/zvol/default/a", "/mnt/default/folder.raw", ".destination", 22),
        ("/dev/zvol/default/a", "/mnt/default/.volumes/b.raw", ".destination", 22),
    ],
)
async def test_what_cannot_be_converted(
    tmp_path: Path, source: str, destination: str, field: str, number: int
) -> None:
    for name in ("a.raw", "a.qcow2", "a.iso"):
        (pool(tmp_path) / name).write_bytes(b"raw" * 1000)
    (pool(tmp_path) / "out.raw").symlink_to("/etc/passwd")
    (pool(tmp_path) / "folder.raw").mkdir()
    async with server(tmp_path) as host:
        volume = await make_volume(host, b"o" * SIZE)
        before = files(tmp_path)
        found = await problem(host, "vm.device.convert", source=source, destination=destination)
        assert found[:2] == (f"vm.device.convert{field}", number), found
        assert files(tmp_path) == before
        assert volume.read_bytes() == b"o" * SIZE


# --- volume to image --------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ENDINGS)
async def test_an_image_is_made_of_a_volume(tmp_path: Path, format: str) -> None:
    async with server(tmp_path) as host:
        await make_volume(host, CONTENTS)
        path = f"/mnt/default/a.{format}"
        record = await done(host, "vm.device.convert", source="/dev/zvol/default/a", destination=path)
        assert (record["state"], record["result"]) == ("SUCCESS", True), record
        made = pool(tmp_path) / f"a.{format}"
        back = tmp_path / "back"
        await run(["qemu-img", "convert", "-f", format, "-O", "raw", str(made), str(back)])
        assert back.read_bytes() == CONTENTS
        assert made.stat().st_mode & 0o777 == 0o600
        assert files(tmp_path) == [".volumes/a", f"a.{format}"]
        assert host.server.services.unfinished.all() == []


@pytest.mark.parametrize("format", ["qcow2", "qed", "raw", "vdi", "vpc", "vmdk"])
async def test_an_export_takes_the_place_of_the_one_before(tmp_path: Path, format: str) -> None:
    folder = pool(tmp_path) / "exports"
    folder.mkdir()
    # Where the tests do not run as root, the owner is the same before and after.
    if os.geteuid() == 0:
        os.chown(folder, 1234, 1234)
    made = folder / f"vmdisk-a.{format}"
    made.write_bytes(b"old")
    async with server(tmp_path) as host:
        await make_volume(host, CONTENTS)
        arguments = {"format": format, "directory": "/mnt/default/exports/", "zvol": "default/a"}
        record = await done(host, "vm.export_disk_image", **arguments)
        assert record["result"] is True, record
        back = tmp_path / "back"
        await run(["qemu-img", "convert", "-f", format, "-O", "raw", str(made), str(back)])
        assert back.read_bytes() == CONTENTS
        assert made.stat().st_uid == folder.stat().st_uid
        assert files(tmp_path) == [".volumes/a", f"exports/{made.name}"]
        # And what was exported can be imported again into a volume of the same size.
        volume = await make_volume(host, name="default/b")
        source = f"/mnt/default/exports/{made.name}"
        record = await done(host, "vm.import_disk_image", diskimg=source, zvol="default/b")
        assert record["result"] is True, record
        assert volume.read_bytes() == CONTENTS


@pytest.mark.parametrize(
    ("changes", "field", "number"),
    [
        ({"format": "vhdx"}, "vm_export_disk_image.format", 22),
        ({"directory": "/tmp"}, "vm_export_disk_image.directory", 22),
        ({"directory": "/mnt/default/none"}, "vm_export_disk_image.directory", 2),
        ({"zvol": "default/none"}, "vm_export_disk_image.zvol", 2),
    ],
)
async def test_what_cannot_be_exported(
    tmp_path: Path, changes: dict[str, str], field: str, number: int
) -> None:
    async with server(tmp_path) as host:
        await make_volume(host)
        arguments = {"format": "raw", "directory": "/mnt/default", "zvol": "default/a", **changes}
        assert (await problem(host, "vm.export_disk_image", **arguments))[:2] == (field, number)
        assert files(tmp_path) == [".volumes/a"]


async def test_the_lock_needs_the_name_of_the_volume(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        for arguments in ([], [{"diskimg": "/mnt/default/a"}], ["text"]):
            failure = await host.api.failure("vm.import_disk_image", *arguments)
            assert failure.errno == 22
            assert "vm_import_disk_image" in failure.reason


# --- virtual machines that use them -----------------------------------------------------------------------


async def test_the_disk_of_an_active_vm_is_left_alone(tmp_path: Path) -> None:
    await make_image(pool(tmp_path) / "a.raw", "raw")
    async with server(tmp_path) as host:
        volume = await make_volume(host, b"o" * SIZE)
        vm = await vm_with(host, dtype="DISK", path="/dev/zvol/default/a")
        arguments = {"source": "/mnt/default/a.raw", "destination": "default/a"}
        for state in ("RUNNING", "SUSPENDED"):
            assert (await host.api.call("vm.status", vm))["state"] == state
            found = await problem(host, "vm.device.convert", **arguments)
            assert found[:2] == ("vm.device.convert.destination", 16)
            assert "guest" in found[2]
            if state == "RUNNING":
                await host.api.call("vm.suspend", vm)
        assert volume.read_bytes() == b"o" * SIZE
        await host.api.call("vm.poweroff", vm)
        assert (await done(host, "vm.device.convert", **arguments))["result"] is True
        assert volume.read_bytes() == CONTENTS


async def test_a_file_that_an_active_vm_uses_is_not_replaced_by_an_export(tmp_path: Path) -> None:
    used = pool(tmp_path) / "vmdisk-a.raw"
    used.write_bytes(b"used" * 512)
    (pool(tmp_path) / "link").symlink_to(used)
    async with server(tmp_path) as host:
        await make_volume(host)
        await vm_with(host, dtype="RAW", path="/mnt/default/link", exists=True)
        arguments = {"format": "raw", "directory": "/mnt/default", "zvol": "default/a"}
        found = await problem(host, "vm.export_disk_image", **arguments)
        assert found[:2] == ("vm_export_disk_image.directory", 16)
        assert used.read_bytes() == b"used" * 512


async def test_the_disk_of_an_active_vm_can_be_copied_and_the_job_says_so(tmp_path: Path) -> None:
    async with server(tmp_path) as host:
        await make_volume(host, CONTENTS)
        await vm_with(host, dtype="DISK", path="/dev/zvol/default/a")
        record = await done(host, "vm.device.convert", source="default/a", destination="/mnt/default/a.raw")
        assert record["result"] is True, record
        assert "guest" in record["progress"]["description"]
        assert (pool(tmp_path) / "a.raw").read_bytes() == CONTENTS


async def test_a_vm_that_starts_during_the_copy_keeps_its_disk(tmp_path: Path) -> None:
    await make_image(pool(tmp_path) / "a.raw", "raw")
    images = Held()
    async with server(tmp_path, images=images) as host:
        volume = await make_volume(host, b"o" * SIZE)
        vm = await vm_with(host, start=False, dtype="DISK", path="/dev/zvol/default/a")
        arguments = {"source": "/mnt/default/a.raw", "destination": "default/a"}
        job = asyncio.ensure_future(problem(host, "vm.device.convert", **arguments))
        await images.is_copied.wait()
        await host.api.call("vm.start", vm)
        images.may_go_on.set()
        assert (await job)[:2] == ("vm.device.convert.destination", 16)
        assert volume.read_bytes() == b"o" * SIZE
        assert files(tmp_path) == [".volumes/a", "a.raw"]


# --- copies that do not succeed ---------------------------------------------------------------------------


def processes(text: str) -> list[int]:
    """Ids of the processes that have a text among their arguments."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if text.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    ("source", "destination"),
    [("/mnt/default/a.raw", "/dev/zvol/default/a"), ("/dev/zvol/default/a", "/mnt/default/new.qcow2")],
)
async def test_an_aborted_copy_ends_the_program_and_leaves_nothing(
    tmp_path: Path, source: str, destination: str
) -> None:
    await make_image(pool(tmp_path) / "a.raw", "raw")
    async with server(tmp_path, images=script(tmp_path, STUCK)) as host:
        volume = await make_volume(host, b"o" * SIZE)
        await host.api.call("core.subscribe", "core.get_jobs")
        number = await host.api.call("vm.device.convert", {"source": source, "destination": destination})
        await host.api.event(lambda event: event["fields"]["progress"]["percent"] == 50)
        # Half-way, the next server would know what to remove if this one were killed now.
        assert len(files(tmp_path)) == 3
        assert len(host.server.services.unfinished.all()) == 1
        [pid] = [os.pidfd_open(pid) for pid in processes(f"{tmp_path}/qemu-img-stand-in")]
        await host.api.call("core.job_abort", number)
        assert (await host.api.job(number))["state"] == "ABORTED"
        assert select.select([pid], [], [], 5)[0], "it goes on"
        os.close(pid)
        assert files(tmp_path) == [".volumes/a", "a.raw"]
        assert volume.read_bytes() == b"o" * SIZE
        assert host.server.services.unfinished.all() == []


async def test_a_failed_copy_leaves_nothing_and_tells_why(tmp_path: Path) -> None:
    await make_image(pool(tmp_path) / "a.raw", "raw")
    async with server(tmp_path, images=script(tmp_path, FAILING)) as host:
        volume = await make_volume(host, b"o" * SIZE)
        for source, destination in (
            ("/mnt/default/a.raw", "default/a"),
            ("default/a", "/mnt/default/new.vmdk"),
        ):
            record = await done(host, "vm.device.convert", source=source, destination=destination)
            assert record["state"] == "FAILED"
            assert "error while writing at byte 512" in record["error"]
            assert "could not be copied to" in record["error"]
        assert files(tmp_path) == [".volumes/a", "a.raw"]
        assert volume.read_bytes() == b"o" * SIZE
        assert host.server.services.unfinished.all() == []


async def test_without_the_program_the_way_out_is_told(tmp_path: Path) -> None:
    async with server(tmp_path, images=QemuImg("/nonexistent/qemu-img")) as host:
        await make_volume(host)
        found = await problem(host, "vm.device.convert", source="default/a", destination="/mnt/default/a.raw")
        assert "/nonexistent/qemu-img is not installed" in found[2]
        assert "bin/setup" in found[2]
