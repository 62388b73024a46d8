"""``system.info`` and what else there is to know of the host and how it does."""

import datetime as dt
import hashlib
import hmac
from pathlib import Path
from typing import Any, Literal

from vmstead.ctx import Ctx
from vmstead.errors import CallError, host_errors
from vmstead.kernel.clock import date
from vmstead.kernel.model import Field, Model
from vmstead.ports.machine import RunState
from vmstead.rpc.registry import Namespace
from vmstead.store.memory import LAST_BOOT
from vmstead.system.product import API_VERSION

system = Namespace("system")

#: When the files of this version were written on this machine.
_WRITTEN = Path(__file__).stat().st_mtime

Date = dict[Literal["$date"], int]


class Info(Model):
    """The host. Texts are null where its firmware does not tell, or tells only root."""

    version: str = Field(description="The TrueNAS release whose API this is; see vmstead.version.")
    buildtime: Date = Field(description="When this server's files were written here.")
    hostname: str = Field(description="Its name.")
    physmem: int = Field(description="Bytes of memory.")
    model: str = Field(description="Its processor.")
    cores: int = Field(description="Processors that programs can run on.")
    physical_cores: int = Field(description="Cores that these are threads of.")
    loadavg: list[float] = Field(description="Load over 1, 5 and 15 minutes.")
    uptime: str = Field(description="How long it has been up, for people.")
    uptime_seconds: float = Field(description="How long it has been up.")
    system_serial: str | None = Field(description="Its serial number.")
    system_product: str | None = Field(description="What its maker calls it.")
    system_product_version: str | None = Field(description="Which of those it is.")
    license: None = Field(description="There is none.")
    boottime: Date = Field(description="When it was started.")
    datetime: Date = Field(description="What time it is there.")
    timezone: str = Field(description="Where it is, as a name of the tz database.")
    system_manufacturer: str | None = Field(description="Its maker.")
    ecc_memory: bool = Field(description="Its memory corrects errors, as far as the firmware tells.")


@system.method(role="READONLY_ADMIN", returns=Info)
async def info(ctx: Ctx) -> dict[str, Any]:
    """The host: its name, its hardware, how long it has been up and how busy it is."""
    with host_errors("the host cannot be looked at"):
        machine, memory = await ctx.host.machine(), await ctx.host.memory()
        uptime, load = await ctx.host.uptime(), await ctx.host.load()
        cores = await ctx.host.cpus()
    now = ctx.clock.now()
    return {
        "version": API_VERSION,
        "buildtime": date(_WRITTEN),
        "hostname": machine.hostname,
        "physmem": memory.total,
        "model": machine.processor,
        "cores": cores,
        "physical_cores": machine.cores,
        "loadavg": list(load),
        "uptime": str(dt.timedelta(seconds=uptime)),
        "uptime_seconds": uptime,
        "system_serial": machine.serial,
        "system_product": machine.product,
        "system_product_version": machine.product_version,
        "license": None,
        "boottime": date(now - uptime),
        "datetime": date(now),
        "timezone": machine.timezone,
        "system_manufacturer": machine.manufacturer,
        "ecc_memory": machine.has_ecc,
    }


@system.method()
async def hostname(ctx: Ctx) -> str:
    """The host's name."""
    with host_errors("the host's name cannot be read"):
        return (await ctx.host.machine()).hostname


@system.method(is_public=True)
async def boot_id(ctx: Ctx) -> str:
    """What is another text after each start of the host. Clients that are not logged in may ask too."""
    return await ctx.host.boot_id()


@system.method(role="READONLY_ADMIN")
async def host_id(ctx: Ctx) -> str:
    """What no other host has, in hex digits; it stays the same until the host is installed anew."""
    with host_errors("the host's id cannot be read"):
        id = (await ctx.host.machine()).id
    if id is None:
        raise CallError(
            "this host has no id: /etc/machine-id is missing; systemd-machine-id-setup makes it", 2
        )
    # See machine-id(5): it must not be told as it is.
    return hmac.digest(bytes.fromhex(id), b"vmstead host id", hashlib.sha256).hex()


@system.method(role="SYSTEM_GENERAL_READ")
async def state(ctx: Ctx) -> Literal["BOOTING", "READY", "SHUTTING_DOWN"]:
    """BOOTING until the host is up and its guests were started with it; SHUTTING_DOWN once it is going down."""
    with host_errors("the state of the host cannot be told"):
        run_state, boot = await ctx.host.run_state(), await ctx.host.boot_id()
    if run_state is RunState.STOPPING:
        return "SHUTTING_DOWN"
    is_served = ctx.memory.get(LAST_BOOT) == boot
    return "READY" if is_served and run_state is RunState.RUNNING else "BOOTING"


@system.method(role="SYSTEM_GENERAL_READ")
async def ready(ctx: Ctx) -> bool:
    """Whether the host is up, and its guests were started with it."""
    return await state(ctx) != "BOOTING"
