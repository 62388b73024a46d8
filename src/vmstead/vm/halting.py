"""Guests that halt while something is done to their disks, and go on whatever becomes of that or of the server."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import structlog

from vmstead.ctx import Ctx, Services
from vmstead.errors import CallError
from vmstead.ports.engine import EngineError, EngineErrorKind, PowerState
from vmstead.vm.model import Vm

log = structlog.get_logger()

#: Where it is remembered who was halted: the guests outlive the server.
_NAME = "halted_guests"


@asynccontextmanager
async def halted(ctx: Ctx, vms: Sequence[Vm]) -> AsyncIterator[None]:
    """During the block these guests halt. Exactly those that ran go on afterwards, whatever happens to the call.

    When the server is killed or the engine cannot be reached, they go on as soon as it is connected again.

    Raises:
        CallError: one of them cannot be halted; EBUSY, when it is halted for something else for too long.
    """
    mine: list[Vm] = []
    async with AsyncExitStack() as held:
        for vm in sorted(vms, key=lambda vm: vm.id):
            await held.enter_async_context(_bracket(ctx, vm.uuid))
        try:
            for vm in vms:
                if ctx.states.get(vm.uuid).power is PowerState.RUNNING:
                    mine.append(vm)
                    await _remember(ctx, {vm.uuid}.union)
                    await ctx.engine.suspend(vm.uuid)
            yield
        except EngineError as error:
            raise CallError(f"a virtual machine could not be halted: {error}") from error
        finally:
            if mine:
                # A call that is given up must not leave them halted.
                await asyncio.shield(asyncio.gather(*(_resume(ctx, vm.uuid) for vm in mine)))


async def resume_left(services: Services) -> None:
    """Let guests go on that a server which was killed, or could not reach the engine, has left halted."""
    for uuid in sorted(_left(services)):
        try:
            async with _bracket(services, uuid):
                if uuid in _left(services):
                    log.info("a guest that was left halted goes on", uuid=uuid)
                    await _resume(services, uuid)
        except CallError as error:
            # Whoever holds it lets it go on.
            log.info("a guest is still halted", uuid=uuid, reason=str(error))


def _bracket(services: Services, uuid: str) -> AbstractAsyncContextManager[None]:
    return services.locks.edit(("halted", uuid), f"The guest {uuid} is halted for a snapshot")


async def _resume(services: Services, uuid: str) -> None:
    try:
        await services.engine.resume(uuid)
    except EngineError as error:
        if error.kind not in {EngineErrorKind.WRONG_STATE, EngineErrorKind.NO_DOMAIN}:
            log.warning("a guest is left halted for now", uuid=uuid, reason=str(error))
            return
    await _remember(services, lambda known: known - {uuid})


def _left(services: Services) -> set[str]:
    return set(json.loads(services.memory.get(_NAME) or "[]"))


async def _remember(services: Services, change: Callable[[set[str]], set[str]]) -> None:
    await services.memory.change(_NAME, lambda old: json.dumps(sorted(change(set(json.loads(old or "[]"))))))
