"""Guests that wait, from their start on, until somebody looks at their display (``wait`` of a DISPLAY)."""

import json

import structlog

from vmstead.ctx import Services
from vmstead.ports.engine import EngineError, EngineErrorKind

log = structlog.get_logger()

#: Where it is remembered who waits: the guests outlive the server.
_NAME = "held_guests"


def _held(services: Services) -> set[str]:
    return set(json.loads(services.memory.get(_NAME) or "[]"))


async def hold(services: Services, uuid: str) -> None:
    """Remember that a guest waits. Called before it is started."""
    await services.memory.change(_NAME, lambda old: json.dumps(sorted({*json.loads(old or "[]"), uuid})))


async def let_go(services: Services, uuid: str) -> None:
    """Forget that it waits: it has gone on, is started anew, or is deleted."""
    if uuid in _held(services):
        await services.memory.change(
            _NAME, lambda old: json.dumps(sorted({*json.loads(old or "[]")} - {uuid}))
        )


async def viewed(services: Services, uuid: str) -> None:
    """Let a guest that waits go on, now that somebody looks. One that was suspended by somebody stays so.

    Where that fails it waits on, for the next one who looks. Whoever looks while the guest is being started is not
    lost either: the engine lets it go on when it has started it.
    """
    if uuid not in _held(services):
        return
    log.info("somebody looks: the guest begins", uuid=uuid)
    try:
        await services.engine.resume(uuid)
    except EngineError as error:
        # It goes on already, or is off.
        if error.kind not in (EngineErrorKind.WRONG_STATE, EngineErrorKind.NO_DOMAIN):
            log.warning("a guest that waits could not begin", uuid=uuid, reason=str(error))
            return
    await let_go(services, uuid)
