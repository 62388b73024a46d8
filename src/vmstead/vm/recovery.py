"""What a server that was killed left half-done is finished or taken back when the next one starts."""

import asyncio
import glob
from collections.abc import Iterable

import structlog

from vmstead.ctx import Services
from vmstead.devices._claims import discard
from vmstead.ports.engine import EngineError, EngineErrorKind
from vmstead.ports.volumes import VolumeError
from vmstead.store.unfinished import Kind, Unfinished
from vmstead.vm.launch import variables_path

log = structlog.get_logger()

#: Kinds of which the engine has something.
_OF_THE_ENGINE = {Kind.FIRMWARE, Kind.LOG}
#: Seconds that the engine gets to connect before what it keeps of a VM that is not there is left for next time.
_PATIENCE = 10


async def clean_up(services: Services) -> None:
    """Remove what was begun for devices and VMs that were never stored, and what is left of those that are gone.

    What cannot be removed now is logged, and tried again at the next start.
    """
    notes = services.unfinished.all()
    # A dataset goes after those below it.
    for each in sorted(notes, key=lambda note: note.name.count("/"), reverse=True):
        if each.kind in _OF_THE_ENGINE:
            continue
        try:
            await discard(services, each)
        except VolumeError as error:
            log.warning("something unfinished is left", kind=each.kind, name=each.name, reason=str(error))
            continue
        await services.unfinished.forget(each)
        log.info("removed what was left unfinished", kind=each.kind, name=each.name)
    remains = [each for each in notes if each.kind in _OF_THE_ENGINE]
    if remains:
        await services.states.settled(_PATIENCE)
        await remove_remains(services, remains)


async def remove_remains(services: Services, notes: Iterable[Unfinished]) -> None:
    """Remove what the engine has of VMs that are not stored: domain, UEFI variables, TPM state and logs.

    What cannot be removed now is logged, and stays noted for the next start of the server.
    """
    for each in notes:
        try:
            if each.kind is Kind.LOG:
                await asyncio.to_thread(_remove_log, services, each.name)
            else:
                await asyncio.to_thread(variables_path(services, each.name).unlink, missing_ok=True)
                await services.console_logs.remove(each.name)
                await services.engine.undefine(each.name)
        except (EngineError, OSError) as error:
            log.warning(
                "something of a VM that is gone is left", kind=each.kind, name=each.name, reason=str(error)
            )
            continue
        await services.unfinished.forget(each)


def _remove_log(services: Services, domain: str) -> None:
    """Remove a domain's log, with the older parts that libvirt may have put aside. Nothing where it keeps none."""
    info = services.engine.info
    if info is None:
        raise EngineError(EngineErrorKind.UNREACHABLE, "the engine is not connected at this moment")
    if info.log_folder is not None:
        for path in info.log_folder.glob(f"{glob.escape(domain)}.log*"):
            path.unlink(missing_ok=True)
