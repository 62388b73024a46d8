"""``pool.dataset.*``: volumes for disks, and file systems for images, to the extent that VM clients need them."""

import errno
import itertools
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Literal

from vmstead.ctx import Ctx
from vmstead.devices._claims import claimed, discard_noted
from vmstead.errors import NotFound, Problem, ValidationErrors
from vmstead.kernel.model import Field, Model, NonEmpty, Text
from vmstead.kernel.undo import undo
from vmstead.ports.pools import Dataset, DatasetKind
from vmstead.ports.volumes import VolumeError, VolumeErrorKind, volume_path
from vmstead.query import Query
from vmstead.rpc.queries import QueryOptions, query_for_one
from vmstead.rpc.registry import Namespace
from vmstead.storage.errors import storage_errors
from vmstead.storage.events import DATASETS, gone, told
from vmstead.storage.properties import DatasetShape, entry, size_of
from vmstead.store.unfinished import Kind, Unfinished
from vmstead.vm.usage import refuse_active

pool_dataset = Namespace("pool.dataset")

_CREATE, _UPDATE = "pool_dataset_create", "pool_dataset_update"


async def _entries(ctx: Ctx) -> list[dict[str, Any]]:
    with storage_errors():
        return [entry(each) for each in await ctx.pools.datasets()]


async def _find(ctx: Ctx, id: str) -> Dataset:
    with storage_errors():
        found = next((each for each in await ctx.pools.datasets() if each.name == id), None)
    if found is None:
        raise NotFound("PoolDataset", id)
    return found


@pool_dataset.query(role="DATASET_READ", returns=DatasetShape)
async def query(ctx: Ctx, query: Query) -> object:
    """File systems and volumes of all pools, by name."""
    return query.apply(await _entries(ctx))


@pool_dataset.method(role="DATASET_READ", returns=DatasetShape)
async def get_instance(ctx: Ctx, id: NonEmpty, options: QueryOptions = {}) -> object:  # noqa: B006
    """One dataset. Options are those of ``pool.dataset.query``. Fails with ENOENT when there is none."""
    chosen = query_for_one(options)
    return chosen.apply([entry(await _find(ctx, id))])


class UserProperty(Model):
    """A property of the client's own."""

    key: Text = Field(description="Its name, which has a colon in it.")
    value: Text = Field(description="Its value.")


class Properties(Model):
    """What is known of a dataset beside its contents. Those that concern ZFS alone are kept and read back."""

    comments: Text | None = Field(None, description="For people; INHERIT or null: none.")
    compression: Text | None = Field(None, description="How ZFS is to compress it.")
    sync: Text | None = Field(None, description="When ZFS is to write it.")
    deduplication: Text | None = Field(None, description="Whether ZFS is to deduplicate it.")
    checksum: Text | None = Field(None, description="How ZFS is to check it.")
    readonly: Text | None = Field(None, description="Whether ZFS is to refuse writing.")
    atime: Text | None = Field(None, description="Whether ZFS is to note when files are read.")
    exec: Text | None = Field(None, description="Whether ZFS is to let programs in it be run.")
    snapdev: Text | None = Field(None, description="Whether ZFS is to show snapshots as devices.")
    snapdir: Text | None = Field(None, description="Whether ZFS is to show the folder of snapshots.")
    recordsize: Text | None = Field(None, description="ZFS's record size.")
    copies: int | Literal["INHERIT"] | None = Field(None, description="How many copies ZFS is to keep.")
    quota: int | None = Field(None, description="Bytes that ZFS is to allow at most.")
    refquota: int | None = Field(None, description="The same, without what is below.")
    reservation: int | None = Field(None, description="Bytes that ZFS is to keep free for it.")
    refreservation: int | None = Field(None, description="The same, without what is below.")
    managedby: Text | None = Field(None, description="Who takes care of it.")


class DatasetCreate(Properties):
    """A dataset to make."""

    name: NonEmpty = Field(description="Its name: <pool>/<name>.")
    type: Literal["FILESYSTEM", "VOLUME"] = Field("FILESYSTEM", description="What to make.")
    volsize: int | None = Field(None, description="VOLUME: its bytes, a multiple of 512.")
    volblocksize: Text | None = Field(None, description="VOLUME: ZFS's block size, such as 16K.")
    sparse: bool = Field(True, description="VOLUME: take space when it is written; they always do here.")
    force_size: bool = Field(False, description="VOLUME: has no effect.")
    create_ancestors: bool = Field(False, description="Also make the file systems above it.")
    user_properties: list[UserProperty] = Field([], description="Properties of the client's own.")
    share_type: Text | None = Field(None, description="FILESYSTEM: has no effect.")
    encryption: Literal[False] = Field(False, description="Encrypted datasets are not made here.")
    inherit_encryption: bool = Field(True, description="Has no effect.")


@pool_dataset.method(
    role="DATASET_WRITE", returns=DatasetShape, audit="Create dataset {pool_dataset_create[name]}"
)
async def create(ctx: Ctx, pool_dataset_create: DatasetCreate) -> object:
    """Make a volume or a file system; answers with what it is.

    The file system above must be there, unless ``create_ancestors`` is set.
    """
    given, name = pool_dataset_create, pool_dataset_create.name
    is_volume = given.type == "VOLUME"
    if is_volume and (not given.volsize or given.volsize < 0 or given.volsize % 512):
        raise ValidationErrors([Problem(f"{_CREATE}.volsize", "must be a multiple of 512 above 0")])
    async with undo() as steps:
        with storage_errors(f"{_CREATE}.name"):
            notes = await _make_above(ctx, steps, name) if given.create_ancestors else []
            if is_volume:
                notes.append(Unfinished(Kind.VOLUME, volume_path(name)))
                await claimed(ctx, steps, notes[-1], partial(ctx.volumes.create, name, given.volsize or 0))
            else:
                notes.append(await _make_filesystem(ctx, steps, name))
            await ctx.pools.set_properties(name, _chosen(given))
        await ctx.unfinished.forget(*notes)
    return told(ctx, DATASETS, "added", entry(await _find(ctx, name)))


async def _make_above(ctx: Ctx, steps: AsyncExitStack, name: str) -> list[Unfinished]:
    """Make the file systems above that are not there, from the top; returns the notes about them."""
    notes = []
    parts = name.split("/")[:-1]
    for above in itertools.accumulate(parts, "{}/{}".format):
        try:
            notes.append(await _make_filesystem(ctx, steps, above))
        except VolumeError as error:
            if error.kind is not VolumeErrorKind.EXISTS:
                raise
    return notes


async def _make_filesystem(ctx: Ctx, steps: AsyncExitStack, name: str) -> Unfinished:
    note = Unfinished(Kind.EMPTY_FILESYSTEM, name)
    await claimed(ctx, steps, note, partial(ctx.pools.create_filesystem, name))
    return note


def _chosen(given: Properties) -> dict[str, object]:
    """The properties that the client has sent; None for those to take away."""
    names = given.model_fields_set & (Properties.model_fields.keys() | {"volblocksize"})
    chosen = {name: getattr(given, name) for name in sorted(names)}
    chosen = {name: None if value == "INHERIT" else value for name, value in chosen.items()}
    if isinstance(given, DatasetCreate | DatasetUpdate) and "user_properties" in given.model_fields_set:
        chosen["user_properties"] = {each.key: each.value for each in given.user_properties}
    return chosen


class DatasetUpdate(Properties):
    """What to change of a dataset; what is left out stays."""

    volsize: int | None = Field(None, description="VOLUME: its new bytes; it can only grow.")
    force_size: bool = Field(False, description="Has no effect.")
    user_properties: list[UserProperty] = Field([], description="All properties of the client's own.")


@pool_dataset.method(role="DATASET_WRITE", returns=DatasetShape, audit="Update dataset {id}")
async def update(ctx: Ctx, id: NonEmpty, pool_dataset_update: DatasetUpdate) -> object:
    """Change a dataset; a volume can grow, also while a virtual machine uses it."""
    found, given = await _find(ctx, id), pool_dataset_update
    if given.volsize is not None:
        if found.kind is not DatasetKind.VOLUME:
            raise ValidationErrors([Problem(f"{_UPDATE}.volsize", f"{id} is not a volume")])
        if given.volsize % 512:
            raise ValidationErrors([Problem(f"{_UPDATE}.volsize", "must be a multiple of 512")])
        with storage_errors(f"{_UPDATE}.volsize"):
            await ctx.pools.resize(id, given.volsize)
    with storage_errors():
        await ctx.pools.set_properties(id, _chosen(given))
    return told(ctx, DATASETS, "changed", entry(await _find(ctx, id)))


class DatasetDeleteOptions(Model):
    """What may go with the dataset."""

    recursive: bool = Field(False, description="Also the datasets and snapshots that hang on it.")
    force: bool = Field(False, description="Has no effect: what an active virtual machine uses stays.")


@pool_dataset.method(role="DATASET_DELETE", audit="Delete dataset {id}")
async def delete(ctx: Ctx, id: NonEmpty, options: DatasetDeleteOptions = DatasetDeleteOptions()) -> bool:
    """Destroy a volume, or a file system with its files. Not what an active virtual machine uses."""
    await _find(ctx, id)
    async with ctx.locks.edit("devices", "A dataset is being destroyed"):
        with storage_errors():
            going = [
                each
                for each in await ctx.pools.datasets()
                if each.name == id or each.name.startswith(f"{id}/")
            ]
            if len(going) > 1 and not options.recursive:
                text = f"{id} has datasets below it; use recursive to destroy them too"
                raise ValidationErrors([Problem("id", text, errno.ENOTEMPTY)])
            await _refuse_used(ctx, going, recursive=options.recursive)
            notes = [_gone(each) for each in sorted(going, key=lambda each: each.name, reverse=True)]
            await ctx.unfinished.note(*notes)
            failures = await discard_noted(ctx, notes)
            left = {each.name for each in await ctx.pools.datasets()}
            for each in going:
                if each.name not in left:
                    gone(ctx, DATASETS, each.name)
            if failures:
                raise failures[0]
    return True


def _gone(dataset: Dataset) -> Unfinished:
    if dataset.kind is DatasetKind.VOLUME:
        return Unfinished(Kind.VOLUME, volume_path(dataset.name))
    return Unfinished(Kind.FILESYSTEM, dataset.name)


async def _refuse_used(ctx: Ctx, going: list[Dataset], *, recursive: bool) -> None:
    """Refuse before anything is gone."""
    names = {each.name for each in going}
    kept = [each.id for each in await ctx.pools.snapshots() if each.dataset in names]
    if kept and not recursive:
        text = f"there are snapshots: {', '.join(kept)}; use recursive to destroy them too"
        raise ValidationErrors([Problem("id", text, errno.EBUSY)])
    for each in going:
        if each.kind is DatasetKind.VOLUME:
            await refuse_active(ctx, "id", (await ctx.volumes.find(each.name)).source.path)
        else:
            for path in _files_in_use(ctx, f"{each.mountpoint}/"):
                await refuse_active(ctx, "id", await ctx.volumes.locate(path))


def _files_in_use(ctx: Ctx, folder: str) -> list[str]:
    paths = (row["attributes"].get("path") for row in ctx.vms.all_devices())
    return [path for path in paths if path and path.startswith(folder)]


@pool_dataset.method(role="DATASET_READ")
async def recommended_zvol_blocksize(ctx: Ctx, pool: NonEmpty) -> str:
    """The block size that a volume in this pool should have."""
    with storage_errors("pool"):
        if pool not in {each.name for each in await ctx.pools.pools()}:
            raise VolumeError(VolumeErrorKind.NOT_FOUND, f"there is no pool {pool}")
    return size_of(16384)
