"""Events from whoever changes something to whoever watches, within this process."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

import structlog

from vmstead.kernel.encode import encode

log = structlog.get_logger()

Change = Literal["added", "changed", "removed"]
Form = TypeVar("Form")


@dataclass(frozen=True)
class Event:
    """Something changed in a collection that clients can subscribe to.

    Attributes:
        collection: the subscription's name, such as ``vm.query``.
        change: what happened to the object.
        id: the object's id; None where the collection has no ids.
        fields: the whole object as the API shows it, without secrets; None for ``removed``.
        extra: further members of the notification.
        audience: says of a subscriber's identity whether it may see this event; None for everybody who
            may subscribe. What kind of object an identity is, is not the bus's business.
        is_passing: a later event about the same object says everything that this one says, so that a reader who
            is behind can do without it. A transition from one state to another is none.
    """

    collection: str
    change: Change
    id: object = None
    fields: Mapping[str, object] | None = None
    extra: Mapping[str, object] | None = None
    audience: Callable[[object], bool] | None = field(default=None, compare=False)
    is_passing: bool = False
    _forms: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def key(self) -> tuple[str, object] | None:
        """The same for all passing events about an object; None for an event that everybody must get."""
        return (self.collection, self.id) if self.is_passing else None

    @property
    def members(self) -> dict[str, object]:
        """What a client is told, whatever protocol it speaks."""
        members: dict[str, object] = {"msg": self.change, "collection": self.collection}
        if self.id is not None:
            members["id"] = self.id
        if self.fields is not None:
            members["fields"] = self.fields
        if self.extra is not None:
            members["extra"] = self.extra
        return members

    @cached_property
    def frame(self) -> str:
        """The JSON-RPC notification, encoded once however many subscribers there are."""
        notification = {"jsonrpc": "2.0", "method": "collection_update", "params": self.members}
        return encode(notification)

    def once(self, form: str, make: Callable[["Event"], Form]) -> Form:
        """What ``make`` makes of the event: the first time, and again for all who ask for the same form."""
        if form not in self._forms:
            self._forms[form] = make(self)
        made: Form = self._forms[form]
        return made


Subscriber = Callable[[Event], None]

#: Subscribing to this name receives every collection.
EVERYTHING = "*"


class Bus:
    """Delivers events to subscribers, at once and in the order of publishing.

    A subscriber must only take note (append to its outbox, set a future): it runs inside ``publish``.
    """

    def __init__(self) -> None:
        self._subscribers: dict[str, dict[object, Subscriber]] = {}

    def subscribe(self, collection: str, subscriber: Subscriber) -> Callable[[], None]:
        """Receive a collection's events, or all with ``EVERYTHING``, until the returned function is called.

        Who subscribed twice to what an event belongs to still gets it once.
        """
        subscription = object()
        self._subscribers.setdefault(collection, {})[subscription] = subscriber

        def unsubscribe() -> None:
            subscribers = self._subscribers.get(collection, {})
            subscribers.pop(subscription, None)
            if not subscribers:
                self._subscribers.pop(collection, None)

        return unsubscribe

    def has_subscribers(self, collection: str) -> bool:
        """Whether an event of this collection would reach anybody: building it may be saved otherwise."""
        return collection in self._subscribers or EVERYTHING in self._subscribers

    def publish(self, event: Event) -> None:
        """Hand the event to everybody who subscribed. Never fails: it tells of what has happened already."""
        subscribers = [
            subscriber
            for name in (event.collection, EVERYTHING)
            for subscriber in self._subscribers.get(name, {}).values()
        ]
        for subscriber in dict.fromkeys(subscribers):
            try:
                subscriber(event)
            except Exception:
                log.exception("event was not delivered", collection=event.collection, id=event.id)
