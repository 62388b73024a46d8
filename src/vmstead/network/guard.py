"""The guard's watch over one change: it is taken back when whoever makes it dies, or when nobody confirms it."""

import asyncio

import structlog

from vmstead.network.bridge import take_back
from vmstead.ports.host_network import Change, HostNetwork, Trials

log = structlog.get_logger()


async def watch(
    host: HostNetwork, trials: Trials, change: str, ended: asyncio.Event, patience: float
) -> bool:
    """Watch until the change is confirmed or taken back. True when it was taken back here.

    Args:
        change: its id.
        ended: set when the watch is to end early, which takes the change back: the host goes down, for instance.
        patience: seconds that whoever works on the change gets for it.
    """
    async with trials.bell() as rung:
        while True:
            rung.clear()
            # Whoever makes the change has the turn as long as they work on it and live.
            async with trials.turn(patience, by_force=True):
                found = await _still(trials, change)
                if found is None:
                    return False
                why = _over(found, trials.now(), ended)
                if why is not None:
                    return await _take_back(host, trials, found, why)
            await _first(found.deadline - trials.now(), ended, rung)


def _over(change: Change, now: float, ended: asyncio.Event) -> str | None:
    """Why it is time to take it back, if it is."""
    if change.state != "applied":
        return "whoever made it has died"
    if ended.is_set():
        return "the watch was ended"
    return "it was not confirmed in time" if now >= change.deadline else None


async def _first(seconds: float, *events: asyncio.Event) -> None:
    """Wait for the first of several events, or for the time to be over."""
    waiting = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


async def _still(trials: Trials, change: str) -> Change | None:
    found = await trials.read()
    return found if found is not None and found.id == change and found.state != "stuck" else None


async def _take_back(host: HostNetwork, trials: Trials, change: Change, why: str) -> bool:
    log.warning("a change of the network is taken back", bridge=change.bridge, port=change.port, reason=why)
    problems = await take_back(host, trials, change)
    log.warning("a change of the network was taken back", bridge=change.bridge, problems=list(problems))
    return True
