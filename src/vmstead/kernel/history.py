"""The figures of the last while, in memory, so that who comes later sees a chart at once."""

from array import array
from collections.abc import Callable, Mapping, Sequence

from pydantic import create_model

from vmstead.kernel.figures import GUEST_FIGURES, HOST_FIGURES, Figures, guest_figures, host_figures
from vmstead.kernel.meter import Meter
from vmstead.kernel.model import Field, Model
from vmstead.kernel.readings import Reading

#: Seconds between two points.
INTERVAL = 10
_UNKNOWN = float("nan")


def columns_of(figures: type[Model], name: str, doc: str) -> type[Model]:
    """What a history of these figures is answered with: a list for each, with one value for each point."""
    columns = {
        each: (list[info.annotation | None], Field(description=info.description))  # type: ignore[name-defined]
        for each, info in figures.model_fields.items()
    }
    model: type[Model] = create_model(
        name,
        __base__=Model,
        __doc__=doc,
        interval=(int, Field(description="Seconds between two points where none is missing.")),
        time=(list[int], Field(description="When each point was, in milliseconds since the epoch.")),
        **columns,
    )  # type: ignore[call-overload]
    return model


class Series:
    """Figures over time, a column for each; the oldest go when there are ``length`` points."""

    def __init__(self, names: Sequence[str], length: int) -> None:
        self._length = length
        self._times = array("d")
        self._columns = {name: array("d") for name in names}

    @property
    def last(self) -> float:
        """When the last point was, in seconds since the epoch."""
        return self._times[-1]

    def append(self, time: float, figures: Figures) -> None:
        """Add a point."""
        self._times.append(time)
        for name, column in self._columns.items():
            value = figures[name]
            column.append(_UNKNOWN if value is None else value)
        if len(self._times) > self._length:
            for each in (self._times, *self._columns.values()):
                del each[0]

    def since(self, time: float) -> dict[str, list[float | int | None]]:
        """The points after a time: ``time`` in milliseconds since the epoch, and each figure by its name."""
        first = next((i for i, each in enumerate(self._times) if each > time), len(self._times))
        found: dict[str, list[float | int | None]] = {
            "time": [int(each * 1000) for each in self._times[first:]]
        }
        for name, column in self._columns.items():
            found[name] = [_number(each) for each in column[first:]]
        return found


def _number(value: float) -> float | int | None:
    if value != value:
        return None
    return int(value) if value.is_integer() else value


class History:
    """Figures of the machine and of its guests.

    They are read while a guest is active or somebody watches for other reasons: a machine that does nothing is
    left in peace.

    Args:
        seconds: how far back they go; 0: not at all.
        is_busy: whether a guest is active.
    """

    def __init__(self, meter: Meter[Reading], seconds: float, is_busy: Callable[[], bool]) -> None:
        self._seconds = seconds
        self._length = int(seconds // INTERVAL)
        self._host = Series(HOST_FIGURES, self._length)
        self._guests: dict[str, Series] = {}
        if self._length:
            meter.watch(INTERVAL, self._record, is_busy)

    def host(self, now: float) -> dict[str, list[float | int | None]]:
        """The machine's, as columns, ``now`` being seconds since the epoch."""
        return self._host.since(now - self._seconds)

    def guest(self, uuid: str, now: float) -> dict[str, list[float | int | None]]:
        """A guest's, as columns; empty ones for a guest that has not run lately."""
        series = self._guests.get(uuid) or Series(GUEST_FIGURES, 0)
        return series.since(now - self._seconds)

    def _record(self, before: Reading, now: Reading) -> None:
        seconds = now.at - before.at
        if before.host is not None and now.host is not None:
            self._host.append(now.time, host_figures(before.host, now.host, seconds))
        for uuid, figures in figures_of_guests(before, now).items():
            series = self._guests.setdefault(uuid, Series(GUEST_FIGURES, self._length))
            series.append(now.time, figures)
        for uuid in [uuid for uuid, each in self._guests.items() if each.last < now.time - self._seconds]:
            del self._guests[uuid]


def figures_of_guests(before: Reading, now: Reading) -> Mapping[str, Figures]:
    """What each guest that is in both readings has used between them, by uuid."""
    return {
        uuid: guest_figures(before.guests[uuid], each, now.at - before.at)
        for uuid, each in now.guests.items()
        if uuid in before.guests
    }
