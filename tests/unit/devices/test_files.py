"""Devices that are files: which paths there can be, and whether guests get at them."""

import os
from pathlib import Path

import pytest

from tests.unit.devices.support import Bench, refusals, told
from vmstead.devices._files import FilePath, examine_file, file_source, preflight_file
from vmstead.errors import Problem
from vmstead.kernel.model import Field, Model
from vmstead.kernel.xml import el
from vmstead.ports.volumes import DiskSource, VolumeError, VolumeErrorKind


class Film(Model):
    """Something in a file."""

    path: FilePath = Field(description="Where it is.")


@pytest.mark.parametrize(
    "path",
    [
        "/mnt/tank/a.iso",
        "/mnt/tank/my films/a film.iso",
        "/mnt/tank/\u00fcber \U0001f600.iso",
        "/mnt/tank/<&>\"'%s$(x).iso",
        "/mnt/tank/.hidden",
        "/x",
        "/" + "x" * 1023,
    ],
)
def test_any_absolute_path_can_be_one(path: str) -> None:
    assert Film.model_validate({"path": path}).path == path
    assert el("source", file=path).get("file") == path


RELATIVE = "Value error, Path must be absolute, such as /mnt/default/disk.img"
BRACES = "Value error, Path must not contain { or }"
CONTROL = "Value error, Path must not contain control characters"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.iso", RELATIVE),
        ("./a.iso", RELATIVE),
        (" /mnt/tank/a.iso", RELATIVE),
        ("json:{}", BRACES),
        ("/mnt/tank/{a.iso", BRACES),
        ("/mnt/tank/a}.iso", BRACES),
        ("/mnt/tank/a\n", CONTROL),
        ("/mnt/tank/\0", CONTROL),
        ("/mnt/tank/\x1b[2J", CONTROL),
        ("/mnt/tank/\x7f", CONTROL),
        ("/mnt/tank/\ufffe", CONTROL),
        ("/mnt/tank/\uffff.iso", CONTROL),
        ("", "String should have at least 1 character"),
        ("/" + "x" * 1024, "String should have at most 1024 characters"),
        (None, "Input should be a valid string"),
        (Path("/mnt/tank/a.iso"), "Input should be a valid string"),
    ],
)
def test_paths_that_no_guest_could_be_given_are_refused(path: object, text: str) -> None:
    assert refusals(Film, path=path) == {"path": text}


def test_half_a_character_is_no_path() -> None:
    assert list(refusals(Film, path="/mnt/tank/\udc80")) == ["path"]


# --- looking at the file ----------------------------------------------------------------------------


async def test_a_file_that_is_there_is_good(bench: Bench) -> None:
    assert await examine_file(bench.ctx, bench.file("a.iso")) == []


async def test_a_file_that_is_not_there_is_told_so_that_clients_can_test_for_it(bench: Bench) -> None:
    assert await examine_file(bench.ctx, "/mnt/tank/a.iso") == [
        Problem("attributes.path", "/mnt/tank/a.iso does not exist", 2)
    ]


@pytest.mark.parametrize(
    ("path", "part"),
    [
        ("/mnt/tank/folder", "is not a regular file"),
        ("/mnt/tank/pipe", "is not a regular file"),
        ("/mnt/tank", "is not below /mnt/tank/"),
        ("/mnt/other/a.iso", "is not below /mnt/tank/"),
        ("/etc/hostname", "is not below /mnt/tank/"),
        ("/mnt/tank/none/a.iso", "the folder of /mnt/tank/none/a.iso does not exist"),
        ("/mnt/tank/../a.iso", "has .. in it"),
        ("/mnt/tank/link", "leads out of the folders that may be used"),
    ],
)
async def test_what_is_no_file_that_may_be_used_is_told(bench: Bench, path: str, part: str) -> None:
    bench.pool.joinpath("folder").mkdir()
    bench.pool.joinpath("link").symlink_to("/etc/hostname")
    os.mkfifo(bench.pool / "pipe")
    ((field, text),) = told(await examine_file(bench.ctx, path))
    assert field == "attributes.path"
    assert part in text
    # What cannot be stored cannot be started with either.
    assert [part in sentence for sentence in await preflight_file(bench.ctx, path)] == [True]


async def test_a_guest_opens_the_file_itself_and_not_the_link_to_it(bench: Bench) -> None:
    bench.file("a.iso")
    bench.pool.joinpath("link.iso").symlink_to("a.iso")
    for name in ("a.iso", "link.iso"):
        found = await file_source(bench.ctx, f"/mnt/tank/{name}")
        assert found == DiskSource(bench.pool.resolve() / "a.iso", is_block=False)


async def test_a_path_that_leads_out_of_the_pool_has_no_file(bench: Bench) -> None:
    bench.pool.joinpath("link").symlink_to("/etc/hostname")
    with pytest.raises(VolumeError) as raised:
        await file_source(bench.ctx, "/mnt/tank/link")
    assert raised.value.kind is VolumeErrorKind.OUTSIDE


# --- before a start ---------------------------------------------------------------------------------


async def test_a_file_that_has_gone_keeps_the_vm_from_starting(bench: Bench) -> None:
    path = bench.file("a.iso")
    assert list(await preflight_file(bench.ctx, path)) == []
    bench.pool.joinpath("a.iso").unlink()
    assert list(await preflight_file(bench.ctx, path)) == ["/mnt/tank/a.iso does not exist"]


async def test_a_folder_that_guests_may_not_enter_is_named_with_the_way_out(bench: Bench) -> None:
    path = bench.file("a.iso")
    bench.engine.become(guest_user="libvirt-qemu")
    assert list(await preflight_file(bench.ctx, path)) == []
    bench.machine.barrier = bench.pool.parent
    assert list(await preflight_file(bench.ctx, path)) == [
        f"guests run as libvirt-qemu, which may not enter {bench.pool.parent} on the way to "
        f"{bench.pool / 'a.iso'}; allow it with: chmod o+x {bench.pool.parent}"
    ]


@pytest.mark.parametrize("user", [None, "root"])
async def test_who_enters_every_folder_is_not_kept_from_any(bench: Bench, user: str | None) -> None:
    bench.engine.become(guest_user=user)
    bench.machine.barrier = bench.pool.parent
    assert list(await preflight_file(bench.ctx, bench.file("a.iso"))) == []


async def test_while_the_engine_is_away_nobody_knows_as_whom_guests_run(bench: Bench) -> None:
    bench.machine.barrier = bench.pool.parent
    assert list(await preflight_file(bench.ctx, bench.file("a.iso"))) == []
