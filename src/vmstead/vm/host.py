"""What the server does by itself when the host goes down."""

import asyncio

import structlog

from vmstead.ctx import Ctx, Services
from vmstead.errors import ApiError
from vmstead.ports.engine import PowerState
from vmstead.rpc.session import InternalSession
from vmstead.vm.lifecycle import power_off, shut_down
from vmstead.vm.model import Vm

log = structlog.get_logger()


async def stop_guests(services: Services) -> None:
    """Shut all guests down, side by side; each gets its own shutdown_timeout and is then powered off.

    A suspended guest cannot shut down and is powered off. What fails is logged, and keeps no other guest.
    """
    ctx = Ctx(**vars(services), session=InternalSession())
    active = services.states.active()
    targets = [Vm.of(row) for row in services.vms.all() if row["uuid"] in active]
    if targets:
        log.info("stopping all guests", count=len(targets))
    await asyncio.gather(*(_stop(ctx, target) for target in targets))


async def _stop(ctx: Ctx, target: Vm) -> None:
    try:
        is_suspended = ctx.states.get(target.uuid).power is PowerState.PAUSED
        if is_suspended or not await shut_down(ctx, target):
            log.warning("powering off", vm=str(target))
            await power_off(ctx, target)
    except ApiError as error:
        log.warning("a guest was not stopped", vm=str(target), reason=str(error))
