"""Bridges over the host's cards: made on trial, confirmed, taken back, deleted.

A change is noted before it begins, with the steps that take it back, and a guard in another process watches it.
When whoever makes the change dies, or nobody confirms it in time, the guard takes it back.
"""

import secrets
from collections.abc import Sequence
from typing import Literal

import msgspec
import structlog

from vmstead.network.nat import check_unused
from vmstead.network.plan import Plan, plan_create, plan_delete
from vmstead.ports.host_network import (
    Change,
    Guards,
    HostNetwork,
    Kept,
    NetworkError,
    Step,
    Trials,
)

log = structlog.get_logger()

#: Seconds that the steps of a change get, beyond those in which it is to be confirmed.
APPLYING = 150.0


async def create_bridge(
    host: HostNetwork, trials: Trials, guards: Guards, bridge: str, port: str, within: float
) -> Change:
    """Make a bridge over a card, which is taken back unless it is confirmed.

    Args:
        within: seconds in which that must be.

    Raises:
        NetworkError: it cannot be made, or was not made and everything is as before.
    """
    async with trials.turn():
        await _check_nothing_waits(trials)
        cabling, management = await host.cabling(), await host.management(port)
        plan, _ = plan_create(cabling, management, bridge, port, host.record(bridge))
        return await _try_out(host, trials, guards, "create", (bridge, port), plan, within)


async def delete_bridge(
    host: HostNetwork, trials: Trials, guards: Guards, kept: Kept, users: Sequence[str], within: float
) -> Change:
    """Take a bridge away that was made here; it comes back unless that is confirmed.

    Args:
        users: names of the VMs whose NICs are attached to it.

    Raises:
        NetworkError: it is in use, or was not taken away and everything is as before.
    """
    async with trials.turn():
        await _check_nothing_waits(trials)
        check_unused(kept.bridge, users)
        cabling = await host.cabling()
        ports = [each.name for each in cabling.cables.values() if each.master == kept.bridge]
        others = [name for name in ports if name != kept.port]
        if others:
            raise NetworkError(
                f"{', '.join(others)} is plugged into {kept.bridge} besides {kept.port}: a guest runs on it; "
                "shut it down first"
            )
        plan = plan_delete(cabling, await host.management(kept.port), kept, host.record(kept.bridge))
        return await _try_out(host, trials, guards, "delete", (kept.bridge, kept.port), plan, within)


async def _check_nothing_waits(trials: Trials) -> None:
    change = await trials.read()
    if change is None:
        return
    if change.state == "stuck":
        raise NetworkError(
            f"bridge {change.bridge} could not be taken back completely ({'; '.join(change.problems)}); try again "
            "with: vmstead network rollback"
        )
    raise NetworkError(
        f"bridge {change.bridge} waits to be confirmed; first run: vmstead network confirm, or "
        "vmstead network rollback"
    )


async def _try_out(
    host: HostNetwork,
    trials: Trials,
    guards: Guards,
    verb: Literal["create", "delete"],
    names: tuple[str, str],
    plan: Plan,
    within: float,
) -> Change:
    deadline = trials.now() + within + APPLYING
    bridge, port = names
    change = Change(secrets.token_hex(8), verb, bridge, port, "applying", deadline, plan.undo, plan.keep)
    await trials.write(change)
    try:
        await guards.post(change.id, within + APPLYING)
    except BaseException:
        # Nothing has been done yet.
        await trials.write(None)
        raise
    try:
        await _all(host, plan.do)
        change = msgspec.structs.replace(change, state="applied", deadline=trials.now() + within)
        await trials.write(change)
    except BaseException as error:
        problems = await take_back(host, trials, change)
        if not isinstance(error, NetworkError):
            raise
        raise NetworkError(f"{error}; {_outcome(problems)}") from error
    return change


def _outcome(problems: Sequence[str]) -> str:
    if problems:
        text = "; ".join(problems)
        return f"not everything could be taken back: {text}; try again with: vmstead network rollback"
    return "everything is as before"


async def take_back(host: HostNetwork, trials: Trials, change: Change) -> tuple[str, ...]:
    """Take a change back, as far as that goes; each step is tried, whatever becomes of others.

    Returns what went wrong. The change is forgotten only where nothing did.
    """
    problems = []
    for step in change.undo:
        try:
            await host.perform(step)
        except NetworkError as error:
            problems.append(str(error))
            log.error("a step could not be taken back", bridge=change.bridge, reason=str(error))  # noqa: TRY400
    stuck = msgspec.structs.replace(change, state="stuck", problems=tuple(problems))
    await trials.write(stuck if problems else None)
    return tuple(problems)


async def confirm(host: HostNetwork, trials: Trials) -> Change:
    """Make the change that is on trial last.

    Raises:
        NetworkError: there is none, or it came too late or could not be kept, and everything is as before.
    """
    async with trials.turn():
        change = await trials.read()
        if change is None:
            raise NetworkError("no change waits to be confirmed: it was taken back, or there was none")
        why = "it was not confirmed in time"
        if change.state == "applied" and trials.now() < change.deadline:
            try:
                await _all(host, change.keep)
            except NetworkError as error:
                why = f"it could not be kept: {error}"
            else:
                await trials.write(None)
                return change
        problems = await take_back(host, trials, change)
        raise NetworkError(f"bridge {change.bridge}: {why}; {_outcome(problems)}")


async def _all(host: HostNetwork, steps: Sequence[Step]) -> None:
    for step in steps:
        await host.perform(step)


async def roll_back(host: HostNetwork, trials: Trials) -> Change:
    """Take the change that is on trial back now.

    Raises:
        NetworkError: there is none, or something of it could not be taken back.
    """
    async with trials.turn():
        change = await trials.read()
        if change is None:
            raise NetworkError("no change is on trial")
        problems = await take_back(host, trials, change)
        if problems:
            raise NetworkError(_outcome(problems))
        return change
