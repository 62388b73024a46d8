"""What happens to datasets and snapshots, told to whoever subscribed to them.

As with TrueNAS it is told of what ``pool.dataset.*`` and ``pool.snapshot.*`` do; a volume that comes and goes with
a disk of a virtual machine is told of with the device.
"""

from collections.abc import Mapping

from vmstead.ctx import Ctx
from vmstead.kernel.bus import Change, Event

DATASETS = "pool.dataset.query"
SNAPSHOTS = "pool.snapshot.query"
#: The role that subscribing takes.
ROLES: dict[str, str | None] = {DATASETS: "DATASET_READ", SNAPSHOTS: "SNAPSHOT_READ"}


def told(ctx: Ctx, collection: str, change: Change, entry: Mapping[str, object]) -> Mapping[str, object]:
    """Tell of an object that was added or changed; returns it."""
    ctx.bus.publish(Event(collection, change, entry["id"], entry, is_passing=change == "changed"))
    return entry


def gone(ctx: Ctx, collection: str, id: str) -> None:
    """Tell of one that is gone."""
    ctx.bus.publish(Event(collection, "removed", id))
