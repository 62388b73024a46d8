"""``pool.snapshot.*``: how volumes were at a time."""

import secrets
from collections.abc import Sequence
from functools import partial
from typing import Any

from vmstead.ctx import Ctx
from vmstead.devices._claims import claimed, discard_noted
from vmstead.errors import NotFound, Problem, ValidationErrors
from vmstead.kernel.model import Field, Model, NonEmpty, Text
from vmstead.kernel.undo import undo
from vmstead.ports.pools import Dataset, Snapshot
from vmstead.ports.volumes import VolumeError, VolumeErrorKind, volume_name, volume_path
from vmstead.query import Query
from vmstead.rpc.queries import QueryOptions, query_for_one
from vmstead.rpc.registry import Namespace
from vmstead.storage.attachments import users_of
from vmstead.storage.errors import storage_errors
from vmstead.storage.events import DATASETS, SNAPSHOTS, gone, told
from vmstead.storage.properties import PropertyShape, entry, size_of
from vmstead.store.unfinished import Kind, Unfinished
from vmstead.vm.halting import halted
from vmstead.vm.usage import kept_inactive

pool_snapshot = Namespace("pool.snapshot")

_CREATE, _CLONE = "pool_snapshot_create", "pool_snapshot_clone"


class SnapshotShape(Model):
    """A snapshot."""

    id: str = Field(description="<dataset>@<name>.")
    name: str = Field(description="The same.")
    dataset: str = Field(description="What it is a snapshot of.")
    snapshot_name: str = Field(description="Its own name.")
    pool: str = Field(description="Its pool.")
    type: str = Field(description="SNAPSHOT.")
    createtxg: str = Field(description="A number that grows with time.")
    properties: dict[str, PropertyShape] = Field(description="Its age and sizes.")


def _entry(found: Snapshot) -> dict[str, Any]:
    def prop(parsed: object, raw: object, value: str | None) -> dict[str, Any]:
        return {"parsed": parsed, "rawvalue": str(raw), "value": value, "source": "NONE", "source_info": None}

    seconds = int(found.created)
    size = {} if found.size is None else {"volsize": prop(found.size, found.size, size_of(found.size))}
    return {
        "id": found.id,
        "name": found.id,
        "dataset": found.dataset,
        "snapshot_name": found.name,
        "pool": found.dataset.partition("/")[0],
        "type": "SNAPSHOT",
        "createtxg": str(found.number),
        "properties": {
            "creation": prop({"$date": seconds * 1000}, seconds, None),
            "used": prop(found.used, found.used, size_of(found.used)),
            "referenced": prop(found.referenced, found.referenced, size_of(found.referenced)),
            **size,
        },
    }


async def _all(ctx: Ctx) -> list[Snapshot]:
    with storage_errors():
        return [*await ctx.pools.snapshots()]


async def _find(ctx: Ctx, id: str) -> Snapshot:
    found = next((each for each in await _all(ctx) if each.id == id), None)
    if found is None:
        raise NotFound("PoolSnapshot", id)
    return found


@pool_snapshot.query(role="SNAPSHOT_READ", returns=SnapshotShape)
async def query(ctx: Ctx, query: Query) -> object:
    """Snapshots of all datasets, by dataset and age."""
    return query.apply([_entry(each) for each in await _all(ctx)])


@pool_snapshot.method(role="SNAPSHOT_READ", returns=SnapshotShape)
async def get_instance(ctx: Ctx, id: NonEmpty, options: QueryOptions = {}) -> object:  # noqa: B006
    """One snapshot. Options are those of ``pool.snapshot.query``."""
    chosen = query_for_one(options)
    return chosen.apply([_entry(await _find(ctx, id))])


class SnapshotCreate(Model):
    """A snapshot to make."""

    dataset: NonEmpty = Field(description="The volume or file system.")
    name: Text | None = Field(None, description="Its own name; required.")
    recursive: bool = Field(False, description="Also of all datasets below it, at the same moment.")


@pool_snapshot.method(
    role="SNAPSHOT_WRITE",
    returns=SnapshotShape,
    audit="Create snapshot {pool_snapshot_create[dataset]}@{pool_snapshot_create[name]}",
)
async def create(ctx: Ctx, pool_snapshot_create: SnapshotCreate) -> object:
    """Keep how a volume is now; in a pool of ZFS also a file system.

    Virtual machines that use it and have ``suspend_on_snapshot`` halt for as long as that takes; for others it
    is as a power cut would leave it.
    """
    given = pool_snapshot_create
    if not given.name:
        raise ValidationErrors([Problem(f"{_CREATE}.name", "is required")])
    with storage_errors(f"{_CREATE}.dataset"):
        datasets = await ctx.pools.datasets()
        names = _concerned(given, datasets)
        vms = await users_of(ctx, names, datasets)
    halting = [vm for vm in vms if vm.suspend_on_snapshot and ctx.states.get(vm.uuid).active]
    notes = [Unfinished(Kind.SNAPSHOT, f"{name}@{given.name}") for name in names]
    create = partial(ctx.pools.create_snapshot, given.dataset, given.name, is_recursive=given.recursive)
    async with halted(ctx, halting), undo() as steps:
        with storage_errors(f"{_CREATE}.name"):
            made = await claimed(ctx, steps, notes[0], create, *notes[1:])
        await ctx.unfinished.forget(*notes)
    return told(ctx, SNAPSHOTS, "added", _entry(made))


def _concerned(given: SnapshotCreate, datasets: Sequence[Dataset]) -> list[str]:
    """What is to have a snapshot, ``given.dataset`` first. Raises VolumeError, when that can have none."""
    found = next((each for each in datasets if each.name == given.dataset), None)
    if found is None:
        raise VolumeError(VolumeErrorKind.NOT_FOUND, f"the dataset {given.dataset} does not exist")
    if not found.takes_snapshots:
        text = f"{given.dataset} is a folder, of which no snapshot can be made; of volumes it can"
        raise VolumeError(VolumeErrorKind.FAILED, text)
    below = [each.name for each in datasets if each.name.startswith(f"{given.dataset}/")]
    return [given.dataset, *(below if given.recursive else [])]


class SnapshotClone(Model):
    """A volume to make from a snapshot."""

    snapshot: NonEmpty = Field(description="<dataset>@<name>.")
    dataset_dst: NonEmpty = Field(description="The new volume.")
    dataset_properties: dict[str, object] = Field({}, description="Properties of the new volume.")


@pool_snapshot.method(role="SNAPSHOT_WRITE", audit="Clone snapshot {pool_snapshot_clone[snapshot]}")
async def clone(ctx: Ctx, pool_snapshot_clone: SnapshotClone) -> bool:
    """Make a new volume as the snapshot has it."""
    given = pool_snapshot_clone
    found = await _find(ctx, given.snapshot)

    note = Unfinished(Kind.VOLUME, volume_path(given.dataset_dst))
    make = partial(ctx.pools.clone_snapshot, found.dataset, found.name, given.dataset_dst)
    async with undo() as steps:
        with storage_errors(f"{_CLONE}.dataset_dst"):
            await claimed(ctx, steps, note, make)
            await ctx.pools.set_properties(given.dataset_dst, given.dataset_properties)
        await ctx.unfinished.forget(note)
    if ctx.bus.has_subscribers(DATASETS):
        made = next((each for each in await ctx.pools.datasets() if each.name == given.dataset_dst), None)
        if made is not None:
            told(ctx, DATASETS, "added", entry(made))
    return True


class SnapshotRollbackOptions(Model):
    """How to roll back."""

    recursive: bool = Field(False, description="Forget the snapshots that were made since.")
    recursive_clones: bool = Field(False, description="Refused: it would destroy volumes.")
    force: bool = Field(False, description="Has no effect.")
    recursive_rollback: bool = Field(False, description="Refused: volumes are rolled back one by one.")


@pool_snapshot.method(role="SNAPSHOT_WRITE", audit="Rollback snapshot {id}")
async def rollback(
    ctx: Ctx, id: NonEmpty, options: SnapshotRollbackOptions = SnapshotRollbackOptions()
) -> None:
    """Let a volume be again as a snapshot of it has it. What was written to it since is lost.

    All at once: whatever breaks this off, the volume is as it was or as the snapshot has it. Fails with ENOENT when
    there is no such snapshot, and with EBUSY when a VM that uses the volume is active, or when there are newer
    snapshots and ``recursive`` is not set. What was cloned from newer snapshots is never destroyed.
    """
    for name in ("recursive_clones", "recursive_rollback"):
        if getattr(options, name):
            text = "is not done here: what is on other volumes would be lost; do it with one after the other"
            raise ValidationErrors([Problem(f"options.{name}", text)])
    found = await _find(ctx, id)
    with storage_errors("id"):
        volume = await ctx.volumes.find(found.dataset)
    above = found.dataset.rpartition("/")[0]
    through = Unfinished(Kind.VOLUME, volume_path(f"{above}/rollback-{secrets.token_hex(8)}"))
    async with kept_inactive(ctx, "id", volume.source.path):
        before = await _of(ctx, found.dataset)
        await ctx.unfinished.note(through)
        try:
            with storage_errors("id"):
                await ctx.pools.roll_back(
                    found.dataset, found.name, through=volume_name(through.name), newer=options.recursive
                )
        finally:
            await discard_noted(ctx, [through])
        for forgotten in sorted(before - await _of(ctx, found.dataset)):
            gone(ctx, SNAPSHOTS, forgotten)


async def _of(ctx: Ctx, dataset: str) -> set[str]:
    """The snapshots that a dataset has."""
    return {each.id for each in await _all(ctx) if each.dataset == dataset}


class SnapshotDeleteOptions(Model):
    """How to delete."""

    defer: bool = Field(False, description="Has no effect: what was cloned from it always stays.")
    recursive: bool = Field(False, description="Has no effect.")


@pool_snapshot.method(role="SNAPSHOT_DELETE", audit="Delete snapshot {id}")
async def delete(ctx: Ctx, id: NonEmpty, options: SnapshotDeleteOptions = SnapshotDeleteOptions()) -> bool:
    """Forget a snapshot. Fails with ENOENT when there is none."""
    found = await _find(ctx, id)
    with storage_errors():
        await ctx.pools.destroy_snapshot(found.dataset, found.name)
    gone(ctx, SNAPSHOTS, id)
    return True
