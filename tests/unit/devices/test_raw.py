"""RAW: a file that is there, or one that is made with the device; it grows and never shrinks."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.unit.devices.support import Bench, placed, provisioned, refusals, told
from vmstead.devices.cdrom import Cdrom
from vmstead.devices.raw import Raw
from vmstead.errors import Problem, ValidationErrors
from vmstead.ports.volumes import VolumeError, VolumeErrorKind
from vmstead.store.unfinished import Kind, Unfinished


def raw(path: str = "/mnt/tank/a.img", **attributes: Any) -> Raw:
    return Raw.model_validate({"path": path, **attributes})


def size_of(bench: Bench, name: str = "a.img") -> int:
    return bench.pool.joinpath(name).stat().st_size


# --- what can be sent -------------------------------------------------------------------------------


def test_the_defaults_are_those_of_the_contract() -> None:
    assert raw().entry() == {
        "dtype": "RAW",
        "path": "/mnt/tank/a.img",
        "type": "AHCI",
        "exists": False,
        "boot": False,
        "size": None,
        "logical_sectorsize": None,
        "physical_sectorsize": None,
        "iotype": "THREADS",
        "serial": None,
    }


@pytest.mark.parametrize(
    ("attributes", "problems"),
    [
        ({}, {"path": "Field required"}),
        ({"path": ""}, {"path": "String should have at least 1 character"}),
        ({"path": "/a{b}"}, {"path": "Value error, Path must not contain { or }"}),
        ({"path": "/a", "exists": "yes"}, {"exists": "Input should be a valid boolean"}),
        ({"path": "/a", "exists": None}, {"exists": "Input should be a valid boolean"}),
        ({"path": "/a", "boot": 1}, {"boot": "Input should be a valid boolean"}),
        ({"path": "/a", "size": "512"}, {"size": "Input should be a valid integer"}),
        ({"path": "/a", "size": True}, {"size": "Input should be a valid integer"}),
        ({"path": "/a", "create_zvol": False}, {"create_zvol": "Extra inputs are not permitted"}),
    ],
)
def test_a_file_has_a_path_and_plain_values(attributes: dict[str, Any], problems: dict[str, str]) -> None:
    assert refusals(Raw, **attributes) == problems


@pytest.mark.parametrize(
    ("size", "logical", "sector"),
    [
        (None, None, None),
        (None, 4096, None),
        (512, None, None),
        (512, 512, None),
        (4096, 4096, None),
        (2**63, None, None),
        (0, None, 512),
        (-512, None, 512),
        (1, None, 512),
        (513, 512, 512),
        (512, 4096, 4096),
        (4096 + 512, 4096, 4096),
        (0, 4096, 4096),
    ],
)
def test_a_file_has_whole_sectors(size: int | None, logical: int | None, sector: int | None) -> None:
    text = f"must be a multiple of the sector size {sector} above 0"
    expected = [] if sector is None else [("attributes.size", text)]
    assert told(raw(size=size, logical_sectorsize=logical).check([], None)) == expected


def test_all_that_is_wrong_is_told_at_once() -> None:
    device = raw(size=1, physical_sectorsize=4096)
    others = placed(Cdrom(path="/mnt/tank/a.img"))
    assert [each.attribute for each in device.check(others, None)] == [
        "attributes.logical_sectorsize",
        "attributes.path",
        "attributes.size",
    ]


# --- a look at the file -----------------------------------------------------------------------------

GONE = Problem("attributes.path", "/mnt/tank/a.img does not exist", 2)
THERE = Problem("attributes.path", "/mnt/tank/a.img exists already; set exists to use it as it is", 17)
NO_SIZE = Problem("attributes.size", "is required for a new file: the size in bytes", 22)
SMALLER = Problem(
    "attributes.size", "is smaller than the file, which has 1024 bytes: shrinking would lose data", 22
)


@pytest.mark.parametrize(
    ("found", "attributes", "problems"),
    [
        (False, {"size": 512}, []),
        (False, {}, [NO_SIZE]),
        (False, {"exists": True}, [GONE]),
        (False, {"exists": True, "size": 512}, [GONE]),
        (True, {"exists": True}, []),
        (True, {"exists": True, "size": 1024}, []),
        (True, {"exists": True, "size": 2048}, []),
        (True, {"exists": True, "size": 512}, [SMALLER]),
        (True, {"size": 1024}, [THERE]),
        (True, {}, [THERE, NO_SIZE]),
    ],
)
async def test_a_new_device_says_whether_its_file_is_there(
    bench: Bench, found: bool, attributes: dict[str, Any], problems: list[Problem]
) -> None:
    if found:
        bench.file("a.img", bytes(1024))
    assert await raw(**attributes).examine(bench.ctx, [], None) == problems


@pytest.mark.parametrize("exists", [False, True])
@pytest.mark.parametrize(
    ("size", "problems"), [(None, []), (1024, []), (4096, []), (512, [SMALLER])], ids=str
)
async def test_on_an_update_it_need_not_say_so(
    bench: Bench, exists: bool, size: int | None, problems: list[Problem]
) -> None:
    bench.file("a.img", bytes(1024))
    old = raw(exists=True, size=2048)
    assert await raw(exists=exists, size=size).examine(bench.ctx, [], old) == problems


async def test_a_file_that_has_gone_keeps_only_its_growth_from_being_made(bench: Bench) -> None:
    old = raw(exists=True, size=512)
    assert await raw(exists=True, size=512, type="VIRTIO").examine(bench.ctx, [], old) == []
    assert await raw(exists=True, size=1024).examine(bench.ctx, [], old) == [GONE]


async def test_another_file_is_looked_at_as_for_a_new_device(bench: Bench) -> None:
    bench.file("a.img", bytes(1024))
    old = raw("/mnt/tank/b.img", exists=True)
    assert await raw(exists=True).examine(bench.ctx, [], old) == []
    assert await raw(size=1024).examine(bench.ctx, [], old) == [THERE]


async def test_a_place_where_no_file_can_be_is_told(bench: Bench) -> None:
    for exists in (False, True):
        ((field, text),) = told(
            await raw("/mnt/tank/none/a.img", exists=exists, size=512).examine(bench.ctx, [], None)
        )
        assert field == "attributes.path"
        assert text.startswith("the folder of /mnt/tank/none/a.img does not exist")


# --- making and growing the file --------------------------------------------------------------------


async def test_a_new_file_has_its_size_and_reads_back_as_one_that_is_there(bench: Bench) -> None:
    stored = await provisioned(bench, raw(size=4096, boot=True))
    assert stored == raw(size=4096, boot=True, exists=True).entry()
    assert bench.pool.joinpath("a.img").read_bytes() == bytes(4096)


@pytest.mark.parametrize(("size", "after"), [(None, 4), (512, 512)])
async def test_a_file_that_is_there_keeps_its_bytes_and_grows(
    bench: Bench, size: int | None, after: int
) -> None:
    bench.file("a.img", b"boot")
    assert await provisioned(bench, raw(exists=True, size=size)) == raw(exists=True, size=size).entry()
    assert bench.pool.joinpath("a.img").read_bytes() == b"boot".ljust(after, b"\0")


async def test_a_size_that_was_not_changed_grows_nothing(bench: Bench) -> None:
    """Somebody may have made the file smaller on purpose, by other means."""
    bench.file("a.img", b"boot")
    assert await provisioned(bench, raw(size=512), raw(size=512, exists=True)) == (
        raw(size=512, exists=True).entry()
    )
    assert size_of(bench) == 4


async def test_no_empty_file_hides_that_the_old_one_has_gone(bench: Bench) -> None:
    old = raw(size=512, exists=True)
    await provisioned(bench, raw(size=512, exists=True, type="VIRTIO"), old)
    assert list(bench.pool.iterdir()) == []


async def test_a_disk_can_go_on_with_a_new_file_and_the_old_one_stays(bench: Bench) -> None:
    bench.file("old.img", b"old")
    stored = await provisioned(bench, raw(size=512), raw("/mnt/tank/old.img", exists=True, size=512))
    assert stored == raw(size=512, exists=True).entry()
    assert (size_of(bench), size_of(bench, "old.img")) == (512, 3)


async def test_a_new_file_goes_when_a_later_step_fails_and_one_that_was_there_stays(bench: Bench) -> None:
    bench.file("there.img", b"boot")
    async with AsyncExitStack() as steps:
        await raw(size=512).provision(bench.ctx, steps, None)
        await raw("/mnt/tank/there.img", exists=True, size=512).provision(bench.ctx, steps, None)
        assert size_of(bench) == 512
    assert [path.name for path in bench.pool.iterdir()] == ["there.img"]
    assert bench.pool.joinpath("there.img").read_bytes().startswith(b"boot")
    assert bench.ctx.unfinished.all() == []


@pytest.mark.parametrize(
    ("device", "field", "errno"),
    [
        (raw("/mnt/tank/none/a.img", size=512), "attributes.path", 22),
        (raw("/mnt/tank/huge.img", size=2**70), "attributes.size", 28),
        (raw("/mnt/tank/small.img", exists=True, size=2**70), "attributes.size", 28),
    ],
)
async def test_a_file_that_cannot_be_made_is_a_problem_with_what_was_asked_for(
    bench: Bench, device: Raw, field: str, errno: int
) -> None:
    bench.file("small.img", b"boot")
    async with AsyncExitStack() as steps:
        with pytest.raises(ValidationErrors) as raised:
            await device.provision(bench.ctx, steps, None)
    assert [(each.attribute, each.errno) for each in raised.value.problems] == [(field, errno)]
    assert [path.name for path in bench.pool.iterdir()] == ["small.img"]
    assert size_of(bench, "small.img") == 4
    assert bench.ctx.unfinished.all() == []


# --- afterwards -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "copies"),
    [
        ("a.img", ["a_web.img", "a_web_clone0.img"]),
        ("a", ["a_web", "a_web_clone0"]),
        ("a.b.img", ["a.b_web.img", "a.b_web_clone0.img"]),
        (".img", [".img_web", ".img_web_clone0"]),
    ],
)
async def test_a_copy_has_a_file_and_a_number_of_its_own(bench: Bench, name: str, copies: list[str]) -> None:
    original = raw(bench.file(name, b"bytes"), exists=True, serial="MINE", boot=True)
    async with AsyncExitStack() as steps:
        made = [await original.copy_for("web", bench.ctx, steps) for _ in copies]
        assert [each.path for each in made] == [f"/mnt/tank/{copy}" for copy in copies]
        assert [(each.serial, each.exists, each.boot) for each in made] == [(None, True, True)] * 2
        assert {bench.pool.joinpath(copy).read_bytes() for copy in copies} == {b"bytes"}
    assert [path.name for path in bench.pool.iterdir()] == [name]


async def test_without_the_file_there_is_no_copy(bench: Bench) -> None:
    async with AsyncExitStack() as steps:
        with pytest.raises(VolumeError) as raised:
            await raw().copy_for("web", bench.ctx, steps)
    assert raised.value.kind is VolumeErrorKind.NOT_FOUND
    assert bench.ctx.unfinished.all() == []


async def test_a_start_needs_the_file(bench: Bench) -> None:
    assert list(await raw().preflight(bench.ctx)) == ["/mnt/tank/a.img does not exist"]
    bench.file("a.img")
    assert list(await raw().preflight(bench.ctx)) == []


@pytest.mark.parametrize("zvol", [False, True])
def test_the_file_goes_only_when_files_are_asked_for(zvol: bool) -> None:
    assert raw().storage(zvol=zvol, raw_file=False) is None
    assert raw().storage(zvol=zvol, raw_file=True) == Unfinished(Kind.FILE, "/mnt/tank/a.img")


def test_people_know_it_by_its_path_and_it_boots_first_when_told_to() -> None:
    assert raw().identity == "/mnt/tank/a.img"
    assert [raw(boot=boot).boots_first for boot in (False, True)] == [False, True]
