"""Event sources: collections that are told of while somebody has subscribed, and that take arguments.

A subscription is named ``<source>`` or ``<source>:<arguments as a JSON object>``. Who subscribes by the same name
shares the stream: it is made, and each of its events is encoded, once.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from pydantic import ValidationError

from vmstead.errors import ApiError, Problem, ValidationErrors
from vmstead.kernel.bus import Event
from vmstead.kernel.model import Model
from vmstead.rpc.registry import problems_of

#: Receives an event of a stream.
Receiver = Callable[[Event], None]
#: Told that a stream has ended, with the reason if it is an error.
Ended = Callable[[ApiError | None], None]
#: Sends the fields of an event.
Send = Callable[[Mapping[str, object]], None]


@dataclass(frozen=True)
class Source:
    """Where streams come from.

    Attributes:
        role: what subscribing takes.
        description: for the reference.
        arguments: the model of the JSON object.
        fields: type of what each event carries.
        begin: starts a stream: called with what the source works with, the arguments, what sends an event and what
            ends the stream; returns what stops it. It may raise ``ApiError`` when there is nothing to tell of.
    """

    name: str
    role: str | None
    description: str
    arguments: type[Model]
    fields: object
    begin: Callable[[Any, Any, Send, Ended], Callable[[], None]]


class _Stream:
    """One that runs, and those who get it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.members: dict[object, tuple[Receiver, Ended]] = {}
        self.stop: Callable[[], None] = lambda: None

    def send(self, fields: Mapping[str, object]) -> None:
        event = Event(self.name, "added", fields=fields, is_passing=True)
        for receive, _ in list(self.members.values()):
            receive(event)


class Sources:
    """All sources, and the streams that run.

    Args:
        context: gives what sources work with.
    """

    def __init__(self, sources: Iterable[Source], context: Callable[[], object]) -> None:
        self._sources = {source.name: source for source in sources}
        self._context = context
        self._streams: dict[str, _Stream] = {}

    def __iter__(self) -> Iterator[Source]:
        return iter(self._sources.values())

    @property
    def running(self) -> int:
        """How many streams run."""
        return len(self._streams)

    def knows(self, name: str) -> bool:
        """Whether this is the name of a subscription to a source, with arguments or without."""
        return name.partition(":")[0] in self._sources

    def subscribe(self, name: str, receive: Receiver, ended: Ended) -> Callable[[], None]:
        """Receive a stream's events until the returned function is called, or the stream has ended.

        Raises:
            ApiError: the arguments are wrong, or there is nothing to tell of.
        """
        stream = self._streams.get(name) or self._begin(name)
        member = object()
        stream.members[member] = (receive, ended)

        def leave() -> None:
            if stream.members.pop(member, None) is not None and not stream.members:
                self._forget(stream)

        return leave

    def _begin(self, name: str) -> _Stream:
        base, _, text = name.partition(":")
        source = self._sources[base]
        arguments = _arguments(source.arguments, text)
        stream = _Stream(name)

        def end(error: ApiError | None) -> None:
            self._forget(stream)
            members, stream.members = stream.members, {}
            for _, ended in members.values():
                ended(error)

        stream.stop = source.begin(self._context(), arguments, stream.send, end)
        self._streams[name] = stream
        return stream

    def _forget(self, stream: _Stream) -> None:
        if self._streams.get(stream.name) is stream:
            del self._streams[stream.name]
            stream.stop()


def _arguments(model: type[Model], text: str) -> Model:
    try:
        return model.model_validate(msgspec.json.decode(text) if text else {})
    except ValidationError as error:
        raise ValidationErrors(problems_of(error)) from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValidationErrors([Problem("", f"a JSON object is expected after the colon: {error}")]) from None
