"""``service.*``: the programs of the host that virtual machines depend on, and the way in for people."""

import os
from typing import Any

from vmstead.ctx import Ctx
from vmstead.errors import host_errors
from vmstead.kernel.model import Field, Model
from vmstead.ports.machine import ServiceNames, ServiceState
from vmstead.query import Query
from vmstead.rpc.queries import QueryOptions
from vmstead.rpc.registry import Namespace
from vmstead.system.rows import instance

service = Namespace("service")

#: In the order of their numbers, which therefore only grows. A libvirt may be one daemon or one for QEMU alone.
_SERVICES = {
    "vmstead": ServiceNames(("vmstead.service",), ("vmstead",)),
    "libvirtd": ServiceNames(
        ("libvirtd.service", "libvirtd.socket", "virtqemud.service", "virtqemud.socket"),
        ("libvirtd", "virtqemud"),
    ),
    "ssh": ServiceNames(("ssh.service", "sshd.service", "ssh.socket"), ("sshd",)),
}


class ServiceShape(Model):
    """A service."""

    id: int = Field(description="Its number.")
    service: str = Field(description="Its name.")
    enable: bool = Field(description="It is started with the host.")
    state: str = Field(description="RUNNING or STOPPED.")
    pids: list[int] = Field(description="Its processes.")


async def _entries(ctx: Ctx) -> list[dict[str, Any]]:
    with host_errors("the host's services cannot be listed"):
        found = {**await ctx.host.services(_SERVICES)}
    # However it was started, this server runs.
    found["vmstead"] = ServiceState(runs=True, starts=found["vmstead"].starts, pids=(os.getpid(),))
    return [
        {
            "id": number,
            "service": name,
            "enable": found[name].starts,
            "state": "RUNNING" if found[name].runs else "STOPPED",
            "pids": list(found[name].pids),
        }
        for number, name in enumerate(_SERVICES, 1)
    ]


@service.query(role="SERVICE_READ", returns=ServiceShape)
async def query(ctx: Ctx, query: Query) -> object:
    """This server, libvirt and SSH, as systemd tells of them; without systemd, by their processes."""
    return query.apply(await _entries(ctx))


@service.method(role="SERVICE_READ", returns=ServiceShape)
async def get_instance(ctx: Ctx, id: int, options: QueryOptions = {}) -> object:  # noqa: B006
    """One service. Options are those of ``service.query``. Fails with ENOENT when there is none."""
    return instance("Service", await _entries(ctx), "id", id, options)
