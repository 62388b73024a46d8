"""What the server does by itself when the host has come up, and when it goes down."""

import asyncio
from collections.abc import Iterable
from dataclasses import fields

import structlog

from vmstead.ctx import Ctx, Services
from vmstead.errors import ApiError
from vmstead.ports.engine import PowerState
from vmstead.rpc.session import InternalSession
from vmstead.store.alerts import NOT_STARTED
from vmstead.store.memory import LAST_BOOT
from vmstead.vm.lifecycle import power_off, shut_down, start
from vmstead.vm.model import Vm

log = structlog.get_logger()

#: Seconds that the engine gets to connect after a start of the host.
_PATIENCE = 120


async def guests_due(services: Services) -> list[Vm]:
    """The VMs that are to run because the host has started anew, in the order of their ids.

    To be asked before clients are answered: what they create from then on is theirs to start. A server that is
    only restarted leaves guests as they are: one that somebody has stopped stays so.
    """
    if services.memory.get(LAST_BOOT) == await services.host.boot_id():
        return []
    return [Vm.of(row) for row in services.vms.all() if row["autostart"]]


async def start_guests(services: Services, due: list[Vm]) -> None:
    """Start the guests that are due, side by side, as memory allows, and remember that this start was served.

    What fails is logged, and keeps no other guest.
    """
    if due:
        await services.states.settled(_PATIENCE)
    waiting = [target for target in due if target.uuid not in services.states.active()]
    if waiting:
        log.info("starting guests", count=len(waiting))
    await start_all(services, waiting)
    # Only now: a server that is killed meanwhile begins again with those that do not run yet.
    await services.memory.set(LAST_BOOT, await services.host.boot_id())


async def start_all(services: Services, targets: Iterable[Vm]) -> None:
    """Start guests side by side, as memory allows. What fails is logged, and keeps no other guest."""
    ctx = _own(services)
    await asyncio.gather(*(_start(ctx, target) for target in targets))


def _own(services: Services) -> Ctx:
    """A call of the server's own."""
    known = {each.name: getattr(services, each.name) for each in fields(Services)}
    return Ctx(**known, session=InternalSession())


async def _start(ctx: Ctx, target: Vm) -> None:
    try:
        await start(ctx, target.id)
    except ApiError as error:
        log.warning("a guest was not started", vm=target.id, name=target.name, reason=str(error))
        event = {"reason": str(error)}
        await ctx.alerts.happened(NOT_STARTED, str(target.id), event, ctx.clock.now())


async def stop_guests(services: Services) -> None:
    """Shut all guests down, side by side; each gets its own shutdown_timeout and is then powered off.

    A suspended guest cannot shut down and is powered off. What fails is logged, and keeps no other guest.
    """
    ctx = _own(services)
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
