"""DISK: a volume that is there, or one that is made with the device."""

from contextlib import AsyncExitStack
from typing import Any

import pytest

from tests.unit.devices.support import Bench, fields, placed, provisioned, refusals, told
from vmstead.devices.cdrom import Cdrom
from vmstead.devices.disk import Disk
from vmstead.devices.raw import Raw
from vmstead.errors import Problem, ValidationErrors
from vmstead.ports.volumes import VolumeError, VolumeErrorKind
from vmstead.store.unfinished import Kind, Unfinished

MiB = 1 << 20


def disk(path: str = "/dev/zvol/tank/a", **attributes: Any) -> Disk:
    return Disk.model_validate({"path": path, **attributes})


def new(name: str | None = "tank/a", size: int | None = MiB, **attributes: Any) -> Disk:
    values = {"create_zvol": True, "zvol_name": name, "zvol_volsize": size, **attributes}
    return Disk.model_validate(values)


# --- what can be sent -------------------------------------------------------------------------------

BOTH = "Value error, path must not be set together with create_zvol: the new volume's path is used"
NEITHER = "Value error, path is required, or create_zvol with zvol_name and zvol_volsize"
EMPTY = "String should have at least 1 character"
LONG = "String should have at most 1024 characters"


@pytest.mark.parametrize(
    ("attributes", "problems"),
    [
        ({}, {"": NEITHER}),
        ({"path": None, "create_zvol": False}, {"": NEITHER}),
        ({"zvol_name": "tank/a", "zvol_volsize": 512}, {"": NEITHER}),
        ({"path": "/dev/zvol/tank/a", "create_zvol": True}, {"": BOTH}),
        ({"path": ""}, {"path": EMPTY}),
        ({"path": "/" + "x" * 1024}, {"path": LONG}),
        ({"create_zvol": True, "zvol_name": ""}, {"zvol_name": EMPTY}),
        ({"create_zvol": True, "zvol_name": "x" * 1025}, {"zvol_name": LONG}),
        ({"create_zvol": 1}, {"create_zvol": "Input should be a valid boolean"}),
        ({"create_zvol": True, "zvol_volsize": "1G"}, {"zvol_volsize": "Input should be a valid integer"}),
        ({"create_zvol": True, "zvol_volsize": 512.0}, {"zvol_volsize": "Input should be a valid integer"}),
        ({"path": "/dev/zvol/tank/a", "boot": True}, {"boot": "Extra inputs are not permitted"}),
    ],
)
def test_a_disk_is_a_volume_or_the_wish_for_one(attributes: dict[str, Any], problems: dict[str, str]) -> None:
    assert refusals(Disk, **attributes) == problems


NAME = ("attributes.zvol_name", "is required with create_zvol, such as default/web01-disk0")
SIZE = ("attributes.zvol_volsize", "is required with create_zvol: the size in bytes")
MULTIPLE = ("attributes.zvol_volsize", "must be a multiple of 512 above 0")


@pytest.mark.parametrize(
    ("device", "problems"),
    [
        (new(), []),
        (new(size=512), []),
        (new(size=2**63), []),
        (new(name=None), [NAME]),
        (new(size=None), [SIZE]),
        (new(size=0), [SIZE]),
        (new(name=None, size=None), [NAME, SIZE]),
        (new(size=1), [MULTIPLE]),
        (new(size=513), [MULTIPLE]),
        (new(size=-512), [MULTIPLE]),
        (new(name=None, size=-1), [NAME, MULTIPLE]),
    ],
)
def test_a_new_volume_has_a_name_and_a_size(device: Disk, problems: list[tuple[str, str]]) -> None:
    assert told(device.check([], None)) == problems


@pytest.mark.parametrize(
    ("device", "problems"),
    [
        (disk(), []),
        (disk(zvol_name=None, zvol_volsize=None), []),
        (disk(zvol_name="tank/b"), [("attributes.zvol_name", "has a meaning only with create_zvol")]),
        (disk(zvol_volsize=512), [("attributes.zvol_volsize", "has a meaning only with create_zvol")]),
        (
            disk("/dev/sda"),
            [("attributes.path", "must be a volume below /dev/zvol/; for a file use a RAW device")],
        ),
        (
            disk("/mnt/tank/a.img"),
            [("attributes.path", "must be a volume below /dev/zvol/; for a file use a RAW device")],
        ),
        (
            disk("tank/a", physical_sectorsize=512),
            [
                ("attributes.logical_sectorsize", "must be set when physical_sectorsize is set"),
                ("attributes.path", "must be a volume below /dev/zvol/; for a file use a RAW device"),
            ],
        ),
    ],
)
def test_a_volume_that_is_there_has_a_path_below_the_volumes(
    device: Disk, problems: list[tuple[str, str]]
) -> None:
    assert told(device.check([], None)) == problems


@pytest.mark.parametrize("device", [disk("/dev/zvol/tank/my+disk"), disk("/dev/zvol/tank/my disk")])
def test_a_volume_that_is_to_be_made_is_in_the_way_as_one_that_is_there(device: Disk) -> None:
    assert fields(new("tank/my disk").check(placed(device), None)) == ["attributes.path"]
    assert fields(new("tank/other").check(placed(device), None)) == []


def test_a_volume_is_one_disk_of_a_vm() -> None:
    others = placed(Cdrom(path="/mnt/tank/a"), Raw(path="/mnt/tank/b"), disk())
    assert told(disk().check(others, None)) == [
        ("attributes.path", "/dev/zvol/tank/a is attached to this VM already, as device 3")
    ]


# --- a look at the volumes --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("/dev/zvol/tank/b", Problem("attributes.path", "the volume tank/b does not exist", 2)),
        ("/dev/zvol/lake/a", Problem("attributes.path", "there is no pool lake; there is tank", 2)),
    ],
)
async def test_a_volume_that_is_not_there_is_told_so_that_clients_can_test_for_it(
    bench: Bench, path: str, problem: Problem
) -> None:
    await bench.volumes.create("tank/a", 512)
    assert await disk().examine(bench.ctx, [], None) == []
    assert await disk(path).examine(bench.ctx, [], None) == [problem]


@pytest.mark.parametrize(
    "name", ["", "tank", "tank/", "/tank/a", "tank//a", "tank/../a", "tank/-a", "tank/\u00fc"]
)
async def test_a_name_that_no_volume_can_have_is_a_wrong_value(bench: Bench, name: str) -> None:
    ((field, text),) = told(await disk(f"/dev/zvol/{name}").examine(bench.ctx, [], None))
    assert field == "attributes.path"
    assert "is no volume name" in text
    if name:
        ((field, _),) = told(await new(name).examine(bench.ctx, [], None))
        assert field == "attributes.zvol_name"


async def test_a_volume_that_has_gone_keeps_no_other_change_from_being_made(bench: Bench) -> None:
    assert await disk(type="VIRTIO").examine(bench.ctx, [], disk()) == []
    assert fields(await disk().examine(bench.ctx, [], disk("/dev/zvol/tank/b"))) == ["attributes.path"]


async def test_a_new_volume_takes_no_name_that_is_taken(bench: Bench) -> None:
    await bench.volumes.create("tank/a", 512)
    text = "tank/a exists already; use its path instead"
    assert await new().examine(bench.ctx, [], None) == [Problem("attributes.zvol_name", text, 17)]
    assert await new().examine(bench.ctx, [], disk()) == [Problem("attributes.zvol_name", text, 17)]
    assert await new("tank/b").examine(bench.ctx, [], None) == []


# --- making the volume ------------------------------------------------------------------------------


async def test_what_is_stored_is_the_path_of_the_volume_that_was_made(bench: Bench) -> None:
    stored = await provisioned(bench, new("tank/my disk", type="VIRTIO"))
    assert stored == disk("/dev/zvol/tank/my+disk", type="VIRTIO").entry()
    assert (await bench.volumes.find("tank/my disk")).size == MiB
    assert await disk("/dev/zvol/tank/my+disk").examine(bench.ctx, [], None) == []


async def test_of_a_volume_that_is_there_nothing_is_made(bench: Bench) -> None:
    assert await provisioned(bench, disk()) == disk().entry()
    assert await bench.names() == []


async def test_a_disk_can_go_on_with_a_new_volume_and_the_old_one_stays(bench: Bench) -> None:
    await bench.volumes.create("tank/old", 512)
    old = disk("/dev/zvol/tank/old")
    assert await provisioned(bench, new("tank/new"), old) == disk("/dev/zvol/tank/new").entry()
    assert await bench.names() == ["tank/new", "tank/old"]


async def test_a_new_volume_goes_when_a_later_step_fails(bench: Bench) -> None:
    async with AsyncExitStack() as steps:
        await new().provision(bench.ctx, steps, None)
        assert await bench.names() == ["tank/a"]
    assert await bench.names() == []
    assert bench.ctx.unfinished.all() == []


@pytest.mark.parametrize(
    ("device", "field", "errno"),
    [
        # Somebody else was faster than the look at the volumes and this.
        (new("tank/taken"), "attributes.zvol_name", 17),
        (new("tank/none/a"), "attributes.zvol_name", 2),
        (new("tank/huge", 2**70), "attributes.zvol_volsize", 28),
    ],
)
async def test_a_volume_that_cannot_be_made_is_a_problem_with_what_was_asked_for(
    bench: Bench, device: Disk, field: str, errno: int
) -> None:
    await bench.volumes.create("tank/taken", 512)
    async with AsyncExitStack() as steps:
        with pytest.raises(ValidationErrors) as raised:
            await device.provision(bench.ctx, steps, None)
    assert [(each.attribute, each.errno) for each in raised.value.problems] == [(field, errno)]
    assert await bench.names() == ["tank/taken"]
    assert (await bench.volumes.find("tank/taken")).size == 512
    assert bench.ctx.unfinished.all() == []


# --- afterwards -------------------------------------------------------------------------------------


async def test_a_copy_has_a_volume_and_a_number_of_its_own(bench: Bench) -> None:
    await bench.volumes.create("tank/my disk", 512)
    original = disk("/dev/zvol/tank/my+disk", serial="MINE", iotype="NATIVE")
    async with AsyncExitStack() as steps:
        copies = [await original.copy_for("web", bench.ctx, steps) for _ in range(2)]
        assert [copy.path for copy in copies] == [
            "/dev/zvol/tank/my+disk_web",
            "/dev/zvol/tank/my+disk_web_clone0",
        ]
        assert [(copy.serial, copy.iotype) for copy in copies] == [(None, "NATIVE")] * 2
        assert await bench.names() == ["tank/my disk", "tank/my disk_web", "tank/my disk_web_clone0"]
    assert await bench.names() == ["tank/my disk"]


async def test_without_the_volume_there_is_no_copy(bench: Bench) -> None:
    async with AsyncExitStack() as steps:
        with pytest.raises(VolumeError) as raised:
            await disk().copy_for("web", bench.ctx, steps)
    assert raised.value.kind is VolumeErrorKind.NOT_FOUND
    assert await bench.names() == []


async def test_a_start_needs_the_volume_and_a_way_to_it(bench: Bench) -> None:
    assert list(await disk().preflight(bench.ctx)) == ["the volume tank/a does not exist"]
    await bench.volumes.create("tank/a", 512)
    assert list(await disk().preflight(bench.ctx)) == []
    bench.engine.become(guest_user="libvirt-qemu")
    bench.machine.barrier = bench.pool
    (sentence,) = await disk().preflight(bench.ctx)
    assert sentence.endswith(f"allow it with: chmod o+x {bench.pool}")


@pytest.mark.parametrize("raw_file", [False, True])
def test_the_volume_goes_only_when_volumes_are_asked_for(raw_file: bool) -> None:
    assert disk().storage(zvol=False, raw_file=raw_file) is None
    assert disk().storage(zvol=True, raw_file=raw_file) == Unfinished(Kind.VOLUME, "/dev/zvol/tank/a")


def test_people_know_it_by_its_path() -> None:
    assert disk().identity == "/dev/zvol/tank/a"
    assert (disk().boots_first, disk().caution) == (False, None)
