"""Event sources: streams while somebody has subscribed."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from vmstead.errors import ApiError, CallError, ValidationErrors
from vmstead.kernel.model import Field, Model
from vmstead.rpc.sources import Ended, Send, Source, Sources

if TYPE_CHECKING:
    from vmstead.kernel.bus import Event


class Arguments(Model):
    """How."""

    interval: int = Field(2, ge=2, description="How often.")


class Studio:
    """A source whose streams can be spoken through."""

    def __init__(self) -> None:
        self.begun: list[tuple[object, Arguments]] = []
        self.stopped = 0
        self.send: Send = lambda _: None
        self.end: Ended = lambda _: None
        self.refusal: ApiError | None = None
        self.sources = Sources(
            [Source("clock.ticks", "CLOCK_READ", "Ticks.", Arguments, dict[str, int], self._begin)],
            lambda: "services",
        )

    def _begin(self, services: object, arguments: Arguments, send: Send, end: Ended) -> Callable[[], None]:
        if self.refusal is not None:
            raise self.refusal
        self.begun.append((services, arguments))
        self.send, self.end = send, end

        def stop() -> None:
            self.stopped += 1

        return stop


class Member:
    def __init__(self, studio: Studio, name: str = "clock.ticks") -> None:
        self.events: list[Event] = []
        self.ends: list[ApiError | None] = []
        self.leave = studio.sources.subscribe(name, self.events.append, self.ends.append)


def test_a_stream_runs_while_it_has_members_and_events_are_shared() -> None:
    studio = Studio()
    first, second = Member(studio), Member(studio)
    assert studio.begun == [("services", Arguments())]
    studio.send({"at": 1})
    assert first.events[0] is second.events[0]
    assert first.events[0].frame == (
        '{"jsonrpc":"2.0","method":"collection_update",'
        '"params":{"msg":"added","collection":"clock.ticks","fields":{"at":1}}}'
    )
    first.leave()
    first.leave()
    assert (studio.stopped, studio.sources.running) == (0, 1)
    studio.send({"at": 2})
    assert (len(first.events), len(second.events)) == (1, 2)
    second.leave()
    assert (studio.stopped, studio.sources.running) == (1, 0)
    Member(studio)
    assert len(studio.begun) == 2


def test_arguments_make_a_stream_of_their_own_with_the_name_as_it_was_given() -> None:
    studio = Studio()
    member = Member(studio, 'clock.ticks:{"interval":  5}')
    Member(studio)
    assert [arguments.interval for _, arguments in studio.begun] == [5, 2]
    studio.sources._streams['clock.ticks:{"interval":  5}'].send({})
    assert member.events[0].collection == 'clock.ticks:{"interval":  5}'
    assert studio.sources.knows("clock.ticks:{")
    assert not studio.sources.knows("clock")
    assert [source.name for source in studio.sources] == ["clock.ticks"]


@pytest.mark.parametrize(
    ("arguments", "attribute", "text"),
    [
        ('{"interval": 1}', "interval", "greater than or equal to 2"),
        ('{"interval": "x"}', "interval", "valid integer"),
        ('{"colour": 1}', "colour", "Extra inputs"),
        ("{", "", "a JSON object is expected"),
        ("[1]", "", "valid dictionary"),
        ("[" * 20_000, "", "a JSON object is expected"),
    ],
)
def test_wrong_arguments_are_named(arguments: str, attribute: str, text: str) -> None:
    studio = Studio()
    with pytest.raises(ValidationErrors) as raised:
        Member(studio, f"clock.ticks:{arguments}")
    [problem] = raised.value.problems
    assert problem.attribute == attribute
    assert text in problem.message
    assert studio.sources.running == 0


def test_a_stream_that_ends_tells_its_members_once() -> None:
    studio = Studio()
    members = [Member(studio), Member(studio)]
    error = CallError("nothing more to tell")
    studio.end(error)
    studio.end(error)
    studio.send({})
    assert [member.ends for member in members] == [[error], [error]]
    assert [member.events for member in members] == [[], []]
    members[0].leave()
    assert (studio.stopped, studio.sources.running) == (1, 0)
    again = Member(studio)
    studio.send({})
    assert len(again.events) == 1


def test_a_source_can_refuse() -> None:
    studio = Studio()
    studio.refusal = CallError("there is none")
    with pytest.raises(CallError):
        Member(studio)
    assert studio.sources.running == 0
    studio.refusal = None
    member: Any = Member(studio)
    assert member.ends == []
