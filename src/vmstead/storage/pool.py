"""``pool.query`` and the names of datasets."""

import uuid
from typing import Any, Literal

from vmstead.ctx import Ctx
from vmstead.errors import NotFound
from vmstead.kernel.model import Field, Model
from vmstead.ports.pools import Device, Pool
from vmstead.query import Query
from vmstead.rpc.queries import QueryOptions, query_for_one
from vmstead.rpc.registry import Namespace
from vmstead.storage.errors import storage_errors

pool = Namespace("pool")

#: Numbers and guids are made from names: pools are named in the settings and numbered nowhere.
_SPACE = uuid.UUID("6a1c8c0e-6f0e-4f7b-9c55-0d2f2f5b7a11")


_USES = ("data", "log", "cache", "spare", "special", "dedup")


class PoolShape(Model):
    """A pool. Sizes are bytes."""

    id: int = Field(description="Its number, which stays as long as the settings name the same pools.")
    name: str = Field(description="Its name.")
    guid: str = Field(description="A number that no other pool has.")
    path: str = Field(description="Where its files are.")
    status: str = Field(description="ONLINE, OFFLINE when it is not there, or another of ZFS's words.")
    healthy: bool = Field(description="It can be used.")
    warning: bool = Field(description="Something needs attention.")
    status_code: str = Field(description="OK or UNAVAIL.")
    status_detail: str | None = Field(description="What is wrong with it.")
    size: int = Field(description="All of it.")
    allocated: int = Field(description="What is taken.")
    free: int = Field(description="What is free.")
    freeing: int = Field(description="What is being freed.")
    fragmentation: str = Field(description="How scattered free space is, in percent.")
    size_str: str = Field(description="size, as text.")
    allocated_str: str = Field(description="allocated, as text.")
    free_str: str = Field(description="free, as text.")
    freeing_str: str = Field(description="freeing, as text.")
    is_upgraded: bool = Field(description="It has all features.")
    autotrim: dict[str, str] = Field(description="Whether ZFS tells disks what is free: it has none here.")
    dedup_table_size: int = Field(description="Bytes of a table of duplicates: there is none.")
    dedup_table_quota: str = Field(description="How large that may get.")
    scan: None = Field(description="State of a scrub: there is none.")
    expand: None = Field(description="State of an expansion: there is none.")
    topology: dict[str, list[Any]] = Field(
        description="What it is made of, by use: its disks and groups of disks."
    )


def _entry(number: int, found: Pool) -> dict[str, Any]:
    numbers = {
        "size": found.size,
        "allocated": found.size - found.free,
        "free": found.free,
        "freeing": 0,
    }
    return {
        "id": number,
        "name": found.name,
        "guid": str(uuid.uuid5(_SPACE, found.name).int >> 64),
        "path": found.path,
        "status": found.status,
        "healthy": found.is_healthy,
        "warning": not found.is_healthy,
        "status_code": "OK" if found.is_healthy else "UNAVAIL",
        "status_detail": found.problem,
        **numbers,
        "fragmentation": "0",
        **{f"{name}_str": str(value) for name, value in numbers.items()},
        "is_upgraded": True,
        "autotrim": {"value": "off", "rawvalue": "off", "parsed": "off", "source": "DEFAULT"},
        "dedup_table_size": 0,
        "dedup_table_quota": "auto",
        "scan": None,
        "expand": None,
        "topology": {name: [_device(each) for each in found.devices.get(name, ())] for name in _USES},
    }


def _device(found: Device) -> dict[str, Any]:
    return {
        "name": found.name,
        "type": found.kind,
        "path": found.path,
        "status": found.status,
        "device": found.path and found.path.rpartition("/")[2],
        "disk": None,
        "children": [_device(each) for each in found.children],
    }


async def _entries(ctx: Ctx) -> list[dict[str, Any]]:
    with storage_errors():
        found = await ctx.pools.pools()
    return [_entry(number, each) for number, each in enumerate(found, 1)]


@pool.query(role="POOL_READ", returns=PoolShape)
async def query(ctx: Ctx, query: Query) -> object:
    """The pools that disks and files can be in, by name."""
    return query.apply(await _entries(ctx))


@pool.method(role="POOL_READ", returns=PoolShape)
async def get_instance(ctx: Ctx, id: int, options: QueryOptions = {}) -> object:  # noqa: B006
    """One pool. Options are those of ``pool.query``. Fails with ENOENT when there is none."""
    chosen = query_for_one(options)
    found = [each for each in await _entries(ctx) if each["id"] == id]
    if not found:
        raise NotFound("Pool", id)
    return chosen.apply(found)


@pool.method(role="DATASET_READ")
async def filesystem_choices(
    ctx: Ctx,
    types: list[Literal["FILESYSTEM", "VOLUME"]] = ["FILESYSTEM", "VOLUME"],  # noqa: B006
) -> list[str]:
    """Names of the datasets of these types."""
    with storage_errors():
        return [each.name for each in await ctx.pools.datasets() if each.kind in types]
