"""What a server that was killed left half-done is finished or taken back when the next one starts."""

import asyncio

import structlog

from vmstead.ctx import Services
from vmstead.devices._claims import discard
from vmstead.ports.engine import EngineError
from vmstead.ports.volumes import VolumeError
from vmstead.store.unfinished import Kind, Unfinished
from vmstead.vm.launch import variables_path

log = structlog.get_logger()

#: Seconds that the engine gets to connect before what it keeps of a VM that is not there is left for next time.
_PATIENCE = 10


async def clean_up(services: Services) -> None:
    """Remove what was begun for devices and VMs that were never stored, and what is left of those that are gone.

    What cannot be removed now is logged, and tried again at the next start.
    """
    notes = services.unfinished.all()
    # A dataset goes after those below it.
    for each in sorted(notes, key=lambda note: note.name.count("/"), reverse=True):
        if each.kind is Kind.FIRMWARE:
            continue
        try:
            await discard(services, each)
        except VolumeError as error:
            log.warning("something unfinished is left", kind=each.kind, name=each.name, reason=str(error))
            continue
        await services.unfinished.forget(each)
        log.info("removed what was left unfinished", kind=each.kind, name=each.name)
    firmware = [each for each in notes if each.kind is Kind.FIRMWARE]
    if firmware:
        await services.states.settled(_PATIENCE)
    for each in firmware:
        await forget_firmware(services, each)


async def forget_firmware(services: Services, note: Unfinished) -> None:
    """Remove the domain, the UEFI variables and the TPM state of a VM that is not stored, and the note about them.

    What cannot be removed now is logged, and stays noted for the next start of the server.
    """
    try:
        await asyncio.to_thread(variables_path(services, note.name).unlink, missing_ok=True)
        await services.engine.undefine(note.name)
    except (EngineError, OSError) as error:
        log.warning("firmware state of a VM that is gone is left", uuid=note.name, reason=str(error))
        return
    await services.unfinished.forget(note)
