"""The figures of the last while."""

from vmstead.kernel.clock import ManualClock
from vmstead.kernel.figures import GUEST_FIGURES
from vmstead.kernel.history import History, Series
from vmstead.kernel.meter import Meter
from vmstead.kernel.readings import Reading
from vmstead.kernel.tasks import Tasks
from vmstead.ports.counters import GuestCounters, HostCounters, ProcessorCounters


class Guests:
    """A meter of made-up readings: guests that read a kilobyte a second."""

    def __init__(self) -> None:
        self.clock = ManualClock(now=1_000_000)
        self.running = {"a"}
        self.host: HostCounters | None = HostCounters({"cpu": ProcessorCounters(0, 0)}, 100, 40)
        self.meter: Meter[Reading] = Meter(self.clock, Tasks(), self._read)
        self.history = History(self.meter, 3600, lambda: False)

    async def _read(self) -> Reading:
        raise NotImplementedError

    def look(self) -> Reading:
        at = self.clock.monotonic()
        guests = {uuid: GuestCounters(cpu_seconds=at / 4, read_bytes=int(at * 1000)) for uuid in self.running}
        return Reading(at, self.clock.now(), self.host, guests, ())

    def record(self, times: int) -> None:
        for _ in range(times):
            before = self.look()
            self.clock.advance(10)
            self.history._record(before, self.look())


def test_a_series_keeps_its_length_and_gives_what_is_after_a_time() -> None:
    series = Series(["a", "b"], 3)
    for number in range(5):
        series.append(100.0 + number, {"a": number, "b": None if number == 3 else number / 2})
    assert series.since(0) == {"time": [102000, 103000, 104000], "a": [2, 3, 4], "b": [1, None, 2]}
    assert series.since(103) == {"time": [104000], "a": [4], "b": [2]}
    assert series.since(104) == {"time": [], "a": [], "b": []}
    assert series.last == 104


def test_guests_and_machine_have_a_point_for_every_interval() -> None:
    guests = Guests()
    guests.record(3)
    found = guests.history.guest("a", guests.clock.now())
    assert found["time"] == [1_000_010_000, 1_000_020_000, 1_000_030_000]
    assert found["disk_read_bytes"] == [1000, 1000, 1000]
    assert found["cpu_usage"] == [25, 25, 25]
    assert found["network_sent_bytes"] == [None] * 3
    assert guests.history.host(guests.clock.now())["memory_used"] == [60, 60, 60]


def test_who_has_not_run_has_an_empty_history_with_every_column() -> None:
    guests = Guests()
    found = guests.history.guest("b", guests.clock.now())
    assert list(found) == ["time", *GUEST_FIGURES]
    assert set(map(tuple, found.values())) == {()}


def test_what_is_older_than_wanted_is_not_shown_and_soon_forgotten() -> None:
    guests = Guests()
    guests.record(2)
    guests.running = {"b"}
    guests.clock.advance(3595)
    assert len(guests.history.guest("a", guests.clock.now())["time"]) == 1
    guests.clock.advance(100)
    assert guests.history.guest("a", guests.clock.now())["time"] == []
    guests.record(1)
    assert guests.history._guests.keys() == {"b"}


def test_a_machine_that_cannot_be_read_leaves_a_gap() -> None:
    guests = Guests()
    guests.record(1)
    guests.host = None
    guests.record(1)
    assert len(guests.history.host(guests.clock.now())["time"]) == 1
    assert len(guests.history.guest("a", guests.clock.now())["time"]) == 2


def test_it_is_bounded() -> None:
    guests = Guests()
    guests.record(400)
    assert len(guests.history._guests["a"].since(0)["time"]) == 360


def test_no_history_watches_nothing() -> None:
    clock = ManualClock()

    async def read() -> Reading:
        raise NotImplementedError

    meter: Meter[Reading] = Meter(clock, Tasks(), read)
    history = History(meter, 0, lambda: True)
    assert clock.next_timer is None
    assert history.host(5)["time"] == []
