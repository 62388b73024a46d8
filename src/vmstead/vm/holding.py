"""Guests that wait, from their start on, until somebody looks at their display (``wait`` of a DISPLAY)."""

import json

import structlog

from vmstead.ctx import Services
from vmstead.ports.engine import EngineError, EngineErrorKind, PowerState

log = structlog.get_logger()

#: Where it is remembered who waits: the guests outlive the server.
_NAME = "held_guests"


def _held(services: Services) -> set[str]:
    return set(json.loads(services.memory.get(_NAME) or "[]"))


async def hold(services: Services, uuid: str) -> None:
    """Remember that a guest waits. Called before it is started."""
    await services.memory.change(_NAME, lambda old: json.dumps(sorted({*json.loads(old or "[]"), uuid})))


async def let_go(services: Services, uuid: str) -> None:
    """Forget that it waits: it was resumed by somebody, or started anew."""
    if uuid in _held(services):
        await services.memory.change(
            _NAME, lambda old: json.dumps(sorted({*json.loads(old or "[]")} - {uuid}))
        )


async def viewed(services: Services, uuid: str) -> None:
    """Let a guest that waits go on, now that somebody looks. One that was suspended by somebody stays so."""
    if uuid not in _held(services):
        return
    await let_go(services, uuid)
    if services.states.get(uuid).power is not PowerState.PAUSED:
        return
    log.info("somebody looks: the guest begins", uuid=uuid)
    try:
        await services.engine.resume(uuid)
    except EngineError as error:
        if error.kind is not EngineErrorKind.WRONG_STATE:
            log.warning("a guest that waited could not begin", uuid=uuid, reason=str(error))
