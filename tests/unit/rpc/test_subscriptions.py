"""What a connection has subscribed to."""

from collections.abc import Callable

import pytest

from vmstead.errors import ApiError, CallError, ValidationErrors
from vmstead.kernel.bus import Bus, Event
from vmstead.kernel.model import Field, Model
from vmstead.rpc.caller import FULL_ADMIN, Caller
from vmstead.rpc.sources import Ended, Send, Source, Sources
from vmstead.rpc.subscriptions import LIMIT, Subscriptions, may_subscribe


class Arguments(Model):
    """How."""

    interval: int = Field(2, ge=2, description="How often.")


class Line:
    """A connection's end, and a source with it."""

    def __init__(self) -> None:
        self.bus = Bus()
        self.end: Ended = lambda _: None
        self.sources = Sources(
            [Source("ticks", None, "Ticks.", Arguments, object, self._begin)], lambda: None
        )
        self.events: list[Event] = []
        self.ends: list[tuple[str, ApiError | None]] = []
        self.subscriptions = Subscriptions(
            self.bus, self.sources, self._receive, lambda name, error: self.ends.append((name, error))
        )

    def _receive(self, event: Event) -> None:
        self.events.append(event)

    def _begin(self, _: object, __: Arguments, send: Send, end: Ended) -> Callable[[], None]:
        self.send, self.end = send, end
        return lambda: None

    def tell(self, collection: str) -> int:
        before = len(self.events)
        self.bus.publish(Event(collection, "changed", 1, {}))
        return len(self.events) - before


def test_several_to_one_name_are_one_until_the_last_has_gone() -> None:
    line = Line()
    first, second, everything = (line.subscriptions.add(name) for name in ("a", "a", "*"))
    assert len({first, second, everything}) == 3
    assert line.tell("a") == 1
    line.subscriptions.remove(everything)
    line.subscriptions.remove(first)
    assert line.tell("a") == 1
    line.subscriptions.remove(second)
    line.subscriptions.remove(second)
    line.subscriptions.remove("a")
    assert line.tell("a") == 0
    assert line.ends == [], "of plain collections nobody is told that they have ended"


def test_a_stream_ends_with_a_word_when_the_client_wants_or_when_it_is_over() -> None:
    line = Line()
    first, second = line.subscriptions.add("ticks"), line.subscriptions.add("ticks")
    line.send({})
    assert len(line.events) == 1
    line.subscriptions.remove(first)
    assert line.ends == []
    line.subscriptions.remove(second)
    assert (line.ends, line.sources.running) == ([("ticks", None)], 0)
    third = line.subscriptions.add("ticks")
    error = CallError("over")
    line.end(error)
    assert line.ends[1:] == [("ticks", error)]
    line.subscriptions.remove(third)
    assert len(line.ends) == 2
    line.subscriptions.add("ticks")
    assert line.sources.running == 1


def test_wrong_arguments_end_it_before_it_has_begun() -> None:
    line = Line()
    name = 'ticks:{"interval": 0}'
    id = line.subscriptions.add(name)
    [(ended, error)] = line.ends
    assert ended == name
    assert isinstance(error, ValidationErrors)
    line.subscriptions.remove(id)
    assert len(line.ends) == 1


def test_whoever_goes_leaves_the_streams_and_keeps_the_rest() -> None:
    line = Line()
    for name in ("a", "ticks", "ticks", 'ticks:{"interval": 3}'):
        line.subscriptions.add(name)
    assert line.sources.running == 2
    line.subscriptions.leave_sources()
    assert (line.sources.running, line.ends, line.tell("a")) == (0, [], 1)
    line.subscriptions.add("ticks")
    line.subscriptions.close()
    assert (line.sources.running, line.tell("a")) == (0, 0)


def test_there_is_an_end_to_how_many_a_connection_can_have() -> None:
    line = Line()
    ids = [line.subscriptions.add("a") for _ in range(LIMIT)]
    with pytest.raises(CallError, match=r"core\.unsubscribe"):
        line.subscriptions.add("b")
    line.subscriptions.remove(ids[0])
    line.subscriptions.add("b")


@pytest.mark.parametrize(
    ("roles", "name", "allowed"),
    [
        ({"VM_READ"}, "vm.query", True),
        ({"VM_READ"}, 'vm.query:{"a": 1}', True),
        (set(), "vm.query", False),
        (set(), "core.get_jobs", True),
        ({"VM_READ"}, "*", False),
        ({"VM_READ"}, "no.such", False),
        ({FULL_ADMIN}, "*", True),
        ({FULL_ADMIN}, "no.such", True),
    ],
)
def test_who_may_subscribe_to_what(roles: set[str], name: str, allowed: bool) -> None:
    caller = Caller("ann", frozenset(roles), "API_KEY", {})
    assert may_subscribe(caller, name, {"vm.query": "VM_READ", "core.get_jobs": None}) is allowed
