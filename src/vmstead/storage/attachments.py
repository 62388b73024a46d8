"""Which virtual machines have something on which datasets, by the paths of their devices."""

from collections.abc import Collection, Sequence

from vmstead.ctx import Ctx
from vmstead.ports.pools import Dataset
from vmstead.ports.volumes import VOLUME_PREFIX, volume_name
from vmstead.vm.entries import settled
from vmstead.vm.model import Vm


def holder(path: str, datasets: Sequence[Dataset]) -> str | None:
    """The dataset that a device's path leads to: the volume, or the deepest file system on the way."""
    if path.startswith(VOLUME_PREFIX):
        name = volume_name(path)
        return name if any(each.name == name for each in datasets) else None
    above = [each for each in datasets if each.mountpoint and path.startswith(f"{each.mountpoint}/")]
    return max(above, key=lambda each: len(each.name)).name if above else None


async def users_of(ctx: Ctx, names: Collection[str], datasets: Sequence[Dataset]) -> list[Vm]:
    """The VMs with a device on one of the datasets of these names, by id.

    ``datasets``: all that there are.
    """
    paths = ((row["vm"], row["attributes"].get("path")) for row in ctx.vms.all_devices())
    found = {vm for vm, path in paths if path and holder(path, datasets) in names}
    return [await settled(ctx, vm) for vm in sorted(found)]
