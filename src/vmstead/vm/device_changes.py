"""What creating and changing devices have in common, one at a time and as the whole set of a VM."""

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from pydantic import ValidationError

from vmstead.ctx import Ctx
from vmstead.devices import TYPES, Device, Placed
from vmstead.errors import Problem, ValidationErrors, raise_if
from vmstead.kernel.model import PLACEHOLDER, SECRET_KEYS
from vmstead.rpc.registry import problems_of


async def filled_in(ctx: Ctx, device: Device, others: Sequence[Placed], old: Device | None) -> Device:
    """The device with what the client left to the server. ``others`` are the other devices of all VMs."""
    filled: Device = await device.complete(ctx, others, old)
    return filled


async def problems_with(
    ctx: Ctx, vm: int, device: Device, others: Sequence[Placed], old: Device | None
) -> list[Problem]:
    """What is wrong with a device that is filled in: first by its values, then by a look at the host."""
    siblings = [other for other in others if other.vm == vm]
    return [*device.check(siblings, old)] or await device.examine(ctx, others, old)


async def prepared(
    ctx: Ctx, steps: AsyncExitStack, vm: int, device: Device, others: Sequence[Placed], old: Device | None
) -> Device:
    """The device filled in, checked and with its storage made. Raises ValidationErrors."""
    device = await filled_in(ctx, device, others, old)
    raise_if(await problems_with(ctx, vm, device, others, old))
    ready: Device = await device.provision(ctx, steps, old)
    return ready


def changed(old: Device, changes: dict[str, Any], prefix: str) -> Device:
    """The stored attributes with the changes, checked as a whole.

    Raises:
        ValidationErrors: they do not fit together (fields are below ``prefix``), or name another type.
    """
    stored = old.entry()
    if changes.get("dtype", stored["dtype"]) != stored["dtype"]:
        text = f"a device cannot change its type, which is {stored['dtype']}; delete it and make another"
        raise ValidationErrors([Problem("attributes.dtype", text)])
    # A secret that the client was never shown comes back as its placeholder.
    kept = {key for key in SECRET_KEYS & changes.keys() if changes[key] == PLACEHOLDER}
    merged = {**stored, **{key: value for key, value in changes.items() if key not in kept}}
    return parsed(merged, prefix)


def parsed(attributes: dict[str, Any], prefix: str) -> Device:
    """Attributes as a device of the type they name.

    Raises:
        ValidationErrors: they do not describe one; fields are below ``prefix``.
    """
    kind = TYPES.get(str(attributes.get("dtype")))
    if kind is None:
        text = f"must be one of {', '.join(TYPES)}" if "dtype" in attributes else "Field required"
        raise ValidationErrors([Problem(f"{prefix}.dtype", text)])
    try:
        return kind.model_validate(attributes)
    except ValidationError as error:
        raise ValidationErrors(
            Problem(f"{prefix}.{attribute}" if attribute else prefix, message)
            for attribute, message, _ in problems_of(error)
        ) from None


def below(prefix: str, problems: Iterable[Problem]) -> list[Problem]:
    """The same problems, with their fields below ``prefix``."""
    return [Problem(f"{prefix}.{each.attribute}", each.message, each.errno) for each in problems]
