"""Subscriptions: the events of one collection, in the order in which the server sent them."""

from collections import deque
from collections.abc import Callable, Iterator
from math import inf
from typing import Protocol

from vmstead.client.ejson import Json
from vmstead.client.errors import CallTimeout, ClientError, error_from_answer


class Waits(Protocol):
    """What a subscription and a job need of their client: reading frames until something is so."""

    def wait_until(self, reached: Callable[[], object], timeout: float) -> bool: ...


class Subscription:
    """The events that the server sends for one name, made by `Client.subscribe`.

    Iterate over it, or call `get`. An event is the server's `params` object: `msg` (`added`, `changed`,
    `removed`), `collection`, and where the event has them `id`, `fields` and `extra`. Events that arrive
    while the client waits for something else are kept without limit; unsubscribe what is no longer read.

    Attributes:
        name: what was subscribed to.
        id: the server's id of the subscription.
    """

    def __init__(self, client: Waits, name: str) -> None:
        self.name = name
        self.id = ""
        self._client = client
        self._events: deque[dict[str, Json]] = deque()
        self._ended = False
        self._error: ClientError | None = None

    def get(self, timeout: float | None = None) -> dict[str, Json] | None:
        """The next event, or None when there will be no more: unsubscribed, or ended by the server.

        Args:
            timeout: seconds to wait for it; None for ever, 0 takes what has arrived already.

        Raises:
            CallTimeout: no event in time.
            ClientError: the server ended the subscription with this error.
            ConnectionLostError: the connection ended.
        """
        ready = self._client.wait_until(
            lambda: self._events or self._ended, inf if timeout is None else timeout
        )
        if not ready:
            raise CallTimeout(f"No {self.name} event in time")
        if self._events:
            return self._events.popleft()
        if self._error is not None:
            raise self._error
        return None

    def __iter__(self) -> Iterator[dict[str, Json]]:
        return self

    def __next__(self) -> dict[str, Json]:
        event = self.get()
        if event is None:
            raise StopIteration
        return event

    def offer(self, params: dict[str, Json]) -> None:
        """Called by the client for every event: keep it when it is one of ours."""
        if self.name in (params.get("collection"), "*"):
            self._events.append(params)

    def end(self, error: Json = None) -> None:
        """Called by the client when there will be no more events.

        Args:
            error: the error object the server gave as the reason, if any.
        """
        self._ended = True
        if isinstance(error, dict):
            self._error = error_from_answer({"code": 0, "message": "Subscription ended", "data": error})
        elif error is not None:
            self._error = ClientError(str(error))
