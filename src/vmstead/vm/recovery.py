"""What a server that was killed left half-done is taken back when the next one starts."""

import asyncio

import structlog

from vmstead.ctx import Services
from vmstead.ports.engine import EngineError
from vmstead.ports.volumes import VolumeError, VolumeErrorKind, volume_name
from vmstead.store.unfinished import Kind, Unfinished
from vmstead.vm.launch import variables_path

log = structlog.get_logger()

#: Seconds that the engine gets to connect before the TPM state of an unfinished clone is left for next time.
_PATIENCE = 10


async def clean_up(services: Services) -> None:
    """Remove storage that was begun for devices and VMs that were never stored.

    What cannot be removed now is logged, and tried again at the next start.
    """
    for each in services.unfinished.all():
        try:
            await _remove(services, each)
        except (VolumeError, EngineError, OSError) as error:
            log.warning("something unfinished is left", kind=each.kind, name=each.name, reason=str(error))
            continue
        await services.unfinished.forget(each.kind, each.name)
        log.info("removed what was left unfinished", kind=each.kind, name=each.name)


async def _remove(services: Services, left: Unfinished) -> None:
    try:
        match left.kind:
            case Kind.VOLUME:
                await services.volumes.destroy(volume_name(left.name))
            case Kind.FILE:
                await services.volumes.remove_file(left.name)
            case Kind.FIRMWARE:
                await asyncio.to_thread(variables_path(services, left.name).unlink, missing_ok=True)
                await services.states.settled(_PATIENCE)
                await services.engine.undefine(left.name)
    except VolumeError as error:
        if error.kind is not VolumeErrorKind.NOT_FOUND:
            raise
