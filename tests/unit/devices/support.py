"""Devices, and what they need around them: a host and an engine that are what they are told to be."""

from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from vmstead.adapters.all_pools import Storage
from vmstead.adapters.dir_pools import DirPools
from vmstead.adapters.dir_volumes import DirVolumes
from vmstead.adapters.fake_host import FakeHost
from vmstead.adapters.memory_engine import MemoryEngine
from vmstead.adapters.places import Places
from vmstead.adapters.pool_files import PoolFiles
from vmstead.adapters.qemu_img import QemuImg
from vmstead.addresses import Address
from vmstead.config import Config
from vmstead.ctx import Ctx
from vmstead.devices import Device, Placed
from vmstead.errors import Problem
from vmstead.kernel.clock import ManualClock
from vmstead.kernel.model import Model
from vmstead.ports.engine import EngineInfo
from vmstead.rpc.session import InternalSession
from vmstead.store.db import open_database
from vmstead.store.journal import open_journal
from vmstead.wiring import build

#: Where the server itself listens.
OWN_PORT = 6080


@dataclass
class Engine(MemoryEngine):
    """An engine that says of itself what it is told to; at first it is not connected."""

    told: EngineInfo | None = None

    @property
    def info(self) -> EngineInfo | None:
        return self.told

    def become(self, *, privileged: bool = True, guest_user: str | None = None) -> None:
        """Be connected, with these rights."""
        self.told = EngineInfo("memory", "memory", "tcg", "pretends", privileged, guest_user)


@dataclass
class Bench:
    """A context, and the things behind it. There is one pool: ``tank``, in the folder ``pool``."""

    ctx: Ctx
    engine: Engine
    machine: FakeHost
    volumes: DirVolumes
    pool: Path

    def file(self, name: str, content: bytes = b"") -> str:
        """Put a file into the pool; returns the path that the API has for it."""
        self.pool.joinpath(name).write_bytes(content)
        return f"/mnt/tank/{name}"

    async def names(self) -> list[str]:
        """The volumes that there are."""
        return [volume.name for volume in await self.volumes.list()]


@contextmanager
def workbench(tmp_path: Path) -> Iterator[Bench]:
    """Services on a state folder below ``tmp_path``."""
    pool = tmp_path / "tank"
    pool.mkdir()
    clock = ManualClock()
    engine, machine, volumes = Engine(clock), FakeHost(), DirVolumes({"tank": pool})
    listen = Address("127.0.0.1", OWN_PORT)
    config = Config(state=tmp_path, socket=tmp_path / "socket", listen=listen, pools={"tank": pool})
    stored = Storage(volumes, PoolFiles(Places({"tank": pool})), DirPools({"tank": pool}, volumes))
    with (
        closing(open_database(tmp_path / "vmstead.db")) as database,
        closing(open_journal(tmp_path / "audit.db", "audit_migrations")) as journal,
    ):
        services = build(config, database, journal, engine, stored, machine, clock, QemuImg())
        yield Bench(Ctx(**vars(services), session=InternalSession()), engine, machine, volumes, pool)


def placed(*devices: Device, vm: int = 1) -> list[Placed]:
    """The devices as they would be stored, with ids from 1."""
    return [Placed(number, vm, None, device) for number, device in enumerate(devices, 1)]


def refusals(kind: type[Model], **attributes: Any) -> dict[str, str]:
    """What is wrong with attributes before any rule is asked, by field."""
    with pytest.raises(ValidationError) as raised:
        kind.model_validate(attributes)
    return {".".join(map(str, error["loc"])): error["msg"] for error in raised.value.errors()}


def told(problems: Iterable[Problem]) -> list[tuple[str | None, str]]:
    """Problems as pairs of field and text, for those whose number is EINVAL."""
    found = list(problems)
    assert {problem.errno for problem in found} <= {22}
    return [(problem.attribute, problem.message) for problem in found]


def fields(problems: Iterable[Problem]) -> list[str | None]:
    """The fields that problems are about."""
    return [problem.attribute for problem in problems]


async def provisioned(bench: Bench, device: Device, old: Device | None = None) -> dict[str, object]:
    """What is stored of a device whose storage has been made."""
    async with AsyncExitStack() as steps:
        ready = await device.provision(bench.ctx, steps, old)
        steps.pop_all()
    return ready.entry()
