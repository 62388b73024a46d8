"""``system.reboot`` and ``system.shutdown``: the host goes down, and its guests before it."""

import asyncio
import contextlib
import errno

import structlog

from vmstead.ctx import Ctx
from vmstead.errors import CallError, host_errors
from vmstead.kernel.bus import Event
from vmstead.kernel.clock import within
from vmstead.kernel.model import Field, Model, NonEmpty
from vmstead.kernel.undo import undo
from vmstead.rpc.registry import Namespace
from vmstead.vm.host import start_all, stop_guests
from vmstead.vm.model import Vm

log = structlog.get_logger()
system = Namespace("system")

REBOOT, SHUTDOWN = "system.reboot", "system.shutdown"
#: The role that subscribing takes.
ROLES: dict[str, str | None] = {REBOOT: "SYSTEM_GENERAL_READ", SHUTDOWN: "SYSTEM_GENERAL_READ"}


class PowerOptions(Model):
    """When to go down."""

    delay: int | None = Field(None, ge=0, description="Seconds to wait before; the job can be aborted then.")


@system.method(role="HOST_POWER", job="host_power", audit="Restart the host: {reason}")
async def reboot(ctx: Ctx, reason: NonEmpty, options: PowerOptions = PowerOptions()) -> None:
    """Shut all guests down and start the host anew. Needs the setting ``host_power``.

    The event ``system.reboot`` tells it before, with the reason.
    """
    await _go_down(ctx, REBOOT, reason, options.delay)


@system.method(role="HOST_POWER", job="host_power", audit="Shut the host down: {reason}")
async def shutdown(ctx: Ctx, reason: NonEmpty, options: PowerOptions = PowerOptions()) -> None:
    """Shut all guests down and switch the host off. Needs the setting ``host_power``.

    The event ``system.shutdown`` tells it before, with the reason.
    """
    await _go_down(ctx, SHUTDOWN, reason, options.delay)


async def _go_down(ctx: Ctx, how: str, reason: str, delay: int | None) -> None:
    if not ctx.config.host_power:
        text = "this server may not shut its host down; use the host's own means, or let it with host_power"
        raise CallError(text, errno.EPERM)
    log.warning("the host is going down", how=how, reason=reason, delay=delay or 0)
    ctx.bus.publish(Event(how, "added", fields={"reason": reason}))
    if delay:
        ctx.progress(0, f"The host goes down in {delay} seconds")
        with contextlib.suppress(TimeoutError):
            await within(ctx.clock, delay, asyncio.get_running_loop().create_future())
    active = ctx.states.active()
    running = [Vm.of(row) for row in ctx.vms.all() if row["uuid"] in active]
    async with undo() as steps:
        # A host that stays up goes on with what ran on it.
        steps.push_async_callback(start_all, ctx, running)
        ctx.progress(10, "Shutting guests down")
        await stop_guests(ctx)
        ctx.progress(90, "Shutting the host down")
        with host_errors("the host could not be shut down"):
            await ctx.host.power(restart=how == REBOOT)
