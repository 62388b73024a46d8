"""``pool.dataset.lock`` and ``unlock``: encrypted datasets of ZFS."""

import errno
from collections.abc import Collection, Sequence
from typing import Any

from vmstead.ctx import Ctx
from vmstead.errors import CallError, NotFound, Problem, raise_if
from vmstead.kernel.model import Field, Model, NonEmpty, OnlyFalse
from vmstead.ports.pools import Dataset
from vmstead.ports.volumes import VolumeError
from vmstead.rpc.registry import Namespace
from vmstead.storage.attachments import users_of
from vmstead.storage.errors import storage_errors
from vmstead.storage.events import DATASETS, told
from vmstead.storage.properties import entry
from vmstead.vm.host import start_all

pool_dataset = Namespace("pool.dataset")

_KEY = r"^[0-9a-fA-F]{64}$"


class LockOptions(Model):
    """How to lock."""

    force_umount: bool = Field(
        False, description="Unmount file systems although files are open, where ZFS can do that."
    )


@pool_dataset.method(role="DATASET_WRITE", job="dataset_lock_{0}", audit="Lock dataset {id}")
async def lock(ctx: Ctx, id: NonEmpty, options: LockOptions = LockOptions()) -> bool:
    """Lock an encrypted dataset, and all that shares its key: the key is forgotten, nothing in it can be read.

    What an active virtual machine uses is not locked.
    """
    async with ctx.locks.edit("devices", f"{id} is being locked"):
        with storage_errors():
            datasets = await ctx.pools.datasets()
            raise_if(_problems(_find(id, datasets)))
            closing = {each.name for each in datasets if each.lock is not None and each.lock.root == id}
            users = await users_of(ctx, closing, datasets)
            active = [vm for vm in users if ctx.states.get(vm.uuid).active]
            if active:
                raise CallError(f"{id} is in use by {active[0]}, which is active; stop it first", errno.EBUSY)
            await ctx.pools.lock(id, force=options.force_umount)
            await _tell(ctx, {id})
    return True


async def _tell(ctx: Ctx, roots: Collection[str]) -> Sequence[Dataset]:
    """Tell of the datasets that share these keys, as they are now; returns all that there are."""
    datasets = await ctx.pools.datasets()
    for each in datasets:
        if each.lock is not None and each.lock.root in roots:
            told(ctx, DATASETS, "changed", entry(each))
    return datasets


class UnlockSecret(Model):
    """The key of a dataset."""

    name: NonEmpty = Field(description="The dataset.")
    key: str | None = Field(None, pattern=_KEY, description="Its key, as 64 hexadecimal digits.")
    passphrase: NonEmpty | None = Field(None, description="Its passphrase.")
    recursive: bool = Field(False, description="Also the key of datasets below it, where none is given.")
    force: bool = Field(False, description="Has no effect: file systems are mounted whatever is in the way.")


class UnlockOptions(Model):
    """How to unlock."""

    datasets: list[UnlockSecret] = Field([], description="Keys and passphrases.")
    recursive: bool = Field(
        False, description="Also the locked datasets below it that have keys of their own."
    )
    toggle_attachments: bool = Field(
        True, description="Start virtual machines on it that are to start with the host."
    )
    key_file: OnlyFalse = Field(False, description="Keys are given in datasets.")
    force: bool = Field(False, description="Has no effect: file systems are mounted whatever is in the way.")


class UnlockFailure(Model):
    """Why a dataset stays locked."""

    error: str = Field(description="The reason.")
    skipped: list[str] = Field(description="Datasets below it that were not tried.")


class Unlocked(Model):
    """What has become of the datasets."""

    unlocked: list[str] = Field(description="Those that are unlocked now.")
    failed: dict[str, UnlockFailure] = Field(description="Those that are not.")


@pool_dataset.method(
    role="DATASET_WRITE", job="dataset_unlock_{0}", returns=Unlocked, audit="Unlock dataset {id}"
)
async def unlock(ctx: Ctx, id: NonEmpty, options: UnlockOptions = UnlockOptions()) -> dict[str, Any]:
    """Unlock an encrypted dataset, and all that shares its key.

    A key that is not the right one is told in the result, where the job itself succeeds. Virtual machines that are
    to start with the host are started when their disks are there.
    """
    with storage_errors():
        datasets = await ctx.pools.datasets()
    raise_if([*_secret_problems(options), *_unlock_problems(id, options, datasets)])
    unlocked: list[str] = []
    failed: dict[str, dict[str, Any]] = {}
    for root in _to_unlock(id, options, datasets):
        above = next((name for name in failed if root.startswith(f"{name}/")), None)
        if above is not None:
            failed[above]["skipped"].append(root)
            continue
        try:
            await ctx.pools.unlock(root, _secret_for(root, options))
        except VolumeError as error:
            failed[root] = {"error": str(error), "skipped": []}
        else:
            unlocked.append(root)
    with storage_errors():
        datasets = await _tell(ctx, unlocked)
    if options.toggle_attachments:
        await _start_guests(ctx, unlocked, datasets)
    return {"unlocked": unlocked, "failed": failed}


def _find(id: str, datasets: Sequence[Dataset]) -> Dataset:
    found = next((each for each in datasets if each.name == id), None)
    if found is None:
        raise NotFound("PoolDataset", id)
    return found


def _problems(found: Dataset) -> list[Problem]:
    """Why the key of a dataset is not its own."""
    if found.lock is None:
        return [Problem("id", f"{found.name} is not encrypted")]
    if found.lock.root != found.name:
        return [
            Problem("id", f"{found.name} has its key from {found.lock.root}, which is to be named instead")
        ]
    return []


def _unlock_problems(id: str, options: UnlockOptions, datasets: Sequence[Dataset]) -> list[Problem]:
    found = _find(id, datasets)
    if options.recursive:
        return []
    if found.lock is not None and found.lock.root == id and found.lock.is_open:
        return [Problem("id", f"{id} is not locked")]
    return _problems(found)


def _secret_problems(options: UnlockOptions) -> list[Problem]:
    return [
        Problem(f"options.datasets.{index}", "either a key or a passphrase is expected")
        for index, each in enumerate(options.datasets)
        if (each.key is None) == (each.passphrase is None)
    ]


def _to_unlock(id: str, options: UnlockOptions, datasets: Sequence[Dataset]) -> list[str]:
    """The datasets with keys of their own that are locked, from the top."""
    locked = sorted(each.name for each in datasets if _is_locked_root(each))
    return [name for name in locked if name == id or (options.recursive and name.startswith(f"{id}/"))]


def _is_locked_root(dataset: Dataset) -> bool:
    return dataset.lock is not None and dataset.lock.root == dataset.name and not dataset.lock.is_open


def _secret_for(root: str, options: UnlockOptions) -> str | None:
    """What was given for it, or for the nearest above that is to serve those below it too."""
    fitting = [
        each
        for each in options.datasets
        if each.name == root or (each.recursive and root.startswith(f"{each.name}/"))
    ]
    best = max(fitting, key=lambda each: len(each.name), default=None)
    return None if best is None else best.key or best.passphrase


async def _start_guests(ctx: Ctx, unlocked: Sequence[str], datasets: Sequence[Dataset]) -> None:
    """Start what would have been started with the host, had its disks been there."""
    opened = {each.name for each in datasets if each.lock is not None and each.lock.root in unlocked}
    users = await users_of(ctx, opened, datasets)
    waiting = [vm for vm in users if vm.autostart and not ctx.states.get(vm.uuid).active]
    await start_all(ctx, waiting)
