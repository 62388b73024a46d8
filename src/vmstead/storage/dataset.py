"""``pool.dataset.*``: volumes for disks, and file systems for images, to the extent that VM clients need them."""

import errno
import itertools
from contextlib import AsyncExitStack
from functools import partial
from typing import Any, Literal

from vmstead.ctx import Ctx
from vmstead.devices._claims import claimed, discard_noted
from vmstead.errors import NotFound, Problem, ValidationErrors, raise_if
from vmstead.kernel.model import Field, Model, NonEmpty, OnlyFalse, Text
from vmstead.kernel.undo import undo
from vmstead.ports.pools import Dataset, DatasetKind
from vmstead.ports.volumes import Encryption, VolumeError, VolumeErrorKind, volume_path
from vmstead.query import Query
from vmstead.rpc.queries import QueryOptions, query_for_one
from vmstead.rpc.registry import Namespace
from vmstead.storage.errors import storage_errors
from vmstead.storage.events import DATASETS, gone, told
from vmstead.storage.properties import DatasetShape, bytes_of, entry, size_of
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
    """What is known of a dataset beside its contents.

    In a pool that is a folder, those that concern ZFS are kept and read back, and have no effect.
    """

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


class EncryptionOptions(Model):
    """How a dataset is to be encrypted."""

    algorithm: Literal[
        "AES-128-CCM", "AES-192-CCM", "AES-256-CCM", "AES-128-GCM", "AES-192-GCM", "AES-256-GCM"
    ] = Field("AES-256-GCM", description="The cipher.")
    passphrase: Text | None = Field(None, min_length=8, description="A passphrase to unlock it with.")
    key: str | None = Field(
        None, pattern=r"^[0-9a-fA-F]{64}$", description="A key instead, as 64 hexadecimal digits."
    )
    pbkdf2iters: int = Field(350000, ge=100000, description="How often the passphrase is hashed.")
    generate_key: OnlyFalse = Field(False, description="No keys are kept here, so none is made up.")


class DatasetCreate(Properties):
    """A dataset to make."""

    name: NonEmpty = Field(description="Its name: <pool>/<name>.")
    type: Literal["FILESYSTEM", "VOLUME"] = Field("FILESYSTEM", description="What to make.")
    volsize: int | None = Field(
        None,
        description="VOLUME: its bytes, a multiple of 512; ZFS makes a multiple of volblocksize of them.",
    )
    volblocksize: Literal["512", "512B", "1K", "2K", "4K", "8K", "16K", "32K", "64K", "128K"] | None = Field(
        None, description="VOLUME: ZFS's block size; null: what suits the pool."
    )
    sparse: bool = Field(
        True, description="VOLUME: take space when it is written. In a pool that is a folder they always do."
    )
    force_size: bool = Field(False, description="VOLUME: has no effect.")
    create_ancestors: bool = Field(False, description="Also make the file systems above it.")
    user_properties: list[UserProperty] = Field([], description="Properties of the client's own.")
    share_type: Text | None = Field(None, description="FILESYSTEM: has no effect.")
    encryption: bool = Field(False, description="Encrypt it with a key of its own; in pools of ZFS.")
    encryption_options: EncryptionOptions = Field(EncryptionOptions(), description="With encryption: how.")
    inherit_encryption: bool = Field(
        True,
        description="Must be false with encryption; otherwise a dataset is encrypted as the one above it is.",
    )


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
    raise_if(await _encryption_problems(ctx, given))
    async with undo() as steps:
        with storage_errors(f"{_CREATE}.name"):
            notes = await _make_above(ctx, steps, name) if given.create_ancestors else []
            if is_volume:
                notes.append(await _make_volume(ctx, steps, given))
            else:
                notes.append(await _make_filesystem(ctx, steps, name, _encryption(given)))
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


async def _make_filesystem(
    ctx: Ctx, steps: AsyncExitStack, name: str, encryption: Encryption | None = None
) -> Unfinished:
    note = Unfinished(Kind.EMPTY_FILESYSTEM, name)
    create = partial(ctx.pools.create_filesystem, name, encryption=encryption)
    await claimed(ctx, steps, note, create)
    return note


async def _make_volume(ctx: Ctx, steps: AsyncExitStack, given: DatasetCreate) -> Unfinished:
    note = Unfinished(Kind.VOLUME, volume_path(given.name))
    create = partial(
        ctx.volumes.create,
        given.name,
        given.volsize or 0,
        block_size=bytes_of(given.volblocksize) if given.volblocksize else None,
        is_sparse=given.sparse,
        encryption=_encryption(given),
    )
    await claimed(ctx, steps, note, create)
    return note


async def _encryption_problems(ctx: Ctx, given: DatasetCreate) -> list[Problem]:
    if not given.encryption:
        return []
    problems = []
    with storage_errors(f"{_CREATE}.name"):
        pools = {each.name: each for each in await ctx.pools.pools()}
    pool = pools.get(given.name.partition("/")[0])
    if pool is not None and not pool.encrypts:
        text = f"the pool {pool.name} is a folder, in which nothing is encrypted; use a pool of ZFS"
        problems.append(Problem(f"{_CREATE}.encryption", text))
    if given.inherit_encryption:
        problems.append(Problem(f"{_CREATE}.inherit_encryption", "must be false with encryption"))
    options = given.encryption_options
    if (options.passphrase is None) == (options.key is None):
        text = "either a passphrase or a key is expected"
        problems.append(Problem(f"{_CREATE}.encryption_options", text))
    return problems


def _encryption(given: DatasetCreate) -> Encryption | None:
    if not given.encryption:
        return None
    options = given.encryption_options
    secret = options.passphrase or options.key or ""
    return Encryption(options.algorithm, secret, options.passphrase is not None, options.pbkdf2iters)


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
        return size_of(await ctx.pools.block_size(pool))
