"""What virtual machines use: ``vm.stats``, a stream of events, and what they have used lately."""

from collections.abc import Callable

from vmstead.ctx import Ctx, Services
from vmstead.errors import NotFound
from vmstead.kernel.bus import Event
from vmstead.kernel.figures import GuestFigures
from vmstead.kernel.history import INTERVAL, columns_of, figures_of_guests
from vmstead.kernel.model import Field, Model
from vmstead.kernel.readings import Reading
from vmstead.rpc.registry import Namespace
from vmstead.rpc.sources import Ended, Send, Source
from vmstead.vm.entries import find
from vmstead.vm.events import VMS

vm = Namespace("vm")


class StatsArguments(Model):
    """What to tell of, and how often."""

    interval: int = Field(2, ge=2, le=3600, description="Seconds between two events.")
    id: int | None = Field(None, description="Only this virtual machine; null: all that are active.")


class Stats(Model):
    """What virtual machines use now."""

    virtual_machines: dict[str, GuestFigures] = Field(description="Those that are active, by id.")


def _begin(services: Services, arguments: StatsArguments, send: Send, end: Ended) -> Callable[[], None]:
    only = None if arguments.id is None else find(services, arguments.id).uuid

    def receive(before: Reading, now: Reading) -> None:
        figures, ids = figures_of_guests(before, now), services.vms.ids()
        wanted = figures.keys() & (ids.keys() if only is None else {only})
        send({"virtual_machines": {str(ids[uuid]): figures[uuid] for uuid in ids if uuid in wanted}})

    def changed(event: Event) -> None:
        if event.change == "removed" and event.id == arguments.id:
            end(NotFound("VM", arguments.id))

    stops = [services.measuring.watch(arguments.interval, receive)]
    if only is not None:
        stops.append(services.bus.subscribe(VMS, changed))

    def stop() -> None:
        for each in stops:
            each()

    return stop


STATS = Source(
    name="vm.stats",
    role="VM_READ",
    description="What virtual machines use now.",
    arguments=StatsArguments,
    fields=Stats,
    begin=_begin,
)


GuestHistory = columns_of(
    GuestFigures,
    "GuestHistory",
    "Figures of a virtual machine over time, with one value for each point in each list.",
)


@vm.method(role="VM_READ", returns=GuestHistory)
async def stats_history(ctx: Ctx, id: int) -> dict[str, object]:
    """What a virtual machine has used lately, as far back as the setting ``history`` says."""
    return {"interval": INTERVAL, **ctx.measuring.history.guest(find(ctx, id).uuid, ctx.clock.now())}
